r"""
---
title: A schedule from a configuration
summary: A mapping, as YAML or JSON give it, names a schedule and its arguments; a key that does nothing is an error.
chapter: "9.13"
needs: [schedules/base, schedules/sequential]
---

# (prose to come)
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import field
from typing import Any, TypeAlias

from labml_nn_optim.checks import require_number
from labml_nn_optim.schedules import (
    combinators,
    cycles,
    decay,
    infinite,
    power,
    progress,
    ramp,
    sequential,
    values,
    warmup,
    wsd,
)
from labml_nn_optim.schedules.base import (
    IDLE,
    ScheduleBase,
    bare_name,
    idle,
    own_fields,
    suggestion,
)
from labml_nn_optim.schedules.sequential import (
    SequentialPercentScheduleConfig,
    SequentialSchedule,
    SequentialStepScheduleConfig,
)

__all__ = [
    "AnyScheduleConfig",
    "SchedulerConfig",
    "get_schedule",
    "schedule_from_config",
    "schedule_names",
    "schedule_to_config",
]

AnyScheduleConfig: TypeAlias = ScheduleBase

FAMILIES = (
    *(progress, ramp, values, decay, combinators, sequential),
    *(warmup, wsd, power, infinite, cycles),
)
# What they have in common, with no values of their own.
BASES = (
    *(progress.ProgressSchedule, progress.DecreasingProgressSchedule),
    *(progress.IncreasingProgressSchedule, ramp.ShapedSchedule),
    *(warmup.WarmupSchedule, wsd.LateDecaySchedule),
)


class SchedulerConfig(ScheduleBase):
    """A warm-up and an end that noether describes, but has no schedule for."""

    namespace = "noether.core.schedules.scheduler"

    warmup_percent: float = field(kw_only=True)
    end_value: float = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("warmup_percent", self.warmup_percent, maximum=1.0)
        require_number("end_value", self.end_value)

    def _get_value(self, step: float, total_steps: float) -> float:
        raise NotImplementedError(
            "SchedulerConfig has no values; take LinearWarmupCosineDecaySchedule with a max_value"
        )


def schedule_names() -> tuple[str, ...]:
    """Return the names of all schedules."""
    return tuple(sorted(_kinds()))


def _kinds() -> dict[str, type[ScheduleBase]]:
    """Return every schedule by its name; a configuration's name is that of its schedule."""
    found = (getattr(family, name) for family in FAMILIES for name in family.__all__)
    return {
        kind.__name__: kind
        for kind in found
        if isinstance(kind, type) and issubclass(kind, ScheduleBase) and kind not in BASES
    }


def get_schedule(name: str) -> type[ScheduleBase]:
    """Return the schedule of this name; case, `_`, `-` and the word `Schedule` may be left out.

    Raises:
        TypeError: `name` is no string.
        ValueError: there is no such schedule; the message names the nearest ones.
    """
    if not isinstance(name, str):
        raise TypeError(f"kind must be the name of a schedule, got {name!r}")
    found = {_plain(each): kind for each, kind in _kinds().items()}
    plain = _plain(bare_name(name))
    if plain in found:
        return found[plain]
    near = difflib.get_close_matches(plain, found, n=3, cutoff=0.5) or sorted(found)
    listed = ", ".join(found[each].__name__ for each in near)
    raise ValueError(f"kind must be a schedule's, got {name!r}; the nearest are {listed}")


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").removesuffix("schedule")


def schedule_from_config(config: Mapping[str, Any]) -> ScheduleBase:
    """Return the schedule that a mapping describes: `kind`, and its arguments by name.

    Schedules inside are mappings, too. A number that YAML has left as text, such as `1e-6`, is read.

    Raises:
        TypeError: something has the wrong type, or an argument is missing.
        ValueError: a name or value is not allowed; the message names the key, and the nearest right one.
    """
    if not isinstance(config, Mapping):
        raise TypeError(f"config must be a mapping with a kind, got {config!r}")
    if "kind" not in config:
        raise ValueError(f"kind must be given, got only {', '.join(map(str, config)) or 'nothing'}")
    kind = get_schedule(config["kind"])
    arguments = {name: value for name, value in config.items() if name != "kind"}
    _check_names(kind, arguments)
    values = {name: _read(kind, name, value) for name, value in arguments.items()}
    return kind(**values)


def _check_names(kind: type[Any], arguments: Mapping[str, Any]) -> None:
    known = {each.name: each for each in dataclasses.fields(kind)}
    allowed, common = list(known), []
    if issubclass(kind, ScheduleBase):
        allowed = own_fields(kind)
        common = [each.name for each in dataclasses.fields(ScheduleBase) if each.name not in IDLE]
        for name in arguments:
            if name in IDLE and name not in allowed:
                raise ValueError(idle(kind, name))
    for name in arguments:
        if name not in known:
            near = difflib.get_close_matches(str(name), (*allowed, *common), n=1, cutoff=0.8)
            hint = suggestion(str(name), near or allowed)
            raise ValueError(f"{name} is no argument of {kind.__name__}; {hint}")
    required = [each.name for each in known.values() if _is_required(each)]
    missing = [name for name in required if name not in arguments]
    if missing:
        raise TypeError(f"{missing[0]} must be given for {kind.__name__}")


def _is_required(each: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return each.default is missing and each.default_factory is missing


def _read(kind: type[Any], name: str, value: Any) -> Any:
    if isinstance(value, Mapping) and "kind" in value:
        return schedule_from_config(value)
    listed = isinstance(value, list | tuple)
    if listed and name == "schedule_configs" and issubclass(kind, SequentialSchedule):
        return [_read_part(kind.entry, part) for part in value]
    if listed:
        return [_read(kind, name, each) for each in value]
    type_of = str(next(each.type for each in dataclasses.fields(kind) if each.name == name))
    return _number(value) if isinstance(value, str) and "str" not in type_of else value


def _read_part(entry: type[Any], part: Any) -> Any:
    if not isinstance(part, Mapping):
        return part
    _check_names(entry, part)
    return entry(**{name: _read(entry, name, value) for name, value in part.items()})


def _number(text: str) -> int | float | str:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def schedule_to_config(schedule: ScheduleBase) -> dict[str, Any]:
    """Return the mapping that `schedule_from_config` makes an equal schedule from.

    It holds plain values only: numbers, texts, lists, mappings. What has its default is left out. Raises
    `TypeError` for a schedule with a function inside.
    """
    return {"kind": schedule.kind} | _changed_fields(schedule)


def _changed_fields(record: Any) -> dict[str, Any]:
    return {
        each.name: _plain_value(each.name, getattr(record, each.name))
        for each in dataclasses.fields(record)
        if each.name != "kind" and getattr(record, each.name) != each.default
    }


def _plain_value(name: str, value: Any) -> Any:
    if isinstance(value, ScheduleBase):
        return schedule_to_config(value)
    if isinstance(value, SequentialPercentScheduleConfig | SequentialStepScheduleConfig):
        return _changed_fields(value)
    if isinstance(value, tuple):
        return [_plain_value(name, each) for each in value]
    if callable(value):
        raise TypeError(f"{name} must be no function to be written down, got {value!r}")
    return value
