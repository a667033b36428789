"""What is written into which entry of which group, and what is refused."""

from __future__ import annotations

import gc
import math
import re
from collections.abc import Callable, Collection
from typing import Any

import pytest
import torch
from torch.nn import Parameter
from torch.optim import SGD, Adam, Optimizer

from labml_nn_optim.schedulers import ConstantLR, ConstantWD, LinearLR, Scheduler, SequentialLR
from labml_nn_optim.schedules import (
    ConstantSchedule,
    CosineDecreasingSchedule,
    ExponentialSchedule,
    FunctionSchedule,
    LinearDecreasingSchedule,
    RampSchedule,
    ScheduleBase,
    SequentialStepSchedule,
    SequentialStepScheduleConfig,
    WSDSchedule,
)
from tests.labml_nn_optim.schedulers.examples import a_group, entries, groups_of, step, walk

HALVES = ExponentialSchedule(1.0, 0.5)
# 1, 0.9, ..., 0 at step 10.
LINE = LinearDecreasingSchedule(1.0)


# ## Entries
@pytest.mark.parametrize("key", ["lr", "weight_decay", "momentum"])
def test_any_number_of_a_group_can_be_scheduled(key: str) -> None:
    scheduler = Scheduler(groups_of({"momentum": 0.9}), HALVES, key)
    assert scheduler.key == key
    assert walk(scheduler, 3, key) == [1, 0.5, 0.25]
    others = {"lr": 0.5, "weight_decay": 0, "momentum": 0.9}
    others.pop(key)
    assert others.items() <= scheduler.optimizer.param_groups[0].items()


@pytest.mark.parametrize("kind", [tuple, list])
def test_one_element_can_be_scheduled_and_the_others_stay(kind: type) -> None:
    optimizer = Adam([a_group(betas=kind((0.9, 0.999)))], lr=0.5)
    scheduler = Scheduler(optimizer, HALVES.scale(0.8), "betas[0]")
    assert optimizer.param_groups[0]["betas"] == kind((0.8, 0.999))
    step(scheduler)
    assert optimizer.param_groups[0]["betas"] == kind((0.4, 0.999))
    Scheduler(optimizer, ConstantSchedule(0.5), "betas[1]")
    assert optimizer.param_groups[0]["betas"] == kind((0.4, 0.5))


@pytest.mark.parametrize(
    "key", ["learning_rate", "lr[0]", "betas", "betas[2]", "foreach", "maximize", "params"]
)
def test_what_is_no_number_of_the_group_is_refused_with_the_entries_there_are(key: str) -> None:
    optimizer = Adam([a_group()], lr=0.5)
    names = "lr, betas, eps, weight_decay, amsgrad, maximize, foreach, capturable"
    with pytest.raises(ValueError, match=f"number in group 0, which has {names}.*{re.escape(key)}"):
        Scheduler(optimizer, HALVES, key)


@pytest.mark.parametrize("key", ["betas[x]", "betas[0", "", "a b", 3, None])
def test_what_names_no_entry_is_refused(key: Any) -> None:
    with pytest.raises(ValueError, match="key must be like lr or betas"):
        Scheduler(groups_of(), HALVES, key)


def test_only_the_chosen_groups_must_have_the_entry() -> None:
    optimizer = groups_of({"tags": "a", "warmth": 3}, {"tags": "b"})
    Scheduler(optimizer, HALVES, "warmth", tags="a")
    assert optimizer.param_groups[0]["warmth"] == 1
    with pytest.raises(ValueError, match="number in group 1"):
        Scheduler(optimizer, HALVES, "warmth")


# ## Absolute and relative
def test_the_absolute_mode_writes_the_value_times_the_scale_of_the_group() -> None:
    optimizer = groups_of({"lr": 3}, {"lr_scale": 0.1}, {"weight_decay_scale": 7})
    step(Scheduler(optimizer, HALVES))
    assert entries(optimizer) == [0.5, 0.05, 0.5]


