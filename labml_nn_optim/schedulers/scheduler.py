r"""
---
title: Into the optimizer
summary: A scheduler counts the steps and writes what a schedule says into the parameter groups; the counter is all it has to remember.
chapter: "9.15"
needs: [schedules/base, base]
symbols:
  t: last_epoch
  T: total_steps
  s: schedule
  s_\text{ref}: reference
verified_against:
  implementation: torch.optim.lr_scheduler 2.14.1 and the values recorded from Cerebras' schedulers
  difference: 5e-7, where those are rounded
---

# A run goes on at forty times its rate

A cosine from 1 to 0 over 100 steps is at 0.0245 in step 90. There the run is stopped. Next morning the model is loaded,
a new optimizer is made, and the scheduler gets its `state_dict` back. The optimizer's own was not saved, as its
state is large. The next ten learning rates:

| | step 90 | 91 | 92 | 93 | ... | 99 |
|---|---:|---:|---:|---:|---|---:|
| one run | 0.0245 | 0.0199 | 0.0157 | 0.0120 | | 0.0002 |
| torch's `CosineAnnealingLR`, resumed | **1.0** | 0.811 | 0.642 | 0.492 | | 0.0101 |
| `Scheduler`, resumed | 0.0245 | 0.0199 | 0.0157 | 0.0120 | | 0.0002 |

If the optimizer's state is saved and loaded as well, torch's goes on correctly. Without it,
torch's scheduler remembers that it is at step 90. It does not write the rate of that step; it waits for the optimizer's
`state_dict` to bring it. And it computes each rate from the one before, so the wrong one lives on.

A [schedule](../schedules/base.py) is a function of the step. So a scheduler needs to remember one number, the
step, and can always write what belongs there. That is this class: it counts, asks, and writes.

```python
optimizer = AdamW(model.parameters(), lr=3e-4)
scheduler = Scheduler(optimizer, WSDSchedule(3e-4, warmup_steps=500), total_steps=20_000)
for inputs, targets in batches:
    ...
    optimizer.step()
    scheduler.step()
```

## The rule

The constructor writes $s(0)$. After the update $t$ the call of [step](#Scheduler.step) writes $s(t + 1)$. So the update $t$,
counted from 0, runs with $s(t)$, and the last one with $s(T - 1)$.

What a group $i$ gets depends on the `mode`:

$$
\text{absolute: } \quad \alpha_i(t) = c_i\, s(t),
\qquad\qquad
\text{relative: } \quad \alpha_i(t) = c_i\, \alpha_i^\circ\, \frac{s(t)}{s_\text{ref}}
$$

$\alpha_i^\circ$ is the rate that the group was made with, and $c_i$ its entry `lr_scale`, 1 if it has none. A group made by
[rules](../param_groups/groups.py) has its scale in $\alpha_i^\circ$ already, says so with an entry `original_lr`, and is not scaled twice. In the absolute mode
the schedule holds the rates themselves, and the groups' own are overwritten: noether before its version of 2026, Cerebras and optax work so. In the relative
mode it holds factors, with a peak of $s_\text{ref} = 1$, and groups keep their proportions: torch works so.

Take relative, with a schedule whose peak is 1, wherever groups differ. A network that is fine-tuned with a smaller rate in its first layers loses
that in the absolute mode, without a word.

## Not only the rate

`key` names any entry of a group: `"weight_decay"`, `"momentum"`, `"betas[0]"`. A few are worth it:

- **Weight decay.** `Scheduler(optimizer, schedule, "weight_decay", mode="relative", total_steps=T)` multiplies each group's own
  decay. Groups without decay stay without: $0 \cdot s = 0$. In noether's way, which writes one value into all groups
  that had some, a group with a decay of its own loses it. Decoupled decay is multiplied by $\alpha_t$ already, so this schedule
  comes on top of that one: [AdamW](../optimizers/adamw.py) says what it does.
- **Momentum** that falls while the rate rises, and the other way round, belongs to
  [one-cycle](../schedules/cycles.py).
- **$\beta_1$** may rise with time; the other element of `betas` is left as it is.

Each key has a scale of its own, `weight_decay_scale` for the decay. `lr_scale` scales the rate alone.

## Some groups only

Give groups tags, and a scheduler the ones it is for:

```python
optimizer = AdamW(
    [{"params": backbone, "tags": "old"}, {"params": head, "tags": ["new", "head"]}], lr=1e-3
)
Scheduler(optimizer, slow, tags="old", total_steps=T)
Scheduler(optimizer, fast, tags="new", total_steps=T)
```

A scheduler writes to the groups that have one of its tags. `None` among the tags stands for groups without
any. Two schedulers that write the same key of the same group would overwrite each other in every step: the
second one is refused when it is made. So are tags that no group has.

## A floor that all share

A schedule that ends at a tenth of its peak ends at a tenth for each group: a group with the scale 0.1 ends at 0.01 of the
peak. With `absolute_floor` all groups come down to the same value $f = s(T)$, the one that the schedule holds after the run:

$$\alpha_i(t) = f + (c_i\, s_\text{ref} - f)\, \frac{s(t) - f}{s_\text{ref} - f}$$

Megatron's `max_lr` and `min_lr` of a group mean this. It flattens small groups: one with
$c_i\, s_\text{ref} = f$ has a constant rate.

## Steps that did not happen

In half precision a `GradScaler` leaves out the update when a gradient is infinite. It does so in most runs a few times at the
start, while it looks for its scale. If the schedule counts on, the warm-up is that much shorter, and a run that
is resumed is at another step than the optimizer.

So [step](#Scheduler.step) looks whether the optimizer has moved since it was last called. If it has not, and a
gradient is not finite, the step is not counted. Without an optimizer's step, but with finite gradients or none, it counts:
so that a schedule can be plotted without training.
"""

