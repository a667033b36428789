r"""
---
title: Schedulers of schedulers
summary: One scheduler after the other, several multiplied, or one scaled for each group; a part is a plan, and must not step by itself.
chapter: "9.17"
needs: [schedulers/named, schedules/combinators]
verified_against:
  implementation: values recorded from Cerebras' SequentialLR and ChainedLR
  difference: 5e-7, where those are rounded
---

# A part that is at step 0 for ever

`SequentialLR([LinearLR(0, 1, 3), CosineDecayLR(1, 0, 4), ConstantLR(0.05)], [3, 7])` makes 0, 0.33, 0.67, 1, 0.85, 0.5, 0.15, 0.05, 0.05.
Put it into another `SequentialLR`, as the second of two. In Cerebras' library the rate then stays where it is: the outer one steps the inner one, and that never
steps its own parts. Resume it with `last_epoch=5`: the parts are at step 0 once more.

[Schedules from schedules](../schedules/combinators.py) shows the same in torch, with numbers. Both have one cause: parts that keep a counter of their own.

Here the parts of a composite do not count. A composite takes the *schedules* of its parts and joins these. The schedulers that were passed in have
done their work when the constructor returns, and write nothing any more.

## The rules

**SequentialLR.** With marks $n_i$, each part in its own time:

$$s(t) = s_i(t - n_i), \qquad n_i \le t < n_{i+1}$$

Without `milestones` each part begins when the `total_iters` of the one before are over. A part that is shorter than its slot holds its last
value, one that is longer is cut.

**ChainedLR.** All parts at the same time, the further ones relative to what they start from:

$$s(t) = s_0(t) \prod_{i > 0} \frac{s_i(t)}{s_i^\circ}$$

$s_i^\circ$ is the argument for the initial value of part $i$, which need not be $s_i(0)$: a function that begins at a half makes a factor that
begins at a half. For a warm-up from 0 that would be a division by 0; Cerebras gets NaN. Here a part that
starts at 0 is divided by where it leads: a line from 0 to 0.1 over four steps is the factor 0, 0.25, 0.5, 0.75, 1. A constant is the
factor 1; in Cerebras it is an `AttributeError`.

**ScalePerParamLR.** One schedule, and for each group a factor from the group's own entry:

$$\alpha_i(t) = c_i\, s(t), \qquad c_i = \texttt{adjust\_learning\_rate} \text{, else } \texttt{adjust\_val} \text{, else } 1$$

It was made for maximal-update scaling, where the rate of a layer goes with one over its width. With [Scheduler](scheduler.py) the entry
`lr_scale` does the same without a wrapper.

## What belongs together

The parts of a composite must write the same entry of the same optimizer, into groups with the same tags. Tags may be given to
the parts or to the composite, not to both. Anything else is an error when the composite is made, and the
optimizer is as it was before.

A part may be a composite. It may not be a `ScalePerParamLR`: the scale would be lost, so it goes outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, ClassVar

from torch.optim.optimizer import Optimizer

from labml_nn_optim.schedulers.named import (
    LearningRate,
    NamedScheduler,
    WeightDecayRate,
)
from labml_nn_optim.schedulers.scheduler import Tags
from labml_nn_optim.schedules.base import ScheduleBase
from labml_nn_optim.schedules.combinators import ProductSchedule, SequenceSchedule

__all__ = [
    "ChainedLR",
    "ChainedScheduler",
    "ChainedWD",
    "ScalePerParamLR",
    "ScalePerParamWD",
    "SequentialLR",
    "SequentialWD",
]


class CompositeScheduler(NamedScheduler):
    """A scheduler made from others, of the same optimizer, entry and tags.

    It takes over their schedules. They are not stepped any more.
    """

    def _parts(self, name: str, parts: Any) -> list[NamedScheduler]:
        """Return `parts` as a list; raise unless they are schedulers that belong together.

        Raises:
            TypeError: they are no list of schedulers.
            ValueError: there are none, or they write to different places.
        """
        if isinstance(parts, str) or not isinstance(parts, Sequence):
            raise TypeError(f"{name} must be a list of schedulers, got {parts!r}")
        if not parts:
            raise ValueError(f"{name} must be a list of at least one scheduler, got []")
        for index, part in enumerate(parts):
            if not isinstance(part, NamedScheduler):
                raise TypeError(
                    f"{name}[{index}] must be a scheduler with a name, such as LinearLR, got {part!r}"
                )
            if isinstance(part, ScalePerParamScheduler):
                raise ValueError(
                    f"{name}[{index}] must not scale; scale what is made from the parts"
                )
            if part.key != self.param_group_key:
                raise ValueError(
                    f"{name}[{index}] must write {self.param_group_key}, got one of {part.key}"
                )
            if part.optimizer is not parts[0].optimizer:
                raise ValueError(f"{name}[{index}] must have the optimizer of the others")
            if part.param_group_tags != parts[0].param_group_tags:
                raise ValueError(
                    f"{name}[{index}] must have the tags of {name}[0], "
                    f"{shown(parts[0].param_group_tags)}, got {shown(part.param_group_tags)}"
                )
        # The composite may have fewer groups than its parts, which have written already.
        for part in reversed(parts):
            part.release()
            part._undo()
        return list(parts)

    def _tags(self, parts: Sequence[NamedScheduler], own: Tags) -> Tags:
        """Return the tags of the parts, or `own` if these have none."""
        theirs = parts[0].param_group_tags
        if own is None:
            return theirs
        if theirs is not None:
            raise ValueError(
                f"param_group_tags must be None where the parts have tags, {shown(theirs)}, got {own!r}"
            )
        return own


def shown(tags: frozenset[str | None] | None) -> str:
    """Return tags as text, sorted."""
    return "None" if tags is None else str(sorted(map(str, tags)))


class SequentialScheduler(CompositeScheduler):
    """One scheduler after the other, each from its own step 0 on.

    - `milestones`: the steps at which the second, third, ... begin; if not given, each begins when the
      `total_iters` of the one before are over
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[NamedScheduler],
        milestones: Sequence[int] | None = None,
        last_epoch: int = -1,
        param_group_tags: Tags = None,
    ) -> None:
        self.schedulers = self._parts("schedulers", schedulers)
        if self.schedulers[0].optimizer is not optimizer:
            raise ValueError("schedulers must have the optimizer that is given, got another one")
        super().__init__(
            optimizer,
            schedulers,
            milestones,
            last_epoch=last_epoch,
            param_group_tags=self._tags(self.schedulers, param_group_tags),
        )

    def plan(
        self, schedulers: Sequence[NamedScheduler], milestones: Sequence[int] | None = None
    ) -> ScheduleBase:
        """Return the schedule."""
        starts = inferred_milestones(schedulers) if milestones is None else milestones
        return SequenceSchedule([part.schedule for part in schedulers], starts)


