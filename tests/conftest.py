import os

from hypothesis import HealthCheck, settings

# The tests run in one process per core: more threads in each would only wait for each other. Torch
# reads the number when it is imported, and the processes that the tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# An example that takes long says something about the machine, not about the code.
settings.register_profile(
    "untimed", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("untimed")
