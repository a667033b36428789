r"""
---
title: Into the optimizer
summary: A scheduler counts the steps and writes what a schedule says into the parameter groups; the counter is all it has to remember.
chapter: "9.15"
needs: [schedules/base, base]
symbols:
  t: last_epoch
  T: total_steps
  \alpha: lr
---

# (prose to come)
"""

from __future__ import annotations

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
        if self.index is None:
            known = self.name in group and not isinstance(value, tuple | list)
        else:
            known = isinstance(value, tuple | list) and self.index < len(value)
        if not known:
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
            group[self.name] = (*held[: self.index], value, *held[self.index + 1 :])


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
    - `mode`: write the schedule's value $v$ (`"absolute"`), or the group's own value times
      $v / v_\text{ref}$ (`"relative"`). In both, an entry `lr_scale` of a group multiplies what is
      written into `lr`, and so for other keys
    - `reference`: $v_\text{ref}$, the value of the schedule at which a group has its own value
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
        self.schedule = schedule
        self.mode = mode
        self.reference = reference
        self.last_epoch = last_epoch + 1
        self._step_count = self.last_epoch + 1
        self._total_steps = total_steps
        self._updates_per_epoch = updates_per_epoch if schedule.interval == "epoch" else None
        self._cooldown: dict[str, Any] | None = None
        self._entry = Entry(key)
        self._scale_key = f"{key}_scale"
        self._selector = Selector(tags)
        self._choose_groups()
        self._check_values()
        self._floor = self._last_value() if absolute_floor else None
        if self.claims_at_once:
            self._claim()
        self._prepare_groups()
        self._watch_optimizer()
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
        for group in self.optimizer.param_groups:
            value = self._entry.read(group) if self._entry.name in group else None
            if isinstance(value, Tensor) and id(value) in seen and self._entry.index is None:
                group[self._entry.name] = value.clone()
            seen.add(id(value))
        for _, group in self._groups():
            group.setdefault(self._initial_key, self._number(group))

    @property
    def _initial_key(self) -> str:
        return f"initial_{self.key}"

    def _number(self, group: dict[str, Any]) -> float:
        return float(self._entry.read(group))

    def _groups(self) -> Iterator[tuple[int, dict[str, Any]]]:
        groups = self.optimizer.param_groups
        for number in self._chosen:
            yield number, groups[number]

    # ## No two for one place
    def _claim(self) -> None:
        writers = _writers.setdefault(self.optimizer, [])
        writers[:] = [writer for writer in writers if writer() is not None]
        for writer in writers:
            other = writer()
            if other is None or other is self or other.key != self.key:
                continue
            shared = sorted(set(other._chosen) & set(self._chosen))
            if shared:
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
        if self._updates_per_epoch is not None:
            step -= step % self._updates_per_epoch
        return self.schedule.get_value(step, self._total_steps)

    def _last_value(self) -> float:
        if self._total_steps is None:
            raise ValueError("total_steps must be given for an absolute_floor, got None")
        return self.schedule.get_value(self._total_steps, self._total_steps)

    def _scaled(self, value: float, group: dict[str, Any]) -> float:
        scale: float = group.get(self._scale_key, 1.0)
        if self.mode == "relative":
            own: float = group[self._initial_key]
            return own * value / self.reference * scale
        if self._floor is None:
            return value * scale
        height = (value - self._floor) / (self.reference - self._floor)
        return self._floor + (self.reference * scale - self._floor) * height

    def _write(self) -> None:
        if len(self.optimizer.param_groups) != self._group_count:
            self._choose_groups()
            self._prepare_groups()
        value = self._value(self.last_epoch)
        scaled, write = self._scaled, self._entry.write
        for _, group in self._groups():
            write(group, scaled(value, group))

    # ## A step
    def _watch_optimizer(self) -> None:
        self._steps_done = self._steps_seen = 0
        myself = weakref.ref(self)

        def count(*_: Any) -> None:
            scheduler = myself()
            if scheduler is not None:
                scheduler._steps_done += 1

        handle = self.optimizer.register_step_post_hook(count)
        weakref.finalize(self, handle.remove)

    def step(self, epoch: int | None = None) -> None:
        """Count one more step, or go to step `epoch`, and write the new values.

        A step that the optimizer left out because a gradient was not finite, as `GradScaler` makes it do,
        does not count.
        """
        if not self.claims_at_once:
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
        return any(not torch.isfinite(gradient).all() for gradient in gradients)

    def start_decay(self, steps: int, end_value: float = 0.0, tail: str = "linear") -> None:
        """Bring the value down from where it is, to `end_value` in `steps` steps.

        `tail` is a [shape](../schedules/ramp.py). A checkpoint remembers it.
        """
        self._cool_down(
            {"start": self.last_epoch, "steps": steps, "end_value": end_value, "tail": tail}
        )

    def _cool_down(self, cooldown: dict[str, Any]) -> None:
        self.schedule = CooldownSchedule(self._planned, **cooldown)
        self._cooldown = cooldown

    @property
    def _planned(self) -> ScheduleBase:
        """The schedule without a decay that was started on the way."""
        if self._cooldown is not None and isinstance(self.schedule, CooldownSchedule):
            return self.schedule.schedule
        return self.schedule

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
            "cooldown": self._cooldown,
        }

    def load_state_dict(
        self, state_dict: dict[str, Any], *, use_saved_schedule: bool = False
    ) -> None:
        """Go on after the step of a checkpoint, and write its value at once.

        The schedule is the one that this scheduler was made with. Warns if the checkpoint's is another
        one; `use_saved_schedule` takes that.
        """
        saved = state_dict["schedule"]
        own = written_down(self._planned)
        if use_saved_schedule:
            if saved is None:
                raise ValueError(
                    "use_saved_schedule must be False, as a function is not saved, got True"
                )
            self.schedule = schedule_from_config(saved)
        elif None not in (saved, own) and saved != own:
            warnings.warn(
                f"the checkpoint was made with the schedule {saved}; going on with {own}",
                stacklevel=2,
            )
        self._cooldown = None
        if state_dict["cooldown"] is not None:
            self._cool_down(state_dict["cooldown"])
        self.last_epoch = state_dict["last_epoch"]
        self._step_count = self.last_epoch + 1
        self._write()


def written_down(schedule: ScheduleBase) -> dict[str, Any] | None:
    """Return the configuration of a schedule, None if it has a function inside."""
    try:
        return schedule_to_config(schedule)
    except TypeError:
        return None