def test_the_relative_mode_writes_the_groups_own_value_times_that_of_the_schedule() -> None:
    optimizer = groups_of({"lr": 3}, {"lr": 2, "lr_scale": 0.1}, {"lr": 0})
    scheduler = Scheduler(optimizer, HALVES, mode="relative")
    assert entries(optimizer) == pytest.approx([3, 0.2, 0])
    step(scheduler, 2)
    assert entries(optimizer) == pytest.approx([0.75, 0.05, 0])
    assert scheduler.base_lrs == [3, 2, 0]


def test_the_reference_is_the_value_at_which_a_group_has_its_own() -> None:
    optimizer = groups_of({"lr": 3}, {"lr": 2})
    scheduler = Scheduler(optimizer, RampSchedule(0, 0.2).over(3), mode="relative", reference=0.2)
    assert entries(optimizer) == [0, 0]
    step(scheduler)
    assert entries(optimizer) == pytest.approx([1.5, 1])
    step(scheduler)
    assert entries(optimizer) == pytest.approx([3, 2])


def test_a_schedule_of_the_weight_decay_keeps_the_ratios_and_zeros_of_the_groups() -> None:
    optimizer = groups_of(
        {"weight_decay": 0.1}, {"weight_decay": 0.02}, {}, {"weight_decay": 1, "lr_scale": 9}
    )
    scheduler = Scheduler(optimizer, LINE, "weight_decay", total_steps=11, mode="relative")
    for left in (1, 0.9, 0.8):
        found = entries(optimizer, "weight_decay")
        assert found == pytest.approx([0.1 * left, 0.02 * left, 0, left])
        step(scheduler)
    assert entries(optimizer) == [0.5] * 4


def test_each_entry_has_a_scale_of_its_own() -> None:
    optimizer = groups_of({"lr_scale": 0.1, "weight_decay_scale": 0.5, "momentum_scale": 0.2})
    for key in ("lr", "weight_decay", "momentum"):
        Scheduler(optimizer, HALVES, key)
    found = optimizer.param_groups[0]
    assert [found[key] for key in ("lr", "weight_decay", "momentum")] == [0.1, 0.5, 0.2]


def test_the_floor_is_scaled_with_the_group_unless_it_is_absolute() -> None:
    falling = LinearDecreasingSchedule(1.0, end_value=0.1)
    scales = ({}, {"lr_scale": 0.5}, {"lr_scale": 0.1}, {"lr_scale": 2})
    scaled, level = groups_of(*scales), groups_of(*scales)
    schedulers = [
        Scheduler(scaled, falling, total_steps=11),
        Scheduler(level, falling, total_steps=11, absolute_floor=True),
    ]
    assert entries(level) == entries(scaled) == [1, 0.5, 0.1, 2]
    for scheduler in schedulers:
        step(scheduler, 5)
    assert entries(scaled) == pytest.approx([0.55, 0.275, 0.055, 1.1])
    # Half of the way from the peak of the group to the floor.
    assert entries(level) == pytest.approx([0.55, 0.3, 0.1, 1.05])
    for scheduler in schedulers:
        step(scheduler, 5)
    assert entries(scaled) == pytest.approx([0.1, 0.05, 0.01, 0.2])
    assert entries(level) == pytest.approx([0.1] * 4)


def test_an_absolute_floor_is_that_of_the_peak_which_is_given() -> None:
    optimizer = groups_of({}, {"lr_scale": 0.5})
    falling = LinearDecreasingSchedule(0.01, end_value=0.001)
    scheduler = Scheduler(optimizer, falling, total_steps=3, reference=0.01, absolute_floor=True)
    assert entries(optimizer) == pytest.approx([0.01, 0.005])
    step(scheduler)
    assert entries(optimizer) == pytest.approx([0.0055, 0.003])
    step(scheduler)
    assert entries(optimizer) == pytest.approx([0.001, 0.001])


