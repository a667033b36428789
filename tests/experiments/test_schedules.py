import dataclasses
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from experiments.optimizers import OptionError, choose_optimizer
from experiments.schedules import (
    SCHEDULES,
    ScheduleChoice,
    argument_names,
    choose_schedule,
    choose_schedules,
    make_schedulers,
    require_weight_decay,
    schedule_words,
)
from experiments.training import Plan
from labml_nn_optim import AdamW
from labml_nn_optim.schedules import (
    InfiniteSchedule,
    SGDRSchedule,
    WSDSchedule,
)
from tests.experiments.examples import make_configuration


def factors(name, total_steps, *settings):
    schedule = choose_schedule(name, settings).make(total_steps)
    return [schedule.get_value(step, total_steps) for step in range(total_steps)]


@pytest.mark.parametrize("name", SCHEDULES)
@given(total_steps=st.integers(1, 400))
def test_a_schedule_is_between_0_and_1_however_long_the_run_is(name, total_steps):
    values = factors(name, total_steps)
    assert all(0 <= value <= 1 for value in values)


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_peak_of_a_long_run_is_the_learning_rate_itself(name):
    assert max(factors(name, 2814)) == pytest.approx(1, abs=1e-5)


def test_the_line_falls_from_1_by_equal_steps_and_would_reach_0_one_step_later():
    assert factors("linear", 4) == [1, 0.75, 0.5, 0.25]
    assert factors("constant", 4) == [1, 1, 1, 1]


def test_lengths_that_depend_on_the_run_are_parts_of_it_rounded_up():
    assert choose_schedule("sgdr", []).make(23) == SGDRSchedule(1, 4, 2)
    assert choose_schedule("sgdr", ["period=9"]).make(23) == SGDRSchedule(1, 9, 2)
    assert factors("cyclic", 23).index(1) == math.ceil(23 / 6)


def test_a_length_in_steps_takes_the_place_of_the_usual_fraction():
    made = choose_schedule("wsd", ["warmup_steps=7,decay_steps=9"]).make(100)
    assert made == WSDSchedule(1, warmup_steps=7, decay_steps=9)
    made = choose_schedule("infinite", ["cooldown_steps=5"]).make(100)
    shares = {"warmup_percent": 0.05, "decay_percent": 0.2}
    assert made == InfiniteSchedule(1, constant_value=0.3, cooldown_steps=5, **shares)
    shorter = choose_schedule("wsd", ["warmup_percent=0.2"]).make(100)
    assert shorter == WSDSchedule(1, warmup_percent=0.2)


@pytest.mark.parametrize(
    "settings",
    [
        ["tail=1-sqrt,decay_percent=0.3"],
        ["tail=1-sqrt", "decay_percent=0.3"],
        [" tail = 1-sqrt , decay_percent = 0.3 "],
        ["tail='1-sqrt',decay_percent=0.3"],
    ],
)
def test_several_arguments_may_stand_in_one_option_and_words_need_no_quotes(settings):
    choice = choose_schedule("wsd", settings)
    assert choice.options == {"tail": "1-sqrt", "decay_percent": 0.3}


def test_commas_within_a_value_belong_to_it():
    choice = choose_schedule("step", ["steps=0.3,0.6,factor=0.5"])
    assert choice.options == {"steps": (0.3, 0.6), "factor": 0.5}
    assert choose_schedule("wsd", ["warmup_start=(t+1)/W"]).options == {"warmup_start": "(t+1)/W"}


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("wds", [], "--schedule wds: there is no such schedule; did you mean wsd?"),
        ("", [], "there are constant, linear, cosine"),
        ("wsd", ["tial=cosine"], "WSDSchedule has no argument tial; did you mean tail?"),
        ("wsd", ["tail=square"], "tail must be one of linear, power, cosine"),
        ("wsd", ["tail"], "--schedule-set tail: write name=value, such as tail=cosine"),
        ("wsd", ["tail=cosine,decay"], "tail must be one of"),
        ("wsd", ["tail=cosine,tail=linear"], "tail is set twice"),
        ("wsd", ["decay_percent=much"], "decay_percent must be a finite number"),
        ("wsd", ["decay_percent=1e999"], "only finite numbers"),
        ("wsd", ["warmup_steps=5,warmup_percent=0.1"], "warmup_steps must be None when"),
        ("wsd", ["kind=WSDSchedule"], "WSDSchedule has no argument kind"),
        ("step", ["steps=0.3"], "steps must be a list of numbers"),
        ("step", ["end_value=0.5"], "StepFixedSchedule has no argument end_value"),
        ("linear", ["exclude_last=true"], "exclude_last must be True or False"),
    ],
)
def test_a_wrong_name_or_value_is_one_line_that_says_what_is_right(name, settings, message):
    with pytest.raises(OptionError) as caught:
        choose_schedule(name, settings)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_run_that_is_too_short_for_its_schedule_is_refused_in_one_line():
    choice = choose_schedule("wsd", ["warmup_steps=30"])
    with pytest.raises(OptionError, match="WSDSchedule: warmup_steps must be at most total_steps"):
        choice.make(20)
    with pytest.raises(OptionError, match="decay_steps must be at most the 19 steps after"):
        choose_schedule("wsd", ["decay_steps=30"]).make(20)


