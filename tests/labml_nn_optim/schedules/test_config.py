"""Schedules as mappings, and back."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
import yaml

from labml_nn_optim.schedules import (
    ClippedSchedule,
    ConstantSchedule,
    CooldownSchedule,
    CosineAnnealingSchedule,
    CosineDecreasingSchedule,
    CosineIncreasingSchedule,
    CustomSchedule,
    CyclicSchedule,
    ExponentialSchedule,
    FunctionSchedule,
    InfiniteSchedule,
    InterpolationSchedule,
    InverseSqrtSchedule,
    InverseTimeSchedule,
    LinearDecreasingSchedule,
    LinearIncreasingSchedule,
    LinearToZeroSchedule,
    LinearWarmupCosineDecaySchedule,
    MultiStepSchedule,
    OneCycleSchedule,
    PiecewiseConstantSchedule,
    PolynomialCycleSchedule,
    PolynomialDecreasingSchedule,
    PolynomialIncreasingSchedule,
    PowerSchedule,
    ProductSchedule,
    RampSchedule,
    RepeatedSchedule,
    ScaledSchedule,
    ScheduleBase,
    SequenceSchedule,
    SequentialPercentSchedule,
    SequentialPercentScheduleConfig,
    SequentialStepSchedule,
    SequentialStepScheduleConfig,
    SGDRSchedule,
    SpanSchedule,
    StepDecreasingSchedule,
    StepFixedSchedule,
    StepIntervalSchedule,
    TriStageSchedule,
    WarmupDecaySchedule,
    WSDSchedule,
    get_schedule,
    schedule_from_config,
    schedule_names,
    schedule_to_config,
)
from tests.labml_nn_optim.schedules.examples import values

LINE = LinearDecreasingSchedule(max_value=1.0)
# One of every kind, with arguments that differ from their defaults.
EVERY: list[ScheduleBase] = [
    ClippedSchedule(LINE, low=0.1),
    ConstantSchedule(-0.5, interval="epoch"),
    CooldownSchedule(LINE, 3, 5, end_value=0.1, tail="1-sqrt", bend=2.0),
    CosineAnnealingSchedule(1.0, 4, end_value=0.1),
    CosineDecreasingSchedule(1.0, exclude_last=True, overhang_percent=0.25),
    CosineIncreasingSchedule(1.0, start_value=0.1, start_step=0, end_step=7),
    CustomSchedule([1.0, 0.5, 2]),
    CyclicSchedule(0.1, 1.0, 2, 3, "exp_range", 0.9, "cycle"),
    ExponentialSchedule(1.0, 0.9, 2.5, True, end_value=0.2),
    InfiniteSchedule(1.0, constant_value=0.2, warmup_steps=2, cooldown_percent=0.2),
    InterpolationSchedule([0, 4, 8], [1.0, 0.1, 0.5], "cosine"),
    InverseSqrtSchedule(1.0, warmup_steps=3, timescale=2.5),
    InverseTimeSchedule(1.0, 0.5, 2, exponent=0.5, staircase=True),
    LINE,
    LinearIncreasingSchedule(1.0, exclude_first=True, overhang_steps=-2),
    LinearToZeroSchedule(1.0, warmup_percent=0.2, warmup_start="t/W"),
    LinearWarmupCosineDecaySchedule(1.0, warmup_steps=3, end_value=0.0),
    MultiStepSchedule(1.0, 0.1, [3, 5]),
    OneCycleSchedule(1.0, three_phase=True, shape="linear", end_value=0.0),
    PiecewiseConstantSchedule([1.0, 0.5], [4]),
    PolynomialCycleSchedule(1.0, 0.1, steps=4, power=2.0),
    PolynomialDecreasingSchedule(1.0, power=2.0, start_percent=0.1, end_percent=0.9),
    PolynomialIncreasingSchedule(1.0, power=0.5),
    PowerSchedule(1.0, exponent=-1.0, decay_percent=0.1),
    ProductSchedule([LINE, ConstantSchedule(0.5)]),
    RampSchedule(1.0, 0.1, "exponential", bend=2.0),
    RepeatedSchedule(LINE, 4),
    ScaledSchedule(LINE.then(RepeatedSchedule(LINE, 2), 5), -3.0),
    SequenceSchedule([LINE, LINE.scale(2.0), WSDSchedule(1.0)], fractions=[0.2, 0.5]),
    SequentialPercentSchedule(
        [SequentialPercentScheduleConfig(LINE, 0.1, 0.4), SequentialPercentScheduleConfig(LINE)]
    ),
    SequentialStepSchedule(
        [SequentialStepScheduleConfig(LINE.scale(0.5), end_step=4)], overhang_steps=2
    ),
    SGDRSchedule(1.0, 3, 2, decay=0.5, cycles=4),
    SpanSchedule(LINE, 5),
    StepDecreasingSchedule(1.0, end_value=0.1, factor=0.5, decreases_interval=0.25),
    StepFixedSchedule(factor=0.1, steps=[0.75, 0.5], start_value=0.3),
    StepIntervalSchedule(factor=0.5, update_interval=0.3),
    TriStageSchedule(1.0, warmup_steps=3),
    WSDSchedule(1.0, warmup_steps=3, decay_steps=4, tail="linear"),
    WarmupDecaySchedule(1.0, warmup_shape="cosine", tail="rex", power=2.0, end="last"),
]


# ## There and back
def test_there_is_an_example_of_every_schedule_that_can_be_written_down() -> None:
    named = {type(schedule).__name__ for schedule in EVERY}
    assert named == set(schedule_names()) - {"FunctionSchedule"}
    assert len(EVERY) == len(named)


@pytest.mark.parametrize("schedule", EVERY, ids=repr)
def test_a_schedule_comes_back_from_its_configuration(schedule: ScheduleBase) -> None:
    config = schedule_to_config(schedule)
    for written in (config, json.loads(json.dumps(config)), yaml.safe_load(yaml.dump(config))):
        read = schedule_from_config(written)
        assert read == schedule
        assert type(read) is type(schedule)
        assert values(read, 20, 25) == values(schedule, 20, 25)
        assert schedule_to_config(read) == config


@pytest.mark.parametrize("schedule", [*EVERY, FunctionSchedule(abs)], ids=repr)
def test_no_schedule_leaves_out_the_checks_that_all_have(schedule: ScheduleBase) -> None:
    for bad in ({"interval": "never"}, {"end_step": 0}, {"overhang_percent": -1.0}, {"kind": "x"}):
        with pytest.raises(ValueError, match=r"\b(interval|end_step|overhang_percent|kind) "):
            dataclasses.replace(schedule, **bad)


def test_a_configuration_has_the_kind_and_what_differs_from_the_defaults() -> None:
    kind = "noether.core.schedules.LinearDecreasingSchedule"
    line = {"kind": kind, "max_value": 1.0}
    assert schedule_to_config(LINE) == line
    assert schedule_to_config(LinearDecreasingSchedule(1.0, end_value=0.5, overhang_steps=0)) == (
        line | {"end_value": 0.5, "overhang_steps": 0}
    )
    assert schedule_to_config(LINE.scale(2.0)) == {
        "kind": "labml_nn_optim.schedules.combinators.ScaledSchedule",
        "schedule": line,
        "factor": 2.0,
    }


@pytest.mark.parametrize(
    ("schedule", "name"),
    [
        (FunctionSchedule(abs), "function"),
        (FunctionSchedule(abs).scale(2.0), "function"),
        (CyclicSchedule(0.1, 1.0, scale_function=abs), "scale_function"),
    ],
)
def test_a_function_cannot_be_written_down(schedule: ScheduleBase, name: str) -> None:
    with pytest.raises(TypeError, match=rf"^{name} must be no function to be written down, got <"):
        schedule_to_config(schedule)


# ## Names
@pytest.mark.parametrize(
    "kind",
    [
        "noether.core.schedules.PolynomialDecreasingSchedule",
        "noether.core.schemas.schedules.PolynomialDecreasingScheduleConfig",
        "labml_nn_optim.schedules.progress.PolynomialDecreasingSchedule",
        "labml_nn_optim.schedules.PolynomialDecreasingSchedule",
        "PolynomialDecreasingSchedule",
        "PolynomialDecreasingScheduleConfig",
        "PolynomialDecreasing",
        "polynomial_decreasing_schedule",
        "polynomial_decreasing",
        "polynomial-decreasing",
        "polynomialdecreasing",
    ],
)
def test_a_schedule_is_found_by_any_way_to_write_its_name(kind: str) -> None:
    made = schedule_from_config({"kind": kind, "max_value": 1.0, "power": 2.0})
    assert made == PolynomialDecreasingSchedule(1.0, power=2.0)
    assert get_schedule(kind) is PolynomialDecreasingSchedule


@pytest.mark.parametrize("name", schedule_names())
def test_every_name_is_found_bare_and_in_snake_case(name: str) -> None:
    kind = get_schedule(name)
    assert kind.__name__ == name
    snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in name).strip("_")
    for other in (name.removesuffix("Schedule"), f"{name}Config", snake, name.upper()):
        assert get_schedule(other) is kind


@pytest.mark.parametrize(
    ("kind", "nearest"),
    [
        ("polynomial_decrasing", "PolynomialDecreasingSchedule"),
        ("noether.core.schedules.CosineDecreaseSchedule", "CosineDecreasingSchedule"),
        ("wds", "WSDSchedule"),
        ("OneCycleLR", "OneCycleSchedule"),
    ],
)
def test_an_unknown_kind_is_refused_with_the_nearest(kind: str, nearest: str) -> None:
    message = rf"^kind must be a schedule's, got '{kind}'; the nearest are {nearest}"
    with pytest.raises(ValueError, match=message) as caught:
        schedule_from_config({"kind": kind, "max_value": 1.0})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["ProgressSchedule", "ScheduleBase", "WarmupSchedule", "Adam"])
def test_what_has_no_values_has_no_name(kind: str) -> None:
    with pytest.raises(ValueError, match=rf"^kind must be a schedule's, got '{kind}'"):
        schedule_from_config({"kind": kind})


# ## Keys
@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"kind": "polynomial_decreasing", "start_value": 1e-3, "end_value": 0.0},
            "start_value does nothing in PolynomialDecreasingSchedule; did you mean max_value?",
        ),
        (
            {"kind": "linear_decreasing", "max_value": 1e-3, "start_value": 1e-3},
            "start_value does nothing in LinearDecreasingSchedule; did you mean max_value?",
        ),
        (
            {"kind": "linear_increasing", "max_value": 1e-3, "end_value": 1e-3},
            "end_value does nothing in LinearIncreasingSchedule; did you mean max_value?",
        ),
        (
            {"kind": "constant", "value": 1.0, "weight_decay": 0.1},
            "weight_decay does nothing in ConstantSchedule; it takes value",
        ),
        (
            {"kind": "step_fixed", "factor": 0.1, "steps": [0.5], "max_value": 1e-3},
            "max_value is no argument of StepFixedSchedule; did you mean start_value?",
        ),
        (
            {"kind": "wsd", "max_vlaue": 1.0},
            "max_vlaue is no argument of WSDSchedule; did you mean max_value?",
        ),
        (
            {"kind": "wsd", "max_value": 1.0, "warmup_step": 9},
            "warmup_step is no argument of WSDSchedule; did you mean warmup_steps?",
        ),
        (
            {"kind": "constant", "value": 1.0, "overhang_percents": 0.1},
            "overhang_percents is no argument of ConstantSchedule; did you mean overhang_percent?",
        ),
        (
            {"kind": "constant", "value": 1.0, "lr": 0.1},
            "lr is no argument of ConstantSchedule; it takes value",
        ),
        (
            {"kind": "constant", "value": 1.0, 3: 0.1},
            "3 is no argument of ConstantSchedule; it takes value",
        ),
        (
            {"kind": "scaled", "factor": 2, "schedule": {"kind": "constant", "valeu": 1}},
            "valeu is no argument of ConstantSchedule; did you mean value?",
        ),
        (
            {
                "kind": "sequential_step",
                "schedule_configs": [{"schedule": {"kind": "constant", "value": 1}, "end": 3}],
            },
            "end is no argument of SequentialStepScheduleConfig; did you mean end_step?",
        ),
    ],
)
def test_a_key_that_does_nothing_is_refused_with_the_nearest_that_does(
    config: dict[Any, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=r"^\w+ (does nothing in|is no argument of) ") as caught:
        schedule_from_config(config)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"kind": "constant"}, "value must be given for ConstantSchedule"),
        ({"kind": "wsd"}, "max_value must be given for WSDSchedule"),
        ({"kind": "tri_stage"}, "max_value must be given for TriStageSchedule"),
        ({"kind": "scaled", "factor": 2.0}, "schedule must be given for ScaledSchedule"),
        (
            {"kind": "sequential_percent", "schedule_configs": [{"end_percent": 0.5}]},
            "schedule must be given for SequentialPercentScheduleConfig",
        ),
        (
            {"kind": "product", "schedules": [{"kind": "constant"}]},
            "value must be given for ConstantSchedule",
        ),
    ],
)
def test_a_missing_key_is_named(config: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=f"^{message}$"):
        schedule_from_config(config)


def test_a_configuration_is_a_mapping_with_a_kind() -> None:
    for config in ([1], "constant", None, LINE):
        with pytest.raises(TypeError, match=r"^config must be a mapping with a kind, got"):
            schedule_from_config(config)
    with pytest.raises(ValueError, match=r"^kind must be given, got only max_value, power$"):
        schedule_from_config({"max_value": 1.0, "power": 2.0})
    with pytest.raises(ValueError, match=r"^kind must be given, got only nothing$"):
        schedule_from_config({})
    with pytest.raises(TypeError, match=r"^kind must be the name of a schedule, got 3$"):
        schedule_from_config({"kind": 3})


# ## Values
YAML = """
kind: SequentialStep
overhang_steps: "2"
schedule_configs:
  - end_step: "4"
    schedule: {kind: linear_increasing, max_value: 1e-3, start_value: 1e-6, exclude_last: true}
  - schedule:
      kind: sequence
      milestones: ["5"]
      schedules:
        - {kind: custom, values: [5e-4, 1, 1e-5]}
        - kind: noether.core.schedules.CosineDecreasingSchedule
          max_value: 1E-3
          end_value: .5e-4
