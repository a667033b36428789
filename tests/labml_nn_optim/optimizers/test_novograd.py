"""The one number that NovoGrad keeps for a tensor, its first step, and the programs that differ."""

from __future__ import annotations

from typing import Any

import pytest
import pytorch_optimizer
import torch
from timm.optim.nvnovograd import NvNovoGrad
from torch import Tensor
from torch.nn import Parameter

from labml_nn_optim import NovoGrad, WeightDecay
from tests.labml_nn_optim.examples import (
    SMALL_SHAPES,
    largest_difference,
    make_params,
    steps_of,
    train,
)


def run(kind: Any, lr: float = 0.02, **arguments: Any) -> list[Tensor]:
    return train(kind(make_params(shapes=SMALL_SHAPES), lr=lr, **arguments), steps=100)


@pytest.mark.parametrize("options", [{}, {"per_tensor": True}], ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.complex128])
def test_the_second_moment_is_one_number(dtype: torch.dtype, options: dict[str, bool]) -> None:
    params = make_params(dtype, [(3, 4), (3, 4), (), (5,)])
    optimizer = NovoGrad(params, **options)
    train(optimizer, steps=3)
    for param in params:
        square = optimizer.state[param]["exp_avg_sq"]
        assert square.shape == ()
        assert square.dtype == (torch.float64 if dtype.itemsize > 4 else torch.float32)
        assert square > 0


def test_the_first_step_has_the_length_of_the_learning_rate() -> None:
    param = Parameter(torch.zeros(2, dtype=torch.float64))
    param.grad = torch.tensor([30.0, 40.0], dtype=torch.float64)
    optimizer = NovoGrad([param], lr=0.5)
    optimizer.step()
    assert param.tolist() == pytest.approx([-0.3, -0.4])
    assert optimizer.state[param]["exp_avg_sq"].item() == pytest.approx(2500.0)


def test_gradients_that_agree_add_up_to_twenty_steps() -> None:
    lengths = steps_of(NovoGrad, [7.0] * 200, lr=1.0)
    found = [lengths[step - 1] for step in (1, 10, 50, 200)]
    assert found == pytest.approx([1.0, 8.03, 18.46, 20.0], abs=0.01)


def test_no_term_is_longer_than_the_memory_allows() -> None:
    lengths = steps_of(NovoGrad, [1e-3] * 50 + [1e6], lr=1.0, betas=(0.0, 0.98))
    assert lengths[-1] == pytest.approx(0.02**-0.5, rel=1e-3)


def test_a_long_first_gradient_holds_the_steps_back() -> None:
    lengths = steps_of(NovoGrad, [100.0] + [1.0] * 800, lr=1.0)
    found = [lengths[step] / 20 for step in (100, 300, 500, 800)]
    assert found == pytest.approx([0.02, 0.17, 0.79, 1.0], abs=0.01)


def test_zeros_at_the_start_are_waited_for_as_in_timm_and_not_as_in_pytorch_optimizer() -> None:
    gradients = [0.0, 1.0, 1.0, 1.0]
    ours = steps_of(NovoGrad, gradients, lr=1.0)
    assert ours == pytest.approx([0.0, 1.0, 1.95, 2.8525])
    assert steps_of(NvNovoGrad, gradients, lr=1.0) == pytest.approx(ours)
    theirs = steps_of(pytorch_optimizer.NovoGrad, gradients, lr=1.0)
    assert theirs[1] == pytest.approx(0.02**-0.5)


def test_decay_is_a_term_beside_the_divided_gradient() -> None:
    param = Parameter(torch.tensor([3.0, 4.0], dtype=torch.float64))
    optimizer = NovoGrad([param], lr=0.5, weight_decay=0.1)
    param.grad = torch.tensor([30.0, 40.0], dtype=torch.float64)
    optimizer.step()
    assert optimizer.state[param]["exp_avg"].tolist() == pytest.approx([0.6 + 0.3, 0.8 + 0.4])
    assert param.tolist() == pytest.approx([3 - 0.45, 4 - 0.6])


def test_decoupled_decay_is_not_in_the_momentum() -> None:
    param = Parameter(torch.tensor([3.0, 4.0], dtype=torch.float64))
    optimizer = NovoGrad([param], lr=0.5, weight_decay=WeightDecay(0.1))
    param.grad = torch.tensor([30.0, 40.0], dtype=torch.float64)
    optimizer.step()
    assert optimizer.state[param]["exp_avg"].tolist() == pytest.approx([0.6, 0.8])
    assert param.tolist() == pytest.approx([3 * 0.95 - 0.3, 4 * 0.95 - 0.4])


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_timm_keeps_the_number_in_float32(decay: float) -> None:
    ours, theirs = (run(kind, weight_decay=decay) for kind in (NovoGrad, NvNovoGrad))
    assert 1e-9 < largest_difference(ours, theirs) < 1e-5


def test_averaging_in_timm_is_a_smaller_learning_rate() -> None:
    theirs = run(NvNovoGrad, lr=0.4, grad_averaging=True)
    assert largest_difference(run(NovoGrad), theirs) < 1e-5
    other = run(pytorch_optimizer.NovoGrad, lr=0.4, grad_averaging=True)
    assert largest_difference(run(NovoGrad), other) > 0.5


@pytest.mark.parametrize("way", ["compile", "flat"])
def test_it_is_neither_compiled_nor_flat(way: str) -> None:
    with pytest.raises(ValueError, match="compile and flat must be False for NovoGrad"):
        NovoGrad([Parameter(torch.zeros(2))], **{way: True})  # type: ignore[arg-type]