def test_arguments_that_do_nothing_cannot_be_set():
    names = argument_names(WSDSchedule)
    assert {"tail", "decay_percent", "warmup_steps", "overhang_steps", "start_step"} <= set(names)
    assert not {"kind", "weight_decay"} & set(names)


def test_the_weight_decay_has_a_schedule_only_if_there_is_one_and_it_is_not_0():
    none = choose_schedules("wsd", ["tail=cosine"], None, [])
    assert none.weight_decay is None
    require_weight_decay(choose_optimizer("adam", None, []), none)
    both = choose_schedules("linear", [], "cosine", ["exclude_last=False"])
    assert both.configuration() == {
        "schedule": "linear",
        "schedule_options": {},
        "wd_schedule": "cosine",
        "wd_schedule_options": {"exclude_last": False},
    }
    require_weight_decay(choose_optimizer("adamw", None, []), both)
    require_weight_decay(choose_optimizer("adam", None, ["weight_decay=0.1"]), both)
    with pytest.raises(OptionError, match="the weight decay of Adam is 0; set another with --set"):
        require_weight_decay(choose_optimizer("adam", None, []), both)
    with pytest.raises(OptionError, match="--wd-schedule-set power=2: there is no schedule"):
        choose_schedules("linear", [], None, ["power=2"])
    with pytest.raises(OptionError, match="--wd-schedule wds: there is no such"):
        choose_schedules("linear", [], "wds", [])
    with pytest.raises(OptionError, match="--wd-schedule-set tial=1: WSDSchedule has no argument"):
        choose_schedules("linear", [], "wsd", ["tial=1"])


def test_every_groups_own_values_are_multiplied():
    parameters = [nn.Parameter(torch.zeros(2)) for _ in range(2)]
    groups = [
        {"params": parameters[:1], "weight_decay": 0.5},
        {"params": parameters[1:], "lr": 8.0, "weight_decay": 0.0},
    ]
    optimizer = AdamW(groups, lr=2.0)
    configuration = make_configuration(
        schedule="constant", wd_schedule="step", wd_schedule_options={"steps": [0.5]}
    )
    plan = Plan(samples=4, batch_size=1, epochs=1.0, seed=0)
    schedulers = make_schedulers(optimizer, configuration, plan)
    found = []
    for _ in range(plan.total_steps):
        found.append([(group["lr"], group["weight_decay"]) for group in optimizer.param_groups])
        for parameter in parameters:
            parameter.grad = torch.zeros(2)
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    assert found == [[(2, 0.5), (8, 0)]] * 2 + [[(2, 0.05), (8, 0)]] * 2


def test_a_schedule_by_epochs_keeps_its_value_for_one():
    optimizer = AdamW([nn.Parameter(torch.zeros(2))], lr=1.0)
    configuration = make_configuration(schedule_options={"interval": "epoch"})
    plan = Plan(samples=4, batch_size=2, epochs=2.0, seed=0)
    (scheduler,) = make_schedulers(optimizer, configuration, plan)
    rates = []
    for step in range(4):
        scheduler.step(step)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == [1, 1, 0.5, 0.5]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, []),
        ({"schedule": "constant"}, ["--schedule", "constant"]),
        (
            {"schedule": "wsd", "schedule_options": {"tail": "1-sqrt", "decay_percent": 0.3}},
            [
                *("--schedule", "wsd", "--schedule-set", "tail=1-sqrt"),
                *("--schedule-set", "decay_percent=0.3"),
            ],
        ),
        (
            {"wd_schedule": "step", "wd_schedule_options": {"steps": (0.3,), "factor": 0}},
            [
                *("--wd-schedule", "step", "--wd-schedule-set", "steps=0.3,"),
                *("--wd-schedule-set", "factor=0"),
            ],
        ),
    ],
)
def test_the_words_of_the_command_line_lead_back_to_the_configuration(fields, words):
    configuration = make_configuration(**fields)
    assert schedule_words(configuration.to_dict()) == words
    told = {"--schedule": ["linear"], "--wd-schedule": [None]}
    for option, value in zip(words[::2], words[1::2], strict=True):
        if option.endswith("-set"):
            told.setdefault(option, []).append(value)
        else:
            told[option] = [value]
    again = choose_schedules(
        *told["--schedule"],
        told.get("--schedule-set", []),
        *told["--wd-schedule"],
        told.get("--wd-schedule-set", []),
    )
    assert dataclasses.replace(make_configuration(), **again.configuration()) == configuration


def test_lists_of_a_record_make_the_same_schedule_as_the_tuples_of_the_command_line():
    options = {"steps": (0.3, 0.6), "factor": 0.5}
    read = ScheduleChoice("step", options | {"steps": [0.3, 0.6]})
    assert read.make(10) == ScheduleChoice("step", options).make(10)