# ## Tensors
def test_a_rate_that_is_a_tensor_is_filled_in_place() -> None:
    rate = torch.tensor(0.5)
    optimizer = groups_of({"lr": rate})
    scheduler = Scheduler(optimizer, HALVES)
    step(scheduler)
    assert optimizer.param_groups[0]["lr"] is rate
    assert rate.item() == 0.5
    step(scheduler)
    assert rate.item() == 0.25
    assert scheduler.get_last_lr() == [0.25]
    assert scheduler.base_lrs == [0.5]


def test_groups_do_not_share_a_tensor_any_more() -> None:
    scales = ({}, {"lr_scale": 0.1}, {"tags": "b"})
    optimizer = SGD([a_group(**each) for each in scales], lr=torch.tensor(0.5))
    scheduler = Scheduler(optimizer, HALVES, tags=[None])
    step(scheduler)
    assert entries(optimizer) == pytest.approx([0.5, 0.05, 0.5])
    assert all(isinstance(group["lr"], torch.Tensor) for group in optimizer.param_groups)
    step(scheduler)
    assert entries(optimizer) == pytest.approx([0.25, 0.025, 0.5])


def test_a_group_that_is_added_later_has_the_default_and_not_a_scheduled_value() -> None:
    optimizer = SGD([a_group()], lr=torch.tensor(0.5))
    scheduler = Scheduler(optimizer, HALVES, mode="relative")
    step(scheduler, 3)
    optimizer.add_param_group(a_group())
    assert entries(optimizer) == [0.0625, 0.5]
    step(scheduler)
    assert entries(optimizer) == [0.03125, 0.03125]
    assert scheduler.base_lrs == [0.5, 0.5]


def test_elements_that_are_tensors_are_not_shared_either() -> None:
    betas = (torch.tensor(0.9), torch.tensor(0.999))
    optimizer = Adam(
        [a_group(), a_group(**{"betas[0]_scale": 0.1})],
        lr=torch.tensor(0.5),
        betas=betas,
        capturable=True,
    )
    Scheduler(optimizer, HALVES.scale(0.8), "betas[0]")
    found = [[float(beta) for beta in group["betas"]] for group in optimizer.param_groups]
    assert [pair[0] for pair in found] == pytest.approx([0.8, 0.08])
    assert [pair[1] for pair in found] == pytest.approx([0.999, 0.999])


# ## Tags
TAGGED = ({"tags": "a"}, {"tags": ["a", "b"]}, {}, {"tags": {"c"}}, {"tags": []}, {"tags": ("b",)})


@pytest.mark.parametrize(
    ("tags", "chosen"),
    [
        (None, [0, 1, 2, 3, 4, 5]),
        ("a", [0, 1]),
        (["a"], [0, 1]),
        (("c", "b"), [1, 3, 5]),
        ({"b"}, [1, 5]),
        (["a", None], [0, 1, 2]),
        ([None], [2]),
        (["a", "z"], [0, 1]),
    ],
)
def test_tags_choose_the_groups_that_have_one_of_them(
    tags: Collection[str | None] | str | None, chosen: list[int]
) -> None:
    optimizer = groups_of(*TAGGED)
    scheduler = Scheduler(optimizer, HALVES, tags=tags)
    expected = [1.0 if number in chosen else 0.5 for number in range(6)]
    assert entries(optimizer) == expected
    assert scheduler.get() == [1.0 if number in chosen else None for number in range(6)]
    assert scheduler.get_lr() == scheduler.get_last_lr() == expected


