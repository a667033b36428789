"""Where a scheduler of torch is expected, these work."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import pytest
import torch
from torch.nn import Parameter
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from labml_nn_optim import AdamW
from labml_nn_optim.schedulers import (
    ConstantLR,
    ConstantWD,
    CosineDecayLR,
    LinearLR,
    LinearWD,
    OneCycleLR,
    Scheduler,
)
from labml_nn_optim.schedules import ExponentialSchedule, LinearDecreasingSchedule
from tests.labml_nn_optim.schedulers.examples import (
    KINDS,
    a_group,
    entries,
    groups_of,
    lr_class,
    step,
    through_a_file,
    walk,
)

theirs = torch.optim.lr_scheduler
HALVES = ExponentialSchedule(1.0, 0.5)


def a_line(optimizer: Optimizer) -> Scheduler:
    return Scheduler(optimizer, LinearDecreasingSchedule(1.0), total_steps=11)


MAKE: dict[str, Callable[[Optimizer], Scheduler]] = {
    "Scheduler": a_line,
    **{name: lambda opt, make=make: make(opt, lr_class) for name, make in KINDS.items()},
}


@runtime_checkable
class LightningScheduler(Protocol):
    """What Lightning asks of a scheduler."""

    optimizer: Optimizer
    base_lrs: list[float]

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> None: ...

    def step(self, epoch: int | None = None) -> None: ...


@pytest.mark.parametrize("name", MAKE)
def test_a_scheduler_has_what_torchs_and_lightnings_have(name: str) -> None:
    scheduler = MAKE[name](groups_of({}, {"lr": 0.2}))
    assert isinstance(scheduler, LRScheduler)
    assert isinstance(scheduler, LightningScheduler)
    assert scheduler.base_lrs == [0.5, 0.2]
    assert (scheduler.last_epoch, scheduler._step_count) == (0, 1)
    # It has made the step that torch's constructors make, so theirs agrees.
    torchs = theirs.ConstantLR(groups_of())
    assert (torchs.last_epoch, torchs._step_count) == (0, 1)
    step(scheduler)
    step(torchs)
    assert (scheduler.last_epoch, scheduler._step_count) == (1, 2)
    assert (torchs.last_epoch, torchs._step_count) == (1, 2)


@pytest.mark.parametrize("name", MAKE)
def test_the_last_rates_are_floats_of_all_groups(name: str) -> None:
    optimizer = groups_of({}, {"lr": torch.tensor(0.25, dtype=torch.float64)})
    scheduler = MAKE[name](optimizer)
    for _ in range(4):
        rates = scheduler.get_last_lr()
        assert rates == entries(optimizer) == scheduler.get_lr()
        assert [type(rate) for rate in rates] == [float, float]
        step(scheduler)


def test_the_last_rates_are_those_of_the_groups_whoever_wrote_them() -> None:
    optimizer = groups_of({"tags": "a"}, {"tags": "b", "lr": 0.2})
    scheduler = ConstantLR(optimizer, 0.1, param_group_tags="a")
    assert scheduler.get_last_lr() == [0.1, 0.2]
    assert scheduler.get() == [0.1, None]
    optimizer.param_groups[1]["lr"] = 0.7
    assert scheduler.get_last_lr() == scheduler.get_lr() == [0.1, 0.7]


def test_the_last_values_of_another_entry_are_those_of_that_entry() -> None:
    scheduler = LinearWD(groups_of({"weight_decay": 0.5}), 1, 0, 4)
    step(scheduler)
    assert scheduler.get_last_lr() == [0.75]
    assert scheduler.base_lrs == [0.5]


# ## Loops
def test_training_as_torchs_tutorial_does_it() -> None:
    torch.manual_seed(1)
    model = torch.nn.Linear(4, 1)
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    schedulers: list[LRScheduler] = [
        CosineDecayLR(optimizer, 0.1, 0, 6),
        Scheduler(
            optimizer, LinearDecreasingSchedule(0.9, end_value=0.5), "momentum", total_steps=6
        ),
    ]
    seen = []
    inputs, targets = torch.randn(8, 4), torch.randn(8, 1)
    for _ in range(6):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(inputs), targets)
        loss.backward()
        optimizer.step()
        seen.append((schedulers[0].get_last_lr()[0], optimizer.param_groups[0]["momentum"]))
        for scheduler in schedulers:
            scheduler.step()
    assert [rate for rate, _ in seen] == pytest.approx(
        [0.1, 0.0933013, 0.075, 0.05, 0.025, 0.0066987], abs=1e-7
    )
    assert [momentum for _, momentum in seen] == pytest.approx([0.9, 0.82, 0.74, 0.66, 0.58, 0.5])


def test_a_closure_that_is_called_several_times_is_one_step() -> None:
    weight = Parameter(torch.tensor([3.0]))
    optimizer = torch.optim.LBFGS([weight], lr=0.5, max_iter=5)
    scheduler = Scheduler(optimizer, HALVES)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = (weight**2).sum()
        loss.backward()
        return loss

    for _ in range(3):
        optimizer.step(closure)
        scheduler.step()
    assert scheduler.last_epoch == 3


class Accelerated:
    """The steps of a scheduler as accelerate does them: one for each process, if an update was done."""

    def __init__(self, scheduler: Any, processes: int) -> None:
        self.scheduler = scheduler
        self.processes = processes

    def step(self, was_skipped: bool = False) -> None:
        if was_skipped:
            return
        for _ in range(self.processes):
            # A cycle of torch's would raise past its end.
            end = getattr(self.scheduler, "total_steps", math.inf)
            if self.scheduler._step_count <= end:
                self.scheduler.step()


@pytest.mark.parametrize("processes", [1, 2])
def test_accelerate_steps_once_for_each_process(processes: int) -> None:
    scheduler = a_line(groups_of())
    wrapped = Accelerated(scheduler, processes)
    for was_skipped in (False, True, False, False):
        if not was_skipped:
            scheduler.optimizer.step()
        wrapped.step(was_skipped)
    assert scheduler.last_epoch == 3 * processes
    assert scheduler.get_last_lr() == pytest.approx([1 - 0.3 * processes])


def test_accelerate_stops_a_one_cycle_at_its_end() -> None:
    cycle = OneCycleLR(groups_of(), 0.1, 1, total_steps=5)
    torchs = theirs.OneCycleLR(groups_of(), 1, total_steps=5, cycle_momentum=False)
    for scheduler in (cycle, torchs):
        wrapped = Accelerated(scheduler, 2)
        for _ in range(6):
            scheduler.optimizer.step()
            wrapped.step()
    assert cycle.last_epoch == torchs.last_epoch == 5
    assert cycle.get_last_lr() == pytest.approx([1e-5])


def test_a_trainer_reads_the_rate_saves_and_goes_on() -> None:
    def rate(scheduler: Any) -> float:
        last = scheduler.get_last_lr()[0]
        return last.item() if torch.is_tensor(last) else last

    optimizer = AdamW([a_group(), a_group(weight_decay=0)], lr=0.5)
    scheduler = a_line(optimizer)
    step(scheduler, 4)
    assert rate(scheduler) == pytest.approx(0.6)
    saved = through_a_file(optimizer.state_dict()), through_a_file(scheduler.state_dict())
    optimizer = AdamW([a_group(), a_group(weight_decay=0)], lr=0.5)
    scheduler = a_line(optimizer)
    optimizer.load_state_dict(saved[0])
    scheduler.load_state_dict(saved[1])
    assert rate(scheduler) == pytest.approx(0.6)
    assert walk(scheduler, 3) == pytest.approx([0.6, 0.5, 0.4])


# ## Among torch's
def sequences() -> dict[str, tuple[Callable[[Optimizer], list[LRScheduler]], list[float]]]:
    """Parts for torch's SequentialLR with milestones 3 and 5, and what a rate of 0.5 becomes."""
    return {
        "ours": (
            lambda opt: [LinearLR(opt, 0, 0.3, 3), ConstantLR(opt, 0.4), LinearLR(opt, 1, 0, 4)],
            [0, 0.1, 0.2, 0.4, 0.4, 1, 0.75, 0.5],
        ),
        "ours last": (
            lambda opt: [
                theirs.ConstantLR(opt, 0.5),
                theirs.ConstantLR(opt, 1),
                LinearLR(opt, 1, 0, 4),
            ],
            [0.25, 0.25, 0.25, 0.5, 0.5, 1, 0.75, 0.5],
        ),
        "ours first": (
            lambda opt: [
                LinearLR(opt, 0, 0.3, 3),
                theirs.ExponentialLR(opt, 0.5),
                theirs.ConstantLR(opt, 1),
            ],
            [0, 0.1, 0.2, 0.5, 0.25, 0.5, 0.5, 0.5],
        ),
    }


