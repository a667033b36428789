r"""
---
title: Rules
summary: A rule gives selected parameters a scale, a decay, a tag or any other hyper-parameter, and rules that meet on one parameter combine or contradict each other aloud.
chapter: "11.2"
needs: [param_groups/selectors]
---

# Two rules, one parameter

(prose to come)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from labml_nn_optim.checks import require_flag, require_number
from labml_nn_optim.param_groups.selectors import ParameterTable, as_selector, require_text
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["Outcome", "Rule", "RuleFamily", "combine"]

RESERVED = ("params", "param_names", "name", "lr", "original_lr", "original_weight_decay")


class Rule:
    """What selected parameters get.

    - `select`: a [selector](selectors.py), a text for a glob, a module or a parameter
    - `lr_scale`: multiplies the learning rate, at least 0
    - `weight_decay`: the decay, a number or a [WeightDecay](../weight_decay.py#WeightDecay)
    - `weight_decay_scale`: multiplies the decay, at least 0
    - `no_decay`: the decay is 0
    - `freeze`: not trained at all; `requires_grad` is set to False
    - `tags`: a text or several, for [schedulers](../schedulers/scheduler.py) and other rules
    - `override`: what earlier rules said about the same thing is forgotten
    - `optional`: it is no error if nothing matches
    - `extras`: any other entry of the group, such as `betas`

    Raises `TypeError` or `ValueError`, in one line, for what is not allowed.
    """

    def __init__(
        self,
        select: Any,
        *,
        lr_scale: float | None = None,
        weight_decay: WeightDecay | float | None = None,
        weight_decay_scale: float | None = None,
        no_decay: bool = False,
        freeze: bool = False,
        tags: str | Collection[str] = (),
        override: bool = False,
        optional: bool = False,
        **extras: Any,
    ) -> None:
        for name, flag in (
            ("no_decay", no_decay),
            ("freeze", freeze),
            ("override", override),
            ("optional", optional),
        ):
            require_flag(name, flag)
        for name, scale in (("lr_scale", lr_scale), ("weight_decay_scale", weight_decay_scale)):
            if scale is not None:
                require_number(name, scale)
        if weight_decay is not None and not isinstance(weight_decay, WeightDecay):
            require_number("weight_decay", weight_decay)
        if no_decay and (weight_decay is not None or weight_decay_scale is not None):
            raise ValueError("no_decay must be False where a weight decay is given, got True")
        for name in RESERVED:
            if name in extras:
                hint = "; use lr_scale" if name == "lr" else ""
                raise ValueError(f"{name} must not be set by a rule, got {extras[name]!r}{hint}")
        self.select = as_selector(select)
        self.freeze = freeze
        self.tags = as_tags(tags)
        self.override = override
        self.optional = optional
        self.is_default = False
        actions = {
            "lr_scale": lr_scale,
            "weight_decay": 0.0 if no_decay else weight_decay,
            "weight_decay_scale": weight_decay_scale,
        }
        self.actions = {key: value for key, value in actions.items() if value is not None} | extras
        if not (self.actions or self.tags or freeze):
            raise ValueError(f"a rule must do something, got only select={self.select!r}")

    def expand(self, table: ParameterTable) -> Sequence[Rule]:
        """Return the rule itself: a family of one."""
        return [self]

    def __repr__(self) -> str:
        parts = [repr(self.select), *(f"{key}={value!r}" for key, value in self.actions.items())]
        parts += ["freeze=True"] * self.freeze
        parts += [f"tags={list(self.tags)}"] if self.tags else []
        return f"Rule({', '.join(parts)})"


@runtime_checkable
class RuleFamily(Protocol):
    """Anything that makes rules for a model: [LayerDecay](layer_decay.py#LayerDecay) for instance."""

    def expand(self, table: ParameterTable) -> Sequence[Rule]:
        """Return rules for the parameters of `table`."""
        ...


def as_tags(tags: str | Collection[str]) -> tuple[str, ...]:
    """Return tags sorted; raises `TypeError` for what is no text, `ValueError` for an empty one."""
    if not isinstance(tags, Collection):
        raise TypeError(f"tags must be a text or several, got {tags!r}")
    listed = (tags,) if isinstance(tags, str) else tuple(tags)
    for tag in listed:
        require_text("tags", tag)
    return tuple(sorted(set(listed)))


# ## What several rules come to
@dataclass
class Outcome:
    """What all rules of one parameter come to.

    - `lr_scale`: the product of all scales of the learning rate
    - `weight_decay`: None for that of the optimizer
    - `weight_decay_scale`: the product of all scales of the decay
    """

    lr_scale: float = 1.0
    weight_decay: WeightDecay | float | None = None
    weight_decay_scale: float = 1.0
    freeze: bool = False
    tags: tuple[str, ...] = ()
    extras: dict[str, Any] = field(default_factory=dict)


DECAY = ("weight_decay", "weight_decay_scale")


def combine(rules: Iterable[Rule], name: str) -> Outcome:
    """Combine the rules of one parameter, in their order.

    Scales multiply, tags add up. Anything else may be set twice to the same value only, unless the later
    rule has `override`; what a built-in rule says about the decay gives way to any explicit rule.

    - `name`: of the parameter, for messages

    Raises `ValueError` if two rules contradict each other.
    """
    values: dict[str, Any] = {}
    givers: dict[str, Rule] = {}
    tags: set[str] = set()
    freeze = False
    for rule in rules:
        tags.update(rule.tags)
        freeze = freeze or rule.freeze
        for key in rule.actions:
            for old in DECAY if key in DECAY else (key,):
                # A rule that sets a decay and scales it speaks once.
                if old in values and givers[old] is not rule and gives_way(givers[old], rule):
                    del values[old], givers[old]
        for key, value in rule.actions.items():
            if key in values and key.endswith("_scale"):
                value = values[key] * value
            elif key in values and not same(values[key], value):
                raise ValueError(
                    f"{key} of {name} must be given once, or again with override=True, got "
                    f"{values[key]!r} by {givers[key]!r} and {value!r} by {rule!r}"
                )
            values[key], givers[key] = value, rule
    own = {key: values.pop(key) for key in ("lr_scale", *DECAY) if key in values}
    return Outcome(**own, freeze=freeze, tags=tuple(sorted(tags)), extras=values)


def gives_way(earlier: Rule, later: Rule) -> bool:
    """Whether what `earlier` says is forgotten when `later` speaks of the same."""
    return later.override or (earlier.is_default and not later.is_default)


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal; tensors are if they are one and the same."""
    if isinstance(one, Tensor) or isinstance(other, Tensor):
        return one is other
    return bool(one == other)


def scaled(decay: WeightDecay | float, scale: float) -> WeightDecay | float:
    """Return a decay times a number; an object keeps its kind."""
    if isinstance(decay, WeightDecay):
        return replace(decay, weight_decay=decay.weight_decay * scale)
    return decay * scale
