"""Faults of Cerebras' schedulers that are not here, and what is refused in their place."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch.optim import Optimizer

from labml_nn_optim.schedulers import (
    ChainedLR,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CosineDecayLR,
    CyclicLR,
    ExponentialLR,
    InverseSquareRootDecayLR,
    LambdaLR,
    LambdaWD,
    LinearLR,
    LinearWD,
    MultiStepLR,
    OneCycleLR,
    PiecewiseConstantLR,
    PolynomialLR,
    ScalePerParamLR,
    ScalePerParamWD,
    Scheduler,
    SequentialLR,
    StepLR,
)
from labml_nn_optim.schedules import ConstantSchedule
from tests.labml_nn_optim.schedulers.examples import (
    KINDS,
    entries,
    groups_of,
    lr_class,
    step,
    walk,
)

theirs = torch.optim.lr_scheduler
GOLDEN = [0, 1 / 3, 2 / 3, 1, 0.853553, 0.5, 0.146447, 0.05, 0.05, 0.05]


def at_rate(lr: float) -> Optimizer:
    return groups_of({"lr": lr})


def made_of_three(optimizer: Optimizer) -> list[Any]:
    return [
        LinearLR(optimizer, 0, 1, 3),
        CosineDecayLR(optimizer, 1, 0, 4),
        ConstantLR(optimizer, 0.05),
    ]


# ## Single schedulers
@pytest.mark.parametrize("eta_min", [0, 0.1])
@pytest.mark.parametrize(("period", "multiplier"), [(4, 1), (2, 2), (3, 3), (1, 1), (1, 2)])
def test_warm_restarts_are_those_of_torch(period: int, multiplier: int, eta_min: float) -> None:
    ours = CosineAnnealingWarmRestarts(groups_of(), 0.7, period, multiplier, eta_min)
    torchs = theirs.CosineAnnealingWarmRestarts(at_rate(0.7), period, multiplier, eta_min)
    assert walk(ours, 40) == pytest.approx(walk(torchs, 40), abs=1e-12)


def test_a_polynomial_with_cycles_lengthens_its_period_when_it_is_over() -> None:
    expected = [0.2 + 0.8 * (1 - t / (4 * math.ceil((t + 1) / 4))) ** 2 for t in range(13)]
    found = walk(PolynomialLR(groups_of(), 1, 0.2, 4, power=2, cycle=True), 13)
    assert found == pytest.approx(expected)
    assert found[3] == pytest.approx(0.25)
    assert found[4] == pytest.approx(0.4)


def test_a_line_with_cycles_is_the_polynomial_of_power_1() -> None:
    line = walk(LinearLR(groups_of(), 1, 0, 4, cycle=True), 9)
    assert line == pytest.approx([1, 0.75, 0.5, 0.25, 0.5, 0.375, 0.25, 0.125, 1 / 3])


@pytest.mark.parametrize(
    ("mode", "scale_mode", "scale"),
    [
        ("triangular2", "cycle", lambda t: 0.5 ** (t // 5)),
        ("triangular2", "iterations", lambda t: 0.5 ** (t - 1)),
        ("exp_range", "iterations", lambda t: 0.9**t),
        ("exp_range", "cycle", lambda t: 0.9 ** (t // 5 + 1)),
    ],
)
def test_the_scale_of_a_cycle_follows_its_scale_mode(
    mode: str, scale_mode: str, scale: Callable[[int], float]
) -> None:
    def triangle(t: int) -> float:
        t %= 5
        return t / 2 if t <= 2 else (5 - t) / 3

    cyclic = CyclicLR(groups_of(), 0.1, 1, 2, 3, mode, gamma=0.9, scale_mode=scale_mode)
    expected = [0.1 + 0.9 * triangle(t) * scale(t) for t in range(20)]
    assert walk(cyclic, 20) == pytest.approx(expected)


@pytest.mark.parametrize("scale_mode", ["cycle", "iterations"])
def test_a_scale_of_your_own_has_the_values_that_it_has_in_torch(scale_mode: Any) -> None:
    def scale(x: float) -> float:
        return 1 / (1 + x)

    ours = CyclicLR(groups_of(), 0.1, 1, 2, 3, scale_mode=scale_mode, scale_fn=scale)
    torchs = theirs.CyclicLR(
        groups_of(), 0.1, 1, 2, 3, scale_fn=scale, scale_mode=scale_mode, cycle_momentum=False
    )
    assert walk(ours, 20) == pytest.approx(walk(torchs, 20))


def test_a_lambda_takes_one_function_or_several() -> None:
    one = LambdaLR(groups_of(), 0.5, lambda t: 1 / (1 + t))
    assert walk(one, 4) == pytest.approx([0.5, 0.25, 0.5 / 3, 0.125])
    two = LambdaLR(groups_of(), 0.5, [lambda t: 1 / (1 + t), lambda t: 0.9**t])
    assert walk(two, 3) == pytest.approx([0.25, 0.25 * 0.9 / 2, 0.25 * 0.81 / 3])


def test_a_lambda_may_override_its_functions() -> None:
    class Halved(LambdaWD):
        def set_value_lambda(self) -> Sequence[Callable[[float], float]]:
            half = self.initial_val / 2
            return [lambda t: half * t]

    halved = Halved(groups_of(), 0.5)
    assert walk(halved, 4, "weight_decay") == pytest.approx([0, 0.125, 0.25, 0.375])


@pytest.mark.parametrize("anneal_strategy", ["cos", "linear"])
@pytest.mark.parametrize("three_phase", [False, True])
@pytest.mark.parametrize(("total", "pct_start"), [(10, 0.3), (20, 0.25), (11, 0.37), (40, 0.5)])
def test_one_cycle_is_that_of_torch_up_to_its_end(
    total: int, pct_start: float, three_phase: bool, anneal_strategy: Any
) -> None:
    ours = OneCycleLR(groups_of(), 0.1, 0.8, total, pct_start, 100, three_phase, anneal_strategy)
    torchs = theirs.OneCycleLR(
        groups_of(),
        max_lr=0.8,
        total_steps=total,
        pct_start=pct_start,
        anneal_strategy=anneal_strategy,
        cycle_momentum=False,
        div_factor=8,
        final_div_factor=100,
        three_phase=three_phase,
    )
    expected = [*walk(torchs, total - 1), entries(torchs.optimizer)[0]]
    assert walk(ours, total) == pytest.approx(expected, abs=1e-12)
    assert walk(ours, 10) == pytest.approx([0.001] * 10)


@pytest.mark.parametrize("anneal_strategy", ["cos", "linear"])
@pytest.mark.parametrize("three_phase", [False, True])
@pytest.mark.parametrize(
    ("total", "pct_start"), [(10, 0.1), (1, 0.3), (2, 0.5), (10, 0), (100, 0.01), (4, 0.25)]
)
def test_a_one_cycle_whose_rise_has_no_length_stays_within_its_bounds(
    total: int, pct_start: float, three_phase: bool, anneal_strategy: str
) -> None:
    cycle = OneCycleLR(groups_of(), 0.1, 0.8, total, pct_start, 100, three_phase, anneal_strategy)
    found = walk(cycle, total + 5)
    assert all(0.001 - 1e-12 <= value <= 0.8 for value in found)
    assert found[total - 1 :] == pytest.approx([0.001] * 6)


@pytest.mark.parametrize(("warmup_steps", "held"), [(0.5, 1), (1, 2), (2.5, 3), (4, 5)])
def test_an_inverse_square_root_is_held_during_its_warm_up(warmup_steps: float, held: int) -> None:
    scheduler = InverseSquareRootDecayLR(groups_of(), 0.5, 3, warmup_steps)
    expected = [0.5 * 3 / math.sqrt(max(t, warmup_steps)) for t in range(12)]
    found = walk(scheduler, 12)
    assert found == pytest.approx(expected)
    assert found.count(found[0]) == held


def test_milestones_may_come_in_a_tensor_or_array() -> None:
    stepped = MultiStepLR(groups_of(), 1, 0.5, torch.tensor([2, 4]).numpy())
    assert walk(stepped, 6) == [1, 1, 0.5, 0.5, 0.25, 0.25]


def test_a_rate_that_is_the_tensor_of_the_group_does_not_fall_with_it() -> None:
    optimizer = groups_of({"lr": torch.tensor(0.5)})
    lr = optimizer.param_groups[0]["lr"]
    halved = ExponentialLR(optimizer, lr, 1, 0.5)
    line = LinearLR(optimizer, 0.2, 0, 4)
    assert (halved.initial_learning_rate, lr.item()) == (0.5, pytest.approx(0.2))
    assert walk(ChainedLR([line, halved]), 4) == pytest.approx([0.2, 0.075, 0.025, 0.00625])


# ## One after the other
@pytest.mark.parametrize("done", range(12))
def test_a_sequence_goes_on_after_its_last_epoch_as_if_it_had_not_stopped(done: int) -> None:
    optimizer = groups_of()
    straight = walk(SequentialLR(optimizer, made_of_three(optimizer), [3, 7]), 15)
    optimizer = groups_of()
    resumed = SequentialLR(optimizer, made_of_three(optimizer), [3, 7], last_epoch=done - 1)
    assert resumed.last_epoch == done
    assert walk(resumed, 15 - done) == straight[done:]


@pytest.mark.parametrize("name", KINDS)
def test_every_scheduler_goes_on_after_its_last_epoch(name: str) -> None:
    straight = walk(KINDS[name](groups_of(), lr_class), 12)
    resumed = KINDS[name](groups_of(), from_5(lr_class))
    assert walk(resumed, 7) == straight[5:]


def from_5(class_of: Callable[[str], Any]) -> Callable[[str], Any]:
    """Let every class begin after epoch 4."""
    return lambda name: lambda *args, **named: class_of(name)(*args, **named, last_epoch=4)


def test_a_sequence_inside_a_sequence_changes_no_value() -> None:
    optimizer = groups_of()
    first, second, third = made_of_three(optimizer)
    inner = SequentialLR(optimizer, [first, second], [3])
    assert walk(SequentialLR(optimizer, [inner, third], [7]), 10) == pytest.approx(GOLDEN, abs=1e-6)
    optimizer = groups_of()
    first, second, third = made_of_three(optimizer)
    inner = SequentialLR(optimizer, [second, third], [4])
    assert walk(SequentialLR(optimizer, [first, inner], [3]), 10) == pytest.approx(GOLDEN, abs=1e-6)


def test_milestones_follow_from_the_lengths_of_the_parts() -> None:
    optimizer = groups_of()
    assert walk(SequentialLR(optimizer, made_of_three(optimizer)), 10) == pytest.approx(
        GOLDEN, abs=1e-6
    )
    optimizer = groups_of()
    held = [ConstantLR(optimizer, 0.3, total_iters=2), ConstantLR(optimizer, 0.2)]
    assert walk(SequentialLR(optimizer, held), 4) == [0.3, 0.3, 0.2, 0.2]


def test_a_part_may_have_been_stepped_before() -> None:
    optimizer = groups_of()
    first = LinearLR(optimizer, 0, 1, 3)
    step(first, 2)
    sequence = SequentialLR(optimizer, [first, ConstantLR(optimizer, 0.05)], [3])
    assert walk(sequence, 5) == pytest.approx([0, 1 / 3, 2 / 3, 0.05, 0.05])


# ## Multiplied
@pytest.mark.parametrize("first", [True, False])
def test_a_warm_up_from_0_is_chained_relative_to_where_it_leads(first: bool) -> None:
    optimizer = groups_of()
    warmup, decay = LinearLR(optimizer, 0, 0.5, 4), ExponentialLR(optimizer, 0.5, 1, 0.5)
    chained = ChainedLR([warmup, decay] if first else [decay, warmup])
    expected = [min(t / 4, 1) * 0.5 * 0.5**t for t in range(8)]
    assert walk(chained, 8) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("make", "factors"),
    [
        (lambda opt: ConstantLR(opt, 0.3), [1, 1, 1, 1]),
        (lambda opt: CyclicLR(opt, 0.2, 1, 2), [1, 3, 5, 3]),
        (lambda opt: CyclicLR(opt, 0, 1, 2), [0, 0.5, 1, 0.5]),
        (lambda opt: PiecewiseConstantLR(opt, [0.5, 0.1], [2]), [1, 1, 0.2, 0.2]),
        (lambda opt: PiecewiseConstantLR(opt, [0, 0.1], [2]), [0, 0, 1, 1]),
        (lambda opt: OneCycleLR(opt, 0, 1, 4, 0.5, anneal_strategy="linear"), [0, 1, 0.5, 0]),
        (
            lambda opt: SequentialLR(opt, [LinearLR(opt, 0, 1, 2), ConstantLR(opt, 0.5)]),
            [0, 0.5, 0.5, 0.5],
        ),
        (lambda opt: ChainedLR([ConstantLR(opt, 0.5), ConstantLR(opt, 3)]), [1, 1, 1, 1]),
    ],
)
def test_a_chain_takes_schedulers_of_every_kind(
    make: Callable[[Optimizer], Any], factors: list[float]
) -> None:
    optimizer = groups_of()
    chained = ChainedLR([ConstantLR(optimizer, 0.6), make(optimizer)])
    assert walk(chained, 4) == pytest.approx([0.6 * factor for factor in factors])


# ## Scaled for each group
def test_each_group_has_the_rate_times_its_own_scale() -> None:
    optimizer = groups_of(
        {"adjust_learning_rate": 0.1},
        {"adjust_val": 0.2},
        {"adjust_learning_rate": 0.3, "adjust_val": 0.9},
        {},
    )
    scaled = ScalePerParamLR(optimizer, LinearLR(optimizer, 1, 0, 4))
    assert entries(optimizer) == pytest.approx([0.1, 0.2, 0.3, 1])
    step(scaled, 2)
    assert entries(optimizer) == pytest.approx([0.05, 0.1, 0.15, 0.5])


def test_the_scale_of_the_rate_is_not_that_of_the_weight_decay() -> None:
    optimizer = groups_of(
        {"adjust_learning_rate": 0.1},
        {"adjust_val": 0.2},
        {"adjust_weight_decay": 0.3, "adjust_val": 0.9},
        {"adjust_weight_decay": 0},
    )
    ScalePerParamWD(optimizer, LinearWD(optimizer, 1, 0, 4))
    assert entries(optimizer, "weight_decay") == pytest.approx([1, 0.2, 0.3, 0])


def test_a_chain_can_be_scaled() -> None:
    optimizer = groups_of({"adjust_learning_rate": 0.1}, {})
    chained = ChainedLR([LinearLR(optimizer, 1, 0, 4), ExponentialLR(optimizer, 1, 1, 0.5)])
    scaled = ScalePerParamLR(optimizer, chained)
    step(scaled)
    assert entries(optimizer) == pytest.approx([0.0375, 0.375])


# ## What is refused
def parts(
    make: Callable[[Optimizer], Sequence[Any]], *milestones: Any
) -> Callable[[Optimizer], Any]:
    return lambda opt: SequentialLR(opt, make(opt), *milestones)


REFUSED: list[tuple[type[Exception], str, Callable[[Optimizer], Any]]] = [
    # No length
    (ValueError, "total_iters must be .* >= 1, got 0", lambda opt: LinearLR(opt, 1, 0, 0)),
    (ValueError, "total_iters must be .* >= 1, got 0", lambda opt: PolynomialLR(opt, 1, 0, 0)),
    (ValueError, "total_iters must be .* >= 1, got 0", lambda opt: CosineDecayLR(opt, 1, 0, 0)),
    (ValueError, "total_iters must be .* >= 1, got -2", lambda opt: ConstantLR(opt, 1, -2)),
    (ValueError, "total_iters must be .* >= 1, got 0", lambda opt: ExponentialLR(opt, 1, 0, 0.5)),
    (TypeError, "total_iters must be a whole number", lambda opt: LinearLR(opt, 1, 0, 2.5)),
    (ValueError, "T_max must be .* >= 1, got 0", lambda opt: CosineAnnealingLR(opt, 1, 0)),
    (ValueError, "T_0 must be", lambda opt: CosineAnnealingWarmRestarts(opt, 1, 0)),
    (ValueError, "T_mult must be", lambda opt: CosineAnnealingWarmRestarts(opt, 1, 2, 0)),
    (ValueError, "step_size must be .* >= 1, got 0", lambda opt: StepLR(opt, 1, 0, 0.5)),
    (ValueError, "warmup_steps must be .* > 0", lambda opt: InverseSquareRootDecayLR(opt, 1, 1, 0)),
    (ValueError, "total_steps must be .* >= 1", lambda opt: OneCycleLR(opt, 0.1, 1, 0)),
    # Values and choices
    (ValueError, "must be .* number, got nan", lambda opt: ConstantLR(opt, math.nan)),
    (ValueError, "got inf", lambda opt: LinearLR(opt, math.inf, 0, 4)),
    (ValueError, "got -1", lambda opt: LinearLR(opt, -1, 0, 4)),
    (ValueError, "mode must be one of triangular", lambda opt: CyclicLR(opt, 0, 1, mode="round")),
    (ValueError, "scale_mode must be one of", lambda opt: CyclicLR(opt, 0, 1, scale_mode="x")),
    (ValueError, "must be .* >= 1, got 0.5", lambda opt: CyclicLR(opt, 1, 0.5)),
    (ValueError, "anneal_strategy", lambda opt: OneCycleLR(opt, 0.1, 1, anneal_strategy="bent")),
    (ValueError, "pct_start must be", lambda opt: OneCycleLR(opt, 0.1, 1, pct_start=1.5)),
    (ValueError, "final_div_factor must", lambda opt: OneCycleLR(opt, 0.1, 1, final_div_factor=0)),
    (ValueError, "functions must be given", lambda opt: LambdaLR(opt, 1)),
    (ValueError, "functions must be at least one", lambda opt: LambdaLR(opt, 1, [])),
    (TypeError, "function must be callable", lambda opt: LambdaLR(opt, 1, [3])),
    (TypeError, "required argument: 'total_iters'", lambda opt: LinearLR(opt, 1, 0)),
    (TypeError, "unexpected keyword argument 'lr'", lambda opt: ConstantLR(opt, 1, lr=3)),
    # Lengths of lists, and order
    (ValueError, "milestones must be 1 steps", lambda opt: PiecewiseConstantLR(opt, [1, 2], [])),
    (ValueError, "must be 1 steps", lambda opt: PiecewiseConstantLR(opt, [1, 2], [3, 4])),
    (ValueError, "must be 1 steps", lambda opt: PiecewiseConstantLR(opt, [1, 2], [3, 4, 5])),
    (ValueError, "milestones must rise", lambda opt: PiecewiseConstantLR(opt, [1, 2, 3], [4, 2])),
    (ValueError, "milestones must rise", lambda opt: MultiStepLR(opt, 1, 0.1, [2, 2])),
    (ValueError, r"must rise, got \[4, 2\]", parts(made_of_three, [4, 2])),
    (ValueError, "milestones must be 2 steps", parts(made_of_three, [4])),
    (TypeError, r"milestones\[1\] must be a whole number", parts(made_of_three, [4, 5.0])),
    (TypeError, "milestones must be a list", parts(made_of_three, 4)),
    # Parts
    (ValueError, "schedulers must be .* at least one", parts(lambda opt: [])),
    (TypeError, "schedulers must be a list", lambda opt: SequentialLR(opt, ConstantLR(opt, 1))),
    (TypeError, r"schedulers\[0\] must be a scheduler", lambda opt: ChainedLR([0.1])),
    (
        TypeError,
        r"schedulers\[0\] must be a scheduler with a name",
        parts(lambda opt: [Scheduler(opt, ConstantSchedule(1))]),
    ),
    (
        TypeError,
        r"schedulers\[0\] must be a scheduler with a name",
        parts(lambda opt: [theirs.ConstantLR(opt)]),
    ),
    (
        ValueError,
        r"milestones must be given where schedulers\[0\] has no total_iters",
        parts(lambda opt: [CosineAnnealingLR(opt, 1, 4), ConstantLR(opt, 1)]),
    ),
    (
        ValueError,
        r"schedulers\[1\] must write lr, got one of weight_decay",
        lambda opt: ChainedLR([ConstantLR(opt, 1), LinearWD(opt, 1, 0, 4)]),
    ),
    (
        ValueError,
        r"schedulers\[1\] must have the optimizer of the others",
        lambda opt: ChainedLR([ConstantLR(opt, 1), ConstantLR(groups_of(), 1)]),
    ),
    (
        ValueError,
        "schedulers must have the optimizer that is given",
        lambda opt: SequentialLR(groups_of(), [ConstantLR(opt, 1)], []),
    ),
    (
        ValueError,
        r"schedulers\[0\] must not scale",
        lambda opt: ChainedLR([ScalePerParamLR(opt, ConstantLR(opt, 1))]),
    ),
    (
        ValueError,
        "must lead somewhere but 0",
        lambda opt: ChainedLR([ConstantLR(opt, 1), ConstantLR(opt, 0)]),
    ),
]


@pytest.mark.parametrize(("error", "message", "make"), REFUSED)
def test_what_makes_no_schedule_is_refused_in_one_line(
    error: type[Exception], message: str, make: Callable[[Optimizer], Any]
) -> None:
    with pytest.raises(error, match=message) as raised:
        make(groups_of())
    assert "\n" not in str(raised.value)


def test_parts_must_have_the_same_tags() -> None:
    optimizer = groups_of({"tags": "a"}, {"tags": "b"})
    first = ConstantLR(optimizer, 1, param_group_tags="a")
    with pytest.raises(
        ValueError, match=r"schedulers\[1\] must have the tags of schedulers\[0\], \['a'\]"
    ):
        ChainedLR([first, ConstantLR(optimizer, 1)])
    with pytest.raises(ValueError, match="param_group_tags must be None where the parts have tags"):
        SequentialLR(optimizer, [first], [], param_group_tags="b")


def test_a_composite_has_the_tags_of_its_parts_or_gives_them_its_own() -> None:
    optimizer = groups_of({"tags": "a"}, {"tags": "b"})
    first = ConstantLR(optimizer, 0.3, param_group_tags="a")
    SequentialLR(optimizer, [first], [])
    assert entries(optimizer) == [0.3, 0.5]
    optimizer = groups_of({"tags": "a"}, {"tags": "b"})
    sequence = SequentialLR(optimizer, made_of_three(optimizer), param_group_tags="b")
    assert sequence.param_group_tags == {"b"}
    step(sequence)
    assert entries(optimizer) == pytest.approx([0.5, 1 / 3])


def test_the_parts_of_a_composite_leave_the_groups_of_another_one_alone() -> None:
    optimizer = groups_of({"tags": "a"}, {"tags": "b"}, {"tags": "c"})
    for value, tag in ((0.3, "a"), (0.2, "b")):
        both = [ConstantLR(optimizer, value, total_iters=2), ConstantLR(optimizer, value / 2)]
        SequentialLR(optimizer, both, param_group_tags=tag)
    assert entries(optimizer) == [0.3, 0.2, 0.5]