@pytest.mark.parametrize("name", sequences())
def test_torchs_sequence_takes_ours(name: str) -> None:
    make, expected = sequences()[name]
    optimizer = groups_of()
    sequence = theirs.SequentialLR(optimizer, make(optimizer), [3, 5])
    assert walk(sequence, 8) == pytest.approx(expected)


@pytest.mark.parametrize("done", range(8))
@pytest.mark.parametrize("name", ["ours", "ours last"])
def test_torchs_sequence_of_ours_goes_on_from_a_checkpoint(name: str, done: int) -> None:
    make, expected = sequences()[name]

    def made() -> theirs.SequentialLR:
        optimizer = groups_of()
        return theirs.SequentialLR(optimizer, make(optimizer), [3, 5])

    stopped, resumed = made(), made()
    walk(stopped, done)
    resumed.optimizer.load_state_dict(stopped.optimizer.state_dict())
    resumed.load_state_dict(through_a_file(stopped.state_dict()))
    assert walk(resumed, 8 - done) == pytest.approx(expected[done:])


def test_torchs_sequence_lets_ours_write_what_they_are_for() -> None:
    optimizer = groups_of({"weight_decay": 0.5})
    parts = [LinearWD(optimizer, 1, 0, 4), ConstantWD(optimizer, 0.3)]
    # torch's sequence puts the rate back to its start, which must be known.
    optimizer.param_groups[0]["initial_lr"] = 0.5
    sequence = theirs.SequentialLR(optimizer, parts, [2])
    assert walk(sequence, 4, "weight_decay") == pytest.approx([1, 0.75, 0.3, 0.3])
    assert entries(optimizer) == [0.5]


