"""The two modes of schedule-free optimizers, their checkpoints, and what they refuse."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import Parameter

from labml_nn_optim import (
    AdamW,
    CautiousWeightDecay,
    L1WeightDecay,
    ProximalWeightDecay,
    ScheduleFreeAdamW,
    ScheduleFreeSGD,
    WeightDecay,
    WeightDecayToStart,
)
from labml_nn_optim.named_state import load_state_dict_by_name
from labml_nn_optim.schedule_free import ScheduleFree
from tests.labml_nn_optim.examples import (
    SMALL_SHAPES,
    WAYS,
    largest_difference,
    make_params,
    noisy_gradient,
    train,
)
from tests.labml_nn_optim.test_checkpoints import copy_params, through_a_file

Kind = Callable[..., ScheduleFree]
KINDS: list[Kind] = [ScheduleFreeAdamW, ScheduleFreeSGD]
every_kind = pytest.mark.parametrize("kind", KINDS)
every_way = pytest.mark.parametrize("way", WAYS)
DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]


def params_of(optimizer: ScheduleFree) -> list[Tensor]:
    return [param for group in optimizer.param_groups for param in group["params"]]


def values_of(optimizer: ScheduleFree) -> list[Tensor]:
    return [param.detach().clone() for param in params_of(optimizer)]


class ByDefinition:
    """The three sequences as the paper has them, one weight, in Python."""

    def __init__(self, start: float, beta: float, adaptive: bool) -> None:
        self.x = self.z = self.y = start
        self.beta, self.adaptive = beta, adaptive
        self.v = self.weight_sum = 0.0

    def step(self, gradient: float, t: int, lr: float, weight: float) -> None:
        self.v = 0.999 * self.v + 0.001 * gradient**2
        if self.adaptive:
            gradient /= (self.v / (1 - 0.999**t)) ** 0.5 + 1e-8
        self.weight_sum += weight
        self.z -= lr * gradient
        c = weight / self.weight_sum
        self.x = (1 - c) * self.x + c * self.z
        self.y = (1 - self.beta) * self.z + self.beta * self.x


@pytest.mark.parametrize(("r", "power"), [(0.0, 2.0), (0.5, 2.0), (2.0, 1.0), (0.0, 0.0)])
@pytest.mark.parametrize("warmup", [0, 7])
@every_kind
def test_the_three_sequences_are_those_of_the_definition(
    kind: Kind, warmup: int, r: float, power: float
) -> None:
    param = Parameter(torch.tensor([1.5], dtype=torch.float64))
    optimizer = kind([param], lr=0.1, warmup=warmup, r=r, weight_lr_power=power)
    expected = ByDefinition(1.5, 0.9, adaptive=kind is ScheduleFreeAdamW)
    for t in range(1, 31):
        param.grad = noisy_gradient(param, t, 0)
        lr = 0.1 * min(1.0, t / warmup) if warmup else 0.1
        expected.step(param.grad.item(), t, lr, t**r * lr**power)
        optimizer.step()
        assert param.item() == pytest.approx(expected.y, abs=1e-13)
        assert optimizer.state[param]["z"].item() == pytest.approx(expected.z, abs=1e-13)
        optimizer.eval()
        assert param.item() == pytest.approx(expected.x, abs=1e-13)
        optimizer.train()
        assert param.item() == pytest.approx(expected.y, abs=1e-13)


@every_kind
def test_the_largest_rate_so_far_counts_when_a_rate_falls(kind: Kind) -> None:
    param = Parameter(torch.tensor([1.5], dtype=torch.float64))
    optimizer = kind([param])
    expected = ByDefinition(1.5, 0.9, adaptive=kind is ScheduleFreeAdamW)
    largest = 0.0
    for t, lr in enumerate((0.1, 0.3, 0.0, 0.2, 0.05), start=1):
        optimizer.param_groups[0]["lr"] = lr
        param.grad = noisy_gradient(param, t, 0)
        largest = max(largest, lr)
        expected.step(param.grad.item(), t, lr, largest**2)
        optimizer.step()
        assert param.item() == pytest.approx(expected.y, abs=1e-14)


@every_kind
def test_a_rate_of_0_from_the_start_moves_nothing(kind: Kind) -> None:
    optimizer = kind(make_params(), lr=0.0, weight_decay=0.1)
    assert largest_difference(train(optimizer, steps=3), make_params()) == 0


# ## The modes
@every_kind
@every_way
def test_modes_change_back_and_forth_without_a_trace(kind: Kind, way: str) -> None:
    straight = kind(make_params(), lr=0.05, weight_decay=0.1)
    train(straight, steps=6)
    switched = kind(make_params(), lr=0.05, weight_decay=0.1, **WAYS[way])
    for step in range(1, 7):
        switched.train()
        train(switched, steps=1, first=step)
        switched.eval()
        averages = values_of(switched)
        switched.eval()
        assert largest_difference(values_of(switched), averages) == 0
    found, expected = values_of(switched), values_of(straight)
    assert largest_difference(found, expected) > 1e-3
    straight.eval()
    assert largest_difference(found, values_of(straight)) < 1e-13
    switched.train()
    assert largest_difference(values_of(switched), expected) < 1e-13
    train(switched, steps=2, first=7)
    straight.train()
    train(straight, steps=2, first=7)
    assert largest_difference(values_of(switched), values_of(straight)) < 1e-13


@every_kind
def test_x_lies_where_the_average_of_all_z_is(kind: Kind) -> None:
    optimizer = kind(make_params(shapes=SMALL_SHAPES), lr=0.05)
    params = params_of(optimizer)
    sums = [torch.zeros_like(param) for param in params]
    for step in range(1, 41):
        train(optimizer, steps=1, first=step)
        for total, param in zip(sums, params, strict=True):
            total += optimizer.state[param]["z"]
    optimizer.eval()
    assert largest_difference(values_of(optimizer), [total / 40 for total in sums]) < 1e-13


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@every_kind
def test_a_change_of_mode_costs_rounding(kind: Kind, dtype: torch.dtype) -> None:
    optimizer = kind(make_params(dtype), lr=0.05)
    before = train(optimizer, steps=5)
    optimizer.eval()
    assert all(param.dtype == dtype for param in params_of(optimizer))
    averages = values_of(optimizer)
    for param, average, y in zip(params_of(optimizer), averages, before, strict=True):
        z = optimizer.state[param]["z"].double()
        exact = (y.double() - 0.1 * z) / 0.9
        assert largest_difference([average.double()], [exact]) <= torch.finfo(dtype).eps
    optimizer.train()
    assert largest_difference(values_of(optimizer), before) <= torch.finfo(dtype).eps


@every_kind
@pytest.mark.parametrize("way", ["pieces", "per_tensor", "flat"])
def test_complex_weights_move_as_their_parts(kind: Kind, way: str) -> None:
    wholes = [
        Parameter(torch.complex(param.detach(), param.detach().cos()))
        for param in make_params(shapes=SMALL_SHAPES)
    ]
    parts = [Parameter(torch.view_as_real(whole.detach()).clone()) for whole in wholes]
    ours, expected = kind(wholes, lr=0.05, **WAYS[way]), kind(parts, lr=0.05)

    def same() -> bool:
        found = [torch.view_as_real(whole.detach()) for whole in wholes]
        return largest_difference(found, parts) < 1e-14  # type: ignore[arg-type]

    for step in range(1, 5):
        for index, (whole, part) in enumerate(zip(wholes, parts, strict=True)):
            part.grad = noisy_gradient(part, step, index)
            whole.grad = torch.view_as_complex(part.grad.clone())
        ours.step()
        expected.step()
        assert same()
    ours.eval()
    expected.eval()
    assert same()
    ours.train()
    expected.train()
    assert same()


@every_kind
def test_parameters_without_state_stay_where_they_are(kind: Kind) -> None:
    used, unused = make_params(shapes=[(3,), (4,)])
    before = unused.detach().clone()
    optimizer = kind([used, unused], lr=0.05)
    used.grad = torch.ones_like(used)
    optimizer.step()
    optimizer.eval()
    optimizer.train()
    assert torch.equal(unused, before)
    assert unused not in optimizer.state


@every_kind
def test_nothing_moves_before_the_first_step(kind: Kind) -> None:
    optimizer = kind(make_params(), lr=0.05)
    optimizer.train()
    optimizer.eval()
    optimizer.eval()
    assert largest_difference(values_of(optimizer), make_params()) == 0
    assert not optimizer.state


@every_kind
def test_a_step_in_eval_mode_is_refused_and_moves_nothing(kind: Kind) -> None:
    optimizer = kind(make_params(), lr=0.05)
    train(optimizer, steps=2)
    optimizer.eval()
    before = values_of(optimizer)
    name = type(optimizer).__name__
    with pytest.raises(
        RuntimeError, match=f"{name} must be in train mode .* call train()"
    ) as error:
        optimizer.step()
    assert "\n" not in str(error.value)
    assert largest_difference(values_of(optimizer), before) == 0
    assert {float(state["step"]) for state in optimizer.state.values()} == {2.0}


@pytest.mark.parametrize("added_in_eval_mode", [True, False])
@every_kind
def test_a_group_that_is_added_later_has_the_mode_of_the_others(
    kind: Kind, added_in_eval_mode: bool
) -> None:
    def run(switch: bool) -> list[Tensor]:
        first, second = make_params(shapes=[(13, 7), (5,)])
        optimizer = kind([first], lr=0.05)
        train(optimizer, steps=3)
        if switch:
            optimizer.eval()
        optimizer.add_param_group({"params": [second], "lr": 0.1})
        assert {group["train_mode"] for group in optimizer.param_groups} == {not switch}
        optimizer.train()
        train(optimizer, steps=3, first=4)
        optimizer.eval()
        return values_of(optimizer)

    assert largest_difference(run(added_in_eval_mode), run(switch=False)) < 1e-14


@every_kind
@every_way
def test_the_gradient_is_not_changed(kind: Kind, way: str) -> None:
    param = Parameter(torch.ones(5, dtype=torch.float64))
    optimizer = kind([param], lr=0.05, weight_decay=0.1, **WAYS[way])
    for _ in range(3):
        param.grad = torch.full_like(param, 3.0)
        optimizer.step()
        assert torch.equal(param.grad, torch.full_like(param, 3.0))


# ## Checkpoints
@pytest.mark.parametrize("saved_in_train_mode", [True, False])
@pytest.mark.parametrize("loaded_in_train_mode", [True, False])
@pytest.mark.parametrize("way", ["pieces", "per_tensor", "flat"])
@every_kind
def test_training_goes_on_from_a_checkpoint_of_either_mode(
    kind: Kind, way: str, saved_in_train_mode: bool, loaded_in_train_mode: bool
) -> None:
    straight = kind(make_params(), lr=0.05, weight_decay=0.1, warmup=6)
    train(straight, steps=4)
    first = kind(make_params(), lr=0.05, weight_decay=0.1, warmup=6, **WAYS[way])
    train(first, steps=4)
    if not saved_in_train_mode:
        first.eval()
    saved = through_a_file({"params": values_of(first), "optimizer": first.state_dict()})

    resumed = kind(copy_params(make_params()), lr=0.5, **WAYS[way])
    train(resumed, steps=2)
    if not loaded_in_train_mode:
        resumed.eval()
    resumed.load_state_dict(saved["optimizer"])
    with torch.no_grad():
        for param, value in zip(params_of(resumed), saved["params"], strict=True):
            param.copy_(value)
    assert resumed.param_groups[0]["train_mode"] == saved_in_train_mode
    resumed.train()
    train(resumed, steps=4, first=5)
    train(straight, steps=4, first=5)
    assert largest_difference(values_of(resumed), values_of(straight)) < 1e-13
    resumed.eval()
    straight.eval()
    assert largest_difference(values_of(resumed), values_of(straight)) < 1e-13


@pytest.mark.parametrize("saved_in_train_mode", [True, False])
@every_kind
def test_a_checkpoint_in_other_groups_keeps_its_mode(kind: Kind, saved_in_train_mode: bool) -> None:
    model, other = nn.Linear(3, 2).double(), nn.Linear(3, 2).double()
    other.load_state_dict(model.state_dict())
    first = kind(model.named_parameters(), lr=0.05)
    train(first, steps=4)
    if not saved_in_train_mode:
        first.eval()
    named = dict(other.named_parameters())
    groups = [{"params": [("bias", named["bias"])]}, {"params": [("weight", named["weight"])]}]
    for load in (kind.load_state_dict, load_state_dict_by_name):  # type: ignore[attr-defined]
        resumed = kind(groups, lr=0.05)
        other.load_state_dict(model.state_dict())
        load(resumed, first.state_dict())
        modes = {group["train_mode"] for group in resumed.param_groups}
        assert modes == {saved_in_train_mode}
        resumed.train()
        resumed.eval()
        first.eval()
        torch.testing.assert_close(other.weight, model.weight, rtol=1e-14, atol=1e-14)
        if saved_in_train_mode:
            first.train()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
@every_kind
def test_a_copy_keeps_its_mode(kind: Kind, copied: Any) -> None:
    optimizer = kind(make_params(), lr=0.05)
    train(optimizer, steps=3)
    optimizer.eval()
    twin = copied(optimizer)
    twin.train()
    optimizer.train()
    found, expected = train(twin, steps=2, first=4), train(optimizer, steps=2, first=4)
    assert largest_difference(found, expected) < 1e-14


@every_kind
def test_state_of_another_optimizer_is_refused_and_nothing_is_loaded(kind: Kind) -> None:
    other = AdamW(make_params(), lr=0.5)
    train(other, steps=1)
    optimizer = kind(make_params(), lr=0.05)
    train(optimizer, steps=1)
    before = str(optimizer.state_dict())
    with pytest.raises(ValueError, match="state_dict must hold z of parameter 0 for Sch") as error:
        optimizer.load_state_dict(other.state_dict())
    assert "\n" not in str(error.value)
    assert str(optimizer.state_dict()) == before


# ## Decay
@pytest.mark.parametrize("decay", [WeightDecay(0.1), WeightDecayToStart(0.1)])
@every_kind
def test_decay_joins_the_update(kind: Kind, decay: WeightDecay) -> None:
    param = Parameter(torch.tensor([2.0], dtype=torch.float64))
    optimizer = kind([param], lr=0.5, weight_decay=decay, warmup=2)
    y, z = 2.0, 2.0
    for t, (lr, c) in enumerate([(0.25, 1.0), (0.5, 0.8)], start=1):
        gradient = 1.0
        param.grad = torch.full_like(param, gradient)
        optimizer.step()
        pulled = y - (2.0 if isinstance(decay, WeightDecayToStart) else 0.0)
        direction = 1 / (1 + 1e-8) if kind is ScheduleFreeAdamW else gradient
        update = lr * (direction + 0.1 * pulled)
        y, z = (1 - c) * y + c * z - (1 - 0.9 * (1 - c)) * update, z - update
        assert param.item() == pytest.approx(y, rel=1e-14), t
        assert optimizer.state[param]["z"].item() == pytest.approx(z, rel=1e-14)


@every_kind
def test_absolute_decay_is_not_multiplied_by_the_rate(kind: Kind) -> None:
    param = Parameter(torch.ones(1, dtype=torch.float64))
    param.grad = torch.zeros_like(param)
    kind([param], lr=0.5, weight_decay=WeightDecay(0.1, absolute=True)).step()
    assert param.item() == pytest.approx(0.9)


@pytest.mark.parametrize("decay", [CautiousWeightDecay, L1WeightDecay, ProximalWeightDecay])
@every_kind
def test_a_decay_after_the_update_is_refused(kind: Kind, decay: type[WeightDecay]) -> None:
    message = f"weight_decay must be a kind that acts before the update .* got {decay.__name__}"
    for strength in (0.1, 0.0):
        with pytest.raises(ValueError, match=message) as error:
            kind(make_params(), weight_decay=decay(strength))
        assert "\n" not in str(error.value)
    optimizer = kind(make_params(shapes=[(3,)]))
    with pytest.raises(ValueError, match=message):
        optimizer.add_param_group({"params": make_params(), "weight_decay": decay(0.1)})
    assert len(optimizer.param_groups) == 1
    saved = optimizer.state_dict()
    saved["param_groups"][0] |= decay(0.1).defaults()
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(saved)


@every_kind
def test_a_penalty_in_the_gradient_is_taken(kind: Kind) -> None:
    kind(make_params(), weight_decay=L1WeightDecay(0.1, weight_decouple=False))


@every_kind
def test_cautious_updates_are_refused(kind: Kind) -> None:
    with pytest.raises(ValueError, match=r"cautious must be False for ScheduleFree\w+, got True"):
        kind(make_params(), cautious=True)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"warmup": 0.05}, ValueError, r"warmup must be a whole number of steps, got 0\.05"),
        ({"r": -1.0}, ValueError, r"r must be a finite number >= 0, got -1\.0"),
        ({"weight_lr_power": "2"}, TypeError, "weight_lr_power must be a finite number >= 0"),
        ({"defaults": {"train_mode": 1}}, TypeError, "train_mode must be True or False, got 1"),
    ],
)
@every_kind
def test_bad_arguments_are_named(
    kind: Kind, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        kind(make_params(), **arguments)