def inferred_milestones(schedulers: Sequence[NamedScheduler]) -> list[int]:
    """Return the sums of the `total_iters` of all but the last; raises `ValueError` without them."""
    lengths = []
    for index, part in enumerate(schedulers[:-1]):
        length = getattr(part, "total_iters", None)
        if length is None:
            raise ValueError(
                f"milestones must be given where schedulers[{index}] has no total_iters, got None"
            )
        lengths.append(length)
    return list(accumulate(lengths))


class ProductScheduler(CompositeScheduler):
    """The first scheduler, times each of the others relative to its own start.

    A scheduler that starts at 0, a warm-up, counts relative to where it leads.
    """

    def __init__(
        self,
        schedulers: Sequence[NamedScheduler],
        param_group_tags: Tags = None,
        last_epoch: int = -1,
    ) -> None:
        self.schedulers = self._parts("schedulers", schedulers)
        super().__init__(
            self.schedulers[0].optimizer,
            schedulers,
            last_epoch=last_epoch,
            param_group_tags=self._tags(self.schedulers, param_group_tags),
        )

    def plan(self, schedulers: Sequence[NamedScheduler]) -> ScheduleBase:
        """Return the schedule."""
        factors = [part.schedule.scale(1 / whole(part)) for part in schedulers[1:]]
        return ProductSchedule([schedulers[0].schedule, *factors])


# The arguments that say what a scheduler starts from, or leads to.
WHOLES = ("initial_val", "val", "base_val", "end_val", "max_val")


def whole(scheduler: NamedScheduler) -> float:
    """Return the value that counts as 1: the first that is not 0 of those it starts from or leads to.

    Raises `ValueError` if all are 0.
    """
    values = [scheduler.arguments[name] for name in WHOLES if name in scheduler.arguments]
    values += scheduler.arguments.get("vals", [])
    values += [whole(part) for part in scheduler.arguments.get("schedulers", [])]
    for value in values:
        if value:
            return float(value)
    raise ValueError(f"schedulers must lead somewhere but 0, got {scheduler.schedule!r}")


