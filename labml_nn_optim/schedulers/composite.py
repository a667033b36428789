r"""
---
title: Schedulers of schedulers
summary: One scheduler after the other, several multiplied, or one scaled for each group; a part is a plan, and must not step by itself.
chapter: "9.17"
needs: [schedulers/named, schedules/combinators]
symbols:
  t: last_epoch
  n_i: milestones
  s_i: schedulers
  s_i^\circ: whole
  c_g: adjustments
verified_against:
  implementation: cerebras-pytorch 2.10.0, which computes in float32
  difference: 4e-7
---

# A warm-up that is a staircase

A line up to 1 over three steps, a cosine down over four, then 0.05:

```python
parts = [LinearLR(o, 0, 1, 3), CosineDecayLR(o, 1, 0, 4), ConstantLR(o, 0.05)]
SequentialLR(o, parts, [3, 7])
```

Put two steps of 0.5 before it, by making it the second part of another `SequentialLR`. Or stop it after six
updates and make it anew with `last_epoch=5`:

| step | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
| alone | 0 | 0.33 | 0.67 | 1 | 0.85 | 0.5 | 0.15 | 0.05 | 0.05 | 0.05 |
| after two steps of 0.5, here | 0.5 | 0.5 | 0 | 0.33 | 0.67 | 1 | 0.85 | 0.5 | 0.15 | 0.05 |
| the same in Cerebras 2.10 | 0.5 | 0.5 | **0** | **0** | **0** | 1 | **1** | **1** | **1** | 0.05 |
| made anew, here | | | | | | | 0.15 | 0.05 | 0.05 | 0.05 |
| the same in Cerebras 2.10 | | | | | | | **1** | 0.05 | 0.05 | 0.05 |

Three updates with the rate 0, and then the peak at once. No error is raised. The outer scheduler raises the
counter of the inner one, which chooses a part by it. But each part has one more counter of its own, and those
stay at 0 for ever. What torch does in these two cases is told where [schedules](../schedules/base.py) begin
and where they are [combined](../schedules/combinators.py). The cause is the same: parts that count.

Here the parts of a composite do not count. It takes their *schedules*, which are functions, and joins these.
The parts have done their work when the constructor returns.

## The rules

**SequentialLR.** Each part in its own time, from its mark $n_i$ on; $n_0$ is 0:

$$s(t) = s_i(t - n_i), \qquad n_i \le t < n_{i+1}$$

A part that is shorter than its slot holds its last value, one that is longer is cut. Without `milestones`
each part begins when the `total_iters` of those before are over.

**ChainedLR.** All parts at the same time, and all but the first relative to what they start from:

$$s(t) = s_0(t) \prod_{i > 0} \frac{s_i(t)}{s_i^\circ}$$

The arguments are rates, and a product of rates is no rate: 0.1 times 0.1 is 0.01. So all but one have to lose
their size. Dividing by the initial value $s_i^\circ$ does that: the first part says how large the rate is,
the others by which factor it has changed since the start. $s_i^\circ$ is the argument,
`initial_learning_rate`, and not $s_i(0)$: a `LambdaLR` whose function begins at a half is a factor that
begins at a half.

Nothing that starts at 0 has changed by a factor: that is a division by 0. Cerebras gets NaN in step 0 and
then infinities. Here a part that starts at 0 is divided by where it leads. A line from 0 to 0.1 over four
steps is the factor 0, 0.25, 0.5, 0.75, 1. If it leads to 0 as well, that is an error.

**ScalePerParamLR.** One schedule, and for each group $g$ a factor from an entry of its own:

$$\alpha_g(t) = c_g\, s(t), \qquad c_g = \texttt{adjust\_learning\_rate} \text{, else } \texttt{adjust\_val} \text{, else } 1$$

## What a scale for each group is for

A layer with $n$ inputs $x_j$ computes $y_i = \sum_j W_{ij}\, x_j$. The gradient of $W_{ij}$ is $g_i x_j$. In
its first update, here from one example, [Adam](../optimizers/adam.py) moves every weight by $\alpha$, against
the sign of its gradient:

$$\Delta y_i = -\alpha \sum_j \operatorname{sign}(g_i x_j)\, x_j = -\alpha \operatorname{sign}(g_i) \sum_j |x_j|$$

All $n$ terms have the same sign. For Gaussian inputs that is $0.8\, n\, \alpha$. With $\alpha = 0.001$ it is
0.05 for $n = 64$ and 3.3 for $n = 4096$, in a layer whose outputs have size 1. Later updates agree less with
the inputs, but do not cease to. So a wide layer wants a smaller rate: $c_g \propto 1 / n$. The layer that
reads the data, and the biases, do not get wider, and keep theirs. Yang et al. (2022, arXiv 2203.03466) carry
this through for a whole network, under the name of maximal update parametrization.

Does it show? A network with two hidden layers of $n$ ReLUs learns a sum of eight sines of 16 inputs: 300
updates of Adam with 128 new examples each, a line to 0, an output layer that begins at 0. The best rate on a
grid of powers of 2, and its mean loss of three seeds; the targets have the variance 1.32:

| | $n = 64$ | $n = 256$ | $n = 1024$ |
|---|---:|---:|---:|
| one rate for all | 0.032: 0.312 | 0.004: 0.387 | 0.001: 0.381 |
| $64 / n$ for the matrices with $n$ inputs | the same | 0.032: 0.234 | 0.032: 0.215 |

With scales the rate that is found in the small network is the best in the large ones, and width helps. With
one rate for all, the 0.032 of the small network has the loss 1.33 in the widest: it learns nothing.

[Scheduler](scheduler.py) does the same with the entry `lr_scale`, without a wrapper.

## What belongs together

The parts of a composite write the same entry of the same optimizer, into groups with the same tags. Tags may
be given to the parts or to the composite, not to both. Anything else is an error when the composite is made.

A part may be a composite. It may not be a `ScalePerParamLR`, which goes outside: its scale does not belong to
its schedule. In Cerebras it may, and the scale is lost without a word.

## Conventions

| | torch 2.14 | Cerebras 2.10 | here |
|---|---|---|---|
| marks in disorder, `[4, 2]` | the second part never runs | the same | error |
| no marks | error | error | from `total_iters` |
| cosine from 1 over 10, chained with a line from 0.25 to 1 over 4 | 0.25, 0.43, 0.57, 0.65, 0.65 | 1, 1.71, 2.26, 2.58, 2.62 | as in Cerebras |
| chained with a constant 0.3 | times 0.3 | `AttributeError` | times 1 |
| chained with a line from 0 | error | NaN, infinite | 0 to 1 |
| tags of the parts and of the composite | no tags | must be equal | one of both |
| `ScalePerParamWD` scales by | none | `adjust_learning_rate` | `adjust_weight_decay` |
| the scale is read | none | once | whenever a value is written |

torch's arguments are factors already, so its product needs no division. Here
[ProductSchedule](../schedules/combinators.py#ProductSchedule) is that: it multiplies values as they are.
Marks may be left out in Cerebras' configurations, but not in its classes.
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

    It takes over their schedules, and undoes what they have written. They are not stepped any more.
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

    - `schedulers`: at least one
    - `milestones`: the updates at which the second, third, ... begin, rising; if not given, each begins
      when the `total_iters` of the one before are over
    - `last_epoch`, `param_group_tags`: as in [NamedScheduler](named.py#NamedScheduler); tags only if the
      parts have none

    Raises `TypeError` or `ValueError` for parts that do not belong together, for marks that do not rise
    or are too many or too few, and for a part without a length where marks are not given.
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

    - `schedulers`: at least one
    - `param_group_tags`, `last_epoch`: as in [SequentialScheduler](#SequentialScheduler)

    Raises `TypeError` or `ValueError` for parts that do not belong together, and for one after the first
    that is 0 all the way.
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
    """Another scheduler, whose value each group scales by an entry of its own, if it has one.

    - `scheduler`: any but another of this class
    - `param_group_tags`, `last_epoch`: as in [SequentialScheduler](#SequentialScheduler)
    """

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
# - For new code [SequenceSchedule](../schedules/combinators.py#SequenceSchedule) or `then`, and one
#   [Scheduler](scheduler.py). These classes for configurations that have them.
# - A warm-up before a cosine: `SequentialLR`. In a chain the cosine has begun to fall when the warm-up is
#   done: four steps of warm-up from 0 and a cosine over ten reach 0.65 and not 1.
# - A chain for a factor that comes on top of a finished schedule, such as a drop by ten at two marks.
# - A scale for each group: where layers differ in width, in depth, or in how much they have learned before.
#   The scale is a number, so all groups have the same curve. For different curves give tags and several
#   schedulers.
#
# ## Traps
#
# - **Marks count from the start of the run,** not from the mark before.
# - **A warm-up from a hundredth** is no warm-up in a chain. A line from 0 to 0.1 is the factor 0 to 1, as it
#   is divided by where it leads. One from 0.001 to 0.1 is the factor 1 to 100, as it is divided by its start.
#   As the first part either is taken as it is.
# - **The order counts in a chain.** A cosine from 1 and a line from 0.1 make rates about 1 in one order and
#   about 0.1 in the other.
# - **A part is stepped by itself.** Then it and the composite write into the same groups: whichever of the
#   two steps second raises an error.
# - **What has no `total_iters`,** such as a sequence or `OneCycleLR`, needs a mark after it.
# - **A smaller rate is a smaller decay.** Decoupled decay is multiplied by the rate of its group, so the
#   scale $1 / 16$ is one on the decay, too. `ScalePerParamWD` with `adjust_weight_decay=16` takes it back.
# - **Two scales.** `lr_scale` and `adjust_learning_rate` in one group act both: 0.5 and 0.1 make 0.05.
# - **Other schedulers as parts** are refused, torch's and [Scheduler](scheduler.py) itself. Its schedule can
#   be joined without it.
#
# ## Exercises
#
# **1.** Nest the sequence of the beginning in another one, after two steps of a constant, and check that
# nothing is lost. Stop it after each number of updates, and make it anew.
#
# ::: solution
# ```python
# import torch
# from labml_nn_optim import SGD
# from labml_nn_optim.schedulers import ConstantLR, CosineDecayLR, LinearLR, SequentialLR
#
#
# def rates(make, steps, last_epoch=-1):
#     optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
#     scheduler = make(optimizer, last_epoch)
#     found = []
#     for _ in range(steps):
#         found.append(optimizer.param_groups[0]["lr"])
#         optimizer.step()
#         scheduler.step()
#     return found
#
#
# def inner(o, last_epoch=-1):
#     parts = [LinearLR(o, 0.0, 1.0, 3), CosineDecayLR(o, 1.0, 0.0, 4), ConstantLR(o, 0.05)]
#     return SequentialLR(o, parts, last_epoch=last_epoch)
#
#
# def outer(o, last_epoch=-1):
#     return SequentialLR(o, [ConstantLR(o, 0.5), inner(o)], [2], last_epoch)
#
#
# whole = rates(outer, 12)
# assert whole == [0.5, 0.5, *rates(inner, 10)]
# assert all(rates(outer, 12 - done, last_epoch=done - 1) == whole[done:] for done in range(12))
# ```
# :::
#
# **2.** What is `ChainedLR([CosineDecayLR(o, 1, 0, 10), LinearLR(o, 0, 0.1, 4)])` in steps 0 to 4, and what
# in the other order?
#
# ::: solution
# The cosine times 0, 0.25, 0.5, 0.75, 1: that is 0, 0.244, 0.452, 0.595, 0.655. In the other order the line
# is taken as it is and the cosine is divided by 1: a tenth of that.
#
# ```python
# import torch
# from labml_nn_optim import SGD
# from labml_nn_optim.schedulers import ChainedLR, CosineDecayLR, LinearLR
#
#
# def rates(first):
#     o = SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
#     parts = [CosineDecayLR(o, 1.0, 0.0, 10), LinearLR(o, 0.0, 0.1, 4)]
#     chained = ChainedLR([parts[first], parts[1 - first]])
#     for _ in range(5):
#         yield o.param_groups[0]["lr"]
#         o.step()
#         chained.step()
#
#
# one, other = list(rates(first=0)), list(rates(first=1))
# assert [round(rate, 3) for rate in one] == [0, 0.244, 0.452, 0.595, 0.655]
# assert all(abs(a - 10 * b) < 1e-12 for a, b in zip(one, other, strict=True))
# ```
# :::
#
# **3.** Check that with the scale $64 / n$ the first update moves the outputs of a layer by
# $0.8 \cdot 64\, \alpha$, whatever its width. What would be the scale for [SGD](../optimizers/sgd.py), whose
# update is $\alpha\, g_i\, x_j$?
#
# ::: solution
# ```python
# import torch
# from labml_nn_optim import Adam
# from labml_nn_optim.schedulers import ConstantLR, ScalePerParamLR
#
#
# def moved(width):
#     torch.manual_seed(0)
#     inputs = torch.randn(width)
#     weight = torch.nn.Parameter(torch.randn(8, width) / width**0.5)
#     group = {"params": [weight], "adjust_learning_rate": 64 / width}
#     optimizer = Adam([group])
#     scheduler = ScalePerParamLR(optimizer, ConstantLR(optimizer, 0.001))
#     before = weight.detach() @ inputs
#     weight.grad = torch.outer(torch.randn(8), inputs)
#     optimizer.step()
#     scheduler.step()
#     return (weight.detach() @ inputs - before).abs().mean().item()
#
#
# for width in (64, 256, 1024, 4096):
#     assert abs(moved(width) / (0.8 * 64 * 0.001) - 1) < 0.2
# ```
# For SGD $\Delta y_i = -\alpha\, g_i \sum_j x_j^2$, which is $-n\, \alpha\, g_i$. What comes of it depends on
# how $g_i$ changes with the width, and that on the layers above. So this layer alone does not tell. In the
# parametrization of Yang et al. $g_i$ of a hidden layer shrinks like $1 / n$, and its rate stays the same.
# Adam's sign makes the question simple.
# :::
