"""What all schedules share: steps, overhang, windows, and being their own configuration."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import math
import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch

from labml_nn_optim import schedules
from labml_nn_optim.schedules import (
    AnyScheduleConfig,
    ConstantSchedule,
    ConstantScheduleConfig,
    CosineDecreasingSchedule,
    CosineDecreasingScheduleConfig,
    CosineIncreasingSchedule,
    CustomSchedule,
    InverseSqrtSchedule,
    LinearDecreasingSchedule,
    LinearIncreasingSchedule,
    LinearWarmupCosineDecaySchedule,
    LinearWarmupCosineDecayScheduleConfig,
    MultiStepSchedule,
    OneCycleSchedule,
    PolynomialDecreasingSchedule,
    PolynomialIncreasingSchedule,
    RampSchedule,
    ScheduleBase,
    ScheduleBaseConfig,
    SchedulerConfig,
    SequentialStepSchedule,
    SequentialStepScheduleConfig,
    StepDecreasingSchedule,
    StepFixedSchedule,
    StepIntervalSchedule,
    TriStageSchedule,
    WSDSchedule,
)
from tests.labml_nn_optim.schedules.examples import values

LINE = LinearDecreasingSchedule(max_value=1.0)


# ## Steps
def test_a_subclass_that_overrides_get_value_is_refused_when_it_is_defined() -> None:
    with pytest.raises(TypeError, match=r"^Rising must implement _get_value, not get_value$"):

        class Rising(LinearIncreasingSchedule):
            def get_value(self, step, total_steps=None):
                return step


def test_a_subclass_names_its_arguments_and_implements_one_method() -> None:
    class Square(ScheduleBase):
        factor: float

        def _get_value(self, step, total_steps):
            return self.factor * (step / total_steps) ** 2

    assert values(Square(2.0), 4) == [0, 0.125, 0.5, 1.125]
    assert Square(2.0, overhang_steps=4).get_value(4, 4) == 0.5
    assert Square(2.0) == Square(factor=2.0) != Square(3.0)


def test_a_schedule_without_the_method_says_so() -> None:
    with pytest.raises(NotImplementedError, match=r"^ScheduleBase has no _get_value$"):
        ScheduleBase().get_value(0, 10)


@pytest.mark.parametrize("step", [-1, -0.5, math.nan])
def test_a_step_below_0_is_refused(step: float) -> None:
    for schedule in (LINE, ConstantSchedule(1.0), MultiStepSchedule(1.0)):
        with pytest.raises(ValueError, match=rf"^step must be a number >= 0, got {step}$"):
            schedule.get_value(step, 10)


@pytest.mark.parametrize("total_steps", [0, -3, math.nan])
def test_a_run_without_steps_is_refused(total_steps: float) -> None:
    for schedule in (LINE, ConstantSchedule(1.0), StepFixedSchedule(factor=0.1, steps=[0.5])):
        message = rf"^total_steps must be a number > 0, got {total_steps}$"
        with pytest.raises(ValueError, match=message):
            schedule.get_value(0, total_steps)


def test_a_missing_length_of_the_run_is_refused_where_the_values_depend_on_it() -> None:
    message = r"^total_steps must be given for LinearDecreasingSchedule, got None$"
    with pytest.raises(ValueError, match=message):
        LINE.get_value(0)
    assert LINE.needs_total_steps
    for schedule in (ConstantSchedule(0.5), CustomSchedule([0.5]), InverseSqrtSchedule(0.5)):
        assert not schedule.needs_total_steps
        assert schedule.get_value(0) == schedule.get_value(0, 10) == 0.5


def test_an_overhang_or_a_window_makes_the_values_depend_on_the_length_of_the_run() -> None:
    for placed in ({"overhang_steps": 1}, {"start_step": 1, "end_step": 3}):
        schedule = ConstantSchedule(0.5, **placed)
        assert schedule.needs_total_steps
        with pytest.raises(ValueError, match=r"^total_steps must be given for ConstantSchedule"):
            schedule.get_value(0)


@pytest.mark.parametrize(
    "schedule",
    [
        ConstantSchedule(1),
        WSDSchedule(1),
        StepFixedSchedule(factor=1, start_value=1, steps=[0.5]),
        ConstantSchedule(2).clip(high=1),
        CosineDecreasingSchedule(max_value=1),
        LinearDecreasingSchedule(max_value=torch.tensor(1.0)),
    ],
)
def test_a_value_is_a_float_whatever_numbers_it_is_made_of(schedule: ScheduleBase) -> None:
    value = schedule.get_value(0, 10)
    assert type(value) is float
    assert value == 1


def test_a_number_in_a_tensor_is_read_when_the_schedule_is_made() -> None:
    number = torch.tensor(0.5, dtype=torch.float64)
    alone = LinearDecreasingSchedule(max_value=number)
    listed = CustomSchedule([number, 1.0])
    number.fill_(7.0)
    assert alone == LinearDecreasingSchedule(max_value=0.5)
    assert listed == CustomSchedule([0.5, 1.0])
    assert type(alone.max_value) is type(listed.values[0]) is float


@pytest.mark.parametrize(
    "schedule",
    [
        # In noether these have -0.1, 0.0245, 0.01 and a complex number after their end.
        LinearDecreasingSchedule(max_value=1.0),
        CosineDecreasingSchedule(max_value=1.0),
        PolynomialDecreasingSchedule(max_value=1.0, power=2.0),
        PolynomialDecreasingSchedule(max_value=1.0, power=0.5),
    ],
    ids=repr,
)
def test_past_its_end_a_schedule_holds(schedule: ScheduleBase) -> None:
    held = [schedule.get_value(step, 11) for step in (10, 11, 12, 20, 21, 22, 1000)]
    assert held == [0.0] * 7


# ## Overhang
@pytest.mark.parametrize(
    ("overhang", "total_steps", "length"),
    [
        ({"overhang_percent": 0.25}, 11, 13),
        ({"overhang_percent": 0.25}, 3, 3),
        ({"overhang_percent": 1.0}, 5, 10),
        ({"overhang_percent": -0.25}, 11, 9),
        ({"overhang_steps": 4}, 11, 15),
        ({"overhang_steps": 0}, 11, 11),
        ({"overhang_steps": -4}, 11, 7),
    ],
)
def test_with_an_overhang_the_run_stops_before_the_schedule_does_or_after_it(
    overhang: dict[str, Any], total_steps: int, length: int
) -> None:
    for kind in (LinearDecreasingSchedule, CosineDecreasingSchedule):
        placed = kind(max_value=1.0, end_value=0.2, **overhang)
        plain = kind(max_value=1.0, end_value=0.2)
        assert values(placed, total_steps) == [
            plain.get_value(step, length) for step in range(total_steps)
        ]


def test_a_negative_overhang_reaches_the_end_early_and_holds_it() -> None:
    short = LinearDecreasingSchedule(max_value=1.0, overhang_steps=-2)
    assert values(short, 7) == pytest.approx([1, 0.75, 0.5, 0.25, 0, 0, 0])


def test_a_warm_up_given_as_a_fraction_is_one_of_the_prolonged_run() -> None:
    schedule = LinearWarmupCosineDecaySchedule(1.0, warmup_percent=0.25, overhang_percent=0.5)
    assert values(schedule, 14).index(1.0) == int((14 + 7 - 1) * 0.25)


def test_an_overhang_in_steps_and_one_as_a_fraction_exclude_each_other() -> None:
    with pytest.raises(ValueError, match=r"^overhang_steps must be None when overhang_percent"):
        ConstantSchedule(1.0, overhang_steps=0, overhang_percent=0.0)


def test_an_overhang_that_leaves_no_step_is_refused() -> None:
    message = r"^overhang_steps must leave a step of the 5 there are, got -5$"
    with pytest.raises(ValueError, match=message):
        LinearDecreasingSchedule(max_value=1.0, overhang_steps=-5).get_value(0, 5)
    assert LinearDecreasingSchedule(max_value=1.0, overhang_steps=-4).get_value(0, 5) == 1


@pytest.mark.parametrize(
    ("overhang", "error"),
    [
        ({"overhang_steps": 1.5}, TypeError),
        ({"overhang_steps": "3"}, TypeError),
        ({"overhang_steps": True}, TypeError),
        ({"overhang_percent": "a tenth"}, TypeError),
        ({"overhang_percent": -1.0}, ValueError),
        ({"overhang_percent": math.inf}, ValueError),
    ],
)
def test_a_bad_overhang_is_named(overhang: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=f"^{next(iter(overhang))} must be a"):
        ConstantSchedule(1.0, **overhang)


# ## Windows
def test_a_schedule_stands_still_before_and_after_its_window() -> None:
    line = [1, 1, 1, 0.75, 0.5, 0.25, 0, 0, 0, 0]
    steps = LinearDecreasingSchedule(max_value=1.0, start_step=2, end_step=7)
    assert values(steps, 10) == pytest.approx(line)
    # From int(0.25 * (10 - 1)) to int(0.8 * (10 - 1)).
    percents = LinearDecreasingSchedule(max_value=1.0, start_percent=0.25, end_percent=0.8)
    assert values(percents, 10) == pytest.approx(line)
    assert steps.get_value(500, 10) == percents.get_value(500, 10) == 0


def test_a_window_up_to_all_of_the_run_ends_with_its_last_step() -> None:
    schedule = LinearDecreasingSchedule(max_value=1.0, start_percent=0.5, end_percent=1.0)
    assert values(schedule, 11) == pytest.approx([1.0] * 5 + [1, 0.8, 0.6, 0.4, 0.2, 0])


def test_a_window_may_end_after_the_run() -> None:
    schedule = LinearDecreasingSchedule(max_value=1.0, start_step=0, end_step=11)
    assert values(schedule, 3) == pytest.approx([1, 0.9, 0.8])


def test_a_window_that_has_no_step_in_a_short_run_holds_the_first_value() -> None:
    schedule = LinearDecreasingSchedule(max_value=1.0, start_percent=0.5, end_percent=0.6)
    assert values(schedule, 3, 6) == [1.0] * 6


def test_fractions_of_a_window_are_those_of_the_prolonged_run() -> None:
    both = {"start_percent": 0.0, "end_percent": 0.5}
    schedule = LinearDecreasingSchedule(max_value=1.0, overhang_steps=10, **both)
    # int(0.5 * (21 - 1)) steps, of which the last has the end value.
    assert values(schedule, 11) == pytest.approx([1 - step / 9 for step in range(10)] + [0])


@pytest.mark.parametrize(
    "window",
    [
        {"start_step": 0},
        {"end_step": 4},
        {"start_percent": 0.0},
        {"end_percent": 0.4},
    ],
)
def test_a_window_has_both_its_bounds_or_none(window: dict[str, Any]) -> None:
    unit = next(iter(window)).partition("_")[2]
    message = rf"^start_{unit} and end_{unit} must be given both or not at all$"
    with pytest.raises(ValueError, match=message):
        ConstantSchedule(1.0, **window)


@pytest.mark.parametrize(
    "window",
    [
        {"start_step": 4, "end_step": 4},
        {"start_step": 5, "end_step": 4},
        {"start_step": 0, "end_step": 0},
        {"start_percent": 0.0, "end_percent": 0.0},
        {"start_percent": 0.7, "end_percent": 0.2},
    ],
)
def test_a_window_ends_after_its_start_even_if_that_is_0(window: dict[str, Any]) -> None:
    (first, start), (last, end) = window.items()
    message = f"{last} must be above {first}, {start}, got {end}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ConstantSchedule(1.0, **window)


def test_a_window_is_given_in_steps_or_as_fractions() -> None:
    with pytest.raises(ValueError, match=r"^start_percent must be None when start_step is given"):
        ConstantSchedule(1.0, start_step=0, end_step=4, start_percent=0.0, end_percent=0.5)


@pytest.mark.parametrize(
    ("window", "error"),
    [
        ({"start_step": -1, "end_step": 4}, ValueError),
        ({"start_step": 1.0, "end_step": 4}, TypeError),
        ({"start_percent": -0.1, "end_percent": 0.5}, ValueError),
        ({"start_percent": 0.1, "end_percent": 1.1}, ValueError),
        ({"start_percent": "0.1", "end_percent": 1.0}, TypeError),
    ],
)
def test_a_bound_outside_the_run_is_refused(window: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^(start|end)_(step|percent) must be"):
        ConstantSchedule(1.0, **window)


# ## Configurations
COMMON = {
    "kind": None,
    "overhang_percent": None,
    "overhang_steps": None,
    "start_value": 0.0,
    "end_value": 1e-6,
    "weight_decay": 0.0,
    "start_percent": None,
    "end_percent": None,
    "start_step": None,
    "end_step": None,
    "interval": "update",
}
REQUIRED = dataclasses.MISSING
EXCLUDE = {"exclude_first": False, "exclude_last": False}
DECREASING = {**EXCLUDE, "max_value": REQUIRED, "end_value": 0.0}
INCREASING = {**EXCLUDE, "start_value": 0.0, "max_value": REQUIRED}
WARMUP = {"warmup_steps": None, "warmup_percent": None}
FIELDS: dict[str, dict[str, Any]] = {
    "ScheduleBaseConfig": {},
    "ProgressScheduleConfig": EXCLUDE,
    "DecreasingProgressScheduleConfig": DECREASING,
    "LinearDecreasingScheduleConfig": DECREASING,
    "CosineDecreasingScheduleConfig": DECREASING,
    "PolynomialDecreasingScheduleConfig": {**DECREASING, "power": 1.0},
    "IncreasingProgressScheduleConfig": INCREASING,
    "LinearIncreasingScheduleConfig": INCREASING,
    "CosineIncreasingScheduleConfig": INCREASING,
    "PolynomialIncreasingScheduleConfig": {**INCREASING, "power": 1.0},
    "ConstantScheduleConfig": {"value": REQUIRED},
    "CustomScheduleConfig": {"values": REQUIRED},
    "StepDecreasingScheduleConfig": {
        **DECREASING,
        "factor": REQUIRED,
        "decreases_interval": REQUIRED,
    },
    "StepFixedScheduleConfig": {"start_value": 1.0, "factor": REQUIRED, "steps": REQUIRED},
    "StepIntervalScheduleConfig": {
        "start_value": 1.0,
        "factor": REQUIRED,
        "update_interval": REQUIRED,
    },
    "SchedulerConfig": {"warmup_percent": REQUIRED, "end_value": REQUIRED},
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_configuration_of_noether_has_its_fields_and_defaults(name: str) -> None:
    kind = getattr(schedules, name)
    found = {each.name: each.default for each in dataclasses.fields(kind)}
    assert found == COMMON | FIELDS[name]


def test_the_warm_up_with_a_cosine_has_the_fields_of_noether_and_three_more() -> None:
    fields = dataclasses.fields(LinearWarmupCosineDecayScheduleConfig)
    found = {each.name: each.default for each in fields}
    theirs = {**WARMUP, "max_value": REQUIRED, "start_value": 0.0, "end_value": 1e-6}
    more = {"warmup_shape": "linear", "warmup_start": None, "end": "last"}
    assert found == COMMON | theirs | more


@pytest.mark.parametrize("name", [name for name in FIELDS if name != "SchedulerConfig"])
def test_a_schedule_is_its_own_configuration(name: str) -> None:
    assert getattr(schedules, name) is getattr(schedules, name.removesuffix("Config"))


def test_a_schedule_is_made_of_a_configuration_or_of_arguments() -> None:
    config = CosineDecreasingScheduleConfig(max_value=1.0)
    assert CosineDecreasingSchedule(config) == CosineDecreasingSchedule(max_value=1.0) == config
    assert CosineDecreasingSchedule(config).get_value(5, 11) == pytest.approx(0.5)
    assert ConstantSchedule(ConstantScheduleConfig(value=0.1)) == ConstantSchedule(0.1)


def test_the_configuration_of_another_schedule_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^max_value must be a finite number >= 0, got Linear"):
        CosineDecreasingSchedule(LinearDecreasingSchedule(max_value=1.0))


def test_every_schedule_is_a_schedule_configuration() -> None:
    assert ScheduleBaseConfig is ScheduleBase
    for schedule in (LINE, WSDSchedule(1.0), SchedulerConfig(warmup_percent=0.1, end_value=0.0)):
        assert isinstance(schedule, AnyScheduleConfig)


def test_the_scheduler_config_of_noether_has_no_values() -> None:
    config = SchedulerConfig(warmup_percent=0.1, end_value=1e-5)
    assert (config.warmup_percent, config.end_value) == (0.1, 1e-5)
    with pytest.raises(NotImplementedError, match=r"take LinearWarmupCosineDecaySchedule"):
        config.get_value(0, 10)
    for bad in ({"warmup_percent": 1.5, "end_value": 0.0}, {"warmup_percent": 0, "end_value": -1}):
        with pytest.raises(ValueError, match=r"must be a finite number >= 0"):
            SchedulerConfig(**bad)
    with pytest.raises(ValueError, match=r"^interval must be one of update, epoch, got 'step'$"):
        SchedulerConfig(warmup_percent=0.1, end_value=0.0, interval="step")


@pytest.mark.parametrize(
    ("schedule", "kind"),
    [
        (ConstantSchedule(1.0), "noether.core.schedules.ConstantSchedule"),
        (LINE, "noether.core.schedules.LinearDecreasingSchedule"),
        (
            LinearWarmupCosineDecaySchedule(1.0, warmup_steps=0),
            "noether.core.schedules.LinearWarmupCosineDecaySchedule",
        ),
        (WSDSchedule(1.0), "labml_nn_optim.schedules.wsd.WSDSchedule"),
        (RampSchedule(1.0, 0.0), "labml_nn_optim.schedules.ramp.RampSchedule"),
    ],
)
def test_the_kind_is_the_name_that_a_configuration_gives(schedule: ScheduleBase, kind: str) -> None:
    assert schedule.kind == kind
    name = kind.rpartition(".")[2]
    for other in (kind, name, f"{name}Config", f"somewhere.else.{name}Config"):
        assert dataclasses.replace(schedule, kind=other) == schedule


@pytest.mark.parametrize("kind", ["CosineDecreasingSchedule", "", 5])
def test_the_kind_of_another_schedule_is_refused(kind: Any) -> None:
    message = r"^kind must be noether\.core\.schedules\.LinearDecreasingSchedule, or not be given"
    with pytest.raises(ValueError, match=message):
        LinearDecreasingSchedule(max_value=1.0, kind=kind)


@pytest.mark.parametrize(
    ("make", "idle", "nearest"),
    [
        (lambda: PolynomialDecreasingSchedule(1.0, start_value=1.0), "start_value", "max_value"),
        (lambda: LinearIncreasingSchedule(1.0, end_value=0.5), "end_value", "max_value"),
        (lambda: ConstantSchedule(1.0, start_value=0.5), "start_value", "value"),
        (lambda: StepFixedSchedule(factor=0.1, steps=[0.5], end_value=0), "end_value", "start"),
    ],
)
def test_an_argument_that_would_do_nothing_is_refused_with_the_nearest_that_does(
    make: Callable[[], ScheduleBase], idle: str, nearest: str
) -> None:
    with pytest.raises(ValueError, match=rf"^{idle} does nothing in \w+; did you mean {nearest}"):
        make()


def test_weight_decay_is_no_schedules_argument() -> None:
    with pytest.raises(ValueError, match=r"^weight_decay does nothing in ConstantSchedule; it"):
        ConstantSchedule(1.0, weight_decay=0.1)


def test_the_default_of_an_idle_argument_may_be_written_down() -> None:
    assert ConstantSchedule(1.0, start_value=0.0, end_value=1e-6, weight_decay=0.0) == (
        ConstantSchedule(1.0)
    )


def test_the_interval_is_that_of_updates_or_epochs() -> None:
    assert LINE.interval == "update"
    assert LinearDecreasingSchedule(max_value=1.0, interval="epoch").interval == "epoch"
    with pytest.raises(ValueError, match=r"^interval must be one of update, epoch, got 'step'$"):
        LinearDecreasingSchedule(max_value=1.0, interval="step")


POSITIONAL = {
    "ClippedSchedule": "schedule low high",
    "ConstantSchedule": "value",
    "CooldownSchedule": "schedule start steps",
    "CosineAnnealingSchedule": "max_value period",
    "CustomSchedule": "values",
    "CyclicSchedule": (
        "base_value max_value steps_up steps_down mode gamma scale_mode scale_function"
    ),
    "ExponentialSchedule": "start_value factor steps staircase",
    "FunctionSchedule": "function",
    "InterpolationSchedule": "steps values shape",
    "InverseTimeSchedule": "start_value factor steps exponent staircase",
    "MultiStepSchedule": "start_value factor milestones",
    "PiecewiseConstantSchedule": "values milestones",
    "PolynomialCycleSchedule": "start_value end_value",
    "ProductSchedule": "schedules",
    "RampSchedule": "start_value end_value shape",
    "RepeatedSchedule": "schedule steps",
    "SGDRSchedule": "max_value period multiplier decay cycles",
    "ScaledSchedule": "schedule factor",
    "SequenceSchedule": "schedules milestones",
    "SequentialPercentSchedule": "schedule_configs",
    "SequentialStepSchedule": "schedule_configs",
    "SpanSchedule": "schedule steps",
    "StepFixedSchedule": "",
    "StepIntervalSchedule": "",
}


@pytest.mark.parametrize("name", schedules.schedule_names())
def test_only_what_a_schedule_is_about_is_given_without_its_name(name: str) -> None:
    parameters = inspect.signature(getattr(schedules, name)).parameters.values()
    named = [each.name for each in parameters if each.kind is not each.KEYWORD_ONLY]
    assert named == POSITIONAL.get(name, "max_value").split()


# ## Values
SIMPLE = [
    LINE,
    LinearDecreasingSchedule(max_value=1, end_value=0.1, exclude_last=True, interval="epoch"),
    CosineIncreasingSchedule(max_value=0.3, overhang_percent=0.25),
    StepIntervalSchedule(factor=0.5, update_interval=0.3),
    CustomSchedule([1.0, 0.5]),
    MultiStepSchedule(1.0, 0.1, [3, 5]),
    OneCycleSchedule(1.0, three_phase=True),
    TriStageSchedule(0.5, warmup_steps=3),
    WSDSchedule(0.3, warmup_steps=3, decay_steps=4),
    LINE.then(ConstantSchedule(0.1), 5).scale(2.0),
    SequentialStepSchedule(
        [SequentialStepScheduleConfig(LINE, end_step=3), SequentialStepScheduleConfig(LINE)]
    ),
]


@pytest.mark.parametrize("schedule", SIMPLE, ids=repr)
def test_a_schedule_is_a_value(schedule: ScheduleBase) -> None:
    assert schedule == pickle.loads(pickle.dumps(schedule)) == copy.deepcopy(schedule)
    assert eval(repr(schedule), vars(schedules)) == schedule
    assert len({schedule, copy.deepcopy(schedule), ConstantSchedule(7.0)}) == 2
    assert "\n" not in repr(schedule)


def test_what_is_shown_is_what_differs_from_the_defaults() -> None:
    assert repr(LINE) == "LinearDecreasingSchedule(max_value=1.0)"
    assert repr(LINE.scale(0.5)) == f"ScaledSchedule(schedule={LINE!r}, factor=0.5)"
    assert repr(PolynomialIncreasingSchedule(1.0, power=1.0, start_value=0.1)) == (
        "PolynomialIncreasingSchedule(start_value=0.1, max_value=1.0)"
    )


def test_a_schedule_does_not_change() -> None:
    for name in ("max_value", "kind", "interval", "another"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(LINE, name, 2.0)


def test_schedules_of_different_kinds_differ() -> None:
    assert CosineDecreasingSchedule(max_value=1.0) != LINE
    assert LinearDecreasingSchedule(max_value=1.0, end_value=0.1) != LINE
    assert StepDecreasingSchedule(1.0, factor=0.5, decreases_interval=0.5) == (
        StepDecreasingSchedule(1, factor=0.5, decreases_interval=0.5)
    )