@pytest.mark.parametrize(
    ("tags", "error", "message"),
    [
        ("z", ValueError, r"tags must be those of a group, which are a, b, c; got \['z'\]"),
        (["a", "a"], ValueError, r"tags must differ from each other, got \['a', 'a'\]"),
        ([None, None], ValueError, "tags must differ from each other"),
        ([], ValueError, "tags must be at least one, or None for all groups"),
        (set(), ValueError, "tags must be at least one"),
        ([1], TypeError, "tags must be texts or None, got 1"),
    ],
)
def test_tags_that_choose_nothing_are_refused(
    tags: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Scheduler(groups_of(*TAGGED), HALVES, tags=tags)


def test_without_any_tags_the_message_says_so() -> None:
    with pytest.raises(ValueError, match=r"which are none; got \['a'\]"):
        Scheduler(groups_of(), HALVES, tags="a")


# ## Two for one place
def test_no_two_schedulers_write_the_same_entry_of_the_same_group() -> None:
    optimizer = groups_of(*TAGGED)
    first = Scheduler(optimizer, HALVES, tags=["a", None])
    with pytest.raises(
        ValueError, match=r"leave out the groups \[1\], whose lr another Scheduler writes; release"
    ):
        Scheduler(optimizer, LINE, tags="b", total_steps=11)
    assert entries(optimizer) == [1, 1, 1, 0.5, 0.5, 0.5]
    Scheduler(optimizer, LINE, tags="c", total_steps=11)
    Scheduler(optimizer, LINE, "weight_decay", tags="b", total_steps=11)
    step(first)
    assert entries(optimizer) == [0.5, 0.5, 0.5, 1, 0.5, 0.5]


def test_a_released_place_can_be_taken_and_not_written_to_by_the_one_who_left() -> None:
    optimizer = groups_of()
    first = Scheduler(optimizer, HALVES)
    first.release()
    second = Scheduler(optimizer, ConstantSchedule(0.3))
    with pytest.raises(ValueError, match=r"leave out the groups \[0\]"):
        first.step()
    assert (first.last_epoch, entries(optimizer)) == (0, [0.3])
    second.release()
    step(first)
    assert entries(optimizer) == [0.5]


def test_a_scheduler_that_is_gone_is_in_nobodys_way() -> None:
    optimizer = groups_of()
    first = Scheduler(optimizer, HALVES)
    first.step()
    del first
    gc.collect()
    assert not optimizer._optimizer_step_post_hooks
    assert not optimizer._optimizer_load_state_dict_post_hooks
    second = Scheduler(optimizer, ConstantSchedule(0.3))
    assert walk(second, 2) == [0.3, 0.3]


def test_schedulers_by_name_meet_at_their_first_step() -> None:
    optimizer = groups_of()
    first, second = LinearLR(optimizer, 1, 0, 4), ConstantLR(optimizer, 0.3)
    first.step()
    with pytest.raises(ValueError, match="whose lr another LinearLR writes"):
        second.step()
    ConstantWD(optimizer, 0.1).step()


def test_the_parts_of_a_composite_are_in_nobodys_way() -> None:
    optimizer = groups_of()
    parts = [LinearLR(optimizer, 0, 1, 2), ConstantLR(optimizer, 0.3)]
    sequence = SequentialLR(optimizer, parts)
    assert walk(sequence, 4) == [0, 0.5, 0.3, 0.3]
    with pytest.raises(ValueError, match="whose lr another SequentialLR writes"):
        parts[0].step()


def test_optimizers_do_not_get_into_each_others_way() -> None:
    first = Scheduler(groups_of(), HALVES)
    second = Scheduler(groups_of(), LINE, total_steps=11)
    assert walk(first, 2) + walk(second, 2) == [1, 0.5, 1, 0.9]


# ## Groups that come and go
def test_groups_that_are_added_later_are_reached() -> None:
    optimizer = groups_of({"tags": "a"})
    scheduler = Scheduler(optimizer, HALVES, tags="a", mode="relative")
    step(scheduler)
    optimizer.add_param_group(a_group(tags="a", lr=4))
    optimizer.add_param_group(a_group(tags="b", lr=4))
    step(scheduler)
    assert entries(optimizer) == [0.125, 1, 4]
    step(scheduler)
    assert entries(optimizer) == [0.0625, 0.5, 4]
    assert scheduler.get() == [0.0625, 0.5, None]


def test_a_group_that_is_added_to_two_schedulers_is_refused_at_the_next_step() -> None:
    optimizer = groups_of({"tags": "a"}, {"tags": "b"})
    first = Scheduler(optimizer, HALVES, tags="a")
    second = Scheduler(optimizer, HALVES, tags="b")
    optimizer.add_param_group(a_group(tags=["a", "b"]))
    step(first)
    with pytest.raises(ValueError, match=r"leave out the groups \[2\]"):
        second.step()


def test_groups_that_a_checkpoint_of_the_optimizer_brings_are_reached() -> None:
    saved = groups_of({"lr": 0.25}, {"lr": 0.25, "lr_scale": 0.1}).state_dict()
    optimizer = groups_of({"lr": 4}, {"lr": 2})
    scheduler = Scheduler(optimizer, HALVES, mode="relative")
    step(scheduler, 2)
    optimizer.load_state_dict(saved)
    step(scheduler)
    # The checkpoint knows no schedule, so each group's own value is the one it was made with.
    assert entries(optimizer) == pytest.approx([0.5, 0.025])
    assert scheduler.base_lrs == [4, 2]


def test_a_tensor_that_groups_share_in_a_checkpoint_is_not_shared_here() -> None:
    saved = SGD([a_group(), a_group(lr_scale=0.1)], lr=torch.tensor(0.25)).state_dict()
    optimizer = groups_of({}, {})
    scheduler = Scheduler(optimizer, HALVES)
    optimizer.load_state_dict(saved)
    step(scheduler)
    assert entries(optimizer) == pytest.approx([0.5, 0.05])


def test_tags_that_a_checkpoint_of_the_optimizer_lost_are_missed() -> None:
    optimizer = groups_of({"tags": "a"})
    scheduler = Scheduler(optimizer, HALVES, tags="a")
    optimizer.load_state_dict(groups_of().state_dict())
    with pytest.raises(ValueError, match="tags must be those of a group"):
        scheduler.step()


# ## Once an epoch
def test_an_interval_of_an_epoch_changes_the_value_once_an_epoch() -> None:
    falling = CosineDecreasingSchedule(1.0, interval="epoch")
    scheduler = Scheduler(groups_of(), falling, total_steps=12, updates_per_epoch=4)
    values = [falling.get_value(first, 12) for first in (0, 4, 8)]
    assert walk(scheduler, 12) == [value for value in values for _ in range(4)]


def test_an_interval_of_an_update_does_not_ask_for_epochs() -> None:
    scheduler = Scheduler(groups_of(), LINE, total_steps=11, updates_per_epoch=4)
    assert walk(scheduler, 4) == pytest.approx([1, 0.9, 0.8, 0.7])


# ## Down from here
def test_a_decay_that_is_started_goes_down_from_the_present_value() -> None:
    scheduler = Scheduler(groups_of({}, {"lr_scale": 0.1}), HALVES.clip(low=0.4))
    step(scheduler, 6)
    before = entries(scheduler.optimizer)
    scheduler.start_decay(4)
    assert entries(scheduler.optimizer) == before == pytest.approx([0.4, 0.04])
    assert walk(scheduler, 6, group=1) == pytest.approx([0.04, 0.03, 0.02, 0.01, 0, 0])


@pytest.mark.parametrize("tail", ["linear", "cosine", "1-sqrt", "exponential"])
def test_a_started_decay_has_a_shape_and_an_end(tail: str) -> None:
    scheduler = Scheduler(groups_of(), ConstantSchedule(1.0))
    step(scheduler, 3)
    scheduler.start_decay(4, end_value=0.1, tail=tail)
    expected = RampSchedule(1.0, 0.1, tail, exclude_last=True).over(4)
    assert walk(scheduler, 6) == pytest.approx([expected.get_value(t) for t in range(6)])


def test_a_second_decay_goes_down_from_where_the_first_one_is() -> None:
    scheduler = Scheduler(groups_of(), ConstantSchedule(1.0))
    step(scheduler, 2)
    scheduler.start_decay(10)
    assert walk(scheduler, 5) == pytest.approx([1, 0.9, 0.8, 0.7, 0.6])
    scheduler.start_decay(2, end_value=0.1)
    assert walk(scheduler, 4) == pytest.approx([0.5, 0.3, 0.1, 0.1])


def test_a_decay_can_be_started_within_an_epoch() -> None:
    falling = LinearDecreasingSchedule(1.0, interval="epoch")
    scheduler = Scheduler(groups_of(), falling, total_steps=21, updates_per_epoch=5)
    step(scheduler, 7)
    assert entries(scheduler.optimizer) == [0.75]
    scheduler.start_decay(10)
    assert walk(scheduler, 10) == pytest.approx([*[0.75] * 3, *[0.375] * 5, 0, 0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 0}, "steps must be a whole number >= 1, got 0"),
        ({"steps": 3, "tail": "steep"}, "tail must be one of"),
        ({"steps": 3, "tail": "exponential"}, "got 'exponential'"),
        ({"steps": 3, "end_value": -1}, "end_value must be"),
    ],
)
def test_a_decay_that_cannot_be_is_refused_when_it_is_started(
    arguments: dict[str, Any], message: str
) -> None:
    scheduler = Scheduler(groups_of(), HALVES)
    with pytest.raises(ValueError, match=message):
        scheduler.start_decay(**arguments)
    assert walk(scheduler, 3) == [1, 0.5, 0.25]


