"""What rules that meet on one parameter come to."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import nn

from labml_nn_optim import WeightDecay
from labml_nn_optim.param_groups import (
    LayerDecay,
    LrScaleByNameModifier,
    Outcome,
    Rule,
    RuleFamily,
    WeightDecayByNameModifier,
    param_groups,
)
from labml_nn_optim.param_groups.rules import combine
from tests.labml_nn_optim.param_groups.examples import Net, entry, refusal

ABSOLUTE = WeightDecay(0.1, absolute=True)


def outcome(*rules: Rule) -> Outcome:
    return combine(rules, "head.bias")


def decays(*rules: Any, **options: Any) -> dict[str, Any]:
    return entry(param_groups(Net(), rules, lr=1.0, weight_decay=0.5, **options), "weight_decay")


# ## Scales and tags
def test_no_rule_changes_nothing() -> None:
    assert outcome() == Outcome(1.0, None, 1.0, False, (), {})


def test_scales_multiply() -> None:
    both = outcome(
        Rule("*", lr_scale=0.5, weight_decay_scale=3.0),
        Rule("*", lr_scale=3.0),
        Rule("*", lr_scale=4.0, weight_decay_scale=0.25),
    )
    assert (both.lr_scale, both.weight_decay_scale) == (6.0, 0.75)


def test_a_scale_of_0_stays() -> None:
    assert outcome(Rule("*", lr_scale=0.0), Rule("*", lr_scale=4.0)).lr_scale == 0.0


def test_tags_add_up_in_alphabetical_order() -> None:
    assert outcome(
        Rule("*", tags=["b", "c"]), Rule("*", tags="ba"), Rule("*", tags={"a", "b"})
    ).tags == ("a", "b", "ba", "c")


def test_one_rule_that_freezes_is_enough() -> None:
    assert outcome(Rule("*", freeze=True), Rule("*", lr_scale=2.0)).freeze
    assert not outcome(Rule("*", lr_scale=2.0)).freeze


# ## Contradictions
@pytest.mark.parametrize(
    ("key", "first", "second"),
    [
        ("weight_decay", 0.1, 0.2),
        ("weight_decay", 0.1, 0.0),
        ("weight_decay", 0.1, ABSOLUTE),
        ("weight_decay", ABSOLUTE, WeightDecay(0.1)),
        ("betas", (0.9, 0.95), (0.9, 0.99)),
        ("amsgrad", True, False),
        ("eps", torch.ones(1), torch.ones(1)),
        ("anything", None, "x"),
    ],
)
def test_different_values_contradict_each_other(key: str, first: Any, second: Any) -> None:
    rules = [Rule("*", **{key: first}), Rule("head.*", **{key: second})]
    message = (
        f"{key} of head.bias must be given once, or again with override=True, "
        f"got {first!r} by {rules[0]!r} and {second!r} by {rules[1]!r}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        outcome(*rules)


SHARED = torch.ones(2)


@pytest.mark.parametrize(
    ("key", "value", "again"),
    [
        ("weight_decay", 0.1, 0.1),
        ("weight_decay", 0, 0.0),
        ("weight_decay", ABSOLUTE, WeightDecay(0.1, absolute=True)),
        ("betas", (0.9, 0.95), (0.9, 0.95)),
        ("eps", SHARED, SHARED),
        ("anything", None, None),
    ],
)
def test_the_same_value_twice_is_no_contradiction(key: str, value: Any, again: Any) -> None:
    both = outcome(Rule("*", **{key: value}), Rule("*", **{key: again}))
    if key == "weight_decay":
        assert both.weight_decay == value
    else:
        assert both.extras == {key: value}


def test_no_decay_is_a_decay_of_0() -> None:
    assert outcome(Rule("*", no_decay=True)).weight_decay == 0.0
    assert outcome(Rule("*", no_decay=True), Rule("*", weight_decay=0)).weight_decay == 0.0
    with pytest.raises(ValueError, match=r"^weight_decay of head.bias must be given once"):
        outcome(Rule("*", no_decay=True), Rule("*", weight_decay=0.1))


def test_a_contradiction_names_the_first_parameter_that_has_it() -> None:
    message = refusal(Net(), Rule("*norm*", betas=0.9), Rule("blocks.1*", betas=0.8))
    assert message.startswith("betas of blocks.1.norm.weight must be given once")


def test_a_value_and_a_scale_combine_in_any_order() -> None:
    value, scale = Rule("*", weight_decay=0.25), Rule("*", weight_decay_scale=3.0)
    for rules in ([value, scale], [scale, value]):
        assert set(decays(*rules).values()) == {0.75}
    assert set(decays(Rule("*", weight_decay=0.25, weight_decay_scale=3.0)).values()) == {0.75}
    assert set(decays(Rule("*", no_decay=True), scale).values()) == {0.0}


# ## Override
def test_override_forgets_what_earlier_rules_said_about_the_same() -> None:
    rules = [
        Rule("*", lr_scale=5.0, betas=(0.9, 0.99), eps=1e-6, tags="a"),
        Rule("*", lr_scale=2.0, betas=(0.8, 0.9), override=True, tags="b"),
    ]
    result = outcome(*rules)
    assert (result.lr_scale, result.tags) == (2.0, ("a", "b"))
    assert result.extras == {"betas": (0.8, 0.9), "eps": 1e-6}
    assert outcome(*rules, Rule("*", lr_scale=3.0)).lr_scale == 6.0


def test_override_of_a_decay_forgets_value_and_scale() -> None:
    before = Rule("*", weight_decay=0.25, weight_decay_scale=8.0)
    assert set(decays(before, Rule("*", weight_decay=1.0, override=True)).values()) == {1.0}
    halved = Rule("*", weight_decay_scale=0.5, override=True)
    assert set(decays(before, halved).values()) == {0.25}
    both = Rule("*", weight_decay=1.0, weight_decay_scale=0.5, override=True)
    assert set(decays(before, both).values()) == {0.5}


def test_an_earlier_override_does_not_allow_a_later_contradiction() -> None:
    rules = [Rule("*", betas=1, override=True), Rule("*", betas=2)]
    with pytest.raises(ValueError, match=r"^betas of head.bias must be given once"):
        outcome(*rules)
    assert outcome(*reversed(rules)).extras == {"betas": 1}


# ## What is built in gives way
@pytest.mark.parametrize(
    "rule",
    [
        Rule("head.bias", weight_decay=0.25),
        Rule("*.bias", weight_decay=0.25),
        Rule("head.*", weight_decay_scale=0.5),
        WeightDecayByNameModifier("head.bias", 0.25),
        Rule("head.bias", weight_decay=0.25, override=True),
    ],
    ids=repr,
)
def test_a_bias_can_be_decayed_by_any_rule_that_says_so(rule: Any) -> None:
    """noether's dead end: a decay by name and the built-in exclusion contradicted each other."""
    assert decays(rule)["head.bias"] == 0.25
    assert decays(rule)["embed.weight"] == 0.5


