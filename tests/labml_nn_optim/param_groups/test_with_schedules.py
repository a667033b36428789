"""Groups under schedulers: who multiplies by which scale, and what keeps its proportion."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler, StepLR

from labml_nn_optim import AdamW, WeightDecay
from labml_nn_optim.param_groups import LayerDecay, Rule, param_groups
from labml_nn_optim.schedulers import Scheduler
from labml_nn_optim.schedules import (
    ConstantSchedule,
    CosineDecreasingSchedule,
    LinearDecreasingSchedule,
    ScheduleBase,
)
from tests.labml_nn_optim.param_groups.examples import NAMES, Net, named
from tests.labml_nn_optim.schedulers.examples import through_a_file

T = 10
LINE = LinearDecreasingSchedule(1.0, end_value=0.1)
COSINE = CosineDecreasingSchedule(1.0, end_value=0.1)
SCALES = {
    "embed.weight": 0.125,
    "blocks.0.fc.weight": 0.25,
    "blocks.1.fc.bias": 0.5,
    "head.bias": 1.0,
}
DECAYS = [Rule("head.weight", weight_decay=0.25), Rule("embed.*", weight_decay_scale=4.0)]
KINDS = [torch.optim.AdamW, AdamW]


def layered(kind: Any = AdamW, lr: Any = 0.5, **options: Any) -> Optimizer:
    groups = param_groups(Net(), [LayerDecay(0.5)], lr=lr, weight_decay=0.125, **options)
    optimizer: Optimizer = kind(groups)
    return optimizer


def decayed(kind: Any = AdamW, base: Any = 0.125) -> Optimizer:
    optimizer: Optimizer = kind(param_groups(Net(), DECAYS, lr=0.5, weight_decay=base))
    return optimizer


def values(optimizer: Optimizer, key: str = "lr") -> dict[str, float]:
    return {name: float(group[key]) for name, group in named(optimizer.param_groups).items()}


def walk(optimizer: Optimizer, scheduler: LRScheduler, key: str = "lr") -> list[dict[str, float]]:
    """What each parameter has in T updates, by name."""
    seen = []
    for _ in range(T):
        seen.append(values(optimizer, key))
        optimizer.step()
        scheduler.step()
    return seen


def at(schedule: ScheduleBase, step: int) -> float:
    return schedule.get_value(step, T)


# ## The rate
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("merge", [True, False])
def test_a_relative_schedule_multiplies_what_each_group_has(kind: Any, merge: bool) -> None:
    optimizer = layered(kind, merge=merge)
    scheduler = Scheduler(optimizer, LINE, mode="relative", total_steps=T)
    for step, now in enumerate(walk(optimizer, scheduler)):
        for name, scale in SCALES.items():
            assert now[name] == pytest.approx(0.5 * scale * at(LINE, step))


@pytest.mark.parametrize("kind", KINDS)
def test_an_absolute_schedule_is_scaled_once(kind: Any) -> None:
    optimizer = layered(kind)
    scheduler = Scheduler(optimizer, LINE.scale(3.0), total_steps=T)
    for step, now in enumerate(walk(optimizer, scheduler)):
        for name, scale in SCALES.items():
            assert now[name] == pytest.approx(3.0 * scale * at(LINE, step))


def test_both_modes_are_the_same_if_the_schedule_holds_the_rate_of_the_groups() -> None:
    one, other = layered(), layered()
    absolute = Scheduler(one, COSINE.scale(0.5), total_steps=T)
    relative = Scheduler(other, COSINE, mode="relative", total_steps=T)
    for left, right in zip(walk(one, absolute), walk(other, relative), strict=True):
        assert left == pytest.approx(right)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("make", "factor"),
    [
        (lambda opt: LambdaLR(opt, lambda t: 0.8**t), lambda t: 0.8**t),
        (lambda opt: StepLR(opt, 4, 0.1), lambda t: 0.1 ** (t // 4)),
        (lambda opt: CosineAnnealingLR(opt, T), lambda t: (1 + math.cos(math.pi * t / T)) / 2),
    ],
    ids=["LambdaLR", "StepLR", "CosineAnnealingLR"],
)
def test_torchs_schedulers_multiply_what_each_group_has(
    kind: Any, make: Callable[[Optimizer], LRScheduler], factor: Callable[[int], float]
) -> None:
    optimizer = layered(kind)
    for step, now in enumerate(walk(optimizer, make(optimizer))):
        for name, scale in SCALES.items():
            assert now[name] == pytest.approx(0.5 * scale * factor(step))


@pytest.mark.parametrize("mode", ["absolute", "relative"])
def test_layers_keep_their_ratio_to_the_last_update_with_a_floor(mode: str) -> None:
    optimizer = layered()
    for now in walk(optimizer, Scheduler(optimizer, COSINE, mode=mode, total_steps=T)):
        assert now["head.bias"] / now["embed.weight"] == pytest.approx(8.0)


def test_a_floor_of_torchs_cosine_is_the_same_for_all_layers() -> None:
    """Its `eta_min` is a rate and no factor, so the ratio is lost near the end."""
    optimizer = layered()
    seen = walk(optimizer, CosineAnnealingLR(optimizer, T - 1, eta_min=0.05))
    assert seen[0]["head.bias"] / seen[0]["embed.weight"] == pytest.approx(8.0)
    assert list(seen[-1].values()) == [pytest.approx(0.05)] * len(NAMES)


def test_a_group_whose_scales_cancel_is_scheduled_like_the_default() -> None:
    rules = [Rule("head.*", lr_scale=4.0), Rule("head.*", lr_scale=0.25)]
    for mode, rate in (("absolute", 0.3), ("relative", 0.15)):
        optimizer = AdamW(param_groups(Net(), rules, lr=0.5))
        Scheduler(optimizer, ConstantSchedule(0.3), mode=mode)
        assert list(values(optimizer).values()) == [pytest.approx(rate)] * len(NAMES)


@pytest.mark.parametrize("kind", KINDS)
def test_a_rate_that_is_a_tensor_is_filled_in_each_group(kind: Any) -> None:
    optimizer = layered(kind, lr=torch.tensor(0.5))
    held = [group["lr"] for group in optimizer.param_groups]
    scheduler = Scheduler(optimizer, LINE, mode="relative", total_steps=T)
    last = walk(optimizer, scheduler)[-1]
    for name, scale in SCALES.items():
        assert last[name] == pytest.approx(0.5 * scale * at(LINE, T - 1))
    assert all(one is group["lr"] for one, group in zip(held, optimizer.param_groups, strict=True))


def test_groups_of_single_parameters_with_a_tensor_follow_torchs_schedulers() -> None:
    optimizer = layered(torch.optim.AdamW, lr=torch.tensor(0.5), merge=False)
    functions = [lambda t, place=place: 1 / (1 + place) ** t for place in range(len(NAMES))]
    scheduler = LambdaLR(optimizer, functions)
    optimizer.step()
    scheduler.step()
    now = values(optimizer)
    for place, name in enumerate(NAMES):
        if name in SCALES:
            assert now[name] == pytest.approx(0.5 * SCALES[name] / (1 + place))


# ## The decay
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("mode", "peak"), [("absolute", 0.125), ("relative", 1.0)])
def test_a_schedule_over_the_decay_keeps_the_ratio_of_custom_ones(
    kind: Any, mode: str, peak: float
) -> None:
    """noether wrote one value into all groups that had some decay."""
    optimizer = decayed(kind)
    schedule = LINE.scale(peak)
    scheduler = Scheduler(optimizer, schedule, "weight_decay", mode=mode, total_steps=T)
    for step, now in enumerate(walk(optimizer, scheduler, "weight_decay")):
        base = 0.125 * at(LINE, step)
        assert now["blocks.0.fc.weight"] == pytest.approx(base)
        assert now["head.weight"] == pytest.approx(2.0 * base)
        assert now["embed.weight"] == pytest.approx(4.0 * base)
        assert now["head.bias"] == now["blocks.1.norm.weight"] == 0.0


@pytest.mark.parametrize("mode", ["absolute", "relative"])
def test_what_is_not_decayed_stays_so_also_without_a_base(mode: str) -> None:
    optimizer = AdamW(param_groups(Net(), [Rule("embed.*", no_decay=True)]), weight_decay=0.125)
    Scheduler(optimizer, ConstantSchedule(0.5), "weight_decay", mode=mode)
    now = values(optimizer, "weight_decay")
    assert now["embed.weight"] == now["head.bias"] == now["blocks.0.norm.weight"] == 0.0
    assert now["head.weight"] == pytest.approx(0.5 if mode == "absolute" else 0.0625)


def test_a_decay_that_is_an_object_is_scheduled_by_its_number() -> None:
    optimizer = decayed(AdamW, WeightDecay(0.125, absolute=True))
    Scheduler(optimizer, ConstantSchedule(0.5), "weight_decay", mode="relative")
    now = values(optimizer, "weight_decay")
    assert (now["blocks.0.fc.weight"], now["head.weight"], now["head.bias"]) == (0.0625, 0.125, 0.0)
    assert all(group["absolute_weight_decay"] for group in optimizer.param_groups)


def test_a_scale_of_the_rate_does_not_scale_the_decay() -> None:
    optimizer = layered()
    Scheduler(optimizer, ConstantSchedule(0.5), "weight_decay")
    assert set(values(optimizer, "weight_decay").values()) == {0.5, 0.0}
    assert values(optimizer)["embed.weight"] == 0.0625


# ## Both at once, and tags
def test_schedules_of_rate_and_decay_stand_side_by_side() -> None:
    optimizer = AdamW(param_groups(Net(), [LayerDecay(0.5), *DECAYS], lr=0.5, weight_decay=0.125))
    rate = Scheduler(optimizer, LINE, mode="relative", total_steps=T)
    decay = Scheduler(optimizer, COSINE, "weight_decay", mode="relative", total_steps=T)
    for step in range(T):
        assert values(optimizer)["embed.weight"] == pytest.approx(0.0625 * at(LINE, step))
        now = values(optimizer, "weight_decay")
        assert now["embed.weight"] == pytest.approx(0.5 * at(COSINE, step))
        optimizer.step()
        rate.step()
        decay.step()


def test_schedulers_choose_groups_by_the_tags_of_rules() -> None:
    rules = [
        Rule("blocks.*", tags="trunk"),
        Rule("head.*", tags=["new", "head"], lr_scale=2.0),
    ]
    optimizer = AdamW(param_groups(Net(), rules, lr=0.5))
    Scheduler(optimizer, ConstantSchedule(0.1), tags="trunk")
    Scheduler(optimizer, ConstantSchedule(0.25), tags="head")
    Scheduler(optimizer, ConstantSchedule(0.5), tags=[None], mode="relative")
    now = values(optimizer)
    assert {name: now[name] for name in ("embed.weight", "blocks.1.norm.bias", "head.bias")} == {
        **{"embed.weight": 0.25, "blocks.1.norm.bias": 0.1, "head.bias": 0.5}
    }


def test_a_tag_that_no_rule_gave_is_refused() -> None:
    optimizer = AdamW(param_groups(Net(), [Rule("head.*", tags=["new", "head"])], lr=0.5))
    with pytest.raises(
        ValueError, match=r"^tags must be those of a group, which are head, new; got"
    ):
        Scheduler(optimizer, ConstantSchedule(0.1), tags="old")


# ## Checkpoints
def resumed(
    kind: Any, schedulers: Callable[[Optimizer], Any], make: Callable[[Any], Optimizer]
) -> Any:
    """Run half, save, load into new objects, and run the rest; and a run without a break."""
    whole = make(kind)
    straight = walk(whole, schedulers(whole))
    first = make(kind)
    scheduler = schedulers(first)
    for _ in range(T // 2):
        first.step()
        scheduler.step()
    states = through_a_file(first.state_dict()), through_a_file(scheduler.state_dict())
    again = make(kind)
    other = schedulers(again)
    again.load_state_dict(states[0])
    other.load_state_dict(states[1])
    seen = []
    for _ in range(T - T // 2):
        seen.append(values(again))
        again.step()
        other.step()
    return straight[T // 2 :], seen


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "schedulers",
    [
        lambda opt: Scheduler(opt, COSINE, mode="relative", total_steps=T),
        lambda opt: Scheduler(opt, COSINE.scale(0.5), total_steps=T),
        lambda opt: CosineAnnealingLR(opt, T),
    ],
    ids=["relative", "absolute", "torch"],
)
def test_a_run_that_goes_on_after_a_checkpoint_has_the_same_rates(
    kind: Any, schedulers: Callable[[Optimizer], Any]
) -> None:
    straight, seen = resumed(kind, schedulers, layered)
    assert seen == [pytest.approx(each) for each in straight]


@pytest.mark.parametrize("mode", ["absolute", "relative"])
def test_without_the_optimizers_state_the_rates_go_on_all_the_same(mode: str) -> None:
    optimizer = layered()
    scheduler = Scheduler(optimizer, COSINE, mode=mode, total_steps=T)
    straight = walk(optimizer, scheduler)
    again = layered()
    other = Scheduler(again, COSINE, mode=mode, total_steps=T)
    other.load_state_dict(scheduler.state_dict() | {"last_epoch": 7})
    assert values(again) == pytest.approx(straight[7])


def test_a_scheduler_that_begins_with_a_loaded_optimizer_does_not_scale_twice() -> None:
    first = layered()
    for param in (param for group in first.param_groups for param in group["params"]):
        param.grad = torch.zeros_like(param)
    scheduler = Scheduler(first, LINE, mode="relative", total_steps=T)
    walk(first, scheduler)
    again = layered()
    again.load_state_dict(through_a_file(first.state_dict()))
    Scheduler(again, ConstantSchedule(1.0), mode="relative")
    for name, scale in SCALES.items():
        assert values(again)[name] == pytest.approx(0.5 * scale)


# ## In a real run
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_with_scheduled_groups_is_one_with_the_rates_written_by_hand(kind: Any) -> None:
    torch.manual_seed(0)
    net, twin = (nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2)) for _ in range(2))
    twin.load_state_dict(net.state_dict())
    rules = [LayerDecay(0.5, layers=[r"^0\.", r"^1\.", r"^2\."])]
    optimizer = kind(param_groups(net, rules, lr=0.1, weight_decay=0.5))
    scheduler = Scheduler(optimizer, LINE, mode="relative", total_steps=T)
    by_hand = kind(
        [
            {"params": [param], "lr": 0.1 * 0.5 ** (2 - int(name[0])), "weight_decay": 0.5 * (param.ndim > 1)}
            for name, param in twin.named_parameters()
        ]
    )  # fmt: skip
    peaks = [group["lr"] for group in by_hand.param_groups]
    for step in range(T):
        for group, peak in zip(by_hand.param_groups, peaks, strict=True):
            group["lr"] = peak * at(LINE, step)
        for model, each in ((net, optimizer), (twin, by_hand)):
            each.zero_grad()
            model(torch.ones(5, 3)).square().mean().backward()
            each.step()
        scheduler.step()
    for left, right in zip(net.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(left, right)
