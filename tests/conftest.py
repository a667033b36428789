import os

# The tests run in one process per core: more threads in each would only wait for each other. Torch
# reads the number when it is imported, and the processes that the tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