from __future__ import annotations

import dataclasses
import numbers
import re
import warnings
import weakref
from collections.abc import Collection, Iterator
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.optimizer import Optimizer

from labml_nn_optim.checks import require_choice, require_count, require_number
from labml_nn_optim.schedules.base import ScheduleBase
from labml_nn_optim.schedules.config import schedule_from_config, schedule_to_config
from labml_nn_optim.schedules.infinite import CooldownSchedule

__all__ = ["Scheduler", "Tags", "group_tags"]

Tags = str | Collection[str | None] | None

MODES = ("absolute", "relative")


class Entry:
    """An entry of a parameter group: `"lr"`, or one element of it, `"betas[0]"`."""

    def __init__(self, key: str) -> None:
        match = re.fullmatch(r"(\w+)(?:\[(\d+)\])?", key) if isinstance(key, str) else None
        if match is None:
            raise ValueError(f"key must be like lr or betas[0], got {key!r}")
        self.key = key
        self.name = match[1]
        self.index = None if match[2] is None else int(match[2])

    def check(self, group: dict[str, Any], number: int) -> None:
        """Raise `ValueError` if the group has no such entry."""
        value = group.get(self.name)
        if self.index is not None:
            elements = value if isinstance(value, tuple | list) else ()
            value = elements[self.index] if self.index < len(elements) else None
        if isinstance(value, bool) or not isinstance(value, numbers.Real | Tensor):
            raise ValueError(
                f"key must name a number in group {number}, which has "
                f"{', '.join(name for name in group if name != 'params')}; got {self.key!r}"
            )

    def read(self, group: dict[str, Any]) -> Any:
        """Return the value."""
        return group[self.name] if self.index is None else group[self.name][self.index]

    def write(self, group: dict[str, Any], value: float) -> None:
        """Set the value, in place if it is a tensor."""
        held = group[self.name]
        current = held if self.index is None else held[self.index]
        if isinstance(current, Tensor):
            current.fill_(value)
        elif self.index is None:
            group[self.name] = value
        else:
            self.replace(group, value)

    def replace(self, group: dict[str, Any], value: Any) -> None:
        """Put `value` in the place of the present one."""
        held = group[self.name]
        if self.index is not None:
            value = type(held)((*held[: self.index], value, *held[self.index + 1 :]))
        group[self.name] = value