@pytest.mark.parametrize(
    "rule", [Rule("head.bias", lr_scale=2.0), LrScaleByNameModifier("head.bias", 2.0)], ids=repr
)
def test_a_rule_about_something_else_leaves_the_built_in_ones(rule: Any) -> None:
    assert decays(rule)["head.bias"] == 0.0


def test_explicit_rules_contradict_each_other_where_a_built_in_one_gave_way() -> None:
    rules = [Rule("*.bias", weight_decay=0.1), Rule("head.bias", weight_decay=0.2)]
    message = refusal(Net(), *rules)
    assert message.startswith("weight_decay of head.bias must be given once")
    assert "got 0.1 by Rule(Glob(pattern='*.bias'), weight_decay=0.1) and 0.2 by" in message


# ## A rule by itself
def test_a_rule_says_what_it_does() -> None:
    rule = Rule("*.bias", lr_scale=2.0, no_decay=True, freeze=True, tags={"b", "a"}, betas=(0, 0))
    assert repr(rule) == (
        "Rule(Glob(pattern='*.bias'), lr_scale=2.0, weight_decay=0.0, betas=(0, 0), freeze=True, "
        "tags=['a', 'b'])"
    )


def test_rules_and_what_makes_them_are_families() -> None:
    for family in (Rule("*", lr_scale=2.0), LayerDecay(0.5), LrScaleByNameModifier("a", 2.0)):
        assert isinstance(family, RuleFamily)
    assert not isinstance("*", RuleFamily)


