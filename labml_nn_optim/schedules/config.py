r"""
---
title: A schedule from a configuration
summary: A mapping, as YAML or JSON give it, names a schedule and its arguments; a key that does nothing is an error.
chapter: "9.13"
needs: [schedules/base, schedules/sequential]
---

# Five learning rates, five equal runs

noether's documentation has this example, where `${...}` stands for the learning rate of the model:

```yaml
kind: noether.core.schedules.PolynomialDecreasingSchedule
power: 2.0
start_value: ${model.optim.lr}
end_value: 1e-6
```

A decay that begins at the learning rate: it reads well. But this schedule takes its first value from `max_value`, and
noether says that it is missing. So somebody adds it, `max_value: 0.001`, and now the file is accepted. `start_value`
stays. It is a field of noether's base class, allowed everywhere and read by the increasing schedules. The next sweep is
over `start_value`, from 0.0003 to 0.03, and makes the same run five times.

No error is raised. With a new seed for each run the five losses differ a little, and the conclusion is that the
learning rate hardly matters.

## The rule

The configuration of a schedule is a mapping with its name, `kind`, and its arguments. `schedule_from_config` makes the
schedule, or says what is wrong. `schedule_to_config` is the way back:

$$\text{from}(\text{to}(s)) = s$$

for every schedule $s$ without a function inside, however deeply nested. What lies between them is numbers, texts,
lists and mappings, so that it survives JSON, YAML and a checkpoint. A
[scheduler](../schedulers/scheduler.py) writes it into its state, to notice when a run goes on with another plan.

**A key must do something.** One that the schedule does not know, or has and does not use, is an error. The example
gives

```text
start_value does nothing in PolynomialDecreasingSchedule; did you mean max_value?
```

The name in the question is the most similar one of those that do something. `difflib` takes twice the letters that two
names share in the same order, over the letters of both. `start_value` and `max_value` share 7, so
$14 / 20 = 0.7$. For `end_value` it is 0.6.

**Why so strict.** A wrong key costs a second if it is refused, and a run if it is not. To drop it is right only where
it does not matter, and there nobody needs it. The price: a file with a key for a later version of the library
is refused, too.

## What YAML makes of a number

PyYAML 6 follows YAML 1.1. There a number with an exponent needs a point in front and a sign behind:

| written | is |
|---|---|
| `1.0e-6`, `1.e-6`, `0.000001` | the number |
| `1e-6`, `5e-4`, `1.0e6`, `1e+6` | a text |
| `010` | 8 |
| `12:30` | 750 |
| `off`, `no` | False |
| `"false"` | a text, which Python takes for true |

`1e-6` is how everybody writes it. Texts are therefore read as numbers here wherever no text is expected, in lists and
nested schedules as well. The others are what YAML says they are. `warmup_steps: 010` makes eight steps, without an error.
`exclude_last: "false"` is refused, since it must be True or False. So is `warmup_steps: 1e3`: it is 1000.0,
and a number of steps is a whole number.

## Conventions

What happens to a key that is misspelt or out of place:

| program | what happens |
|---|---|
| noether 1.1 | a key that no schedule has is dropped; one of the base class is accepted, whether it is read or not |
| the same, `StepFixedSchedule` with `max_value: 0.001` | dropped; the rate begins at the default of `start_value`, 1.0 |
| Hugging Face 5.24, `lr_scheduler_kwargs` | `TypeError`, but dropped for `constant_with_warmup` |
| the same, `constant` with `warmup_steps: 500` | accepted, and no warm-up |
| torch 2.14, optax 0.2.8, timm 1.0.31 | Python's `TypeError` for an unknown argument |
| here | `ValueError` with the nearest name |

The first two rows are read from noether's code and from pydantic's default, which is to ignore what it does
not know; the others were run.

Names are less strict than keys, as they cannot be taken for something else: `noether.core.schedules.LinearDecreasingSchedule`,
`LinearDecreasingScheduleConfig`, `LinearDecreasing` and `linear-decreasing` are the same schedule.
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


# ## Choosing the numbers
#
# - Write down the peak, the lengths and the end, also where they are the defaults.
# - Write `1.0e-6`, so that other readers of the file get a number, too.
# - Give lengths as fractions in a file for runs of several lengths, in steps in a file for one run.
#   [RunLength](units.py#RunLength) makes steps from epochs and tokens.
# - A schedule that only one program uses is better written in Python: an editor then finds a misspelt name while it is
#   typed.
#
# ## Traps
#
# - **A first value of 1.** `StepFixedSchedule` and `StepIntervalSchedule` have 1.0 as the default of their first value,
#   as in noether. Without that key `kind: StepFixed` is a learning rate of 1. All others ask for a peak.
# - **A default that changes.** What has its default is not written down, and is read as the default of the day. In
#   noether 1.1 the warm-up with cosine has a `max_value` of 1.0 if none is given; later versions ask for it.
# - **The same key twice.** PyYAML takes the second and says nothing. When the mapping arrives here, the first is gone.
# - **The length of the run is not in it.** The same configuration with another `total_steps` is another curve.
# - **A schedule of your own** can be written down, but not read: names are looked up among those of this library.
#   [FunctionSchedule](values.py#FunctionSchedule) cannot even be written.
# - **`SchedulerConfig`** is here because noether has it. noether has no schedule for it, and there is none here.
#
# ## Exercises
#
# **1.** Send a line of ten steps, followed by a WSD schedule, all times 0.003, through JSON and back.
#
# ::: solution
# ```python
# import json
# from labml_nn_optim.schedules import LinearIncreasingSchedule, WSDSchedule
# from labml_nn_optim.schedules import schedule_from_config, schedule_to_config
#
# warmup = LinearIncreasingSchedule(1.0, exclude_first=True)
# schedule = warmup.then(WSDSchedule(1.0, decay_percent=0.1), after=10).scale(0.003)
# text = json.dumps(schedule_to_config(schedule))
# assert schedule_from_config(json.loads(text)) == schedule
# assert '"decay_percent": 0.1' in text and text.count('"max_value": 1.0') == 2
# assert "start_value" not in text  # it has its default
# ```
# :::
#
# **2.** Three of these five are refused. Which, and what is the advice?
#
# ::: solution
# The last three. `"1e-3"` is read as a number; `"1e3"` is, too, but it is 1000.0, and steps are counted in whole
# numbers.
#
# ```python
# from labml_nn_optim.schedules import schedule_from_config
#
# decay = {"kind": "WarmupDecay", "max_value": "1e-3"}
# answers = []
# for more in ({}, {"warmup_percent": 0.1}, {"lr": 1}, {"warmup_step": 9}, {"warmup_steps": "1e3"}):
#     try:
#         schedule_from_config(decay | more)
#         answers.append("")
#     except (TypeError, ValueError) as error:
#         answers.append(str(error))
# assert answers[:2] == ["", ""]
# assert answers[2].startswith("lr is no argument of WarmupDecaySchedule; it takes power, bend")
# assert answers[3] == "warmup_step is no argument of WarmupDecaySchedule; did you mean warmup_steps?"
# assert answers[4] == "warmup_steps must be a whole number >= 0, got 1000.0"
# ```
# :::
#
# **3.** Advice is given from a similarity of 0.5 on. What has `warmup_step` in common with `warmup_steps`, and
# what has `lr` with `max_value`?
#
# ::: solution
# The first pair shares 11 letters, and has $11 + 12$: $22 / 23 = 0.96$. The second shares the l: $2 / 11 = 0.18$.
#
# ```python
# from difflib import SequenceMatcher
#
# assert round(SequenceMatcher(None, "warmup_step", "warmup_steps").ratio(), 2) == 0.96
# assert round(SequenceMatcher(None, "lr", "max_value").ratio(), 2) == 0.18
# ```
# :::
