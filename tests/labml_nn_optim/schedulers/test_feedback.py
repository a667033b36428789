"""Rates that a metric moves, beside torch's ReduceLROnPlateau and what was recorded from GreedyLR."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import ConstantLR, ReduceLROnPlateau, SequentialLR

from labml_nn_optim.schedulers import GreedyScheduler, PlateauScheduler, Scheduler
from labml_nn_optim.schedules import (
    ConstantSchedule,
    CustomSchedule,
    ExponentialSchedule,
    FunctionSchedule,
    LinearDecreasingSchedule,
    RampSchedule,
)
from tests.labml_nn_optim.schedulers.examples import (
    a_group,
    entries,
    groups_of,
    step,
    through_a_file,
)

KINDS = (PlateauScheduler, GreedyScheduler)
NOT_FINITE = (math.nan, math.inf, -math.inf)
WARM_UP = RampSchedule(0.25, 1.0, exclude_last=True).over(3)


def optimizer_of(*rates: float) -> Optimizer:
    return groups_of(*({"lr": rate} for rate in rates))


def looks(scheduler: Any, metrics: Iterable[float]) -> list[list[float]]:
    """What the groups have after each look."""
    seen = []
    for metric in metrics:
        scheduler.step(metric)
        seen.append(entries(scheduler.optimizer))
    return seen


# ## As torch's ReduceLROnPlateau
def noisy(seed: int, count: int = 120) -> list[float]:
    """A metric that falls, by luck of the draw, with a NaN here and there."""
    draw = random.Random(seed)
    level, slope, noise = draw.uniform(1, 5), draw.choice([0, 0.01]), draw.choice([0, 0.02, 0.5])
    clean = [level - slope * i + noise * draw.random() for i in range(count)]
    return [math.nan if draw.random() < 0.02 else max(metric, 0.01) for metric in clean]


def drawn(seed: int) -> dict[str, Any]:
    draw = random.Random(seed)
    return {
        "mode": draw.choice(["min", "max"]),
        "factor": draw.choice([0.1, 0.5, 0.7]),
        "patience": draw.choice([0, 1, 3, 10]),
        "threshold": draw.choice([0, 1e-4, 0.1]),
        "threshold_mode": draw.choice(["rel", "abs"]),
        "cooldown": draw.choice([0, 1, 4]),
        "min_lr": draw.choice([0, 0.01, [0.2, 0.02]]),
        "eps": draw.choice([0, 1e-8, 1e-3]),
    }


def counts(scheduler: Any) -> tuple[float, int, int]:
    return scheduler.best, scheduler.num_bad_epochs, scheduler.cooldown_counter


@pytest.mark.parametrize("start", range(0, 400, 50))
def test_a_plateau_scheduler_does_what_torchs_does_to_the_last_bit(start: int) -> None:
    for seed in range(start, start + 50):
        ours = PlateauScheduler(optimizer_of(1, 0.25), **drawn(seed))
        torchs = ReduceLROnPlateau(optimizer_of(1, 0.25), **drawn(seed))
        for metric in noisy(seed):
            ours.step(metric)
            torchs.step(metric)
            assert entries(ours.optimizer) == entries(torchs.optimizer)
            assert counts(ours) == counts(torchs)


def test_rates_that_are_no_powers_of_two_differ_from_torchs_by_rounding() -> None:
    for seed in range(50):
        arguments = {**drawn(seed), "min_lr": 0}
        ours = PlateauScheduler(optimizer_of(0.1, 0.003), **arguments)
        torchs = ReduceLROnPlateau(optimizer_of(0.1, 0.003), **arguments)
        assert np.allclose(looks(ours, noisy(seed)), looks(torchs, noisy(seed)), rtol=1e-14, atol=0)


def test_the_defaults_are_torchs() -> None:
    ours, torchs = PlateauScheduler(groups_of()), ReduceLROnPlateau(groups_of())
    for name in ("factor", "patience", "threshold", "threshold_mode", "cooldown", "eps"):
        assert getattr(ours, name) == getattr(torchs, name)
    assert ours.metric_mode == torchs.mode
    metrics = [3 - 0.00029 * i for i in range(40)]
    assert looks(ours, metrics) == looks(torchs, metrics)


def test_the_look_after_the_patience_reduces() -> None:
    scheduler = PlateauScheduler(groups_of(), patience=2, factor=0.5)
    assert looks(scheduler, [1.0] * 8) == [[0.5]] * 3 + [[0.25]] * 3 + [[0.125]] * 2
    assert scheduler.num_bad_epochs == 1


# ## Where torch's goes wrong
@pytest.mark.parametrize("drift", [0, 0.009])
def test_a_negative_metric_that_does_not_get_better_is_a_plateau(drift: float) -> None:
    metrics = [-100 + drift * i for i in range(20)]
    arguments: dict[str, Any] = {"patience": 2, "factor": 0.5}
    assert looks(ReduceLROnPlateau(groups_of(), **arguments), metrics)[-1] == [0.5]
    scheduler = PlateauScheduler(groups_of(), **arguments)
    assert looks(scheduler, metrics)[-1] == [0.5**7]
    assert scheduler.best == -100


def test_the_relative_threshold_points_towards_better_on_both_sides_of_zero() -> None:
    for mode, towards in (("min", -1), ("max", 1)):
        for best in (-10.0, 10.0):
            for margin, is_better in ((0.9, False), (1.1, True)):
                scheduler = PlateauScheduler(groups_of(), mode, threshold=0.1)
                looks(scheduler, [best, best + towards * margin])
                assert (scheduler.num_bad_epochs == 0) == is_better


@pytest.mark.parametrize("bad", NOT_FINITE)
@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_metric_that_is_not_finite_is_a_bad_look_and_never_the_best(
    kind: Any, mode: str, bad: float
) -> None:
    scheduler = kind(groups_of(), mode, patience=1)
    scheduler.step(bad)
    assert (math.isinf(scheduler.best), scheduler.num_bad_epochs) == (True, 1)
    scheduler.step(2.0)
    scheduler.step(bad)
    assert (scheduler.best, scheduler.num_bad_epochs) == (2, 1)
    scheduler.step(bad)
    assert entries(scheduler.optimizer) == [0.5 * scheduler.factor]


def test_a_nan_does_not_stay_in_the_window() -> None:
    scheduler = GreedyScheduler(groups_of(), patience=9, smooth=True, window_size=2)
    looks(scheduler, [4.0, math.nan, 2.0, 1.0])
    assert scheduler.window == [2, 1]
    assert (scheduler.best, scheduler.num_good_epochs) == (1.5, 2)


# ## As GreedyLR
# Where the rates of two groups, 0.5 and 0.125 at first, change within 40 looks: look, first, second.
# Recorded from the GreedyLR of transformers 5.24.0 and rounded to eight digits.
RECORDED: dict[str, tuple[dict[str, Any], list[tuple[int, float, float]]]] = {
    "the defaults but for patience": (
        {"patience": 2},
        [
            (6, 0.52631579, 0.13157895),
            (9, 0.55401662, 0.13850416),
            (14, 0.52631579, 0.13157895),
            (17, 0.5, 0.125),
            (20, 0.475, 0.11875),
            (23, 0.45125, 0.1128125),
            (26, 0.4286875, 0.10717187),
            (32, 0.40725312, 0.10181328),
            (35, 0.38689047, 0.096722617),
            (38, 0.36754595, 0.091886486),
        ],
    ),
    "waits after a change": (
        {"factor": 0.5, "patience": 1, "warmup": 3, "cooldown": 2},
        [
            (3, 0.25, 0.0625),
            (7, 0.5, 0.125),
            (13, 0.25, 0.0625),
            (17, 0.125, 0.03125),
            (21, 0.0625, 0.015625),
            (25, 0.03125, 0.0078125),
            (31, 0.015625, 0.00390625),
            (35, 0.0078125, 0.001953125),
            (39, 0.00390625, 0.001),
        ],
    ),
    "resets at the floor": (
        {"factor": 0.5, "patience": 0, "min_lr": 0.1, "reset_start": 3, "cooldown": 1},
        [
            (1, 1.0, 0.25),
            (2, 0.5, 0.125),
            (4, 1.0, 0.25),
            (5, 1.0, 0.5),
            (6, 1.0, 1.0),
            (10, 0.5, 0.5),
            (12, 0.25, 0.25),
            (14, 0.125, 0.125),
            (16, 0.1, 0.1),
            (20, 0.5, 0.125),
            (22, 1.0, 0.25),
            (23, 1.0, 0.5),
            (24, 1.0, 1.0),
            (30, 0.5, 0.5),
            (32, 0.25, 0.25),
            (34, 0.125, 0.125),
            (36, 0.1, 0.1),
            (40, 0.5, 0.125),
        ],
    ),
    "bounds of each group": (
        {"factor": 0.7, "patience": 0, "min_lr": [0.2, 0.05], "max_lr": [0.9, 0.3]},
        [
            (1, 0.71428571, 0.17857143),
            (2, 0.5, 0.125),
            (3, 0.35, 0.0875),
            (4, 0.5, 0.125),
            (5, 0.71428571, 0.17857143),
            (6, 0.9, 0.25510204),
            (7, 0.9, 0.3),
            (10, 0.63, 0.21),
            (11, 0.9, 0.3),
            (12, 0.63, 0.21),
            (13, 0.441, 0.147),
            (14, 0.3087, 0.1029),
            (15, 0.21609, 0.07203),
            (16, 0.2, 0.050421),
            (17, 0.2, 0.05),
            (29, 0.28571429, 0.071428571),
            (30, 0.2, 0.05),
        ],
    ),
    "smoothed": (
        {"factor": 0.8, "patience": 1, "smooth": True, "window_size": 4},
        [
            (3, 0.4, 0.1),
            (5, 0.5, 0.125),
            (7, 0.625, 0.15625),
            (9, 0.78125, 0.1953125),
            (11, 0.9765625, 0.24414062),
            (14, 0.78125, 0.1953125),
            (16, 0.625, 0.15625),
            (18, 0.5, 0.125),
            (20, 0.4, 0.1),
            (22, 0.32, 0.08),
            (24, 0.256, 0.064),
            (26, 0.2048, 0.0512),
            (28, 0.16384, 0.04096),
            (30, 0.2048, 0.0512),
            (33, 0.16384, 0.04096),
            (35, 0.131072, 0.032768),
            (37, 0.1048576, 0.0262144),
            (39, 0.08388608, 0.02097152),
        ],
    ),
    "larger is better, relative": (
        {
            "factor": 0.8,
            "patience": 1,
            "min_lr": 0.1,
            "mode": "max",
            "threshold": 0.05,
            "threshold_mode": "rel",
        },
        [
            (3, 0.4, 0.1),
            (5, 0.5, 0.125),
            (9, 0.625, 0.15625),
            (13, 0.5, 0.125),
            (15, 0.4, 0.1),
            (17, 0.32, 0.1),
            (19, 0.256, 0.1),
            (21, 0.2048, 0.1),
            (23, 0.16384, 0.1),
            (25, 0.131072, 0.1),
            (27, 0.1048576, 0.1),
            (31, 0.1, 0.1),
        ],
    ),
    "small changes are left out": (
        {"factor": 0.8, "patience": 0, "eps": 0.03},
        [
            (1, 0.625, 0.15625),
            (2, 0.5, 0.125),
            (3, 0.4, 0.125),
            (4, 0.5, 0.15625),
            (5, 0.625, 0.1953125),
            (6, 0.78125, 0.24414062),
            (7, 0.9765625, 0.30517578),
            (8, 0.9765625, 0.38146973),
            (9, 0.9765625, 0.47683716),
            (10, 0.78125, 0.38146973),
            (11, 0.9765625, 0.47683716),
            (12, 0.78125, 0.38146973),
            (13, 0.625, 0.30517578),
            (14, 0.5, 0.24414062),
            (15, 0.4, 0.1953125),
            (16, 0.32, 0.15625),
            (17, 0.256, 0.125),
            (18, 0.2048, 0.125),
            (19, 0.16384, 0.125),
            (20, 0.131072, 0.125),
            (29, 0.16384, 0.15625),
            (30, 0.131072, 0.125),
        ],
    ),
}


def waves(arguments: dict[str, Any], count: int = 40) -> list[float]:
    """The metric with which they were recorded: waves that go down, or up where up is better."""
    falling = [2 + math.cos(i / 3) + (i * 7 % 5) / 10 - i / 50 for i in range(count)]
    return [5 - metric for metric in falling] if arguments.get("mode") == "max" else falling


@pytest.mark.parametrize("name", RECORDED)
def test_a_greedy_scheduler_has_the_values_of_greedy_lr(name: str) -> None:
    arguments, changes = RECORDED[name]
    expected = [0.5, 0.125]
    values = {look: list(rates) for look, *rates in changes}
    scheduler = GreedyScheduler(optimizer_of(*expected), **arguments)
    for look, found in enumerate(looks(scheduler, waves(arguments)), 1):
        expected = values.get(look, expected)
        assert found == pytest.approx(expected, rel=1e-7)


def test_a_reset_waits_for_as_many_reductions_at_the_floor() -> None:
    scheduler = GreedyScheduler(optimizer_of(0.002), patience=1, factor=0.5, reset_start=3)
    seen = [rates[0] for rates in looks(scheduler, [1.0] * 12)]
    # A good look, two bad ones to the floor, and two for each of two more reductions.
    assert seen == [0.002] * 2 + [0.001] * 4 + [0.002] * 3 + [0.001] * 3
    assert scheduler.reset_counter == 1


def test_a_raise_sets_the_count_to_the_reset_back() -> None:
    scheduler = GreedyScheduler(optimizer_of(0.002), patience=0, factor=0.5, reset_start=3)
    looks(scheduler, [4.0, 4.0, 4.0, 4.0])
    assert (entries(scheduler.optimizer), scheduler.reset_counter) == ([0.001], 1)
    looks(scheduler, [3.0])
    assert (entries(scheduler.optimizer), scheduler.reset_counter) == ([0.002], 3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_of_eps_is_not_made_and_a_larger_one_is(kind: Any) -> None:
    for eps, expected in ((0.25, 0.5), (0.2499, 0.25)):
        scheduler = kind(groups_of(), factor=0.5, patience=0, eps=eps)
        assert looks(scheduler, [math.nan]) == [[expected]]


# ## With a schedule
@pytest.mark.parametrize("kind", KINDS)
def test_without_a_schedule_each_group_keeps_its_own_value_until_the_metric_moves_it(
    kind: Any,
) -> None:
    scheduler = kind(groups_of({"lr": 0.3}, {"lr": 0.2, "lr_scale": 0.1}), patience=0, factor=0.5)
    assert entries(scheduler.optimizer) == pytest.approx([0.3, 0.02])
    looks(scheduler, [math.nan])
    assert entries(scheduler.optimizer) == pytest.approx([0.15, 0.01])
    assert scheduler.get() == entries(scheduler.optimizer) == scheduler.get_last_lr()
    assert scheduler.base_lrs == [0.3, 0.2]


@pytest.mark.parametrize(("mode", "own"), [("relative", [0.5, 0.1]), ("absolute", [1, 1])])
def test_the_factor_multiplies_what_the_schedule_says(mode: str, own: list[float]) -> None:
    scheduler = PlateauScheduler(
        groups_of({}, {"lr": 0.1}), factor=0.5, patience=1, schedule=WARM_UP, schedule_mode=mode
    )
    seen = [entries(scheduler.optimizer)]
    for metric in (None, 1.0, None, 1.0, 1.0, None, 1.0, 1.0):
        scheduler.step(metric)
        seen.append(entries(scheduler.optimizer))
    expected = [0.25, 0.5, 0.75, 1, 1, 0.5, 0.5, 0.5, 0.25]
    assert np.allclose(seen, np.outer(expected, own))
    assert scheduler.last_epoch == 8


def test_a_look_counts_no_step() -> None:
    scheduler = PlateauScheduler(
        groups_of(), factor=0.5, patience=0, schedule=ExponentialSchedule(1, 0.5)
    )
    step(scheduler, 2)
    scheduler.look(1.0)
    assert (scheduler.last_epoch, entries(scheduler.optimizer)) == (2, [0.25])
    scheduler.look(1.0)
    assert (scheduler.last_epoch, entries(scheduler.optimizer)) == (2, [0.125])


def test_a_step_without_a_metric_is_no_look() -> None:
    scheduler = GreedyScheduler(groups_of(), patience=0)
    before = scheduler.state_dict()
    step(scheduler, 5)
    assert scheduler.state_dict() == {**before, "last_epoch": 5}


def test_a_metric_counts_where_the_update_was_left_out() -> None:
    scheduler = PlateauScheduler(
        groups_of(), factor=0.5, patience=0, schedule=ExponentialSchedule(1, 0.5)
    )
    scheduler.optimizer.param_groups[0]["params"][0].grad = torch.full((1,), math.inf)
    scheduler.step(math.nan)
    assert (scheduler.last_epoch, entries(scheduler.optimizer)) == (0, [0.5])


def test_the_metric_brings_no_value_below_the_floor_but_the_schedule_does() -> None:
    falling = CustomSchedule([1, 1, 1, 1, 0.05, 1])
    scheduler = PlateauScheduler(groups_of(), factor=0.1, patience=0, min_lr=0.2, schedule=falling)
    assert looks(scheduler, [1.0] * 6) == [[1], [0.2], [0.2], [0.05], [0.2], [0.2]]


def test_a_raise_in_a_warm_up_does_not_pass_the_ceiling_later() -> None:
    scheduler = GreedyScheduler(
        groups_of(),
        factor=0.5,
        patience=0,
        max_lr=0.75,
        schedule=CustomSchedule([0.1, 0.1, 0.1, 0.5, 1]),
    )
    seen = looks(scheduler, [4, 3, 2, 1, 1, 1])
    # The schedule alone goes to 1, and its own values are not cut.
    assert seen == [[0.2], [0.4], [0.75], [1], [0.5], [0.25]]


def test_a_raise_that_met_the_ceiling_counts_only_as_far_as_it_came() -> None:
    scheduler = GreedyScheduler(
        groups_of(),
        factor=0.5,
        patience=0,
        max_lr=1.5,
        schedule=CustomSchedule([1, 1, 0.1]),
    )
    assert looks(scheduler, [2, None]) == [[1.5], [pytest.approx(0.15)]]


def test_a_group_whose_value_is_zero_stays_there_and_the_others_move() -> None:
    scheduler = GreedyScheduler(optimizer_of(0, 0.5), factor=0.5, patience=0)
    assert looks(scheduler, [2, 1, 1]) == [[0, 1], [0, 1], [0, 0.5]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_plan_and_a_metric_can_end_in_a_decay(kind: Any) -> None:
    scheduler = kind(groups_of(), factor=0.5, patience=0)
    looks(scheduler, [math.nan])
    scheduler.start_decay(4)
    assert looks(scheduler, [None] * 5) == [[0.1875], [0.125], [0.0625], [0], [0]]


def test_a_schedule_that_changes_once_an_epoch_is_stepped_with_every_update() -> None:
    line = LinearDecreasingSchedule(1.0, exclude_last=True, interval="epoch")
    scheduler = PlateauScheduler(
        groups_of(), factor=0.5, patience=0, schedule=line, total_steps=4, updates_per_epoch=2
    )
    assert looks(scheduler, [None, math.nan, None]) == [[1], [0.25], [0.25]]


# ## Which entry of which group
def test_any_entry_can_be_moved_and_the_others_stay() -> None:
    optimizer = groups_of({"weight_decay": 0.1}, {"weight_decay": 0.02})
    PlateauScheduler(optimizer, key="weight_decay", factor=0.5, patience=0).step(math.nan)
    assert entries(optimizer, "weight_decay") == [0.05, 0.01]
    assert entries(optimizer) == [0.5, 0.5]


def test_only_groups_with_the_tag_are_moved() -> None:
    optimizer = groups_of({"tags": "head"}, {"lr": 0.25}, {"lr": 0.125, "tags": ["head"]})
    scheduler = PlateauScheduler(
        optimizer, tags="head", factor=0.5, patience=0, min_lr=[0.1, 9, 0.1]
    )
    scheduler.step(math.nan)
    assert entries(optimizer) == [0.25, 0.25, 0.1]
    assert scheduler.get() == [0.25, None, 0.1]
    with pytest.raises(ValueError, match=r"leave out the groups \[0, 2\]"):
        Scheduler(optimizer, ConstantSchedule(1.0))
    PlateauScheduler(optimizer, tags=[None])


def test_a_tensor_is_filled_in_place() -> None:
    rate = torch.tensor(0.5)
    optimizer = SGD([Parameter(torch.zeros(1))], lr=rate)
    PlateauScheduler(optimizer, factor=0.5, patience=0).step(torch.tensor([math.nan]))
    assert optimizer.param_groups[0]["lr"] is rate
    assert rate == 0.25


def test_a_group_that_is_added_begins_at_its_own_value() -> None:
    scheduler = PlateauScheduler(groups_of(), factor=0.5, patience=0)
    looks(scheduler, [1, 1])
    scheduler.optimizer.add_param_group(a_group(lr=0.125))
    assert looks(scheduler, [0.5, 1]) == [[0.25, 0.125], [0.125, 0.0625]]
    bounded = PlateauScheduler(groups_of(), min_lr=[0.1])
    bounded.optimizer.add_param_group(a_group(lr=0.125))
    with pytest.raises(ValueError, match=r"min_lr must be .* one for each of the 2 groups"):
        bounded.step(1.0)


def test_a_part_of_torchs_sequential_lr_is_stepped_without_a_look() -> None:
    optimizer = groups_of()
    plateau = PlateauScheduler(optimizer, patience=0)
    first = ConstantLR(optimizer, factor=1.0, total_iters=2)
    step(SequentialLR(optimizer, [first, plateau], [2]), 4)
    assert (plateau.best, plateau.num_bad_epochs) == (math.inf, 0)
    assert entries(optimizer) == [0.5]


# ## Checkpoints
MAKE: dict[str, Callable[[Optimizer], Any]] = {
    "plateau": lambda opt: PlateauScheduler(opt, factor=0.5, patience=1, cooldown=2, min_lr=0.05),
    "greedy": lambda opt: GreedyScheduler(opt, factor=0.8, patience=1, cooldown=2, warmup=1),
    "greedy, smoothed": lambda opt: GreedyScheduler(opt, patience=0, smooth=True, window_size=4),
    "greedy, reset": lambda opt: GreedyScheduler(
        opt, factor=0.5, patience=0, min_lr=0.1, reset_start=3
    ),
    "on a schedule": lambda opt: PlateauScheduler(
        opt, factor=0.5, patience=1, schedule=WARM_UP, schedule_mode="relative"
    ),
}


@pytest.mark.parametrize("stop", [0, 1, 7, 18, 19, 20])
@pytest.mark.parametrize("name", MAKE)
def test_a_run_that_goes_on_has_the_values_of_one_that_did_not_stop(name: str, stop: int) -> None:
    metrics = waves({})
    metrics[17] = math.nan
    whole = MAKE[name](optimizer_of(0.5, 0.125))
    expected = looks(whole, metrics)
    stopped = MAKE[name](optimizer_of(0.5, 0.125))
    looks(stopped, metrics[:stop])
    state = stopped.state_dict()
    for saved in (through_a_file(state), json.loads(json.dumps(state))):
        # Without the state of the optimizer.
        resumed = MAKE[name](optimizer_of(0.5, 0.125))
        resumed.load_state_dict(saved)
        assert entries(resumed.optimizer) == entries(stopped.optimizer)
        assert looks(resumed, metrics[stop:]) == expected[stop:]
        assert resumed.state_dict() == whole.state_dict()


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_is_a_copy(kind: Any) -> None:
    scheduler = kind(groups_of(), patience=0, factor=0.5, **smoothing(kind))
    state = scheduler.state_dict()
    before = json.dumps(state)
    looks(scheduler, [1, 2, 3])
    assert json.dumps(state) == before
    other = kind(groups_of(), patience=0, factor=0.5, **smoothing(kind))
    other.load_state_dict(state)
    looks(other, [1, 2, 3])
    assert json.dumps(state) == before


def smoothing(kind: Any) -> dict[str, Any]:
    return {"smooth": True} if kind is GreedyScheduler else {}


def test_the_arguments_come_from_the_code() -> None:
    old = PlateauScheduler(groups_of(), factor=0.5, patience=0)
    looks(old, [1, 1])
    new = PlateauScheduler(groups_of(), factor=0.1, patience=1)
    new.load_state_dict(old.state_dict())
    assert looks(new, [1, 1]) == [[0.25], [0.025]]


def test_a_state_that_does_not_fit_is_refused_and_changes_nothing() -> None:
    scheduler = GreedyScheduler(groups_of(), patience=0)
    looks(scheduler, [2, 1])
    before = scheduler.state_dict()
    other = GreedyScheduler(groups_of({}, {}), patience=0)
    looks(other, [1])
    for state, message in (
        (Scheduler(groups_of(), ConstantSchedule(1.0)).state_dict(), "must have factors, got only"),
        (PlateauScheduler(groups_of()).state_dict(), "must have num_good_epochs"),
        (other.state_dict(), "factors must be one for each of the 1 groups"),
        ({k: v for k, v in before.items() if k != "schedule"} | {"best": 7}, "must have schedule"),
    ):
        with pytest.raises(ValueError, match=message):
            scheduler.load_state_dict(state)
        assert scheduler.state_dict() == before


def test_the_saved_schedule_is_taken_on_request() -> None:
    old = PlateauScheduler(groups_of(), schedule=ExponentialSchedule(1, 0.5))
    step(old, 2)
    new = PlateauScheduler(groups_of(), schedule=ConstantSchedule(1.0))
    new.load_state_dict(old.state_dict(), use_saved_schedule=True)
    assert entries(new.optimizer) == [0.25]
    function = PlateauScheduler(groups_of(), schedule=FunctionSchedule(lambda t: 1.0))
    looks(old, [5.0])
    unsaved = {**old.state_dict(), "schedule": None}
    with pytest.raises(ValueError, match="use_saved_schedule"):
        function.load_state_dict(unsaved, use_saved_schedule=True)
    assert function.best == math.inf


# ## What is refused
BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"mode": "lowest"}, ValueError, "mode must be one of min, max, got 'lowest'"),
    ({"factor": 1}, ValueError, "factor must be a finite number > 0 and < 1, got 1.0"),
    ({"factor": 0}, ValueError, "factor must be"),
    ({"patience": -1}, ValueError, "patience must be a whole number >= 0, got -1"),
    ({"patience": 2.5}, TypeError, "patience must be"),
    ({"threshold": -1}, ValueError, "threshold must be"),
    ({"threshold": 1, "threshold_mode": "rel"}, ValueError, "threshold must be .* < 1"),
    ({"threshold_mode": "relative"}, ValueError, "threshold_mode must be one of rel, abs"),
    ({"cooldown": -1}, ValueError, "cooldown must be"),
    ({"eps": math.nan}, ValueError, "eps must be"),
    ({"min_lr": -1}, ValueError, "min_lr must be"),
    ({"min_lr": math.inf}, ValueError, "min_lr must be"),
    ({"min_lr": "low"}, TypeError, "min_lr must be"),
    ({"min_lr": [0.1, math.nan]}, ValueError, r"min_lr\[1\] must be"),
    ({"min_lr": [0.1]}, ValueError, r"one for each of the 2 groups, got \[0.1\]"),
    ({"min_lr": 0.4}, ValueError, "min_lr must be at most the lr of group 1, 0.25, got 0.4"),
    ({"schedule": 1.0}, TypeError, "schedule must be a schedule"),
    ({"schedule_mode": "both"}, ValueError, "schedule_mode must be one of absolute, relative"),
    ({"key": "rate"}, ValueError, "key must name a number"),
    ({"tags": "head"}, ValueError, "tags must be those of a group"),
]
BAD_FOR_GREEDY: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"max_lr": 0.3}, ValueError, "max_lr must be at least the lr of group 0, 0.5, got 0.3"),
    ({"max_lr": math.inf}, ValueError, "max_lr must be a finite number"),
    ({"min_lr": 0.2, "max_lr": 0.1}, ValueError, "max_lr must be at least min_lr, 0.2, got 0.1"),
    ({"max_lr": [1, 1, 1]}, ValueError, "max_lr must be .* one for each of the 2 groups"),
    ({"warmup": -1}, ValueError, "warmup must be"),
    ({"smooth": 1}, TypeError, "smooth must be True or False"),
    ({"window_size": 0}, ValueError, "window_size must be"),
    ({"reset_start": -1}, ValueError, "reset_start must be"),
]
REFUSED = [(kind, *case) for kind in KINDS for case in BAD]
REFUSED += [(GreedyScheduler, *case) for case in BAD_FOR_GREEDY]


@pytest.mark.parametrize(("kind", "arguments", "error", "message"), REFUSED)
def test_what_is_not_allowed_is_refused_in_one_line_before_anything_is_written(
    kind: Any, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    optimizer = optimizer_of(0.5, 0.25)
    with pytest.raises(error, match=message) as caught:
        kind(optimizer, **arguments)
    assert "\n" not in str(caught.value)
    assert entries(optimizer) == [0.5, 0.25]


def test_defaults_that_could_only_raise_the_rate_are_refused() -> None:
    message = "min_lr must be at most the lr of group 0, 0.0003, got 0.001"
    with pytest.raises(ValueError, match=message):
        GreedyScheduler(optimizer_of(3e-4))


@pytest.mark.parametrize(
    "bad", ["0.5", True, 1j, [1.0], torch.zeros(2), torch.tensor(1j), object()]
)
def test_what_is_no_number_is_refused_as_a_metric_and_not_counted(bad: Any) -> None:
    scheduler = PlateauScheduler(groups_of())
    before = scheduler.state_dict()
    for call in (scheduler.step, scheduler.look):
        with pytest.raises(TypeError, match="metrics must be a number, got"):
            call(bad)
    with pytest.raises(TypeError, match="metrics must be a number, got None"):
        scheduler.look(None)
    assert scheduler.state_dict() == before


@pytest.mark.parametrize(
    "metric", [2, 2.0, np.float32(2), np.array(2.0), torch.tensor(2), torch.tensor([2.0])]
)
def test_any_number_is_a_metric(metric: float | Tensor) -> None:
    scheduler = PlateauScheduler(groups_of())
    scheduler.step(metric)
    assert scheduler.best == 2
    assert type(scheduler.best) is float
