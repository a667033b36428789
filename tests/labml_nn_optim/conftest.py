"""Fixtures that the tests of single rules share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from labml_nn_optim import base, plan


@pytest.fixture(autouse=True, scope="session")
def compiled_fast(short_kernels: None) -> None:
    """Compile short kernels in all tests of the library."""


@pytest.fixture(autouse=True, scope="session")
def small_plans() -> Iterator[None]:
    """Cut and pack at an eighth of the sizes: tensors of every kind, and little to compute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "CHUNK", base.CHUNK // 8)
        for name in ("PACK", "SMALL"):
            patch.setattr(plan, name, getattr(plan, name) // 8)
        yield


@pytest.fixture
def float64_by_default() -> Iterator[None]:
    """Let public implementations make their hidden single numbers in float64."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)
