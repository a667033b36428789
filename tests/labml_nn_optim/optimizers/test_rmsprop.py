"""RMSprop: its long first steps, momentum, the centered form, and TensorFlow's variant."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import timm.optim
import torch
from torch import Tensor
from torch.nn import Parameter

from labml_nn_optim.optimizers.adam import Adam
from labml_nn_optim.optimizers.rmsprop import RMSprop
from labml_nn_optim.schedulers import Scheduler
from labml_nn_optim.schedules import CustomSchedule
from tests.labml_nn_optim.examples import (
    WAYS,
    largest_difference,
    make_params,
    noisy_gradient,
    steps_of,
    train,
)

every_way = pytest.mark.parametrize("way", [way for way in WAYS if "compile" not in way])
SHAPES: list[tuple[int, ...]] = [(13, 7), (5,), (), (2, 3, 4)]


def steps_for(gradients: Sequence[float], **arguments: Any) -> list[float]:
    """How far one weight moves down in each step."""
    return steps_of(RMSprop, gradients, **arguments)


@pytest.mark.parametrize("beta2", [0.9, 0.99, 0.999])
def test_the_first_steps_are_long_since_nothing_corrects_the_start_at_zero(beta2: float) -> None:
    steps = steps_for([3.0] * 100, lr=1.0, alpha=beta2, eps=0.0)
    expected = [1 / math.sqrt(1 - beta2**t) for t in range(1, 101)]
    assert steps == pytest.approx(expected, rel=1e-10)
    assert steps[0] == pytest.approx(1 / math.sqrt(1 - beta2))


def test_with_a_corrected_rate_it_is_adam_without_momentum() -> None:
    """The first of the corrections that Adam adds, and the only one for beta1 = 0."""

    class Corrected(RMSprop):
        def scalars(self, group: Any, step: int) -> dict[str, Any]:
            return {"lr": group["lr"] * math.sqrt(1 - group["alpha"] ** step)}

    ours = train(Corrected(make_params(shapes=SHAPES), lr=0.02, eps=0.0), steps=50)
    adams = train(Adam(make_params(shapes=SHAPES), lr=0.02, betas=(0.0, 0.99), eps=0.0), steps=50)
    assert largest_difference(ours, adams) < 1e-14


def test_it_forgets_a_cliff_that_adagrad_remembers() -> None:
    """The numbers of the chapter: 100 gradients of 100, then a distance of 1 with gradients of 1."""

    def steps_needed(make: Callable[[list[Parameter]], torch.optim.Optimizer], limit: int) -> int:
        param = Parameter(torch.zeros(1, dtype=torch.float64))
        optimizer = make([param])
        for step in range(1, 101 + limit):
            param.grad = torch.full_like(param, 100.0 if step <= 100 else 1.0)
            optimizer.step()
            if step == 100:
                start = param.item()
            if step > 100 and start - param.item() >= 1:
                return step - 100
        return limit

    assert steps_needed(lambda params: RMSprop(params, lr=0.01), 1000) == 748
    # Adagrad's sum of squares is a million and grows by one a step.
    adagrads = [0.01 / math.sqrt(1e6 + t) for t in range(1, 102_502)]
    assert sum(adagrads) >= 1 > sum(adagrads[:-1])


def test_momentum_sums_up_divided_gradients() -> None:
    plain = steps_for([1.0, -2.0, 0.5], lr=0.1)
    summed = steps_for([1.0, -2.0, 0.5], lr=0.1, momentum=0.9)
    assert summed[0] == pytest.approx(plain[0])
    assert summed[1] == pytest.approx(plain[1] + 0.9 * plain[0])
    assert summed[2] == pytest.approx(plain[2] + 0.9 * plain[1] + 0.81 * plain[0])


@pytest.mark.parametrize("way", ["pieces", "per_tensor", "compile"])
@pytest.mark.parametrize("centered", [False, True])
def test_momentum_begins_when_a_schedule_lets_it(way: str, centered: bool) -> None:
    """In one cohort with a parameter that had momentum from its first step on."""

    def moves(momentum: float, **options: bool) -> tuple[list[Tensor], list[Tensor]]:
        old, new = make_params(shapes=[(3, 4), (5,)])
        optimizer = RMSprop([old, new], lr=0.01, centered=centered, **options)
        scheduler = Scheduler(optimizer, CustomSchedule((0.0, momentum)), "momentum")
        moved: tuple[list[Tensor], list[Tensor]] = ([], [])
        for awake in ([old], [new], [old, new], [old, new]):
            for index, param in enumerate((old, new)):
                gradient = noisy_gradient(torch.zeros_like(param), len(moved[index]), index)
                param.grad = gradient if param in set(awake) else None
            before = [param.detach().clone() for param in (old, new)]
            optimizer.step()
            scheduler.step()
            for index, param in enumerate((old, new)):
                if param.grad is not None:
                    moved[index].append(param.detach() - before[index])
        return moved

    plain, found = moves(0.0), moves(0.9, **WAYS[way])
    a, b = plain
    expected = [a[0], a[1], a[2] + 0.9 * a[1], b[0], b[1] + 0.9 * b[0]]
    expected.append(b[2] + 0.9 * b[1] + 0.81 * b[0])
    torch.testing.assert_close([*found[0], *found[1]], expected)


def test_momentum_is_not_damped() -> None:
    assert steps_for([1.0] * 3000, lr=0.1, momentum=0.9)[-1] == pytest.approx(1.0)


def test_a_state_that_is_not_used_is_not_stored() -> None:
    def stored(**arguments: Any) -> set[str]:
        param = Parameter(torch.ones(3))
        param.grad = torch.ones(3)
        optimizer = RMSprop([param], **arguments)
        optimizer.step()
        return set(optimizer.state[param]) - {"step"}

    assert stored() == {"square_avg"}
    assert stored(momentum=0.9) == {"square_avg", "momentum_buffer"}
    assert stored(centered=True) == {"square_avg", "grad_avg"}


def test_the_centered_step_is_the_ratio_of_signal_to_noise() -> None:
    generator = torch.Generator().manual_seed(0)
    for mean in (1.0, 3.0):
        param = Parameter(torch.zeros(1000, dtype=torch.float64))
        optimizer = RMSprop([param], lr=1.0, centered=True)
        for _ in range(500):
            before = param.detach().clone()
            param.grad = mean + torch.randn(1000, generator=generator, dtype=torch.float64)
            optimizer.step()
        assert (before - param).mean().item() == pytest.approx(mean, rel=0.1)


def test_the_centered_step_runs_away_where_gradients_are_constant() -> None:
    steps = steps_for([1.0] * 1000, lr=1.0, centered=True, eps=0.0)
    for t in (1, 100, 500, 1000):
        weight = 1 - 0.99**t
        assert steps[t - 1] == pytest.approx(1 / math.sqrt(weight * (1 - weight)), rel=1e-6)
    assert steps[999] > 150


def test_a_variance_that_rounds_below_zero_gives_no_nan() -> None:
    """Constant gradients in float32, for which torch takes roots of negative numbers."""

    def run(kind: Callable[..., torch.optim.Optimizer]) -> Tensor:
        param = Parameter(torch.zeros(2000))
        optimizer = kind([param], lr=0.01, centered=True, eps=1e-2)
        param.grad = torch.randn(2000, generator=torch.Generator().manual_seed(0))
        for _ in range(1500):
            optimizer.step()
        return param.detach()

    assert run(torch.optim.RMSprop).isnan().any()
    ours = run(RMSprop)
    assert ours.isfinite().all()
    # At most lr * |g| / eps in a step.
    assert ours.abs().max() < 1500 * 0.01 * 5 / 1e-2


@every_way
def test_a_negative_variance_counts_as_zero(way: str) -> None:
    class Rounded(RMSprop):
        def init_state(self, state: Any, group: Any, param: Tensor) -> None:
            super().init_state(state, group, param)
            state["square_avg"].fill_(1 - 1e-7)
            state["grad_avg"].fill_(1.0)

    param = Parameter(torch.zeros(3, dtype=torch.float64))
    optimizer = Rounded([param], lr=0.01, centered=True, eps=0.5, **WAYS[way])
    param.grad = torch.ones(3, dtype=torch.float64)
    optimizer.step()
    torch.testing.assert_close(param.detach(), torch.full((3,), -0.02, dtype=torch.float64))


class TestTensorFlowsVariant:
    """Epsilon inside the root, averages that start at 1, the learning rate inside the buffer."""

    MOMENTA = pytest.mark.parametrize("momentum", [0.0, 0.9])

    @MOMENTA
    def test_differs_by_more_than_half_a_unit_after_a_hundred_steps(self, momentum: float) -> None:
        same = {"lr": 0.02, "alpha": 0.99, "eps": 1e-8, "momentum": momentum}
        theirs = train(timm.optim.RMSpropTF(make_params(shapes=SHAPES), **same), steps=100)
        ours = train(RMSprop(make_params(shapes=SHAPES), **same), steps=100)
        assert 0.3 < largest_difference(ours, theirs) < 0.7

    @MOMENTA
    def test_is_ours_from_averages_of_one_without_epsilon(self, momentum: float) -> None:
        same = {"lr": 0.02, "alpha": 0.99, "eps": 0.0, "momentum": momentum}
        theirs = train(timm.optim.RMSpropTF(make_params(shapes=SHAPES), **same), steps=100)

        class FromOne(RMSprop):
            def init_state(self, state: Any, group: Any, param: Tensor) -> None:
                super().init_state(state, group, param)
                state["square_avg"].fill_(1.0)

        ours = train(FromOne(make_params(shapes=SHAPES), **same), steps=100)
        assert largest_difference(ours, theirs) < 1e-14

    def test_keeps_the_old_rate_in_its_buffer_after_a_cut(self) -> None:
        """Ours takes the new rate at once; the other is within twice of it after 21 steps."""

        def steps_after_a_cut(kind: Callable[..., torch.optim.Optimizer]) -> list[float]:
            param = Parameter(torch.zeros(1, dtype=torch.float64))
            optimizer = kind([param], lr=1.0, alpha=0.9, momentum=0.9, eps=0.0)
            steps = []
            for step in range(430):
                if step == 400:
                    optimizer.param_groups[0]["lr"] = 0.1
                before = param.item()
                param.grad = torch.ones_like(param)
                optimizer.step()
                steps.append(before - param.item())
            return steps[400:]

        assert steps_after_a_cut(RMSprop) == pytest.approx([1.0] * 30)
        theirs = steps_after_a_cut(timm.optim.RMSpropTF)
        assert next(index for index, step in enumerate(theirs, 1) if step < 2.0) == 21


def test_hintons_weight_drifts_little_where_signs_move_it_eight_steps_a_round() -> None:
    gradients = ([0.1] * 9 + [-0.9]) * 150
    for beta2, drift in ((0.9, 0.68), (0.99, 0.067)):
        steps = steps_for(gradients, lr=1.0, alpha=beta2)
        assert sum(steps[-100:]) / 10 == pytest.approx(drift, rel=0.01)