def group_tags(group: dict[str, Any]) -> frozenset[str] | None:
    """Return the tags of a parameter group as a set; None if it has no entry `tags`."""
    tags = group.get("tags")
    if tags is None:
        return None
    return frozenset([tags]) if isinstance(tags, str) else frozenset(tags)


class Selector:
    """Chooses parameter groups by their tags.

    - `tags`: a tag or several, of which a group must have one; None among them stands for groups
      without an entry `tags`; None alone takes all groups
    """

    def __init__(self, tags: Tags) -> None:
        if tags is None or isinstance(tags, str):
            listed: list[str | None] = [] if tags is None else [tags]
        else:
            listed = list(tags)
            if not listed:
                raise ValueError("tags must be at least one, or None for all groups, got []")
        for tag in listed:
            if tag is not None and not isinstance(tag, str):
                raise TypeError(f"tags must be texts or None, got {tag!r}")
        if len(set(listed)) < len(listed):
            raise ValueError(f"tags must differ from each other, got {listed!r}")
        self.tags = None if tags is None else frozenset(listed)

    def takes(self, group: dict[str, Any]) -> bool:
        """Return whether the group is chosen."""
        if self.tags is None:
            return True
        own = group_tags(group)
        return None in self.tags if own is None else bool(own & self.tags)

    def choose(self, groups: list[dict[str, Any]]) -> list[int]:
        """Return the numbers of the chosen groups; raises `ValueError` if there are none."""
        chosen = [number for number, group in enumerate(groups) if self.takes(group)]
        if not chosen:
            known = {tag for group in groups for tag in group_tags(group) or ()}
            listed = ", ".join(sorted(known)) or "none"
            asked = sorted(str(tag) for tag in self.tags or ())
            raise ValueError(f"tags must be those of a group, which are {listed}; got {asked!r}")
        return chosen


# The schedulers that write into an optimizer, so that no two write into the same place.
_writers: WeakKeyDictionary[Optimizer, list[weakref.ref[Scheduler]]] = WeakKeyDictionary()


