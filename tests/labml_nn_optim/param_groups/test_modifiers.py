"""noether's modifiers: what they answer, what is refused, and how they serve as rules."""

from __future__ import annotations

import copy
import gc
import re
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from labml_nn_optim import AdamW
from labml_nn_optim.param_groups import (
    LrScaleByNameModifier,
    ParamGroupModifierBase,
    ParamGroupModifierConfig,
    Rule,
    WeightDecayByNameModifier,
    param_groups,
)
from tests.labml_nn_optim.param_groups.examples import (
    NAMES,
    Net,
    Tied,
    entry,
    named,
    parts,
    refusal,
)

MATRICES = ["embed.weight", "blocks.0.fc.weight", "blocks.1.fc.weight", "head.weight"]
KINDS = [LrScaleByNameModifier, WeightDecayByNameModifier]


def walked(modifier: ParamGroupModifierBase, model: nn.Module) -> dict[str, dict[str, Any]]:
    """What a modifier answers for each parameter, as noether asks."""
    return {
        name: modifier.get_properties(model, name, param)
        for name, param in model.named_parameters()
    }


class ByShape(ParamGroupModifierBase):
    """Answers for matrices, and counts how often it is asked."""

    def __init__(self, **answer: Any) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def get_properties(self, model: nn.Module, name: str, param: Tensor) -> dict[str, Any]:
        """Return the answer for matrices."""
        self.asked.append(name)
        return dict(self.answer) if param.ndim == 2 else {}

    def __repr__(self) -> str:
        return "ByShape"


# ## On their own
def test_the_scale_is_for_the_parameter_of_exactly_this_name() -> None:
    modifier = LrScaleByNameModifier("head.weight", 0.5)
    assert not modifier.was_applied_successfully()
    answers = walked(modifier, Net())
    assert answers.pop("head.weight") == {"lr_scale": 0.5}
    assert not any(answers.values())
    assert modifier.was_applied_successfully()


def test_the_decay_is_for_the_parameter_of_exactly_this_name() -> None:
    answers = walked(WeightDecayByNameModifier("head.bias", 0.25), Net())
    assert answers.pop("head.bias") == {"weight_decay": 0.25}
    assert not any(answers.values())


def test_a_decay_of_none_is_0() -> None:
    modifier = WeightDecayByNameModifier("embed.weight")
    assert walked(modifier, Net())["embed.weight"] == {"weight_decay": 0.0}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["head", "weight", "head.weigh", "Head.weight", "*.weight"])
def test_nothing_but_the_full_name_is_found(kind: Any, name: str) -> None:
    modifier = kind(name, 1.0)
    assert not any(walked(modifier, Net()).values())
    assert not modifier.was_applied_successfully()


@pytest.mark.parametrize("kind", KINDS)
def test_frozen_parameters_are_found_too(kind: Any) -> None:
    modifier = kind("embed.weight", 1.0)
    assert walked(modifier, Net().requires_grad_(False))["embed.weight"]
    assert modifier.was_applied_successfully()


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_match_in_the_same_model_is_refused(kind: Any) -> None:
    net, modifier = Net(), kind("head.bias", 1.0)
    walked(modifier, net)
    message = "name must be that of one parameter, got 'head.bias' a second time"
    with pytest.raises(ValueError, match=f"^{message}$"):
        modifier.get_properties(net, "head.bias", net.head.bias)
    modifier.reset()
    assert walked(modifier, net)["head.bias"]


@pytest.mark.parametrize("kind", KINDS)
def test_another_model_is_looked_through_anew(kind: Any) -> None:
    modifier = kind("head.bias", 1.0)
    walked(modifier, Net())
    other = nn.Sequential(nn.Linear(2, 2))
    assert not any(walked(modifier, other).values())
    assert not modifier.was_applied_successfully()
    assert walked(modifier, Net())["head.bias"]


def test_a_modifier_keeps_no_model_alive() -> None:
    net, modifier = Net(), LrScaleByNameModifier("head.bias", 1.0)
    walked(modifier, net)
    model = weakref.ref(net)
    del net
    gc.collect()
    assert model() is None
    assert modifier.was_applied_successfully()


# ## Configurations
def test_a_configuration_says_name_and_number() -> None:
    scale = LrScaleByNameModifier(ParamGroupModifierConfig("head.bias", scale=0.0))
    assert (scale.name, scale.scale) == ("head.bias", 0.0)
    value = WeightDecayByNameModifier(ParamGroupModifierConfig("head.bias", value=0.5))
    assert (value.name, value.value) == ("head.bias", 0.5)
    groups = named(param_groups(Net(), [scale, value], lr=1.0, weight_decay=0.1))
    assert (groups["head.bias"]["lr"], groups["head.bias"]["weight_decay"]) == (0.0, 0.5)


