r"""
---
title: Rules
summary: A rule gives selected parameters a scale, a decay, a tag or any other hyper-parameter, and rules that meet on one parameter combine or contradict each other aloud.
chapter: "11.2"
needs: [param_groups/selectors]
symbols:
  c_k: lr_scale
  d_k: weight_decay_scale
  \lambda^\circ: weight_decay
---

# Five rules meet on one bias

```python
rules = [
    LayerDecay(0.75),
    Rule("head.*", lr_scale=10, tags="new"),
    Rule("*.bias", lr_scale=2),
    Rule("head.bias", weight_decay=0.1),
]
groups = param_groups(model, rules, lr=1e-3, weight_decay=0.05)
```

[LayerDecay](layer_decay.py) gives each layer 0.75 times the rate of the one behind it. Each line makes sense alone. All four speak of `head.bias`, and so does a fifth rule, which is built in:

| rule | what it says about `head.bias` |
|---|---|
| built in: biases are not decayed | decay 0 |
| `LayerDecay(0.75)`: the head is the last layer | rate times 1 |
| the head is new | rate times 10 |
| biases are faster | rate times 2 |
| this one bias is decayed | decay 0.1 |

What comes out is a rate of $10^{-3} \cdot 20 = 0.02$, a decay of 0.1 and the tag `new`. That should not be luck, and it should not
depend on the order of the lines.

## The rule

A rule is a [selector](selectors.py) and what the selected parameters get. Let the rules of a parameter have the scales $c_1, c_2, \dots$ for the
rate and $d_1, d_2, \dots$ for the decay. It learns with

$$\alpha \prod_k c_k, \qquad \lambda^\circ \prod_k d_k$$

$\alpha$ is the rate of the whole optimizer, and $\lambda^\circ$ the decay that a rule has set; if none has, that of the
whole optimizer. The rest follows four
sentences:

1. **Tags add up.** A tag is a word by which [schedules](../../docs_src/tags.md) and later rules find a group. One rule with `freeze` is
   enough to freeze.
2. **Anything else has one value.** Two rules may say the same. If they say different things, that is an error that names
   both, unless the later one has `override=True`: then what was said before about the same thing is forgotten.
3. **What is built in gives way.** [Biases and normalization are not decayed](no_decay.py), until a rule that you wrote says
   something about their decay.
4. **A rule that matches nothing is an error**, unless it is `optional`.

## Why scales multiply and values do not

"Ten times as fast" compares with whatever else holds. Two such sentences can both be true, and their order does not matter.
"A decay of 0.1" says what is. Two different values cannot both be true, and which one was meant is not in the list: the author knows.

So a rule can scale the learning rate and cannot set it. The proportions hold whatever the rate is that a search or a schedule
comes up with.

## Conventions

| | two rules for one parameter |
|---|---|
| here | scales multiply; else equal values pass, different ones are an error; what is built in gives way |
| Megatron-LM | equal values pass, different ones are an error |
| noether | scales multiply; else an error, for equal values too, and against what is built in |
| mmpretrain, mmengine | one rule decides, the others are silent |
| Cerebras' model zoo | two scales put the parameter into two groups |
| torch, lists by hand | a parameter in two lists is an error |

Two of these have a lesson.

**An error without a way out.** In noether the exclusion of biases has set their decay before a modifier is asked, and nothing may be set
twice. A decay for a bias, by its name, [is always an error](modifiers.py). Strictness is right among rules that somebody wrote. A default is not one
of these.

**A winner without a word.** In mmpretrain the longest of the `custom_keys` that is a part of the name decides alone, before the rules for biases and
normalization. A key `head` that sets no decay gives the bias of the head the full decay back, against a
`bias_decay_mult` of 0. Nobody wrote that, and [nothing tells](constructor.py).

## Families

`LayerDecay(0.75)` cannot know its scales before it has seen a model. A *family* is anything with a method `expand`: it is given the
[table](selectors.py#ParameterTable) of the model, and returns rules. [LayerDecay](layer_decay.py), [WidthScaling](width.py) and [modifiers](modifiers.py)
are families. A family stands in the list like a rule, and its rules meet the others as if they were written there. Exercise 3 writes one.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from labml_nn_optim.checks import require_flag, require_number
from labml_nn_optim.param_groups.selectors import ParameterTable, as_selector, require_text
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["Outcome", "Rule", "RuleFamily", "combine"]

OWN = (
    *("lr_scale", "weight_decay", "weight_decay_scale"),
    *("no_decay", "freeze", "tags", "override", "optional"),
)
SYNONYMS = {
    **{"frozen": "freeze", "requires_grad": "freeze", "scale": "lr_scale", "lr_mult": "lr_scale"},
    **{"wd": "weight_decay", "decay": "weight_decay", "decay_mult": "weight_decay_scale"},
}
RESERVED = ("params", "param_names", "name", "lr", "original_lr", "original_weight_decay")


class Rule:
    """What selected parameters get.

    - `select`: a [selector](selectors.py), a text for a glob, a module or a parameter
    - `lr_scale`: multiplies the learning rate, at least 0
    - `weight_decay`: the decay, a number or a [WeightDecay](../weight_decay.py#WeightDecay)
    - `weight_decay_scale`: multiplies the decay, at least 0
    - `no_decay`: the decay is 0
    - `freeze`: not trained at all; `requires_grad` is set to False, and no later rule undoes it
    - `tags`: a text or several, for [schedulers](../schedulers/scheduler.py) and other rules
    - `override`: what earlier rules said about the keys of this one is forgotten, their scales too; a decay and its
      scale count as one key
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
        for name, value in extras.items():
            near = difflib.get_close_matches(name, OWN, n=1, cutoff=0.85)
            if meant := SYNONYMS.get(name) or "".join(near):
                raise ValueError(
                    f"{name} must be an entry that the optimizer reads, got {value!r}; "
                    f"did you mean {meant}?"
                )
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

    Scales, which are all keys that end in `_scale`, multiply; tags add up. Anything else may be set twice to
    the same value only, unless the later rule has `override`; what a built-in rule says about the decay gives
    way to any explicit rule.

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


# ## Choosing
#
# - `lr_scale` for what is new (above 1) or well trained already (below 1). With a schedule, [groups keep these proportions](groups.py).
# - `weight_decay` where a part needs a decay of its own, `weight_decay_scale` if it shall follow when you tune the base.
# - `freeze` if a part shall not move. `lr_scale=0` stops it too, but for an absolute decay, and still pays for its
#   gradient and its state.
# - `tags` if a part shall have [a schedule of its own](../../docs_src/tags.md).
# - `override` for an exception to a family: `Rule("head.*", lr_scale=1, override=True)` behind a `LayerDecay`.
# - `optional` for one list that serves several models, of which not all have a class token.
# - The order of the list matters to `override` and to `Tagged`, and to nothing else.
#
# ## Traps
#
# - **A scaled rate scales the decay.** Decoupled decay shrinks by $\alpha\lambda$ in a step. A head at ten times the rate decays ten
#   times as fast. `Rule("head.weight", weight_decay_scale=0.1)` takes that back.
# - **`Rule("*", weight_decay=0.1)`** is explicit, so it decays biases and normalization as well. So does
#   `Rule("*", weight_decay_scale=2)`. The decay of all is the argument `weight_decay` of [param_groups](groups.py#param_groups).
# - **Substrings compete.** With `Rule(Substring("head"), lr_scale=10)` and `Rule(Substring("head.bias"), no_decay=True)` the bias has the second rule
#   and not the first, as in mmpretrain. Globs combine.
# - **An extra is hardly checked.** A keyword that looks like one of a rule's own, such as `lr_scael` or `frozen`, is an error. Any other goes into the
#   group. `beta=(0.9, 0.95)` or `lr_factor=10` does so too, and no optimizer looks there. [The table](report.py) shows it.
# - **Frozen is frozen.** `freeze` writes into the model. Groups that are built again, without the rule, do not thaw it.
#
# ## What the experiment shows
#
# [The network of MNIST](../../experiments/finetune.py) learns other digits from fifty images, with a new last layer. One rate for all comes to 85.2 % at its
# best, $\alpha = 0.001$. `Rule("output.*", lr_scale=10)` comes to 87.4 % at the same 0.001, but seed by seed the gain is 0.2 points, with six seeds of ten: not
# decided. At $\alpha = 0.0001$, where one rate is too slow for the new layer, it is ahead by 25 points with every seed. `Rule(~Glob("output.*"), freeze=True)` comes
# to 86.9 % at 0.03, and is behind one rate with six seeds of ten.
#
# Where the input has changed, with the digits inverted, both lose: the frozen backbone by 9.4 points, the fast head by 3.1, with every seed.
#
# ## Exercises
#
# **1.** Build the groups of the first example and read off what `head.bias` has.
#
# ::: solution
# ```python
# from torch import nn
# from labml_nn_optim.param_groups import LayerDecay, Rule, param_groups
#
# model = nn.Sequential()
# model.add_module("body", nn.Linear(4, 4))
# model.add_module("head", nn.Linear(4, 2))
# rules = [
#     LayerDecay(0.75),
#     Rule("head.*", lr_scale=10, tags="new"),
#     Rule("*.bias", lr_scale=2),
#     Rule("head.bias", weight_decay=0.1),
# ]
# for order in (rules, rules[::-1]):
#     groups = param_groups(model, order, lr=1e-3, weight_decay=0.05)
#     (group,) = (group for group in groups if "head.bias" in group["param_names"])
#     assert (round(group["lr"], 12), group["weight_decay"], group["tags"]) == (0.02, 0.1, ("new",))
# ```
# :::
#
# **2.** "The last rule wins" would be shorter than the four sentences above. Find a list of two sensible rules that it spoils.
#
# ::: solution
# `LayerDecay(0.75)` and, behind it, `Rule(ModuleType(nn.Embedding), lr_scale=0.5)`. The embeddings of a ViT-B/16 have the scale $0.75^{13} = 0.024$ by
# the first, and somebody wants half of that. If the last wins they get 0.5, twenty times more than before. With
# the lines exchanged, the second rule does nothing. Neither run complains.
# :::
#
# **3.** Write a family whose scales rise on a line, from `start` at the stem to 1 at the head.
#
# ::: solution
# ```python
# from torch import nn
# from labml_nn_optim.param_groups import Depth, Rule, param_groups
#
#
# class Line:
#     def __init__(self, start):
#         self.start = start
#
#     def expand(self, table):
#         last = table.layers().num_layers - 1
#         scales = [self.start + (1 - self.start) * depth / last for depth in range(last + 1)]
#         return [Rule(Depth(depth), lr_scale=scale, optional=True) for depth, scale in enumerate(scales)]
#
#
# model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2))
# groups = param_groups(model, [Line(0.5), Rule("0.*", lr_scale=2)], lr=1.0)
# rates = {name: group["lr"] for group in groups for name in group["param_names"]}
# assert [rates[f"{layer}.weight"] for layer in range(3)] == [1.0, 0.75, 1.0]
# ```
# `optional`, since every parameter of a depth may be frozen.
# :::