"""


def test_numbers_that_yaml_takes_for_texts_are_read_however_deep_they_lie() -> None:
    config = yaml.safe_load(YAML)
    assert config["schedule_configs"][0]["schedule"]["start_value"] == "1e-6"
    up = LinearIncreasingSchedule(1e-3, start_value=1e-6, exclude_last=True)
    rest = CustomSchedule([5e-4, 1, 1e-5]).then(CosineDecreasingSchedule(1e-3, end_value=5e-5), 5)
    parts = [SequentialStepScheduleConfig(up, end_step=4), SequentialStepScheduleConfig(rest)]
    expected = SequentialStepSchedule(parts, overhang_steps=2)
    made = schedule_from_config(config)
    assert made == expected
    assert values(made, 15, 20) == values(expected, 15, 20)


def test_a_text_stays_one_where_a_text_is_expected() -> None:
    made = schedule_from_config(
        {"kind": "ramp", "start_value": "1", "end_value": 0, "shape": "rex"}
    )
    assert made == RampSchedule(1, 0, "rex")
    with pytest.raises(ValueError, match=r"^shape must be one of .*, got '1'$"):
        schedule_from_config({"kind": "ramp", "start_value": 1, "end_value": 0, "shape": "1"})


def test_the_mapping_that_was_given_is_not_changed() -> None:
    config = yaml.safe_load(YAML)
    schedule_from_config(config)
    assert config == yaml.safe_load(YAML)


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        ({"kind": "constant", "value": "much"}, TypeError, "value must be a finite number, got "),
        ({"kind": "constant", "value": None}, TypeError, "value must be a finite number, got None"),
        ({"kind": "constant", "value": True}, TypeError, "value must be a finite number, got True"),
        ({"kind": "constant", "value": [1]}, TypeError, r"value must be a finite number, got \[1"),
        ({"kind": "constant", "value": "nan"}, ValueError, "value must be a finite number, got na"),
        ({"kind": "constant", "value": {"a": 1}}, TypeError, "value must be a finite number, got"),
        (
            {"kind": "linear_decreasing", "max_value": 1, "exclude_last": "false"},
            TypeError,
            "exclude_last must be True or False, got 'false'",
        ),
        (
            {"kind": "wsd", "max_value": 1, "warmup_steps": "1e3"},
            TypeError,
            "warmup_steps must be a whole number >= 0, got 1000.0",
        ),
        (
            {"kind": "wsd", "max_value": 1, "tail": 5},
            ValueError,
            "tail must be one of .*, got 5",
        ),
        (
            {"kind": "constant", "value": 1, "interval": "epochs"},
            ValueError,
            "interval must be one of update, epoch, got 'epochs'",
        ),
        ({"kind": "custom", "values": 1e-3}, TypeError, "values must be a list of numbers, got"),
        ({"kind": "custom", "values": ["a"]}, TypeError, r"values\[0\] must be a finite number"),
        ({"kind": "custom", "values": {"a": 1}}, TypeError, "values must be a list of numbers, g"),
        (
            {"kind": "scaled", "schedule": "constant", "factor": 2},
            TypeError,
            "schedule must be a schedule, got 'constant'",
        ),
        (
            {"kind": "scaled", "schedule": {"value": 1}, "factor": 2},
            TypeError,
            "schedule must be a schedule, got {'value': 1}",
        ),
        (
            {"kind": "product", "schedules": {"kind": "constant", "value": 1}},
            TypeError,
            "schedules must be a list of schedules, got ConstantSchedule",
        ),
        (
            {"kind": "sequential_step", "schedule_configs": [3]},
            TypeError,
            r"schedule_configs\[0\] must be a SequentialStepScheduleConfig, got 3",
        ),
        (
            {"kind": "sequential_step", "schedule_configs": {"kind": "constant", "value": 1}},
            TypeError,
            "schedule_configs must be a list, got ConstantSchedule",
        ),
        (
            {"kind": "function", "function": "abs"},
            TypeError,
            "function must be callable, got 'abs'",
        ),
        (
            {
                "kind": "scaled",
                "factor": 2.0,
                "schedule": {"kind": "constant", "value": 1, "interval": "epoch"},
            },
            ValueError,
            "interval must be given to the outermost schedule, got 'epoch' in schedule",
        ),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_in_one_line(
    config: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{message}") as caught:
        schedule_from_config(config)
    assert "\n" not in str(caught.value)