CONFIG = ParamGroupModifierConfig


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: CONFIG("a"), ValueError, "exactly one of scale and value must be given, got scale=None and value=None"),
        (lambda: CONFIG("a", 1.0, 1.0), ValueError, "exactly one of scale and value must be given"),
        (lambda: CONFIG("a", scale=-1.0), ValueError, "scale must be a finite number >= 0, got -1.0"),
        (lambda: CONFIG("a", value=-1.0), ValueError, "value must be a finite number >= 0, got -1.0"),
        (lambda: CONFIG("a", value="1"), TypeError, "value must be a finite number >= 0, got '1'"),
        (lambda: CONFIG(None, 1.0), TypeError, "name must be a text, got None"),
        (lambda: CONFIG("", 1.0), ValueError, "name must be a text that is not empty"),
        (lambda: LrScaleByNameModifier("a"), ValueError, "scale must be a finite number >= 0, got None"),
        (lambda: LrScaleByNameModifier("a", -0.5), ValueError, "scale must be a finite number >= 0"),
        (lambda: LrScaleByNameModifier("a", "x"), TypeError, "scale must be a finite number >= 0"),
        (lambda: LrScaleByNameModifier(3, 1.0), TypeError, "name must be a text, got 3"),
        (lambda: LrScaleByNameModifier(CONFIG("a", value=1.0)), ValueError, "scale must be given by the configuration"),
        (lambda: LrScaleByNameModifier(CONFIG("a", 1.0), 1.0), ValueError, "scale must be given by the configuration"),
        (lambda: WeightDecayByNameModifier("", 1.0), ValueError, "name must be a text that is not empty"),
        (lambda: WeightDecayByNameModifier("a", -1.0), ValueError, "value must be a finite number >= 0"),
        (lambda: WeightDecayByNameModifier(CONFIG("a", 1.0)), ValueError, "value must be given by the configuration"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused_at_once(
    make: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{message}"):
        make()


# ## As rules
def test_scales_of_modifiers_and_rules_multiply() -> None:
    rules = [
        LrScaleByNameModifier("head.bias", 0.5),
        Rule("head.*", lr_scale=4.0),
        LrScaleByNameModifier("head.bias", 0.25),
    ]
    lrs = entry(param_groups(Net(), rules, lr=1.0), "lr")
    assert (lrs["head.bias"], lrs["head.weight"], lrs["embed.weight"]) == (0.5, 4.0, 1.0)


def test_two_decays_of_one_parameter_must_be_equal() -> None:
    """noether refused equal ones, too."""
    first, same, other = (WeightDecayByNameModifier("head.weight", v) for v in (0.25, 0.25, 0.5))
    groups = param_groups(Net(), [first, same], weight_decay=0.1)
    assert entry(groups, "weight_decay")["head.weight"] == 0.25
    assert refusal(Net(), first, other) == (
        "weight_decay of head.weight must be given once, or again with override=True, got 0.25 by "
        f"Rule({first!r}: head.weight, weight_decay=0.25) and 0.5 by "
        f"Rule({other!r}: head.weight, weight_decay=0.5)"
    )


def test_a_decay_that_is_the_base_merges_with_the_rest() -> None:
    """noether made a group of its own."""
    modifier = WeightDecayByNameModifier("head.weight", 0.5)
    groups = param_groups(Net(), [modifier], weight_decay=0.5)
    assert parts(groups) == parts(param_groups(Net(), weight_decay=0.5))


def test_a_name_that_is_not_there_fails_with_the_nearest() -> None:
    net = Net()
    for modifier in (
        LrScaleByNameModifier("haed.bias", 2.0),
        WeightDecayByNameModifier("haed.bias"),
    ):
        message = refusal(net, Rule("embed.*", freeze=True), modifier)
        assert message.startswith(
            f"{modifier!r} must match a parameter; the nearest names are head.b"
        )
        assert net.embed.weight.requires_grad
    assert refusal(Tied(), LrScaleByNameModifier("head.weight", 2.0)) == (
        "LrScaleByNameModifier('head.weight', 2.0) must match a parameter; "
        "head.weight is tied, and goes by the name embed.weight"
    )


def test_a_name_of_a_frozen_parameter_fails_unless_it_is_in_a_group() -> None:
    net = Net()
    net.head.requires_grad_(False)
    modifier = LrScaleByNameModifier("head.bias", 2.0)
    assert "must match a parameter that is trained, got frozen ones only" in refusal(net, modifier)
    groups = param_groups(net, [modifier], lr=1.0, include_frozen=True)
    assert entry(groups, "lr")["head.bias"] == 2.0


def test_a_modifier_serves_as_a_rule_again_and_again() -> None:
    net = Net()
    for modifier in (LrScaleByNameModifier("head.bias", 2.0), ByShape(lr_scale=2.0)):
        first = param_groups(net, [modifier], lr=1.0)
        assert modifier.was_applied_successfully()
        again = param_groups(net, [modifier, modifier], lr=1.0)
        twin = param_groups(Net(), [copy.deepcopy(modifier)], lr=1.0)
        assert entry(first, "lr") == entry(twin, "lr")
        assert entry(again, "lr") == {name: lr**2 for name, lr in entry(first, "lr").items()}


def test_a_modifier_that_was_used_by_itself_serves_as_a_rule() -> None:
    net, modifier = Net(), LrScaleByNameModifier("head.bias", 2.0)
    walked(modifier, net)
    assert entry(param_groups(net, [modifier], lr=1.0), "lr")["head.bias"] == 2.0


# ## Own modifiers
def test_an_own_modifier_is_asked_once_for_each_parameter_also_for_frozen_ones() -> None:
    net = Net()
    net.embed.requires_grad_(False)
    modifier = ByShape(lr_scale=0.5)
    lrs = entry(param_groups(net, [modifier], lr=1.0), "lr")
    assert modifier.asked == NAMES
    assert [name for name, lr in lrs.items() if lr == 0.5] == MATRICES[1:]


def test_an_own_modifier_that_means_frozen_parameters_only_fails() -> None:
    net = Net()
    for param in net.parameters():
        param.requires_grad_(param.ndim == 1)
    assert "got frozen ones only" in refusal(net, ByShape(lr_scale=0.5))


def test_an_own_modifier_may_set_anything_a_rule_may() -> None:
    modifier = ByShape(lr_scale=2.0, weight_decay=0.25, betas=(0.5, 0.75), tags="matrix")
    group = AdamW(param_groups(Net(), [modifier], lr=1.0, weight_decay=0.1)).param_groups[0]
    assert group["param_names"] == MATRICES
    assert (group["lr"], group["weight_decay"], group["betas"]) == (2.0, 0.25, (0.5, 0.75))
    assert group["tags"] == ("matrix",)


def test_an_own_modifier_may_freeze() -> None:
    net = Net()
    groups = param_groups(net, [ByShape(freeze=True)])
    assert list(groups.frozen) == MATRICES
    assert not net.head.weight.requires_grad


@pytest.mark.parametrize("key", ["params", "name", "param_names", "lr", "original_lr"])
def test_what_belongs_to_the_group_itself_is_refused(key: str) -> None:
    message = f"{key} must not be set by a rule, got 'x'"
    assert refusal(Net(), ByShape(**{key: "x"})).startswith(message)


@pytest.mark.parametrize("answer", [None, [], "lr_scale", 2.0, [("lr_scale", 2.0)]])
def test_an_answer_that_is_no_dictionary_is_refused(answer: Any) -> None:
    modifier = ByShape()
    modifier.get_properties = lambda model, name, param: answer
    message = f"get_properties must return a dict, got {answer!r} for embed.weight"
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        param_groups(Net(), [modifier])


def test_an_own_modifier_that_was_not_applied_fails() -> None:
    class Never(ByShape):
        def was_applied_successfully(self) -> bool:
            return False

    net = Net()
    rules = [Rule("embed.*", freeze=True), Never(lr_scale=2.0)]
    assert refusal(net, *rules) == (
        "ByShape must match a parameter; the names are embed.weight, blocks.0.fc.weight, "
        "blocks.0.fc.bias, ..."
    )
    assert net.embed.weight.requires_grad


def test_an_own_modifier_may_mean_nothing() -> None:
    groups = param_groups(Net(), [ByShape()], lr=1.0)
    assert set(entry(groups, "lr").values()) == {1.0}


def test_an_own_modifier_must_say_what_it_answers() -> None:
    with pytest.raises(
        NotImplementedError, match=r"^ParamGroupModifierBase has no get_properties$"
    ):
        param_groups(Net(), [ParamGroupModifierBase()])


def test_an_own_modifier_knows_the_model() -> None:
    class Deep(ParamGroupModifierBase):
        def get_properties(self, model: nn.Module, name: str, param: Tensor) -> dict[str, Any]:
            count = len(model.blocks)
            depth = int(name.split(".")[1]) if name.startswith("blocks") else count
            return {"lr_scale": 0.5 ** (count - depth)}

    lrs = entry(param_groups(Net(), [Deep()], lr=1.0), "lr")
    assert (lrs["blocks.0.fc.bias"], lrs["blocks.1.fc.bias"], lrs["head.bias"]) == (0.25, 0.5, 1.0)


def test_the_groups_of_a_modifier_train() -> None:
    torch.manual_seed(1)
    net = Net()
    optimizer = AdamW(param_groups(net, [LrScaleByNameModifier("head.bias", 0.0)], lr=0.5))
    before = net.head.bias.detach().clone(), net.head.weight.detach().clone()
    for param in net.parameters():
        param.grad = torch.ones_like(param)
    optimizer.step()
    assert net.head.bias.equal(before[0])
    assert not net.head.weight.equal(before[1])
