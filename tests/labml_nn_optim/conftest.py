"""Fixtures that the tests of single rules share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from labml_nn_optim import compiled


@pytest.fixture(autouse=True, scope="session")
def short_kernels() -> Iterator[None]:
    """Let a kernel take two tensors instead of eight: it compiles three times as fast."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "TOGETHER", 2)
        yield


@pytest.fixture
def float64_by_default() -> Iterator[None]:
    """Let public implementations make their hidden single numbers in float64."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)