def test_an_exponential_from_0_is_refused_when_it_is_started() -> None:
    scheduler = Scheduler(groups_of(), RampSchedule(0, 1).over(5))
    with pytest.raises(ValueError, match=r"tail from 0\.0 to 0\.1"):
        scheduler.start_decay(3, end_value=0.1, tail="exponential")
    assert walk(scheduler, 2) == [0, 0.25]


# ## To a step
def test_a_step_to_an_epoch_writes_its_value() -> None:
    scheduler = Scheduler(groups_of(), HALVES)
    scheduler.step(3)
    assert (scheduler.last_epoch, entries(scheduler.optimizer)) == (3, [0.125])
    scheduler.step()
    scheduler.step(epoch=0)
    assert (scheduler.last_epoch, entries(scheduler.optimizer)) == (0, [1])


@pytest.mark.parametrize(
    ("epoch", "error"), [(-1, ValueError), (math.nan, ValueError), ("2", TypeError)]
)
def test_a_step_to_no_epoch_changes_nothing(epoch: Any, error: type[Exception]) -> None:
    scheduler = Scheduler(groups_of(), HALVES)
    scheduler.step(2)
    with pytest.raises(error, match="epoch must be a finite number >= 0, got"):
        scheduler.step(epoch)
    assert (scheduler.last_epoch, entries(scheduler.optimizer)) == (2, [0.25])


