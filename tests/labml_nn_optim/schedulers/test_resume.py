"""Training that stops and goes on has the values of training that does not stop."""

from __future__ import annotations

import copy
import json
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import Parameter
from torch.optim import SGD, Optimizer

from labml_nn_optim import Adam, AdamW
from labml_nn_optim.schedulers import (
    ConstantLR,
    CosineDecayLR,
    LambdaLR,
    LinearLR,
    Scheduler,
    SequentialLR,
)
from labml_nn_optim.schedules import (
    ConstantSchedule,
    CosineDecreasingSchedule,
    CustomSchedule,
    ExponentialSchedule,
    InfiniteSchedule,
    LinearWarmupCosineDecaySchedule,
    PowerSchedule,
    WSDSchedule,
)
from tests.labml_nn_optim.examples import train
from tests.labml_nn_optim.schedulers.examples import (
    KINDS,
    entries,
    groups_of,
    lr_class,
    step,
    through_a_file,
    walk,
    wd_class,
)

STEPS = 12
HALVES = ExponentialSchedule(1.0, 0.5)
COSINE = LinearWarmupCosineDecaySchedule(0.1, warmup_steps=3)

MAKE: dict[str, Callable[[Optimizer], Scheduler]] = {
    **{name: lambda opt, make=make: make(opt, lr_class) for name, make in KINDS.items()},
    **{f"{name} WD": lambda opt, make=make: make(opt, wd_class) for name, make in KINDS.items()},
    "warm-up and cosine": lambda opt: Scheduler(opt, COSINE, total_steps=STEPS),
    "relative": lambda opt: Scheduler(opt, HALVES, mode="relative", reference=0.7),
    "weight decay, relative": lambda opt: Scheduler(opt, HALVES, "weight_decay", mode="relative"),
    "absolute floor": lambda opt: Scheduler(
        opt, COSINE, total_steps=STEPS, reference=0.1, absolute_floor=True
    ),
    "betas[0]": lambda opt: Scheduler(opt, HALVES.scale(0.9), "betas[0]"),
    "epochs": lambda opt: Scheduler(
        opt,
        CosineDecreasingSchedule(0.1, interval="epoch"),
        total_steps=STEPS,
        updates_per_epoch=5,
    ),
    "wsd": lambda opt: Scheduler(opt, WSDSchedule(0.1, warmup_steps=2), total_steps=STEPS),
    "infinite": lambda opt: Scheduler(
        opt, InfiniteSchedule(0.1, constant_value=0.03, warmup_steps=2, cooldown_steps=4)
    ),
    "power": lambda opt: Scheduler(opt, PowerSchedule(0.1, warmup_steps=3)),
    "a list": lambda opt: Scheduler(opt, CustomSchedule([0.3, 0.1, 0.2])),
    "one group": lambda opt: Scheduler(opt, HALVES, tags="b"),
}


def an_optimizer() -> Optimizer:
    """Two groups, with all that can be scheduled, of two weights each."""
    weights = [Parameter(torch.ones(2, dtype=torch.float64)) for _ in range(4)]
    groups = [
        {"params": weights[:2], "tags": "a", "weight_decay": 0.1, "lr_scale": 0.5},
        {"params": weights[2:], "tags": "b", "lr": 0.03, "adjust_val": 0.3},
    ]
    return Adam(groups, lr=0.02)


def weights_of(optimizer: Optimizer) -> list[torch.Tensor]:
    return [weight.detach() for group in optimizer.param_groups for weight in group["params"]]


def written(optimizer: Optimizer) -> list[Any]:
    keys = ("lr", "weight_decay", "betas")
    return [group[key] for group in optimizer.param_groups for key in keys]


def go_on(scheduler: Scheduler, first: int, last: int) -> list[Any]:
    """Train from update `first` up to `last`; what each one had, and the weights after it."""
    seen = []
    for number in range(first, last):
        values = written(scheduler.optimizer)
        weights = train(scheduler.optimizer, 1, first=number)
        scheduler.step()
        seen.append((values, [weight.tolist() for weight in weights]))
    return seen


