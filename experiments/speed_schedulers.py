"""What a scheduler costs: writing a schedule into many groups, beside a bare loop over them."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from labml_nn_optim.schedulers import Scheduler
from labml_nn_optim.schedules import ScheduleBase, SequenceSchedule, WSDSchedule

GROUPS = 100
TOTAL_STEPS = 100_000
CALLS = 200
"""Steps that are timed in one turn; a single one takes some microseconds."""

LOOP = "bare loop"
WSD = "WSDSchedule"
NESTED = "WSDSchedule, nested five times"


class IdleOptimizer(torch.optim.SGD):
    """An optimizer whose step does nothing, so that nothing else is timed."""

    def step(self, closure: Any = None) -> None:
        """Do nothing but what torch does around a step."""


def runs() -> dict[str, Callable[[], float]]:
    """Return what is timed, by its name; each call returns the seconds of one step."""
    schedule = WSDSchedule(1e-3, warmup_percent=0.05)
    return {
        LOOP: partial(seconds_per_call, loop()),
        WSD: partial(seconds_per_call, step_of(schedule)),
        NESTED: partial(seconds_per_call, step_of(nested(schedule, 5))),
    }


def make_optimizer() -> torch.optim.Optimizer:
    """Return an optimizer with many groups, each with a scale of its own."""
    groups: list[dict[str, Any]] = [
        {"params": [nn.Parameter(torch.zeros(1))], "lr_scale": 0.9**index}
        for index in range(GROUPS)
    ]
    return IdleOptimizer(groups, lr=1e-3)


def loop() -> Callable[[], None]:
    """Return a step that writes one number into every group: the least that anything can do."""
    optimizer = make_optimizer()

    def step() -> None:
        optimizer.step()
        for group in optimizer.param_groups:
            group["lr"] = 1e-3

    return step


def step_of(schedule: ScheduleBase) -> Callable[[], None]:
    """Return a step of an optimizer and of a scheduler."""
    optimizer = make_optimizer()
    scheduler = Scheduler(optimizer, schedule, total_steps=TOTAL_STEPS)

    def step() -> None:
        optimizer.step()
        scheduler.step()

    return step


def nested(schedule: ScheduleBase, depth: int) -> ScheduleBase:
    """Return a schedule with the same values, inside of sequences of one."""
    for _ in range(depth):
        schedule = SequenceSchedule([schedule], [])
    return schedule


def seconds_per_call(call: Callable[[], None]) -> float:
    """Return the mean seconds of some calls in a row."""
    start = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - start) / CALLS