def test_a_rule_can_be_used_for_several_models() -> None:
    rules = [Rule("head.*", lr_scale=2.0, tags="h"), LayerDecay(0.5)]
    first, second = (param_groups(Net(), rules, lr=1.0) for _ in range(2))
    assert entry(first, "lr") == entry(second, "lr")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"select": 3, "lr_scale": 1.0}, TypeError, "select must be a selector, a text, a module"),
        ({"select": None, "lr_scale": 1.0}, TypeError, "select must be a selector"),
        ({"select": int, "lr_scale": 1.0}, TypeError, "select must be a selector"),
        ({"select": ["a"], "lr_scale": 1.0}, TypeError, "select must be a selector"),
        ({"select": "", "lr_scale": 1.0}, ValueError, "pattern must be a text that is not empty"),
        ({}, ValueError, "a rule must do something, got only select=Glob"),
        ({"override": True, "optional": True}, ValueError, "a rule must do something"),
        ({"tags": []}, ValueError, "a rule must do something"),
        ({"lr_scale": -1.0}, ValueError, "lr_scale must be a finite number >= 0, got -1.0"),
        ({"lr_scale": "2"}, TypeError, "lr_scale must be a finite number >= 0, got '2'"),
        ({"lr_scale": float("nan")}, ValueError, "lr_scale must be a finite number >= 0, got nan"),
        ({"lr_scale": True}, TypeError, "lr_scale must be a finite number"),
        ({"weight_decay": -0.1}, ValueError, "weight_decay must be a finite number >= 0"),
        ({"weight_decay": False}, TypeError, "weight_decay must be a finite number >= 0"),
        ({"weight_decay_scale": 1e999}, ValueError, "weight_decay_scale must be a finite number"),
        ({"weight_decay_scale": ABSOLUTE}, TypeError, "weight_decay_scale must be a finite number"),
        ({"no_decay": 1}, TypeError, "no_decay must be True or False, got 1"),
        ({"freeze": None}, TypeError, "freeze must be True or False, got None"),
        ({"lr_scale": 1.0, "override": "yes"}, TypeError, "override must be True or False"),
        ({"lr_scale": 1.0, "optional": 0}, TypeError, "optional must be True or False"),
        ({"no_decay": True, "weight_decay": 0.1}, ValueError, "no_decay must be False where a"),
        ({"no_decay": True, "weight_decay_scale": 2.0}, ValueError, "no_decay must be False where"),
        ({"lr": 0.1}, ValueError, "lr must not be set by a rule, got 0.1; use lr_scale"),
        ({"params": []}, ValueError, r"params must not be set by a rule, got \[\]$"),
        ({"name": "x"}, ValueError, "name must not be set by a rule, got 'x'"),
        ({"param_names": "x"}, ValueError, "param_names must not be set by a rule"),
        ({"original_lr": 1}, ValueError, "original_lr must not be set by a rule"),
        ({"original_weight_decay": 1}, ValueError, "original_weight_decay must not be set"),
        ({"tags": 3}, TypeError, "tags must be a text or several, got 3"),
        ({"tags": None}, TypeError, "tags must be a text or several, got None"),
        ({"tags": ["a", 3]}, TypeError, "tags must be a text, got 3"),
        ({"tags": ""}, ValueError, "tags must be a text that is not empty"),
    ],
)
def test_wrong_arguments_are_refused_at_once(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{message}") as caught:
        Rule(**{"select": "*", **arguments})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (Rule("*", lr_scale=2.0), "rules must be a list of rules, got Rule"),
        (LayerDecay(0.5), "rules must be a list of rules, got LayerDecay"),
        ("*.bias", "rules must be a list of rules, got '"),
        (None, "rules must be a list of rules, got None"),
        (3, "rules must be a list of rules, got 3"),
        (["*.bias"], "rules must be rules or families of rules, got '"),
        ([None], "rules must be rules or families of rules, got None"),
        ({"*.bias": 2.0}, "rules must be rules or families of rules, got '"),
        ([LayerDecay], "rules must be rules or families of rules, got <class"),
        ([torch.ones(1)], "rules must be rules or families of rules, got tensor"),
        ([nn.Linear(1, 1)], "rules must be rules or families of rules, got Linear"),
    ],
)
def test_what_are_no_rules_is_refused(rules: Any, message: str) -> None:
    with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
        param_groups(Net(), rules)


class Family:
    """Makes whatever it is told to."""

    def __init__(self, made: Any) -> None:
        self.made = made

    def expand(self, table: Any) -> Any:
        """Return it."""
        return self.made

    def __repr__(self) -> str:
        return "Family"


@pytest.mark.parametrize("made", [None, 3, ["*"], "*", [Family([])]])
def test_a_family_must_make_rules(made: Any) -> None:
    with pytest.raises(TypeError, match=r"^expand of Family must return a list of rules, got "):
        param_groups(Net(), [Family(made)])


def test_anything_that_makes_rules_is_a_family() -> None:
    family = Family((Rule("head.*", lr_scale=2.0), Rule("*.bias", lr_scale=3.0)))
    lrs = entry(param_groups(Net(), [family, Rule("*", lr_scale=0.5)], lr=1.0), "lr")
    assert (lrs["head.bias"], lrs["head.weight"], lrs["embed.weight"]) == (3.0, 1.0, 0.5)
    assert param_groups(Net(), [Family([])], lr=1.0)[0]["lr"] == 1.0


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("lr_scael", "lr_scale"),
        ("tag", "tags"),
        ("freezed", "freeze"),
        ("weight_decays", "weight_decay"),
        ("no_decey", "no_decay"),
        ("frozen", "freeze"),
        ("lr_mult", "lr_scale"),
        ("wd", "weight_decay"),
    ],
)
def test_an_extra_that_looks_like_an_argument_is_taken_for_a_typo(typo: str, meant: str) -> None:
    with pytest.raises(ValueError, match=rf"^{typo} must be .* did you mean {meant}\?$"):
        Rule("*", lr_scale=2.0, **{typo: 1})


def test_names_that_optimizers_have_are_no_typos() -> None:
    names = ("betas", "eps", "momentum", "nesterov", "lr_factor", "maximize", "gamma", "final_lr")
    decays = ("weight_decay_kind", "decoupled_weight_decay", "absolute_weight_decay")
    for name in (*names, *decays):
        assert Rule("*", **{name: 1}).actions == {name: 1}