def put_back(weights: list[torch.Tensor], optimizer: Optimizer) -> None:
    with torch.no_grad():
        for weight, saved in zip(weights_of(optimizer), weights, strict=True):
            weight.copy_(saved)


@pytest.mark.parametrize("name", MAKE)
def test_training_goes_on_from_a_checkpoint_of_any_step(name: str) -> None:
    straight = go_on(MAKE[name](an_optimizer()), 0, STEPS)
    running = MAKE[name](an_optimizer())
    for done in range(STEPS):
        saved = through_a_file(
            {
                "weights": [weight.clone() for weight in weights_of(running.optimizer)],
                "optimizer": running.optimizer.state_dict(),
                "scheduler": running.state_dict(),
            }
        )
        optimizer = an_optimizer()
        put_back(saved["weights"], optimizer)
        # The scheduler may be made before the optimizer has its state back, or after.
        resumed = MAKE[name](optimizer) if done % 2 else None
        optimizer.load_state_dict(saved["optimizer"])
        resumed = resumed or MAKE[name](optimizer)
        resumed.load_state_dict(saved["scheduler"])
        assert resumed.last_epoch == done
        assert go_on(resumed, done, min(done + 3, STEPS)) == straight[done : done + 3]
        go_on(running, done, done + 1)


@pytest.mark.parametrize("name", ["relative", "Sequential", "epochs", "absolute floor", "wsd"])
@pytest.mark.parametrize("done", [4, 6, 9])
def test_a_decay_that_was_started_goes_on_from_a_checkpoint(name: str, done: int) -> None:
    def decaying(scheduler: Scheduler, last: int) -> list[Any]:
        seen = go_on(scheduler, 0, min(last, 4))
        scheduler.start_decay(6)
        seen += go_on(scheduler, 4, min(last, 8))
        if last > 8:
            scheduler.start_decay(2, end_value=0.001, tail="cosine")
            seen += go_on(scheduler, 8, last)
        return seen

    straight = decaying(MAKE[name](an_optimizer()), STEPS)
    stopped = MAKE[name](an_optimizer())
    assert decaying(stopped, done) == straight[:done]
    saved = through_a_file(stopped.state_dict())
    optimizer = an_optimizer()
    put_back(weights_of(stopped.optimizer), optimizer)
    optimizer.load_state_dict(stopped.optimizer.state_dict())
    resumed = MAKE[name](optimizer)
    resumed.load_state_dict(saved)
    last = 8 if done < 8 else STEPS
    assert go_on(resumed, done, last) == straight[done:last]


def test_a_checkpoint_without_a_decay_ends_the_one_that_was_started() -> None:
    scheduler = Scheduler(groups_of(), ConstantSchedule(1.0))
    saved = scheduler.state_dict()
    scheduler.start_decay(4)
    assert walk(scheduler, 3) == [1, 0.75, 0.5]
    scheduler.load_state_dict(saved)
    assert walk(scheduler, 3) == [1, 1, 1]


def test_a_state_is_a_copy_of_its_moment() -> None:
    scheduler = Scheduler(groups_of(), ConstantSchedule(1.0))
    scheduler.start_decay(4)
    saved = scheduler.state_dict()
    scheduler.start_decay(2)
    step(scheduler)
    assert saved == {
        "last_epoch": 0,
        "schedule": {"kind": "noether.core.schedules.ConstantSchedule", "value": 1.0},
        "cooldowns": [{"start": 0, "steps": 4, "end_value": 0.0, "tail": "linear"}],
    }


@pytest.mark.parametrize("name", MAKE)
def test_a_state_holds_plain_values(name: str) -> None:
    scheduler = MAKE[name](an_optimizer())
    scheduler.start_decay(3)
    assert json.loads(json.dumps(scheduler.state_dict())) == scheduler.state_dict()


