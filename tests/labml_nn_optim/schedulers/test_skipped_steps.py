"""A step that the optimizer left out is not a step of the schedule."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import Parameter
from torch.optim import SGD, Optimizer

from labml_nn_optim import AdamW
from labml_nn_optim.schedulers import CosineDecayLR, LinearLR, LinearWD, Scheduler, SequentialLR
from labml_nn_optim.schedules import ExponentialSchedule
from tests.labml_nn_optim.schedulers.examples import entries, groups_of

HALVES = ExponentialSchedule(1.0, 0.5)
OPTIMIZERS: dict[str, Callable[[Any], Optimizer]] = {
    "SGD": lambda params: SGD(params, lr=0.5),
    "torch's AdamW": lambda params: torch.optim.AdamW(params, lr=0.5),
    # GradScaler calls a fused optimizer all the same, and that one leaves the step out.
    "torch's AdamW, fused": lambda params: torch.optim.AdamW(params, lr=0.5, fused=True),
    "AdamW": lambda params: AdamW(params, lr=0.5),
    "AdamW, flat": lambda params: AdamW(params, lr=0.5, flat=True),
}
SCHEDULERS: dict[str, Callable[[Optimizer], Scheduler]] = {
    "Scheduler": lambda opt: Scheduler(opt, HALVES),
    "LinearLR": lambda opt: LinearLR(opt, 1, 0, 8),
    "LinearWD": lambda opt: LinearWD(opt, 1, 0, 8),
    "SequentialLR": lambda opt: SequentialLR(
        opt, [LinearLR(opt, 0, 1, 3), CosineDecayLR(opt, 1, 0, 5)]
    ),
}
FINITE = [True, True, True]
FAULTS = {
    "none": FINITE,
    "the first": [False, *FINITE],
    "a later one": [True, True, False, True],
    "several": [False, False, True, False, True, False],
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", SCHEDULERS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_counter_stays_where_the_scaler_leaves_a_step_out(
    name: str, kind: str, fault: str
) -> None:
    weight = Parameter(torch.ones(3))
    optimizer = OPTIMIZERS[name]([weight])
    scheduler = SCHEDULERS[kind](optimizer)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    done = 0
    for is_finite in FAULTS[fault]:
        optimizer.zero_grad()
        loss = weight.sum() * (1 if is_finite else math.inf)
        scaler.scale(loss).backward()
        before, values = weight.detach().clone(), scheduler.get()
        scaler.step(optimizer)
        scaler.update()
        scheduler.step()
        done += is_finite
        assert scheduler.last_epoch == done
        assert (scheduler.get() == values) == (not is_finite)
        if not is_finite:
            assert torch.equal(weight.detach(), before)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_loop_without_a_scaler_counts_every_step(name: str) -> None:
    weight = Parameter(torch.ones(3))
    scheduler = Scheduler(OPTIMIZERS[name]([weight]), HALVES)
    for done in range(5):
        weight.grad = torch.full_like(weight, math.nan if done == 3 else 1.0)
        scheduler.optimizer.step()
        scheduler.step()
        # The optimizer has looked at no gradient, and moved.
        assert scheduler.last_epoch == done + 1
    assert weight.isnan().all()


def test_a_loop_without_an_optimizer_counts_every_step() -> None:
    scheduler = Scheduler(groups_of(), HALVES)
    seen = []
    for _ in range(4):
        seen += entries(scheduler.optimizer)
        scheduler.step()
    assert seen == [1, 0.5, 0.25, 0.125]


def test_several_steps_for_one_of_the_optimizer_count() -> None:
    scheduler = Scheduler(groups_of(), HALVES)
    weight = scheduler.optimizer.param_groups[0]["params"][0]
    weight.grad = torch.ones_like(weight)
    scheduler.optimizer.step()
    for _ in range(3):
        scheduler.step()
    assert scheduler.last_epoch == 3


def test_several_steps_of_the_optimizer_are_one_of_the_schedule() -> None:
    scheduler = Scheduler(groups_of(), HALVES)
    weight = scheduler.optimizer.param_groups[0]["params"][0]
    for _ in range(3):
        scheduler.optimizer.step()
    scheduler.step()
    weight.grad = torch.full_like(weight, math.inf)
    scheduler.step()
    assert scheduler.last_epoch == 1


def test_a_step_to_an_epoch_counts_whatever_the_gradients_are() -> None:
    scheduler = Scheduler(groups_of(), HALVES)
    weight = scheduler.optimizer.param_groups[0]["params"][0]
    weight.grad = torch.full_like(weight, math.inf)
    scheduler.step(2)
    assert (scheduler.last_epoch, entries(scheduler.optimizer)) == (2, [0.25])


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("layout", ["dense", "sparse", "complex"])
def test_one_element_that_is_not_finite_is_found(layout: str, bad: float) -> None:
    def gradient(value: float) -> torch.Tensor:
        dense = torch.tensor([0.0, 1.0, value])
        kinds = {"dense": dense, "sparse": dense.to_sparse(), "complex": dense + 1j}
        return kinds[layout]

    weight = Parameter(torch.zeros(3, dtype=gradient(1).dtype))
    scheduler = Scheduler(SGD([weight], lr=0.5), HALVES)
    for value, done in ((bad, 0), (1.0, 1), (bad, 1)):
        weight.grad = gradient(value)
        scheduler.step()
        assert scheduler.last_epoch == done


def test_a_parameter_without_a_gradient_says_nothing() -> None:
    params = [Parameter(torch.zeros(1)), Parameter(torch.zeros(1))]
    params[0].grad = torch.ones(1)
    scheduler = Scheduler(SGD(params, lr=0.5), HALVES)
    scheduler.step()
    assert scheduler.last_epoch == 1


def test_both_schedulers_of_an_optimizer_leave_the_step_out() -> None:
    optimizer = groups_of()
    both = [Scheduler(optimizer, HALVES), LinearWD(optimizer, 1, 0, 8)]
    weight = optimizer.param_groups[0]["params"][0]
    for bad in (1, math.inf, 1):
        weight.grad = torch.full_like(weight, bad)
        if math.isfinite(bad):
            optimizer.step()
        for scheduler in both:
            scheduler.step()
    assert [scheduler.last_epoch for scheduler in both] == [2, 2]