class ScalePerParamScheduler(CompositeScheduler):
    """Another scheduler, whose value each group scales by an entry of its own."""

    adjustments: ClassVar[tuple[str, ...]] = ("adjust_val",)

    def __init__(
        self,
        optimizer: Optimizer,
        scheduler: NamedScheduler,
        param_group_tags: Tags = None,
        last_epoch: int = -1,
    ) -> None:
        parts = self._parts("scheduler", [scheduler])
        super().__init__(
            optimizer,
            scheduler,
            last_epoch=last_epoch,
            param_group_tags=self._tags(parts, param_group_tags),
        )

    def plan(self, scheduler: NamedScheduler) -> ScheduleBase:
        """Return the schedule."""
        return scheduler.schedule

    def _scaled(self, value: float, group: dict[str, Any]) -> float:
        value = super()._scaled(value, group)
        for name in self.adjustments:
            if name in group:
                scale: float = group[name]
                return value * scale
        return value


class SequentialLR(LearningRate, SequentialScheduler):
    """SequentialScheduler for `lr`."""


class SequentialWD(WeightDecayRate, SequentialScheduler):
    """SequentialScheduler for `weight_decay`."""


class ChainedLR(LearningRate, ProductScheduler):
    """ProductScheduler for `lr`."""


class ChainedScheduler(ChainedLR):
    """ChainedLR under the name that it has in torch."""


class ChainedWD(WeightDecayRate, ProductScheduler):
    """ProductScheduler for `weight_decay`."""


class ScalePerParamLR(LearningRate, ScalePerParamScheduler):
    """ScalePerParamScheduler for `lr`, by `adjust_learning_rate`, or else `adjust_val`."""

    adjustments = ("adjust_learning_rate", "adjust_val")


class ScalePerParamWD(WeightDecayRate, ScalePerParamScheduler):
    """ScalePerParamScheduler for `weight_decay`, by `adjust_weight_decay`, or else `adjust_val`."""

    adjustments = ("adjust_weight_decay", "adjust_val")


# ## Choosing
#
# - For new code, [SequenceSchedule](../schedules/combinators.py#SequenceSchedule) or `then` and one
#   [Scheduler](scheduler.py).
# - `SequentialLR` and `ChainedLR` for configurations that have them.
# - A warm-up before a cosine: `SequentialLR`. In a chain the cosine has begun to fall when the warm-up is done: a warm-up of
#   four steps times a cosine over ten reaches 0.65 and not 1.
#
# ## Traps
#
# - **A part is stepped by itself.** It writes into groups that the composite owns: an error, in its first step.
# - **Milestones count from the start of the run,** not from the milestone before.
# - **The weight decay's `ScalePerParamWD`** reads `adjust_weight_decay`. In Cerebras it reads the entry for the
#   learning rate, and scales the decay with it.
# - **torch's schedulers as parts** are refused. Only the schedulers of this library have a schedule to take.
#
# ## Exercises
#
# **1.** Nest the sequence above in another one, after two steps of a constant, and check that nothing is lost.
#
# ::: solution
# ```python
# import torch
# from labml_nn_optim import SGD
# from labml_nn_optim.schedulers import ConstantLR, CosineDecayLR, LinearLR, SequentialLR
#
#
# def rates(make, steps):
#     optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
#     scheduler = make(optimizer)
#     found = []
#     for _ in range(steps):
#         found.append(optimizer.param_groups[0]["lr"])
#         optimizer.step()
#         scheduler.step()
#     return found
#
#
# def inner(o):
#     return SequentialLR(o, [LinearLR(o, 0.0, 1.0, 3), CosineDecayLR(o, 1.0, 0.0, 4)])
#
#
# def outer(o):
#     return SequentialLR(o, [ConstantLR(o, 0.5), inner(o)], [2])
#
#
# assert rates(outer, 12) == [0.5, 0.5, *rates(inner, 10)]
# ```
# :::
#
# **2.** What is `ChainedLR([CosineDecayLR(optimizer, 1, 0, 10), LinearLR(optimizer, 0, 0.1, 4)])` in steps 0 to 4?
#
# ::: solution
# The cosine times 0, 0.25, 0.5, 0.75, 1: that is 0, 0.244, 0.452, 0.595, 0.655.
# :::
#
# **3.** Why is a product of schedules relative to their starts not commutative, and a plain product is?
#
# ::: solution
# The first part keeps its size and the others lose theirs. With a cosine from 1 and a line from 0.1, the chain is about 1 in one order and about 0.1 in the
# other. [ProductSchedule](../schedules/combinators.py#ProductSchedule) multiplies values as they are.
# :::