class Scheduler(LRScheduler):
    r"""Writes the values of a schedule into the parameter groups of an optimizer.

    - `schedule`: any [schedule](../schedules/base.py)
    - `key`: the entry of the groups, such as `"lr"`, `"weight_decay"`, `"momentum"`, `"betas[0]"`
    - `tags`: which groups, by their entry `tags`; all if not given, and None among several stands for
      groups that have no such entry
    - `total_steps`: $T$, where the schedule needs it
    - `mode`: write the schedule's value $s$ (`"absolute"`), or the group's own value times
      $s / s_\text{ref}$ (`"relative"`). In both, an entry `lr_scale` of a group multiplies what is
      written into `lr`, and so for other keys
    - `reference`: $s_\text{ref}$, the value of the schedule at which a group has its own value
    - `absolute_floor`: whether the last value of the schedule is that of all groups, whatever their
      scale; their peak is `reference` times their scale. For the absolute mode
    - `updates_per_epoch`: for a schedule whose `interval` is `"epoch"`
    - `last_epoch`: the last step that was done, to go on after it; -1 at the start

    [step](#Scheduler.step) is to be called after `optimizer.step()`. Raises `TypeError` or `ValueError`,
    in one line, for what is not allowed, before anything is written.
    """

    # A scheduler that may become a part of another one claims its place when it is first stepped.
    claims_at_once: ClassVar[bool] = True

    def __init__(
        self,
        optimizer: Optimizer,
        schedule: ScheduleBase,
        key: str = "lr",
        tags: Tags = None,
        *,
        total_steps: int | None = None,
        mode: str = "absolute",
        reference: float = 1.0,
        absolute_floor: bool = False,
        updates_per_epoch: int | None = None,
        last_epoch: int = -1,
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"optimizer must be a torch.optim.Optimizer, got {optimizer!r}")
        if not isinstance(schedule, ScheduleBase):
            raise TypeError(f"schedule must be a schedule, got {schedule!r}")
        require_choice("mode", mode, MODES)
        require_number("reference", reference, above=0.0)
        require_count("last_epoch", last_epoch, minimum=-1)
        for name, count in (("total_steps", total_steps), ("updates_per_epoch", updates_per_epoch)):
            if count is not None:
                require_count(name, count, minimum=1)
        if schedule.interval == "epoch" and updates_per_epoch is None:
            raise ValueError("updates_per_epoch must be given for an interval of epoch, got None")
        if absolute_floor and mode == "relative":
            raise ValueError("absolute_floor must be False in the relative mode, got True")
        self.optimizer = optimizer
        self.schedule = self._planned = schedule
        self.mode = mode
        self.reference = reference
        self.last_epoch = int(last_epoch) + 1
        self._step_count = self.last_epoch + 1
        self._total_steps = total_steps
        self._updates_per_epoch = updates_per_epoch if schedule.interval == "epoch" else None
        self._cooldowns: list[dict[str, Any]] = []
        self._entry = Entry(key)
        self._scale_key = f"{key}_scale"
        self._initial_key = f"initial_{key}"
        self._original_key = f"original_{key}"
        self._own: dict[int, float] = {}
        self._selector = Selector(tags)
        self._choose_groups()
        self._check_values()
        self._floor = self._last_value() if absolute_floor else None
        if self._floor is not None and reference <= self._floor:
            raise ValueError(
                f"reference must be above the floor, {self._floor!r}, got {reference!r}"
            )
        if self.claims_at_once:
            self._claim()
        self._prepare_groups()
        self._watch_optimizer()
        self._found = {number: self._number(group) for number, group in self._groups()}
        self._write()

    @property
    def key(self) -> str:
        """The entry of the groups that is written."""
        return self._entry.key

    # ## Which groups
    def _choose_groups(self) -> None:
        groups = self.optimizer.param_groups
        self._chosen = self._selector.choose(groups)
        self._group_count = len(groups)
        for number in self._chosen:
            self._entry.check(groups[number], number)

    def _prepare_groups(self) -> None:
        """Remember each group's own value, and give each a tensor of its own where it has one."""
        seen: set[int] = set()
        # The defaults of the optimizer hold the same tensor, and groups that are added later start there.
        for group in (*self.optimizer.param_groups, self.optimizer.defaults):
            value = self._entry.read(group) if self._entry.name in group else None
            if isinstance(value, Tensor) and id(value) in seen:
                self._entry.replace(group, value.clone())
            seen.add(id(value))
        # A group that came from a checkpoint may have lost its own value.
        for number, group in self._groups():
            own = group.setdefault(self._initial_key, self._own.get(number, self._number(group)))
            self._own[number] = float(own)

    def _follow_groups(self) -> None:
        """Take in groups that were added, or came from a checkpoint of the optimizer."""
        if len(self.optimizer.param_groups) != self._group_count:
            self._choose_groups()
            self._prepare_groups()

    def _number(self, group: dict[str, Any]) -> float:
        return float(self._entry.read(group))

    def _groups(self) -> Iterator[tuple[int, dict[str, Any]]]:
        groups = self.optimizer.param_groups
        for number in self._chosen:
            yield number, groups[number]

    # ## No two for one place
    def _claim(self, take_over: bool = False) -> None:
        writers = _writers.setdefault(self.optimizer, [])
        writers[:] = [writer for writer in writers if writer() is not None]
        for writer in tuple(writers):
            other = writer()
            if other is None or other is self or other.key != self.key:
                continue
            shared = sorted(set(other._chosen) & set(self._chosen))
            if shared and take_over:
                writers.remove(writer)
            elif shared:
                raise ValueError(
                    f"tags must leave out the groups {shared}, whose {self.key} another "
                    f"{type(other).__name__} writes; release() that one, or give both tags"
                )
        if not any(writer() is self for writer in writers):
            writers.append(weakref.ref(self))

    def release(self) -> None:
        """Let another scheduler write into these groups from now on."""
        writers = _writers.get(self.optimizer, [])
        writers[:] = [writer for writer in writers if writer() is not self]

    # ## The values
    def _check_values(self) -> None:
        """Meet what is wrong with the schedule now, not at the end of the run."""
        steps = {0, self.last_epoch} | ({self._total_steps - 1} if self._total_steps else set())
        for step in steps:
            self._value(step)

    def _value(self, step: int) -> float:
        return self.schedule.get_value(self._last_change(step), self._total_steps)

    def _last_change(self, step: int) -> int:
        return step if self._updates_per_epoch is None else step - step % self._updates_per_epoch

    def _last_value(self) -> float:
        if self._total_steps is None:
            raise ValueError("total_steps must be given for an absolute_floor, got None")
        return self.schedule.get_value(self._total_steps, self._total_steps)

    def _scaled(self, value: float, group: dict[str, Any]) -> float:
        scale: float = group.get(self._scale_key, 1.0)
        if self.mode == "relative":
            own: float = group[self._initial_key]
            # A group that rules made has its scale in its own value already.
            factor = 1.0 if self._original_key in group else scale
            return own * value / self.reference * factor
        if self._floor is None:
            return value * scale
        height = (value - self._floor) / (self.reference - self._floor)
        return self._floor + (self.reference * scale - self._floor) * height

    def _write(self) -> None:
        self._follow_groups()
        value = self._value(self.last_epoch)
        scaled, write = self._scaled, self._entry.write
        for _, group in self._groups():
            write(group, scaled(value, group))

    def _undo(self) -> None:
        """Write what was there when the scheduler was made."""
        for number, group in self._groups():
            self._entry.write(group, self._found[number])

    # ## A step
    def _watch_optimizer(self) -> None:
        self._steps_done = self._steps_seen = 0
        myself = weakref.ref(self)

        def count(optimizer: Optimizer, *_: Any) -> None:
            scheduler = myself()
            # A fused optimizer is called all the same, and told by GradScaler to stay where it is.
            if scheduler is not None and not getattr(optimizer, "found_inf", False):
                scheduler._steps_done += 1

        def forget_groups(*_: Any) -> None:
            scheduler = myself()
            if scheduler is not None:
                scheduler._group_count = -1

        for handle in (
            self.optimizer.register_step_post_hook(count),
            self.optimizer.register_load_state_dict_post_hook(forget_groups),
        ):
            weakref.finalize(self, handle.remove)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A copy, or what comes out of a pickle, has an optimizer of its own, which calls nobody.
        self.__dict__.update(state)
        self._watch_optimizer()

    def step(self, epoch: int | None = None) -> None:
        """Count one more step, or go to step `epoch`, and write the new values.

        A step that the optimizer left out because a gradient was not finite, as `GradScaler` makes it do,
        does not count.
        """
        if epoch is not None:
            require_number("epoch", epoch)
        self._follow_groups()
        self._claim()
        if epoch is None and self._was_skipped():
            return
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self._step_count += 1
        self._write()

    def _was_skipped(self) -> bool:
        # Gradients are looked at only if the optimizer has not moved since the last time.
        if self._steps_done != self._steps_seen:
            self._steps_seen = self._steps_done
            return False
        gradients = (
            param.grad
            for group in self.optimizer.param_groups
            for param in group["params"]
            if param.grad is not None
        )
        return any(not torch.isfinite(stored(gradient)).all() for gradient in gradients)

    def _update_lr(self, epoch: int | None = None) -> None:
        # torch's SequentialLR has its next part begin this way.
        self._claim(take_over=True)
        self.step(epoch=epoch)

    def start_decay(self, steps: int, end_value: float = 0.0, tail: str = "linear") -> None:
        """Bring the value down from where it is, to `end_value` in `steps` steps.

        `tail` is a [shape](../schedules/ramp.py). A checkpoint remembers it. For an interval of an epoch
        the steps count from the beginning of the present one.
        """
        start = self._last_change(self.last_epoch)
        self._cool_down({"start": start, "steps": steps, "end_value": end_value, "tail": tail})

    def _cool_down(self, cooldown: dict[str, Any]) -> None:
        # The scheduler has its interval already, and a schedule inside another one must have none.
        inner = dataclasses.replace(self.schedule, interval="update")
        schedule = CooldownSchedule(inner, **cooldown)
        schedule.get_value(cooldown["start"] + 1, self._total_steps)
        self.schedule = schedule
        self._cooldowns.append(cooldown)

    # ## What others ask
    def get(self) -> list[float | None]:
        """Return the value of each group, None for those that are not written."""
        values: list[float | None] = [None] * len(self.optimizer.param_groups)
        value = self._value(self.last_epoch)
        for number, group in self._groups():
            values[number] = self._scaled(value, group)
        return values

    def get_lr(self) -> list[float | Tensor]:
        """Return the value of each group, the present one for those that are not written."""
        return [
            self._number(group) if value is None else value
            for value, group in zip(self.get(), self.optimizer.param_groups, strict=True)
        ]

    def get_last_lr(self) -> list[float | Tensor]:
        """Return the present value of each group, whoever wrote it."""
        return [self._number(group) for group in self.optimizer.param_groups]

    @property
    def base_lrs(self) -> list[float]:  # type: ignore[override]
        """Each group's own value."""
        key = self._initial_key
        return [float(group.get(key, self._number(group))) for group in self.optimizer.param_groups]

    # ## Checkpoints
    def state_dict(self) -> dict[str, Any]:
        """Return the counter, a decay that was started on the way, and the schedule, to compare."""
        return {
            "last_epoch": self.last_epoch,
            "schedule": written_down(self._planned),
            "cooldowns": [dict(cooldown) for cooldown in self._cooldowns],
        }

    def load_state_dict(
        self, state_dict: dict[str, Any], *, use_saved_schedule: bool = False
    ) -> None:
        """Go on after the step of a checkpoint, and write its value at once.

        The schedule is the one that this scheduler was made with. Warns if the checkpoint's is another
        one; `use_saved_schedule` takes that.
        """
        for name in ("last_epoch", "schedule", "cooldowns"):
            if name not in state_dict:
                raise ValueError(f"state_dict must have {name}, got only {', '.join(state_dict)}")
        saved = state_dict["schedule"]
        own = written_down(self._planned)
        if use_saved_schedule:
            if saved is None:
                raise ValueError(
                    "use_saved_schedule must be False, as a function is not saved, got True"
                )
            self._planned = schedule_from_config(saved)
        elif None not in (saved, own) and saved != own:
            warnings.warn(
                f"the checkpoint was made with the schedule {saved}; going on with {own}",
                stacklevel=2,
            )
        self.schedule, self._cooldowns = self._planned, []
        for cooldown in state_dict["cooldowns"]:
            self._cool_down(cooldown)
        self.last_epoch = state_dict["last_epoch"]
        self._step_count = self.last_epoch + 1
        # A part of torch's SequentialLR that has not begun stands before its first step, and the one
        # that is at work is the last that has.
        if self.last_epoch >= 0:
            self._claim(take_over=True)
            self._write()


