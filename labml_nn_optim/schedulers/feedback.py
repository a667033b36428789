r"""
---
title: Rates that listen to the loss
summary: A rate that falls when a metric stops getting better, or rises and falls with it, as a factor on top of a schedule.
paper:
  title: Dynamic Learning Rate Scheduling based on Loss Changes Leads to Faster Convergence
  authors: Shreyas Subramanian, Bala Krishnamoorthy, Pranav Murthy
  year: 2025
  arxiv: "2512.14527"
chapter: "9.19"
needs: [schedulers/scheduler]
symbols:
  s: schedule
  t: last_epoch
  f_i: factors
  \gamma: factor
  k: patience
verified_against:
  implementation: torch.optim.lr_scheduler.ReduceLROnPlateau 2.14.1, and GreedyLR of transformers 5.24.0
  difference: 2e-15 and 4e-15 with equal decisions, over 3000 random metrics each
---

# Six reductions, one after the other, and no plateau

A thousand weights start at 1. The loss of each is $\frac{1}{2} h\, \theta^2$, with curvatures $h$ from 0.01
to 1, and noise of size 1 in its gradient. Adam makes 8000 updates, the first hundred with a rising rate.
Every 20 updates the loss is measured, with an error of 10 %, and torch's rule with torch's defaults looks at
it: after more than ten looks without a new best, a tenth of the rate.

The first reduction comes between updates 1120 and 2060, in five runs out of five. The loss was still falling:
at the same $\alpha = 0.01$ and without the rule it goes from 0.0040 in update 2000 to 0.0025 in update 8000.
With a tenth of the rate it falls more slowly, the noise hides even more of it, and the next reduction is
easier than the first. In update 4000 the loss is 0.0041, in update 8000 it is 0.0041, and the rate is a
millionth.

| rate | best $\alpha$ of six | loss at the end | reductions |
|---|---:|---:|---:|
| torch's defaults, a look every 20 | 0.01 | 0.00411 | 6 |
| factor 0.5, every 20 | 0.03 | 0.00267 | 21 |
| factor 0.5, every 20, patience 40 | 0.015 | 0.00149 | 2 |
| factor 0.5, every 80 | 0.01 | 0.00138 | 2 to 3 |
| factor 0.5, every 20, measured without error | 0.015 | 0.00131 | 3 |
| greedy, every 20 | 0.007 | 0.00145 | 17 to 21, of 5 % |
| constant | 0.005 | 0.00177 | |
| line to 0 | 0.015 | 0.00130 | |

Means of five seeds; their standard deviation is up to 0.0002, and 0.0006 in the first row. The rule can come
close to the line, without being told the length of the run. It can also do worse than no schedule. What
decides is how clearly a look can tell progress from noise.

## The rule

A look compares the metric with the best so far, $b$. It is good if the metric is below
$b - \varepsilon\, |b|$, or below $b - \varepsilon$ with `threshold_mode="abs"`; then it is the new best.
Otherwise it is bad. The bad look number $k + 1$ in a row multiplies a factor $f$ by $\gamma$, and the count
begins anew.

$$\alpha_i(t) = f_i\; c_i\, s(t)$$

$s$ is any schedule, in the modes of [Scheduler](scheduler.py), and $c_i$ the scale of the group. Without a
schedule $c_i\, s(t)$ is the group's own value. There is an $f_i$ for each group, because each has bounds of
its own: the metric brings no value below `min_lr`. What the schedule itself has below it, as in a warm-up,
stays.

**[PlateauScheduler](#PlateauScheduler)** only reduces. **[GreedyScheduler](#GreedyScheduler)** also divides
by $\gamma$, after $k + 1$ good looks in a row. With $\gamma = 0.95$ a wrong step costs little, and can be
taken back.

A schedule counts updates, a metric comes once an epoch. So [step](#FeedbackScheduler.step) counts, with or
without a metric, and [look](#FeedbackScheduler.look) only looks:

```python
warm_up = RampSchedule(0.0, 1.0, exclude_first=True).over(500)
scheduler = PlateauScheduler(optimizer, factor=0.5, schedule=warm_up, schedule_mode="relative")
for epoch in range(epochs):
    for inputs, targets in batches:
        ...
        optimizer.step()
        scheduler.step()
    scheduler.look(validation_loss())
```

## How often luck decides

Let the loss stand still, and each look have independent noise. Of the first $i$ looks each is the lowest with
the same chance, so look $i$ is a new best with chance $1 / i$, whatever came before. After a best at look $n$
the next $k + 1$ are all bad with

$$\prod_{i = n + 1}^{n + k + 1} \left(1 - \frac{1}{i}\right) = \frac{n}{n + k + 1}$$

With $k = 10$ that is $\frac{1}{12}$ after the first look, a half after look 11, and nearly 1 in the end.
Good: this loss stands still.

Now let it fall by $\delta$ per look, with noise of the size $\sigma$. A lucky look lies some two $\sigma$
below the others. It stays the best until the loss has come down as far. The chance of at least one reduction
in 100 looks, in all of which the loss falls (100 000 simulated runs):

| $\delta / \sigma$ | $k = 5$ | $k = 10$ | $k = 20$ |
|---|---:|---:|---:|
| 0.05 | 1.00 | 1.00 | 0.67 |
| 0.1 | 1.00 | 0.93 | 0.13 |
| 0.2 | 0.99 | 0.29 | 0.0003 |
| 0.5 | 0.17 | 0.0000 | 0.0000 |

What counts is the progress within the patience: with $(k + 1)\, \delta \ge 4\, \sigma$ it is less than one
run in a hundred. Looks that are further apart, a larger validation set and more patience all serve that. A
threshold does not: it makes new bests rarer.

## When it is of use

- **The length is not known**, and there is a validation after every epoch anyway. Training goes on until
  nothing helps any more.
- **The rate may be wrong.** In 2000 updates of the problem above, where the line is at its best with 0.03, a
  rate of 0.05 ends at 0.0122 if it is constant, at 0.0049 with a factor of 0.5 and a look every 20, and at
  0.0041 on a line.
- **Not with a fixed budget.** A [line to 0](../schedules/warmup.py), at its best rate, is as good or better
  than all of them here, and nobody has to choose a patience and a factor.

The greedy rule's paper reports that it beats cosines in fine-tuning and pre-training. That is not tested
here. On the problem above, with bounds that are out of the way, it is a slow plateau rule: eleven new bests
in a row are rare among noisy looks, and five runs have 94 reductions and one raise. With `smooth`, a mean
over 50 looks, it is the other way round: 15 to 18 raises, 3 to 6 reductions, and a loss of 0.00239, behind
the constant rate.

## Conventions

| | reduces at bad look | better by | besides |
|---|---|---|---|
| torch 2.14 `ReduceLROnPlateau`, here | $k + 1$ | $10^{-4}$, relative | |
| timm 1.0.31 `PlateauLRScheduler` | $k + 1$ | $10^{-4}$, relative | larger is better, unless told |
| transformers 5.24 `GreedyLR`, here | $k + 1$ | $10^{-6}$, absolute | `min_lr` is 0.001 |
| Keras 3 `ReduceLROnPlateau` | $k$ | $10^{-4}$, absolute | |
| optax `reduce_on_plateau` | $k$ | $10^{-4}$, relative | multiplies the update |

The last two are read, not run. Deviations here:

- **A negative metric.** torch's relative limit is $b\, (1 - \varepsilon)$, which for $b = -100$ lies *above*
  $b$. A loss that stands at -100 is a new best in every look, and so is one that rises to -99.1 in steps of
  0.009. Here the limit is on the other side.
- **What is not finite** is a bad look. In torch $-\infty$ is the best for ever. In GreedyLR a NaN stays in
  the mean of `smooth` for good.
- **Together with a schedule.** torch lets both write into the group. A `LambdaLR` for the warm-up overwrites
  each reduction at its next step: 1, 0.1, 1, 0.1, 1.
- **`min_lr` above the rate** is an error here. GreedyLR with its default 0.001 and a rate of 0.0003 can raise
  it and never bring it down.
- **`reset_start`** is said to count steps. It counts reductions that find all groups at their floor, in
  GreedyLR and here: with the defaults it takes 5500 bad looks to get from there back to the start.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any, ClassVar, SupportsFloat

from torch import Tensor
from torch.optim.optimizer import Optimizer

from labml_nn_optim.checks import require_choice, require_count, require_flag, require_number
from labml_nn_optim.schedulers.scheduler import MODES, Scheduler, Tags
from labml_nn_optim.schedules.base import ScheduleBase, as_plain, require_values
from labml_nn_optim.schedules.values import ConstantSchedule

__all__ = ["GreedyScheduler", "PlateauScheduler"]

Bound = float | Sequence[float]


class FeedbackScheduler(Scheduler):
    r"""What both have in common: a schedule, times a factor for each group that the metric moves.

    A subclass has `_judge`, which counts a look and calls `_lower` or `_raise`.

    - `mode`: whether the metric is better when it is smaller (`"min"`) or larger (`"max"`); as an
      attribute it is `metric_mode`
    - `factor`: $\gamma$, above 0 and below 1
    - `patience`: $k$, looks in a row without effect; the one after them moves the factor
    - `threshold`, `threshold_mode`: what a look must be better by than the best so far, as a fraction of
      that (`"rel"`) or as it is (`"abs"`)
    - `cooldown`: looks after a reduction in which nothing is counted
    - `min_lr`: the metric brings no value below this; a number, or one for each group of the optimizer
    - `eps`: a change of at most this is not made
    - `schedule`: any [schedule](../schedules/base.py); without one, each group's own value
    - `schedule_mode`, `reference`: `mode` and `reference` of [Scheduler](scheduler.py#Scheduler), for the
      schedule
    - `key`, `tags`, `total_steps`, `updates_per_epoch`: as there
    """

    # What a checkpoint holds beside the counter of updates.
    remembered: ClassVar[tuple[str, ...]] = (
        "factors",
        "best",
        "num_bad_epochs",
        "cooldown_counter",
    )

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str,
        factor: float,
        patience: int,
        threshold: float,
        threshold_mode: str,
        cooldown: int,
        min_lr: Bound,
        max_lr: Bound | None,
        eps: float,
        *,
        schedule: ScheduleBase | None,
        schedule_mode: str,
        key: str,
        tags: Tags,
        total_steps: int | None,
        reference: float,
        updates_per_epoch: int | None,
    ) -> None:
        require_choice("mode", mode, ("min", "max"))
        require_number("factor", factor, above=0.0, below=1.0)
        require_count("patience", patience)
        require_choice("threshold_mode", threshold_mode, ("rel", "abs"))
        require_number("threshold", threshold, below=1.0 if threshold_mode == "rel" else None)
        require_count("cooldown", cooldown)
        require_number("eps", eps)
        require_choice("schedule_mode", schedule_mode, MODES)
        # `mode` is how the schedule is written, in the scheduler that this one is made from.
        self.metric_mode = mode
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.cooldown = cooldown
        self.eps = eps
        self._lowest = bound("min_lr", min_lr)
        self._highest = math.inf if max_lr is None else bound("max_lr", max_lr)
        self.factors: list[float] = []
        self._begin()
        super().__init__(
            optimizer,
            ConstantSchedule(1.0) if schedule is None else schedule,
            key,
            tags,
            total_steps=total_steps,
            mode="relative" if schedule is None else schedule_mode,
            reference=reference if schedule is not None else 1.0,
            updates_per_epoch=updates_per_epoch,
        )

    def _begin(self) -> None:
        self.best = math.inf if self.metric_mode == "min" else -math.inf
        self.num_bad_epochs = 0
        self.cooldown_counter = 0

    # ## Bounds, one for each group
    def _choose_groups(self) -> None:
        super()._choose_groups()
        count = self._group_count
        for name, held in (("min_lr", self._lowest), ("max_lr", self._highest)):
            if isinstance(held, tuple) and len(held) != count:
                raise ValueError(
                    f"{name} must be a number, or one for each of the {count} groups, "
                    f"got {list(held)!r}"
                )
        self.factors += [1.0] * (count - len(self.factors))

    def _prepare_groups(self) -> None:
        super()._prepare_groups()
        # A bound on the wrong side would let the value move one way only, and nobody would notice.
        for number, group in self._groups():
            low, high = self._bounds(number)
            if low > high:
                raise ValueError(f"max_lr must be at least min_lr, {low!r}, got {high!r}")
            if self.mode == "absolute":
                continue
            own = self._scaled(self.reference, group)
            if 0 < own < low:
                raise ValueError(
                    f"min_lr must be at most the {self.key} of group {number}, {own!r}, got {low!r}"
                )
            if own > high:
                raise ValueError(
                    f"max_lr must be at least the {self.key} of group {number}, {own!r}, "
                    f"got {high!r}"
                )

    def _bounds(self, number: int) -> tuple[float, float]:
        low, high = (
            held[number] if isinstance(held, tuple) else held
            for held in (self._lowest, self._highest)
        )
        return low, high

    # ## The values
    def _moved(self, number: int, base: float, factor: float) -> float:
        """Return the schedule's `base` times `factor`, which is not to pass a bound by itself."""
        low, high = self._bounds(number)
        if base <= 0 or factor == 1:
            return base
        if factor < 1:
            return min(base, low) if factor <= low / base else base * factor
        return max(base, high) if factor >= high / base else base * factor

    def _bases(self) -> list[tuple[int, float]]:
        """Return what the schedule alone says now, for each chosen group."""
        value = self._value(self.last_epoch)
        return [(number, self._scaled(value, group)) for number, group in self._groups()]

    def get(self) -> list[float | None]:
        """Return the value of each group, None for those that are not written."""
        values: list[float | None] = [None] * len(self.optimizer.param_groups)
        for number, base in self._bases():
            values[number] = self._moved(number, base, self.factors[number])
        return values

    def _write(self) -> None:
        self._follow_groups()
        for group, value in zip(self.optimizer.param_groups, self.get(), strict=True):
            if value is not None:
                self._entry.write(group, value)

    # ## A look
    def step(  # type: ignore[override]
        self, metrics: SupportsFloat | None = None, epoch: int | None = None
    ) -> None:
        """Count one more step of the schedule, and look at `metrics` if they are given.

        A metric that is NaN or infinite is a bad look. Raises `TypeError` for what is no number.
        """
        # A step that is left out writes nothing, and the look counts all the same.
        if metrics is not None:
            self.look(metrics)
        super().step(epoch)

    def look(self, metrics: SupportsFloat) -> None:
        """Look at `metrics` without counting a step: for a schedule that has counted every update."""
        current = as_number(metrics)
        self._follow_groups()
        self._claim()
        self._judge(current)
        self._write()

    def _judge(self, current: float) -> None:
        raise NotImplementedError(f"{type(self).__name__} has no _judge")

    def _is_better(self, current: float) -> bool:
        sign = 1.0 if self.metric_mode == "max" else -1.0
        margin = self.threshold
        if self.threshold_mode == "abs":
            limit = self.best + sign * margin
        else:
            # Towards better, also where the best is negative.
            limit = self.best * (1.0 + sign * math.copysign(margin, self.best))
        return math.isfinite(current) and sign * current > sign * limit

    def _lower(self) -> None:
        for number, base in self._bases():
            if base > 0:
                held, lowest, _ = self._held(number, base)
                self._move(number, base, max(held * self.factor, min(held, lowest)))

    def _raise(self) -> None:
        for number, base in self._bases():
            if base > 0:
                held, _, highest = self._held(number, base)
                self._move(number, base, min(held / self.factor, max(held, highest)))

    def _held(self, number: int, base: float) -> tuple[float, float, float]:
        """Return the factor that is in force, and those at which the value is at its bounds."""
        low, high = self._bounds(number)
        lowest, highest = low / base, high / base
        held = min(max(self.factors[number], min(1.0, lowest)), max(1.0, highest))
        return held, lowest, highest

    def _move(self, number: int, base: float, factor: float) -> None:
        before = self._moved(number, base, self.factors[number])
        if abs(self._moved(number, base, factor) - before) > self.eps:
            self.factors[number] = factor

    # ## Checkpoints
    def state_dict(self) -> dict[str, Any]:
        """Return the counter and schedule of [Scheduler](scheduler.py#Scheduler), and what was seen."""
        seen = {name: getattr(self, name) for name in self.remembered}
        copied = {
            name: list(held) if isinstance(held, list) else held for name, held in seen.items()
        }
        return super().state_dict() | copied

    def load_state_dict(
        self, state_dict: dict[str, Any], *, use_saved_schedule: bool = False
    ) -> None:
        """Go on after the look and the step of a checkpoint, and write the values at once.

        The arguments are those that this scheduler was made with.
        """
        for name in self.remembered:
            if name not in state_dict:
                raise ValueError(f"state_dict must have {name}, got only {', '.join(state_dict)}")
        count = len(self.optimizer.param_groups)
        if len(state_dict["factors"]) != count:
            raise ValueError(
                f"factors must be one for each of the {count} groups, got {state_dict['factors']!r}"
            )
        before = self.state_dict()
        self._remember(state_dict)
        try:
            super().load_state_dict(state_dict, use_saved_schedule=use_saved_schedule)
        except (TypeError, ValueError):
            self._remember(before)
            raise

    def _remember(self, state: dict[str, Any]) -> None:
        for name in self.remembered:
            held = state[name]
            setattr(self, name, list(held) if isinstance(held, list | tuple) else held)


class PlateauScheduler(FeedbackScheduler):
    """Multiplies the value by `factor` when a metric has not been better for more than `patience` looks.

    The arguments are those of torch's `ReduceLROnPlateau`; what comes after `eps` is told at
    [FeedbackScheduler](#FeedbackScheduler). During the `cooldown` after a reduction no look is bad, but each may
    be the best.

    Raises `TypeError` or `ValueError`, in one line, for what is not allowed.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: Bound = 0.0,
        eps: float = 1e-8,
        *,
        schedule: ScheduleBase | None = None,
        schedule_mode: str = "absolute",
        key: str = "lr",
        tags: Tags = None,
        total_steps: int | None = None,
        reference: float = 1.0,
        updates_per_epoch: int | None = None,
    ) -> None:
        super().__init__(
            optimizer,
            mode,
            factor,
            patience,
            threshold,
            threshold_mode,
            cooldown,
            min_lr,
            None,
            eps,
            schedule=schedule,
            schedule_mode=schedule_mode,
            key=key,
            tags=tags,
            total_steps=total_steps,
            reference=reference,
            updates_per_epoch=updates_per_epoch,
        )

    def _judge(self, current: float) -> None:
        if self._is_better(current):
            self.best = current
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        # The best is kept up to date during the cooldown; nothing is held against a look.
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._lower()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0


class GreedyScheduler(FeedbackScheduler):
    """Divides the value by `factor` after good looks, multiplies it by `factor` after bad ones.

    - `warmup`: as `cooldown`, after a raise
    - `max_lr`: the metric brings no value above this; a number, one for each group, or None
    - `smooth`, `window_size`: whether a look takes the mean of the last metrics, and of how many
    - `reset_start`: after so many reductions that find every group at its floor all begins anew, with the
      first values and no best; a raise sets the count back

    The arguments are those of `GreedyLR` in transformers; all others are told at
    [FeedbackScheduler](#FeedbackScheduler). During `cooldown` and `warmup` a look is not compared at all.

    Raises `TypeError` or `ValueError`, in one line, for what is not allowed.
    """

    remembered = (
        *FeedbackScheduler.remembered,
        "num_good_epochs",
        "warmup_counter",
        "reset_counter",
        "window",
    )

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.95,
        patience: int = 10,
        threshold: float = 1e-6,
        threshold_mode: str = "abs",
        cooldown: int = 0,
        warmup: int = 0,
        min_lr: Bound = 1e-3,
        max_lr: Bound | None = 1.0,
        eps: float = 1e-8,
        smooth: bool = False,
        window_size: int = 50,
        reset_start: int = 500,
        *,
        schedule: ScheduleBase | None = None,
        schedule_mode: str = "absolute",
        key: str = "lr",
        tags: Tags = None,
        total_steps: int | None = None,
        reference: float = 1.0,
        updates_per_epoch: int | None = None,
    ) -> None:
        require_count("warmup", warmup)
        require_flag("smooth", smooth)
        require_count("window_size", window_size, minimum=1)
        require_count("reset_start", reset_start)
        self.warmup = warmup
        self.smooth = smooth
        self.window_size = window_size
        self.reset_start = reset_start
        super().__init__(
            optimizer,
            mode,
            factor,
            patience,
            threshold,
            threshold_mode,
            cooldown,
            min_lr,
            max_lr,
            eps,
            schedule=schedule,
            schedule_mode=schedule_mode,
            key=key,
            tags=tags,
            total_steps=total_steps,
            reference=reference,
            updates_per_epoch=updates_per_epoch,
        )

    def _begin(self) -> None:
        super()._begin()
        self.factors = [1.0] * len(self.factors)
        self.num_good_epochs = 0
        self.warmup_counter = 0
        self.reset_counter = self.reset_start
        self.window: list[float] = []

    def _judge(self, current: float) -> None:
        if self.smooth:
            current = self._smoothed(current)
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            return
        if self.warmup_counter > 0:
            self.warmup_counter -= 1
            return
        if self._is_better(current):
            self.best = current
            self.num_good_epochs += 1
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
            self.num_good_epochs = 0
        if self.num_good_epochs > self.patience:
            self._raise()
            self.reset_counter = self.reset_start
            self.warmup_counter = self.warmup
            self.num_good_epochs = 0
        elif self.num_bad_epochs > self.patience:
            self._lower()
            self._reset_at_the_floor()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0

    def _smoothed(self, current: float) -> float:
        # A NaN in the window would make its mean NaN for as long as it is there.
        if not math.isfinite(current):
            return current
        self.window = [*self.window, current][-self.window_size :]
        return math.fsum(self.window) / len(self.window)

    def _reset_at_the_floor(self) -> None:
        values = self.get()
        if all(
            value is None or value <= self._bounds(number)[0] for number, value in enumerate(values)
        ):
            self.reset_counter -= 1
            if self.reset_counter <= 0:
                self._begin()


def bound(name: str, value: Any) -> float | tuple[float, ...]:
    """Return a bound as a number, or as one for each group; raise unless all are at least 0."""
    value = as_plain(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return require_values(name, value)
    require_number(name, value)
    return float(value)


def as_number(metrics: Any) -> float:
    """Return a metric as a number; raises `TypeError` if it is none."""
    is_tensor = isinstance(metrics, Tensor) and metrics.numel() == 1 and not metrics.is_complex()
    value = metrics.item() if is_tensor else as_plain(metrics)
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"metrics must be a number, got {metrics!r}")
    return float(value)


# ## Choosing the numbers
#
# - `patience`: plot the metric of an old run. Read off how far it falls in an epoch, $\delta$, and how much
#   it scatters, $\sigma$, where it should still go on. Take $k$ so that $(k + 1)\, \delta \ge 4\, \sigma$.
# - `factor`: 0.5 forgives a wrong reduction, 0.1 does not.
# - `min_lr`: above 0, so that a series of wrong reductions does not end the run; a hundredth of the rate, say.
# - For the greedy rule: `min_lr` below and `max_lr` not far above a rate that works. The default of 1 is no
#   bound for Adam.
# - When you know that the end is near, `scheduler.start_decay(steps)` brings the rate to 0 from where it is.
#
# ## Traps
#
# - **A look per update.** `scheduler.step(loss)` with every batch makes a patience of ten batches. In the
#   training loop there is `step()` without a metric.
# - **Never a look.** `step()` without a metric counts updates, and that is all. The rate stays, and nothing
#   complains.
# - **Several ranks.** Each has measured on its own part of the data, decides by itself, and from then on the
#   copies of the model are trained with different rates. Average the metric over all ranks first, and give
#   all the same number.
# - **Accuracy with `mode="min"`.** The first look is the best for ever. The rate falls to a tenth in epochs
#   12, 23, 34, and so on, while the model gets better.
# - **The best, not the last.** A look is compared with the best of the whole run. One lucky batch, a metric
#   of 0 from an empty file, or another weight of a loss term, and no later look will be good. After such a
#   change make a new scheduler.
# - **The validation set decides.** It has chosen the rates, so it is no measure of the result; keep a test
#   set.
#
# ## Exercises
#
# **1.** A loss stands still. How often does the first look remain the best for ten looks? Check it, and the
# formula for a best at look 11, with a patience of 10.
#
# ::: solution
# For ten looks: $\frac{1}{11}$, the chance of the first of eleven to be the lowest. A reduction needs one
# more: $\frac{1}{12}$, and $\frac{11}{22}$ for look 11.
#
# ```python
# import torch
#
# torch.manual_seed(0)
# metrics = torch.rand(100_000, 22)
# for n, expected in ((1, 1 / 12), (11, 1 / 2)):
#     so_far, after = metrics[:, :n].amin(1), metrics[:, n : n + 11].amin(1)
#     is_best = metrics[:, n - 1] == so_far
#     assert abs((after > so_far)[is_best].float().mean() - expected) < 0.02
# ```
# :::
#
# **2.** The accuracy of a model rises by half a percent in each epoch, and somebody forgot `mode="max"`. When
# does the rate fall?
#
# ::: solution
# ```python
# import torch
# from labml_nn_optim import SGD
# from labml_nn_optim.schedulers import PlateauScheduler
#
#
# def reductions(mode):
#     optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
#     scheduler = PlateauScheduler(optimizer, mode)
#     for epoch in range(1, 61):
#         before = optimizer.param_groups[0]["lr"]
#         scheduler.step(0.5 + epoch / 200)
#         if optimizer.param_groups[0]["lr"] < before:
#             yield epoch
#
#
# assert list(reductions("min")) == [12, 23, 34, 45, 56]
# assert list(reductions("max")) == []
# ```
# :::
#
# **3.** Let a warm-up of four updates and a plateau work together, with a look every two updates, a patience
# of 0 and a loss that stands still. What are the rates, and what are they with torch's two schedulers?
#
# ::: solution
# Here the factor multiplies the warm-up. There each step of the warm-up writes over what the reduction has
# left.
#
# ```python
# import torch
# from labml_nn_optim import SGD
# from labml_nn_optim.schedulers import PlateauScheduler
# from labml_nn_optim.schedules import RampSchedule
# from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau
#
#
# def rates(make):
#     optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
#     step, look = make(optimizer)
#     for update in range(10):
#         yield round(optimizer.param_groups[0]["lr"], 6)
#         optimizer.step()
#         step()
#         if update % 2:
#             look(1.0)
#
#
# def ours(optimizer):
#     ramp = RampSchedule(0.25, 1.0).over(4)
#     scheduler = PlateauScheduler(
#         optimizer, factor=0.5, patience=0, schedule=ramp, schedule_mode="relative"
#     )
#     return scheduler.step, scheduler.look
#
#
# def torchs(optimizer):
#     plateau = ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
#     return LambdaLR(optimizer, lambda t: min(1, (t + 1) / 4)).step, plateau.step
#
#
# assert list(rates(ours)) == [0.25, 0.5, 0.75, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125]
# assert list(rates(torchs))[4:] == [0.5, 1, 0.5, 1, 0.5, 1]
# ```
# :::