def test_a_scheduler_begins_after_its_last_epoch() -> None:
    scheduler = Scheduler(groups_of(), HALVES, last_epoch=1)
    assert scheduler.last_epoch == 2
    assert walk(scheduler, 2) == [0.25, 0.125]


def test_past_the_end_of_the_run_the_last_value_holds() -> None:
    scheduler = Scheduler(groups_of(), LINE, total_steps=11)
    assert walk(scheduler, 20)[9:] == pytest.approx([0.1, *[0] * 10])


# ## What is refused
LONG = WSDSchedule(1.0, warmup_steps=6, decay_steps=6)


def made(
    schedule: ScheduleBase = LINE, key: str = "lr", **arguments: Any
) -> Callable[[Optimizer], Any]:
    return lambda optimizer: Scheduler(optimizer, schedule, key, **arguments)


REFUSED: list[tuple[type[Exception], str, Callable[[Optimizer], Any]]] = [
    (ValueError, "total_steps must be given for LinearDecreasingSchedule", made()),
    (ValueError, "total_steps must be a whole number >= 1, got 0", made(total_steps=0)),
    (TypeError, "total_steps must be a whole number", made(total_steps=10.0)),
    (ValueError, "decay_steps must be at most the 4 steps", made(LONG, total_steps=10)),
    (ValueError, "warmup_steps must be at most total_steps, 5", made(LONG, total_steps=5)),
    (ValueError, "mode must be one of absolute, relative", made(HALVES, mode="both")),
    (ValueError, "reference must be a finite number > 0", made(HALVES, reference=0)),
    (TypeError, "reference must be a finite number > 0", made(HALVES, reference="1")),
    (ValueError, "last_epoch must be a whole number >= -1", made(HALVES, last_epoch=-2)),
    (
        ValueError,
        "total_steps must be given for an absolute_floor",
        made(HALVES, absolute_floor=True),
    ),
    (
        ValueError,
        "absolute_floor must be False in the relative mode",
        made(total_steps=9, absolute_floor=True, mode="relative"),
    ),
    (
        ValueError,
        "reference must be above the floor, 1.0, got 1.0",
        made(ConstantSchedule(1.0), total_steps=9, absolute_floor=True),
    ),
    (
        ValueError,
        "updates_per_epoch must be given for an interval of epoch",
        made(ConstantSchedule(1.0, interval="epoch")),
    ),
    (ValueError, "updates_per_epoch must be", made(HALVES, updates_per_epoch=0)),
    (
        ValueError,
        "must return a finite number, got nan at step 0",
        made(FunctionSchedule(lambda _: math.nan)),
    ),
    (
        ValueError,
        "must return a finite number, got inf at step 8",
        made(FunctionSchedule(lambda t: math.inf if t == 8 else 1.0), total_steps=9),
    ),
    (ValueError, "key must name a number", made(HALVES, "betas[0]")),
    (ValueError, "tags must be those of a group", made(HALVES, tags="z")),
    (TypeError, "schedule must be a schedule, got 0.1", made(0.1)),  # type: ignore[arg-type]
    (TypeError, "optimizer must be a torch.optim.Optimizer", lambda _: Scheduler(None, HALVES)),  # type: ignore[arg-type]
    (TypeError, "optimizer must be a torch.optim.Optimizer", lambda _: ConstantLR([], 0.1)),
]