def test_torchs_chain_takes_one_of_ours_and_refuses_two_for_one_place() -> None:
    optimizer = groups_of()
    chain = theirs.ChainedScheduler([LinearLR(optimizer, 1, 0, 4), ConstantWD(optimizer, 0.1)])
    assert walk(chain, 3) == [1, 0.75, 0.5]
    optimizer = groups_of()
    chain = theirs.ChainedScheduler([LinearLR(optimizer, 1, 0, 4), ConstantLR(optimizer, 0.1)])
    with pytest.raises(ValueError, match="whose lr another LinearLR writes") as raised:
        step(chain)
    assert "\n" not in str(raised.value)


def test_ours_and_torchs_can_share_an_optimizer() -> None:
    optimizer = groups_of()
    rate, decay = theirs.ExponentialLR(optimizer, 0.5), LinearWD(optimizer, 1, 0, 4)
    for _ in range(2):
        optimizer.step()
        rate.step()
        decay.step()
    assert (entries(optimizer), entries(optimizer, "weight_decay")) == ([0.125], [0.5])


def test_torchs_averaging_schedule_follows_ours() -> None:
    optimizer = groups_of()
    ours = ConstantLR(optimizer, 0.5)
    step(ours, 2)
    ours.release()
    swa = torch.optim.swa_utils.SWALR(optimizer, 0.1, anneal_epochs=2, anneal_strategy="linear")
    assert walk(swa, 4) == pytest.approx([0.5, 0.3, 0.1, 0.1])


# ## Compiled
def test_a_compiled_step_is_not_compiled_again_for_a_scheduler() -> None:
    params = [Parameter(torch.ones(3)) for _ in range(2)]
    optimizer = torch.optim.Adam(params, lr=torch.tensor(0.5))
    scheduler = CosineDecayLR(optimizer, 0.1, 0, 10)
    compiled = torch.compile(optimizer.step, backend="eager")
    counters = torch._dynamo.utils.counters
    for param in params:
        param.grad = torch.ones_like(param)
    graphs = []
    for _ in range(6):
        compiled()
        scheduler.step()
        graphs.append(counters["stats"]["unique_graphs"])
    assert len(set(graphs)) == 1
    assert scheduler.last_epoch == 6
    # Adam's steps under a gradient that stays the same are as long as the rate.
    rates = [scheduler.schedule.get_value(t) for t in range(6)]
    torch.testing.assert_close(params[0].detach(), torch.full((3,), 1 - sum(rates)))