def test_numbers_of_numpy_and_tensors_are_plain_in_the_state() -> None:
    values = CustomSchedule(np.linspace(1, 0, 3)).scale(np.float32(0.5)).over(np.int64(9))
    scheduler = Scheduler(groups_of(), values)
    assert through_a_file(scheduler.state_dict()) == scheduler.state_dict()
    scheduler = LinearLR(groups_of(), torch.tensor(1.0), np.float64(0), np.int64(4))
    assert through_a_file(scheduler.state_dict()) == scheduler.state_dict()
    assert scheduler.initial_learning_rate == 1


# ## The schedule of the checkpoint, and that of the code
def test_the_value_of_the_checkpoint_is_written_at_once() -> None:
    saved = LinearLR(groups_of(), 1, 0, 4)
    step(saved, 3)
    optimizer = groups_of()
    LinearLR(optimizer, 1, 0, 4).load_state_dict(saved.state_dict())
    assert entries(optimizer) == [0.25]


def test_the_count_of_steps_goes_on_as_torchs_does() -> None:
    saved, resumed = Scheduler(groups_of(), HALVES), Scheduler(groups_of(), HALVES)
    step(saved, 3)
    resumed.load_state_dict(saved.state_dict())
    assert resumed._step_count == saved._step_count == 4


def test_the_arguments_are_those_of_the_code_and_a_change_is_told() -> None:
    saved = LinearLR(groups_of(), 1, 0, 4)
    step(saved, 3)
    longer = LinearLR(groups_of(), 1, 0, 10)
    with pytest.warns(
        UserWarning, match=r"made with the schedule .*'steps': 4.* with .*'steps': 10"
    ):
        longer.load_state_dict(saved.state_dict())
    assert longer.total_iters == 10
    assert walk(longer, 2) == pytest.approx([0.7, 0.6])


def test_the_schedule_of_the_checkpoint_is_taken_if_asked_for() -> None:
    saved = Scheduler(groups_of(), HALVES)
    saved.start_decay(4)
    step(saved, 2)
    other = Scheduler(groups_of(), ConstantSchedule(3.0))
    other.load_state_dict(saved.state_dict(), use_saved_schedule=True)
    assert other.schedule == saved.schedule
    assert walk(other, 3) == walk(saved, 3) == pytest.approx([0.5, 0.25, 0])
    assert other.state_dict() == saved.state_dict()


def test_a_function_is_not_saved_and_not_compared() -> None:
    def halves(opt: Optimizer) -> Scheduler:
        return LambdaLR(opt, 1, lambda t: 0.5**t)

    saved = halves(groups_of())
    step(saved, 2)
    state = through_a_file(saved.state_dict())
    assert state["schedule"] is None
    resumed = halves(groups_of())
    resumed.load_state_dict(state)
    assert walk(resumed, 2) == [0.25, 0.125]
    with pytest.raises(ValueError, match="use_saved_schedule must be False, as a function is not"):
        resumed.load_state_dict(state, use_saved_schedule=True)
    assert walk(resumed, 1) == [0.0625]


@pytest.mark.parametrize(
    ("state", "missing"),
    [
        ({}, "last_epoch"),
        (torch.optim.lr_scheduler.ConstantLR(groups_of()).state_dict(), "schedule"),
        ({"last_epoch": 3, "schedule": None}, "cooldowns"),
    ],
)
def test_a_state_of_something_else_is_refused(state: dict[str, Any], missing: str) -> None:
    scheduler = Scheduler(groups_of(), HALVES)
    with pytest.raises(ValueError, match=f"state_dict must have {missing}, got only"):
        scheduler.load_state_dict(state)
    assert walk(scheduler, 2) == [1, 0.5]


# ## Copies
COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.deepcopy,
    "pickle": lambda pair: pickle.loads(pickle.dumps(pair)),
}


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("name", [name for name in MAKE if name not in {"Lambda", "Lambda WD"}])
def test_a_copy_goes_on_by_itself(name: str, way: str) -> None:
    straight = go_on(MAKE[name](an_optimizer()), 0, 8)
    first = MAKE[name](an_optimizer())
    go_on(first, 0, 4)
    optimizer, second = COPIES[way]((first.optimizer, first))
    assert second.optimizer is optimizer
    assert go_on(second, 4, 8) == straight[4:]
    assert first.last_epoch == 4
    assert go_on(first, 4, 8) == straight[4:]


