import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# The tests run in one process per core: more threads in each would only wait for each other. Torch
# reads the number when it is imported, and the processes that the tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# An example that takes long says something about the machine, not about the code.
settings.register_profile(
    "untimed", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def short_kernels() -> Iterator[None]:
    """Let a kernel take two tensors instead of eight: it compiles three times as fast."""
    from labml_nn_optim import compiled

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "TOGETHER", 2)
        yield


@pytest.fixture(autouse=True)
def tiny_numbers() -> Iterator[None]:
    """Leave numbers below 1e-38 what they are for the next test: runs take them for zero."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(False)


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """One Chromium for the tests of a module."""
    # Most tests need no browser, and importing what drives it takes time.
    from tests.site_gen.browsing import running_browser

    with running_browser() as chromium:
        yield chromium
