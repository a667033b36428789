"""The average of the weights: its rule, its types, and when it is in the model."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

from labml_nn_optim import EMA, SGD
from tests.labml_nn_optim.examples import SMALL_SHAPES, largest_difference, make_params, train


def averages(weights: list[float], **arguments: Any) -> list[float | None]:
    """The average after each of some weights."""
    param = Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = EMA(SGD([param], lr=1.0), **arguments)
    found = []
    for weight in weights:
        param.grad = param.detach() - weight
        optimizer.step()
        average = optimizer.average.get(param)
        found.append(None if average is None else average.item())
    return found


@pytest.mark.parametrize("decay", [0.0, 0.9, 0.999])
def test_every_number_is_that_of_torchs_averaged_model(decay: float) -> None:
    model = nn.ParameterList(make_params(shapes=SMALL_SHAPES))
    theirs = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))
    optimizer = EMA(SGD(model.parameters(), lr=0.1), decay=decay)
    for step in range(100):
        train(optimizer, 1, first=step + 1)
        theirs.update_parameters(model)
    with optimizer.applied():
        ours = [param.detach().clone() for param in model.parameters()]
    assert largest_difference(ours, list(theirs.module.parameters())) == 0


def test_the_first_average_is_the_first_weights() -> None:
    assert averages([4.0, 0.0, 0.0], decay=0.5) == [4.0, 2.0, 1.0]


def test_every_leaves_steps_out() -> None:
    assert averages([1.0, 4.0, 1.0, 0.0], decay=0.5, every=2) == [None, 4.0, 4.0, 2.0]


def test_the_warm_up_remembers_a_ninth_of_the_steps() -> None:
    assert averages([12.0, 0.0, 0.0], warmup=True) == pytest.approx([12.0, 3.0, 3.0 * 4 / 13])
    # With a small rate it soon is the plain rule.
    assert averages([4.0, 0.0, 0.0], decay=0.1, warmup=True) == pytest.approx([4.0, 0.4, 0.04])


def test_half_precision_is_averaged_in_float32() -> None:
    def half() -> Parameter:
        return Parameter(torch.zeros(3, dtype=torch.bfloat16))

    param, wide = half(), Parameter(torch.zeros(3))
    optimizer = EMA(SGD([param, wide], lr=1.0), decay=0.999)
    optimizer.step()
    with torch.no_grad():
        for each in (param, wide):
            each.fill_(1.0)
    for _ in range(1999):
        optimizer.step()
    expected = torch.full((3,), 1 - 0.999**1999)
    for each in (param, wide):
        torch.testing.assert_close(optimizer.average[each], expected)
    other = EMA(SGD([half(), Parameter(torch.zeros(3))], lr=1.0))
    other.load_state_dict(optimizer.state_dict())
    assert [average.dtype for average in other.average.values()] == [torch.float32] * 2
    with optimizer.applied():
        assert param.dtype == torch.bfloat16
        torch.testing.assert_close(param.detach(), expected.bfloat16())


def test_a_complex_parameter() -> None:
    param = Parameter(torch.tensor([1 + 2j], dtype=torch.complex128))
    optimizer = EMA(SGD([param], lr=1.0), decay=0.5)
    optimizer.step()
    param.data.mul_(2)
    optimizer.step()
    assert optimizer.average[param].tolist() == [1.5 + 3j]


def test_the_average_is_in_the_model_only_inside() -> None:
    param = Parameter(torch.zeros(1))
    optimizer = EMA(SGD([param], lr=1.0), decay=0.5)
    for gradient in (-1.0, -1.0):
        param.grad = torch.tensor([gradient])
        optimizer.step()

    def look() -> None:
        with optimizer.applied():
            assert param.item() == 1.5
            with pytest.raises(RuntimeError, match="applied must not be inside applied"):
                optimizer.applied().__enter__()
            with pytest.raises(RuntimeError, match="step must be made with the weights"):
                optimizer.step()
            raise KeyError

    with pytest.raises(KeyError):
        look()
    assert param.item() == 2.0
    assert optimizer.count == 2
    optimizer.step()


def test_before_the_first_step_there_is_nothing_to_apply() -> None:
    param = Parameter(torch.ones(1))
    with EMA(SGD([param], lr=1.0)).applied():
        assert param.item() == 1.0


def test_statistics_of_batch_normalization_are_not_averaged() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    inputs = torch.randn(256, 4)
    optimizer = EMA(SGD(model.parameters(), lr=0.1), decay=0.5)
    for _ in range(5):
        optimizer.zero_grad()
        model(inputs).square().mean().backward()
        nn.init.normal_(model[0].weight)
        optimizer.step()

    def variance() -> Tensor:
        return model(inputs).var(0)

    def as_it_is(found: Tensor) -> float:
        return float((found - model[1].weight.detach() ** 2).abs().max())

    with optimizer.applied(), torch.no_grad():
        model.eval()
        before = as_it_is(variance())
        update_bn([inputs], model)
        model.eval()
        assert as_it_is(variance()) < 0.01 < before
        held = model[1].running_var.clone()
    # The statistics stay those of the average.
    assert torch.equal(model[1].running_var, held)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"decay": 1.0}, ValueError, "decay must be a finite number >= 0 and < 1, got 1.0"),
        ({"decay": None}, TypeError, "decay must be"),
        ({"warmup": 1}, TypeError, "warmup must be"),
        ({"every": 0}, ValueError, "every must be"),
    ],
)
def test_bad_arguments_are_named(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        EMA(SGD([Parameter(torch.zeros(1))], lr=1.0), **arguments)