def test_a_copy_sees_the_steps_of_its_own_optimizer() -> None:
    first = Scheduler(groups_of(), HALVES)
    second = copy.deepcopy(first)
    weight = second.optimizer.param_groups[0]["params"][0]
    weight.grad = torch.full_like(weight, torch.inf)
    second.step()
    assert second.last_epoch == 0
    # This optimizer does not look at its gradients.
    step(second)
    assert second.last_epoch == 1
    with pytest.raises(ValueError, match="whose lr another Scheduler writes"):
        Scheduler(second.optimizer, HALVES)


def test_a_lambda_is_copied_and_pickled_as_far_as_its_functions_are() -> None:
    def halves(t: float) -> float:
        return 0.5**t

    first = LambdaLR(groups_of(), 1, halves)
    step(first)
    assert walk(copy.deepcopy(first), 2) == [0.5, 0.25]
    with pytest.raises((AttributeError, pickle.PicklingError), match="halves"):
        pickle.dumps(first)


def test_torchs_schedulers_are_copied_alike() -> None:
    first = torch.optim.lr_scheduler.ExponentialLR(groups_of(), 0.5)
    ours = CosineDecayLR(groups_of(), 0.5, 0, 4)
    for scheduler in (first, ours):
        step(scheduler)
        again = copy.deepcopy(scheduler)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            step(again, 2)
        assert (scheduler.last_epoch, again.last_epoch) == (1, 3)
        assert again.optimizer is not scheduler.optimizer


def test_two_schedulers_are_saved_and_go_on_side_by_side() -> None:
    def both(optimizer: Optimizer) -> list[Scheduler]:
        parts = [LinearLR(optimizer, 0, 0.1, 3), ConstantLR(optimizer, 0.1)]
        decay = Scheduler(optimizer, HALVES, "weight_decay", mode="relative")
        return [SequentialLR(optimizer, parts), decay]

    def run(optimizer: Optimizer, schedulers: list[Scheduler], first: int, last: int) -> list[Any]:
        seen = []
        for number in range(first, last):
            seen.append((written(optimizer), train(optimizer, 1, first=number)))
            for scheduler in schedulers:
                scheduler.step()
        return [(values, [weight.tolist() for weight in weights]) for values, weights in seen]

    optimizer = an_optimizer()
    straight = run(optimizer, both(optimizer), 0, 8)
    stopped = an_optimizer()
    schedulers = both(stopped)
    run(stopped, schedulers, 0, 5)
    resumed = an_optimizer()
    put_back(weights_of(stopped), resumed)
    new = both(resumed)
    resumed.load_state_dict(through_a_file(stopped.state_dict()))
    for scheduler, old in zip(new, schedulers, strict=True):
        scheduler.load_state_dict(through_a_file(old.state_dict()))
    assert run(resumed, new, 5, 8) == straight[5:]


def test_a_resumed_step_of_a_weight_has_the_rate_of_the_straight_run() -> None:
    def moved(done: int) -> float:
        weight = Parameter(torch.zeros(1, dtype=torch.float64))
        scheduler = Scheduler(SGD([weight], lr=9), HALVES, last_epoch=done - 1)
        weight.grad = -torch.ones_like(weight)
        scheduler.optimizer.step()
        return weight.item()

    assert [moved(done) for done in range(4)] == [1, 0.5, 0.25, 0.125]


def test_our_adamw_has_its_scheduled_rate_in_its_checkpoint() -> None:
    optimizer = AdamW([Parameter(torch.zeros(1))], lr=0.5)
    step(Scheduler(optimizer, HALVES, mode="relative"), 2)
    saved = through_a_file(optimizer.state_dict())["param_groups"][0]
    assert (saved["lr"], saved["initial_lr"]) == (0.125, 0.5)