def stored(gradient: Tensor) -> Tensor:
    """Return what a gradient holds; a sparse one knows its other elements to be 0."""
    return gradient.coalesce().values() if gradient.is_sparse else gradient


def written_down(schedule: ScheduleBase) -> dict[str, Any] | None:
    """Return the configuration of a schedule, None if it has a function inside."""
    try:
        return schedule_to_config(schedule)
    except TypeError:
        return None


# ## Choosing
#
# - `mode`: relative, with a peak of 1, if groups differ or the rate is set where the optimizer is made; absolute, if the
#   schedule comes from a configuration that holds the rates.
# - `key`: the rate. Try another only if you know what you expect of it.
# - A learning rate as a tensor is filled in place, so that a compiled step sees the new value without being compiled
#   again. Groups that share one tensor get one each.
#
# ## Traps
#
# - **`scheduler.step()` per batch or per epoch.** It counts calls. A schedule with `interval="epoch"` is stepped with
#   every update as well, is told `updates_per_epoch`, and then changes once an epoch. The last change is at
#   update $(E - 1)\, U$ of $E\, U$: a line to 0 over three epochs ends at a third.
# - **Gradient accumulation.** Step the scheduler where the optimizer steps, and count $T$ in updates.
# - **A relative mode on a group that was scheduled before.** A group keeps its own rate as `initial_lr`, also in a
#   checkpoint of the optimizer. To start anew from another rate, set both.
# - **A skip that cannot be seen.** If the gradients are dropped by `zero_grad` before `scheduler.step()`, nothing shows that
#   they were infinite, and the step counts.
# - **A momentum that starts at 0.** `SGD`, `Signum` and `RMSprop` make their buffer in the first step, and only if there is momentum then.
#   A schedule that raises it from 0 ends in a `KeyError`; let it begin at a small value. torch's `SGD` makes the buffer late.
# - **A new schedule in old code.** A checkpoint holds the counter; the schedule comes from the code that loads
#   it, with a warning if it has changed. A run that is to be prolonged needs only a new `total_steps`, and its rate jumps
#   to where the longer curve is at this step.
# - **`get_last_lr`** has one number for each group, also for those that are not written. `get` has None there.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), AdamW with $\lambda = 0.3$, a line to zero for the rate, three epochs, three seeds. With a
# constant decay: 99.45, 99.48 and 99.48 %. With a decay that falls on a line, too: 99.43, 99.43 and 99.46 %. Their test losses, 0.0170 to 0.0176
# and 0.0166 to 0.0179, are the same within the spread.
#
# The two differ less than one might think. Decoupled decay is multiplied by the rate, so it falls to zero in both. Over the whole run a
# weight without a gradient loses 72 % with the constant decay and 57 % with the falling one. What does show is $\lambda$ itself: with the default
# of 0.01 the same line has 99.30, 99.36 and 99.40 %.
#
# ## Exercises
#
# **1.** Two groups, the second with a tenth of the rate, a line to 0 over ten updates. Which rates does each update
# have? What changes in the absolute mode?
#
# ::: solution
# ```python
# import torch
# from labml_nn_optim import SGD
# from labml_nn_optim.schedulers import Scheduler
# from labml_nn_optim.schedules import LinearDecreasingSchedule
#
#
# def rates(mode):
#     params = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
#     optimizer = SGD([{"params": params[:1]}, {"params": params[1:], "lr": 0.1}], lr=1.0)
#     line = LinearDecreasingSchedule(1, exclude_last=True)
#     scheduler = Scheduler(optimizer, line, mode=mode, total_steps=10)
#     for _ in range(10):
#         yield tuple(round(group["lr"], 6) for group in optimizer.param_groups)
#         optimizer.step()
#         scheduler.step()
#
#
# assert list(rates("relative"))[:3] == [(1.0, 0.1), (0.9, 0.09), (0.8, 0.08)]
# assert list(rates("absolute"))[:3] == [(1.0, 1.0), (0.9, 0.9), (0.8, 0.8)]
# ```
# In the absolute mode the second group needs `"lr_scale": 0.1`.
# :::
#
# **2.** Let the weight decay be proportional to the learning rate, as AdamC has it for normalized layers.
#
# ::: solution
# The same schedule, written twice: each multiplies what its groups began with.
#
# ```python
# import torch
# from labml_nn_optim import AdamW
# from labml_nn_optim.schedulers import Scheduler
# from labml_nn_optim.schedules import CosineDecreasingSchedule
#
# optimizer = AdamW([torch.nn.Parameter(torch.zeros(1))], lr=0.003, weight_decay=0.1)
# cosine = CosineDecreasingSchedule(1, exclude_last=True)
# schedulers = [
#     Scheduler(optimizer, cosine, key, mode="relative", total_steps=100)
#     for key in ("lr", "weight_decay")
# ]
# group = optimizer.param_groups[0]
# for _ in range(100):
#     assert abs(group["weight_decay"] / group["lr"] - 0.1 / 0.003) < 1e-9
#     optimizer.step()
#     for scheduler in schedulers:
#         scheduler.step()
# assert group["lr"] == group["weight_decay"] == 0
# ```
# :::
#
# **3.** A run of 1000 updates is stopped at 600 and is to go on to 2000 instead, on a cosine to 0. What happens to the rate, and
# what would you do?
#
# ::: solution
# At 600 of 1000 the cosine is at 0.345, at 600 of 2000 at 0.794: the rate more than doubles, and the loss rises before
# it falls. Cosines are for runs whose length is known. With a [plateau and a decay on
# demand](../schedules/infinite.py) the run would have been at its constant rate, and nothing would jump.
# :::
