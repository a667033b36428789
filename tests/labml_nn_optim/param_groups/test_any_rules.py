"""Any rules for any model come to what a slow reading of them says."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from labml_nn_optim.param_groups import (
    Glob,
    ModuleType,
    Ndim,
    ParamGroups,
    Regex,
    Rule,
    Selector,
    Substring,
    Tagged,
    param_groups,
)
from tests.labml_nn_optim.param_groups.examples import parts

Test = Callable[[str, Tensor, nn.Module, set[str]], bool]


@dataclass
class Case:
    """A rule, and when it is about a parameter, said a second time."""

    select: Selector
    test: Test
    actions: dict[str, Any]
    text: str | None = None

    def rule(self) -> Rule:
        """The rule itself."""
        return Rule(self.select, optional=True, **self.actions)


@dataclass
class Said:
    """What the rules of one parameter have said so far."""

    lr_scale: float = 1.0
    decay: float | None = None
    decay_scale: float = 1.0
    decay_is_default: bool = False
    betas: tuple[float, float] | None = None
    tags: set[str] = field(default_factory=set)
    freeze: bool = False

    def hear(self, actions: dict[str, Any], *, default: bool = False) -> None:
        """Take in one more rule; raises `ValueError` for a contradiction."""
        again = actions.get("override", False)
        value = 0.0 if actions.get("no_decay") else actions.get("weight_decay")
        if value is not None or "weight_decay_scale" in actions:
            if again or (self.decay_is_default and not default):
                self.decay, self.decay_scale = None, 1.0
            self.decay_is_default = default
        if value is not None:
            if self.decay not in (None, value):
                raise ValueError("weight_decay")
            self.decay = value
        self.decay_scale *= actions.get("weight_decay_scale", 1.0)
        if "lr_scale" in actions:
            self.lr_scale = actions["lr_scale"] * (1.0 if again else self.lr_scale)
        if "betas" in actions:
            if not again and self.betas not in (None, actions["betas"]):
                raise ValueError("betas")
            self.betas = actions["betas"]
        self.tags |= set(actions.get("tags", ()))
        self.freeze |= actions.get("freeze", False)


def slowly(
    model: nn.Module, cases: list[Case], base: float | None, flags: tuple[bool, bool, bool]
) -> Any:
    """The names in each group with rate, decay, betas and tags: one parameter after the other."""
    biases, norms, include_frozen = flags
    modules = dict(model.named_modules())
    groups: dict[Any, list[str]] = {}
    for name, param in model.named_parameters():
        said, module = Said(), modules[name.rpartition(".")[0]]
        is_bias = name.split(".")[-1] == "bias"
        if is_bias and biases:
            said.hear({"no_decay": True}, default=True)
        if not is_bias and norms and (param.ndim <= 1 or isinstance(module, nn.LayerNorm)):
            said.hear({"no_decay": True}, default=True)
        texts = [case.text for case in cases if case.text is not None and case.text in name]
        longest = min(texts, key=lambda text: (-len(text), text), default=None)
        for case in cases:
            loses = case.text not in (None, longest)
            if case.test(name, param, module, said.tags) and not loses:
                said.hear(case.actions)
        if not include_frozen and (said.freeze or not param.requires_grad):
            continue
        decay = base if said.decay is None else said.decay
        if decay is None and said.decay_scale != 1:
            raise ValueError("weight_decay")
        decay = None if decay is None else decay * said.decay_scale
        key = (said.lr_scale, decay, said.betas, tuple(sorted(said.tags)))
        groups.setdefault(key, []).append(name)
    if not groups:
        raise ValueError("nothing is trained")
    return groups


LEAVES: list[Callable[[], nn.Module]] = [
    lambda: nn.Linear(2, 2),
    lambda: nn.Linear(2, 2, bias=False),
    lambda: nn.LayerNorm((2, 2)),
    lambda: nn.Embedding(2, 2),
    lambda: nn.Conv1d(2, 2, 1),
    lambda: nn.PReLU(),
    nn.ReLU,
]
leaves = st.sampled_from(LEAVES).map(lambda make: make())
models = st.recursive(
    leaves,
    lambda inner: st.lists(inner, min_size=1, max_size=4).map(lambda all: nn.Sequential(*all)),
    max_leaves=10,
).map(lambda module: around(module, nn.Linear(2, 2)))


def around(module: nn.Module, shared: nn.Module) -> nn.Module:
    """A model that begins and ends with the same layer."""
    return nn.Sequential(shared, module, shared)


texts = st.sampled_from(["0", "1", "bias", "weight", "1.", "0.w", "1.1", "0.0", "."])
simple = st.one_of(
    texts.map(lambda t: (Substring(t), lambda n, p, m, tags: t in n, t)),
    texts.map(lambda t: (Glob(f"*{t}*"), lambda n, p, m, tags: t in n, None)),
    texts.map(lambda t: (Regex(re.escape(t) + "$"), lambda n, p, m, tags: n.endswith(t), None)),
    st.integers(0, 3).map(lambda k: (Ndim(k), lambda n, p, m, tags: p.ndim == k, None)),
    st.sampled_from([nn.Linear, nn.LayerNorm, nn.PReLU]).map(
        lambda kind: (ModuleType(kind), lambda n, p, m, tags: isinstance(m, kind), None)
    ),
    st.sampled_from("ab").map(lambda tag: (Tagged(tag), lambda n, p, m, tags: tag in tags, None)),
)


def both(one: Any, other: Any) -> Any:
    return one[0] & other[0], lambda *of: one[1](*of) and other[1](*of), None


def either(one: Any, other: Any) -> Any:
    return one[0] | other[0], lambda *of: one[1](*of) or other[1](*of), None


selectors = st.recursive(
    simple,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: both(*pair)),
        st.tuples(inner, inner).map(lambda pair: either(*pair)),
        inner.map(lambda one: (~one[0], lambda *of: not one[1](*of), None)),
    ),
    max_leaves=3,
)
actions = st.fixed_dictionaries(
    {},
    optional={
        "lr_scale": st.sampled_from([0.0, 0.5, 1.0, 2.0]),
        "weight_decay": st.sampled_from([0.0, 0.25, 0.5]),
        "weight_decay_scale": st.sampled_from([0.0, 0.5, 1.0, 2.0]),
        "betas": st.sampled_from([(0.5, 0.75), (0.75, 0.5)]),
        "tags": st.sampled_from([("a",), ("b",), ("a", "b")]),
        "freeze": st.just(True),
        "override": st.booleans(),
    },
).filter(lambda each: each.keys() - {"override"})
cases = st.builds(lambda made, acts: Case(made[0], made[1], acts, made[2]), selectors, actions)


@given(
    model=models,
    told=st.lists(cases, max_size=6),
    base=st.sampled_from([None, 0.0, 0.5]),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    frozen=st.sets(st.integers(0, 12), max_size=4),
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_groups_are_what_a_slow_reading_of_the_rules_says(
    model: nn.Module,
    told: list[Case],
    base: float | None,
    flags: tuple[bool, bool, bool],
    frozen: set[int],
) -> None:
    for place, param in enumerate(model.parameters()):
        param.requires_grad_(place not in frozen)
    before = [param.requires_grad for param in model.parameters()]
    options = {
        "exclude_bias_from_weight_decay": flags[0],
        "exclude_normalization_params_from_weight_decay": flags[1],
        "include_frozen": flags[2],
    }

    def quickly() -> ParamGroups:
        return param_groups(
            model, [case.rule() for case in told], lr=1.0, weight_decay=base, **options
        )

    try:
        expected = slowly(model, told, base, flags)
    except ValueError:
        with pytest.raises(ValueError, match=" must "):
            quickly()
        assert [param.requires_grad for param in model.parameters()] == before
        return
    groups = quickly()
    assert parts(groups) == list(expected.values())
    assert [
        (group["lr"], group.get("weight_decay"), group.get("betas"), group.get("tags", ()))
        for group in groups
    ] == list(expected)
    names = [name for group in groups for name in group["param_names"]]
    everything = dict(model.named_parameters())
    assert sorted([*names, *groups.frozen]) == sorted(everything)
    assert all(everything[name].requires_grad for name in names) or flags[2]
    for param, was_trained in zip(model.parameters(), before, strict=True):
        param.requires_grad_(was_trained)
    assert [list(group.items())[1:] for group in quickly()] == [
        list(group.items())[1:] for group in groups
    ]