@pytest.mark.parametrize(("error", "message", "make"), REFUSED)
def test_what_is_refused_is_refused_before_anything_is_written(
    error: type[Exception], message: str, make: Callable[[Optimizer], Any]
) -> None:
    optimizer = groups_of({"tags": "a"}, {"lr_scale": 0.1})
    before = [dict(group) for group in optimizer.param_groups]
    with pytest.raises(error, match=message) as raised:
        make(optimizer)
    assert "\n" not in str(raised.value)
    assert [dict(group) for group in optimizer.param_groups] == before
    # And nobody has taken the place.
    assert walk(Scheduler(optimizer, HALVES), 2) == [1, 0.5]


def test_a_schedule_of_noethers_takes_part() -> None:
    two = SequentialStepSchedule(
        [
            SequentialStepScheduleConfig(ConstantSchedule(0.3), end_step=2),
            SequentialStepScheduleConfig(ConstantSchedule(0.1)),
        ]
    )
    scheduler = Scheduler(groups_of(), two, total_steps=4)
    assert walk(scheduler, 4) == [0.3, 0.3, 0.1, 0.1]


def test_the_step_of_a_weight_has_the_scheduled_rate() -> None:
    weight = Parameter(torch.zeros(1, dtype=torch.float64))
    scheduler = Scheduler(SGD([weight], lr=9), HALVES)
    for _ in range(3):
        weight.grad = -torch.ones_like(weight)
        step(scheduler)
    assert weight.item() == 1.75
