"""Groups: what is in them, in which order, and whether optimizers take them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from labml_nn_optim import SGD, AdamW, WeightDecay
from labml_nn_optim.param_groups import (
    Applied,
    LayerDecay,
    ParamGroups,
    Rule,
    Substring,
    Tagged,
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
    scaled,
)

MATRICES = ["embed.weight", "blocks.0.fc.weight", "blocks.1.fc.weight", "head.weight"]
VECTORS = [name for name in NAMES if name not in MATRICES]
PLAIN: dict[str, Any] = {
    "exclude_bias_from_weight_decay": False,
    "exclude_normalization_params_from_weight_decay": False,
}


def without_params(group: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in group.items() if key not in {"params", "param_names"}}


# ## What is in a group
def test_without_rules_there_is_a_group_with_decay_and_one_without() -> None:
    net = Net()
    groups = param_groups(net, lr=0.1, weight_decay=0.5)
    assert parts(groups) == [MATRICES, VECTORS]
    assert without_params(groups[0]) == {"name": "default", "lr": 0.1, "weight_decay": 0.5}
    assert without_params(groups[1]) == {
        "name": "weight_decay=0",
        "lr": 0.1,
        "weight_decay": 0.0,
        "weight_decay_scale": 0.0,
        "original_weight_decay": 0.5,
    }
    params = dict(net.named_parameters())
    for group in groups:
        assert all(
            param is params[name]
            for name, param in zip(group["param_names"], group["params"], strict=True)
        )


def test_without_anything_there_is_one_group_with_names_alone() -> None:
    groups = param_groups(Net(), **PLAIN)
    assert [without_params(group) for group in groups] == [{"name": "default"}]
    assert parts(groups) == [NAMES]


def test_a_scale_is_in_the_rate_and_beside_it() -> None:
    groups = param_groups(Net(), [Rule("head.*", lr_scale=5)], lr=0.5, **PLAIN)
    assert without_params(groups[0]) == {"name": "default", "lr": 0.5}
    assert without_params(groups[1]) == {
        "name": "lr_scale=5",
        "lr": 2.5,
        "lr_scale": 5,
        "original_lr": 0.5,
    }


def test_a_decay_of_its_own_is_told_as_part_of_the_base_too() -> None:
    rules = [Rule("head.*", weight_decay=0.25), Rule("embed.*", weight_decay_scale=3)]
    groups = param_groups(Net(), rules, weight_decay=0.5, **PLAIN)
    assert [without_params(group) for group in groups] == [
        {
            "name": "weight_decay=1.5",
            "weight_decay": 1.5,
            "weight_decay_scale": 3.0,
            "original_weight_decay": 0.5,
        },
        {"name": "default", "weight_decay": 0.5},
        {
            "name": "weight_decay=0.25",
            "weight_decay": 0.25,
            "weight_decay_scale": 0.5,
            "original_weight_decay": 0.5,
        },
    ]


def test_without_a_base_a_decay_is_no_part_of_it_unless_it_is_0() -> None:
    rules = [Rule("head.*", weight_decay=0.25), Rule("embed.*", no_decay=True)]
    groups = param_groups(Net(), rules, **PLAIN)
    assert [without_params(group) for group in groups] == [
        {"name": "weight_decay=0", "weight_decay": 0.0, "weight_decay_scale": 0.0},
        {"name": "default"},
        {"name": "weight_decay=0.25", "weight_decay": 0.25},
    ]
    assert param_groups(Net(), rules, weight_decay=0.0, **PLAIN)[0]["name"] == "default"


def test_names_tell_what_is_particular() -> None:
    rules = [
        Rule("embed.*", lr_scale=1e-5, weight_decay=1 / 3, tags=["b", "a"], betas=(0.5, 0.75)),
        Rule("*norm*", amsgrad=True, family="norms", eps=1e-6),
        Rule("head.*", tags="h"),
    ]
    groups = param_groups(Net(), rules, lr=1.0, weight_decay=0.5, **PLAIN)
    assert [group["name"] for group in groups] == [
        "lr_scale=1e-05&weight_decay=0.333333&tags=a+b&betas=(0.5, 0.75)",
        "default",
        "amsgrad=True&family=norms&eps=1e-06",
        "tags=h",
    ]
    assert groups[0]["tags"] == ("a", "b")
    assert groups[0]["betas"] == (0.5, 0.75)
    assert groups[2].items() >= {"amsgrad": True, "family": "norms", "eps": 1e-6}.items()


# ## Which parameters share one
def test_groups_stand_in_the_order_of_their_first_parameter() -> None:
    rules = [scaled("head.*", 4.0), scaled("blocks.1.*", 3.0), scaled("*.fc.bias", 2.0)]
    groups = param_groups(Net(), rules, lr=1.0, **PLAIN)
    assert [group["lr"] for group in groups] == [1.0, 2.0, 3.0, 6.0, 4.0]
    firsts = [NAMES.index(group["param_names"][0]) for group in groups]
    assert firsts == sorted(firsts)
    for group in groups:
        assert group["param_names"] == sorted(group["param_names"], key=NAMES.index)
    assert parts(param_groups(Net(), rules[::-1], lr=1.0, **PLAIN)) == parts(groups)


def test_equal_groups_are_merged_however_rules_made_them() -> None:
    rules = [
        Rule("head.weight", lr_scale=4.0, weight_decay=0.25, betas=(0.9, 0.95)),
        Rule("embed.*", lr_scale=2.0, weight_decay_scale=0.5, betas=(0.9, 0.95)),
        Rule("embed.*", lr_scale=2.0),
        Rule("head.bias", lr_scale=0.5),
        Rule("head.bias", lr_scale=2.0, weight_decay=0.5),
    ]
    groups = param_groups(Net(), rules, lr=1.0, weight_decay=0.5, **PLAIN)
    assert parts(groups) == [["embed.weight", "head.weight"], [*NAMES[1:9], "head.bias"]]
    assert groups[1]["name"] == "default"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"lr_scale": 2.0}, {"lr_scale": 2.0000001}),
        ({"weight_decay": 0.0}, {"lr_scale": 1.0}),
        ({"weight_decay": 0.5}, {"weight_decay": WeightDecay(0.5)}),
        ({"weight_decay": WeightDecay(0.5, absolute=True)}, {"weight_decay": WeightDecay(0.5)}),
        ({"tags": "a"}, {"tags": "b"}),
        ({"tags": "a"}, {"lr_scale": 1.0}),
        ({"betas": (0.9, 0.99)}, {"betas": (0.9, 0.9)}),
        ({"x": None}, {"lr_scale": 1.0}),
        ({"x": 1}, {"y": 1}),
        ({"x": {"a": 1}}, {"x": {"a": 2}}),
        ({"x": torch.zeros(2, 3)}, {"x": torch.zeros(3, 2)}),
        ({"x": torch.zeros(2)}, {"x": torch.zeros(2, dtype=torch.float64)}),
        ({"x": torch.zeros(2, requires_grad=True)}, {"x": torch.zeros(2, requires_grad=True)}),
    ],
)
def test_unequal_groups_are_not_merged(one: dict[str, Any], other: dict[str, Any]) -> None:
    rules = [Rule("*", **one), Rule("head.*", **other, override=True)]
    groups = param_groups(Net(), rules, lr=1.0, weight_decay=0.25, **PLAIN)
    if one.keys() & other.keys():
        assert parts(groups) == [NAMES[:9], NAMES[9:]]
    rules = [Rule("embed.*", **one), Rule("head.*", **other)]
    groups = param_groups(Net(), rules, lr=1.0, weight_decay=0.25, **PLAIN)
    assert "head.weight" not in groups[0]["param_names"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: (0.9, 0.99),
        lambda: [0.9, 0.99],
        lambda: {"a": [1, 2], "b": {"c": 3}},
        lambda: torch.arange(3),
        lambda: WeightDecay(0.1),
        lambda: (torch.ones(2), "x"),
    ],
)
def test_equal_extras_are_merged_whatever_they_are(make: Callable[[], Any]) -> None:
    rules = [Rule("embed.*", x=make()), Rule("head.*", x=make())]
    assert parts(param_groups(Net(), rules, **PLAIN))[0] == [NAMES[0], *NAMES[9:]]


def test_without_merging_each_parameter_has_a_group() -> None:
    groups = param_groups(Net(), [scaled("head.*")], lr=1.0, merge=False)
    assert parts(groups) == [[name] for name in NAMES]
    merged = param_groups(Net(), [scaled("head.*")], lr=1.0)
    assert entry(groups, "lr") == entry(merged, "lr")
    assert [group["name"] for group in groups[-2:]] == ["lr_scale=2", "lr_scale=2&weight_decay=0"]


# ## What becomes of them in optimizers
def trained(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    params = [param for group in optimizer.param_groups for param in group["params"]]
    for _ in range(2):
        for param in params:
            param.grad = torch.full_like(param, 0.1)
        optimizer.step()
    return [param.detach() for param in params]


RECIPE = [
    scaled("head.*", 4.0),
    Rule("embed.*", betas=(0.5, 0.75), eps=1e-4, weight_decay=0.3),
    Rule("*norm*", tags="n"),
]


def test_torchs_and_our_optimizers_take_the_groups_and_make_the_same_of_them() -> None:
    torch.manual_seed(1)
    net, twin = Net(), Net()
    twin.load_state_dict(net.state_dict())
    ours = AdamW(param_groups(net, RECIPE, lr=0.01, weight_decay=0.5))
    theirs = torch.optim.AdamW(param_groups(twin, RECIPE, lr=0.01, weight_decay=0.5))
    for optimizer in (ours, theirs):
        groups = named(optimizer.param_groups)
        assert groups["embed.weight"]["betas"] == (0.5, 0.75)
        assert groups["embed.weight"]["eps"] == 1e-4
        assert groups["head.weight"]["betas"] == (0.9, 0.999)
        assert groups["head.weight"]["lr"] == 0.04
        assert groups["blocks.0.norm.bias"]["tags"] == ("n",)
        assert groups["blocks.0.norm.bias"]["weight_decay"] == 0.0
    for left, right in zip(trained(ours), trained(theirs), strict=True):
        torch.testing.assert_close(left, right)


@pytest.mark.parametrize("kind", [torch.optim.AdamW, AdamW])
def test_what_was_not_given_is_the_optimizers_own(kind: Any) -> None:
    optimizer = kind(param_groups(Net()), lr=0.25, weight_decay=0.125)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.25]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.125, 0.0]


@pytest.mark.parametrize("kind", [torch.optim.AdamW, AdamW])
def test_a_state_dict_has_the_groups_and_brings_them_back(kind: Any) -> None:
    optimizer = kind(param_groups(Net(), RECIPE, lr=0.01, weight_decay=0.5))
    trained(optimizer)
    again = kind(param_groups(Net(), RECIPE, lr=0.02, weight_decay=0.25))
    again.load_state_dict(optimizer.state_dict())
    assert parts(again.param_groups) == parts(optimizer.param_groups)
    for loaded, saved in zip(again.param_groups, optimizer.param_groups, strict=True):
        assert without_params(saved).items() <= loaded.items()


def test_a_decay_that_is_an_object_keeps_its_kind_whatever_rules_say() -> None:
    rules = [Rule("embed.*", weight_decay_scale=0.5), Rule("head.weight", weight_decay=0.4)]
    coupled = WeightDecay(0.2, weight_decouple=False)
    groups = param_groups(Net(), rules, lr=0.1, weight_decay=coupled)
    decays = entry(groups, "weight_decay")
    for name, number in (
        *(("embed.weight", 0.1), ("blocks.0.fc.weight", 0.2)),
        *(("head.weight", 0.4), ("head.bias", 0.0)),
    ):
        assert decays[name] == WeightDecay(number, weight_decouple=False)
    assert [group["name"] for group in groups] == [
        *("weight_decay=0.1", "default", "weight_decay=0", "weight_decay=0.4"),
    ]
    scales = entry(groups, "weight_decay_scale")
    assert (scales["embed.weight"], scales["head.weight"], scales["head.bias"]) == (0.5, 2.0, 0.0)
    for group in AdamW(groups).param_groups:
        assert group["decoupled_weight_decay"] is False
        assert isinstance(group["weight_decay"], float)


def test_a_rule_may_give_a_decay_of_another_kind() -> None:
    absolute = WeightDecay(0.01, absolute=True)
    groups = param_groups(
        Net(), [Rule("head.weight", weight_decay=absolute)], lr=0.5, weight_decay=0.1
    )
    group = named(groups)["head.weight"]
    assert group["weight_decay"] == absolute
    assert group["weight_decay_scale"] == pytest.approx(0.1)
    optimizer = SGD(groups)
    before = named(optimizer.param_groups)["head.weight"]["params"][0].detach().clone()
    for param in (param for group in optimizer.param_groups for param in group["params"]):
        param.grad = torch.zeros_like(param)
    optimizer.step()
    after = named(optimizer.param_groups)["head.weight"]["params"][0]
    torch.testing.assert_close(after.detach(), 0.99 * before)


def test_a_scale_of_a_decay_that_is_an_object_keeps_its_kind() -> None:
    rules = [Rule("head.weight", weight_decay=WeightDecay(0.4, absolute=True)), scaled_decay(0.5)]
    group = named(param_groups(Net(), rules, weight_decay=0.8))["head.weight"]
    assert group["weight_decay"] == WeightDecay(0.2, absolute=True)
    assert group["weight_decay_scale"] == pytest.approx(0.25)


def scaled_decay(by: float) -> Rule:
    return Rule("head.weight", weight_decay_scale=by)


@pytest.mark.parametrize("merge", [True, False])
def test_a_rate_that_is_a_tensor_is_one_for_each_group(merge: bool) -> None:
    lr = torch.tensor(0.5, dtype=torch.float64)
    groups = param_groups(Net(), [scaled("head.*", 3.0)], lr=lr, merge=merge)
    assert entry(groups, "lr")["head.bias"] == torch.tensor(1.5, dtype=torch.float64)
    assert entry(groups, "original_lr")["head.bias"] == 0.5
    held = [group["lr"] for group in groups]
    assert all(isinstance(each, Tensor) for each in held)
    held[0].fill_(7.0)
    assert lr == 0.5
    assert all(each != 7.0 for each in held[1:])
    assert len(groups) == (4 if merge else len(NAMES))


def test_optimizers_take_a_rate_that_is_a_tensor() -> None:
    for kind in (torch.optim.AdamW, AdamW):
        groups = param_groups(Net(), RECIPE, lr=torch.tensor(0.01), weight_decay=0.5)
        assert all(torch.isfinite(param).all() for param in trained(kind(groups)))


# ## Bases
@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([scaled("head.*")], "lr must be a number where a rule scales it, for head.weight"),
        ([LayerDecay(0.5)], "lr must be a number where a rule scales it, for embed.weight"),
        (
            [Rule("*.bias", weight_decay_scale=2.0)],
            "weight_decay must be a number where a rule scales it, for blocks.0.fc.bias",
        ),
    ],
)
def test_a_base_that_a_rule_needs_must_be_given(rules: list[Any], message: str) -> None:
    net = Net()
    with pytest.raises(ValueError, match=f"^{message}, got None$"):
        param_groups(net, [Rule("blocks.1.*", freeze=True), *rules])
    assert all(param.requires_grad for param in net.parameters())


def test_a_base_that_no_rule_needs_may_be_left_out() -> None:
    rules = [
        Rule("head.*", lr_scale=2.0),
        Rule("head.*", lr_scale=0.5),
        Rule("embed.*", weight_decay=0.5),
        Rule("embed.*", weight_decay_scale=0.5),
    ]
    groups = param_groups(Net(), rules)
    assert entry(groups, "lr")["head.weight"] is None
    assert entry(groups, "weight_decay")["embed.weight"] == 0.25


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"lr": -1.0}, ValueError, "lr must be a finite number >= 0, got -1.0"),
        ({"lr": "1"}, TypeError, "lr must be a finite number >= 0, got '1'"),
        ({"lr": float("inf")}, ValueError, "lr must be a finite number >= 0, got inf"),
        ({"lr": torch.ones(2)}, TypeError, "lr must be a finite number >= 0"),
        ({"weight_decay": -0.1}, ValueError, "weight_decay must be a finite number >= 0, got -0.1"),
        ({"weight_decay": [0.1]}, TypeError, "weight_decay must be a finite number >= 0"),
        ({"merge": 1}, TypeError, "merge must be True or False, got 1"),
        ({"include_frozen": None}, TypeError, "include_frozen must be True or False, got None"),
        (
            {"exclude_bias_from_weight_decay": "no"},
            TypeError,
            "exclude_bias_from_weight_decay must be True or False, got 'no'",
        ),
        (
            {"exclude_normalization_params_from_weight_decay": 0},
            TypeError,
            "exclude_normalization_params_from_weight_decay must be True or False, got 0",
        ),
        ({"model": None}, TypeError, "model must be a torch.nn.Module, got a NoneType"),
        ({"model": {}}, TypeError, "model must be a torch.nn.Module"),
        ({"model": nn.ReLU()}, ValueError, "model must have a parameter, got ReLU without"),
        ({"model": nn.LazyLinear(2)}, ValueError, "model must have been run once, got weight"),
    ],
)
def test_wrong_arguments_are_refused(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}") as caught:
        param_groups(**{"model": Net(), **arguments})
    assert "\n" not in str(caught.value)


def test_a_model_without_parameters_is_refused_whatever_the_rules() -> None:
    for rule in (scaled("*"), LayerDecay(0.5), Rule(nn.Linear, no_decay=True)):
        assert refusal(nn.ReLU(), rule) == "model must have a parameter, got ReLU without"


# ## Parameters that are not trained
def test_frozen_parameters_are_left_out_and_named() -> None:
    net = Net()
    net.embed.weight.requires_grad_(False)
    groups = param_groups(net, [Rule("blocks.0.*", freeze=True), scaled("*")], lr=1.0)
    assert parts(groups) == [[NAMES[5], NAMES[9]], [*NAMES[6:9], NAMES[10]]]
    assert groups.frozen == tuple(NAMES[:5])
    assert [name for name, param in net.named_parameters() if not param.requires_grad] == NAMES[:5]


def test_frozen_parameters_can_be_included() -> None:
    net = Net()
    net.embed.weight.requires_grad_(False)
    groups = param_groups(net, [Rule("head.*", freeze=True)], include_frozen=True, **PLAIN)
    assert parts(groups) == [NAMES]
    assert groups.frozen == ()
    assert not net.head.bias.requires_grad


def test_a_model_in_which_nothing_is_trained_is_refused() -> None:
    message = "model must have a parameter to train, got none that is not frozen"
    net = Net()
    assert refusal(net, Rule("*", freeze=True)) == message
    assert all(param.requires_grad for param in net.parameters())
    with pytest.raises(ValueError, match=f"^{message}$"):
        param_groups(net.requires_grad_(False))
    assert parts(param_groups(net, include_frozen=True, **PLAIN)) == [NAMES]


def test_a_frozen_parameter_needs_no_base() -> None:
    groups = param_groups(Net(), [Rule("head.*", freeze=True, lr_scale=2.0)])
    assert "head.bias" not in named(groups)


# ## Parameters and modules that are shared
def test_a_tied_parameter_is_in_one_group_under_its_first_name() -> None:
    tied = Tied()
    groups = param_groups(tied, [scaled("embed.*")], lr=1.0)
    assert sorted(named(groups)) == ["embed.weight", "fc.bias", "fc.weight"]
    assert sum(len(group["params"]) for group in groups) == 3
    torch.optim.SGD(groups)


def test_a_tied_parameter_belongs_to_the_module_of_its_first_name() -> None:
    assert "the modules are Embedding, Linear" in refusal(Tied(), Rule(nn.Conv1d, lr_scale=2.0))
    lrs = entry(param_groups(Tied(), [Rule(nn.Linear, lr_scale=2.0)], lr=1.0), "lr")
    assert lrs == {"embed.weight": 1.0, "fc.weight": 2.0, "fc.bias": 2.0}


def test_a_shared_module_is_in_groups_once() -> None:
    layer = nn.Linear(2, 2)
    model = nn.Sequential(layer, nn.Sequential(nn.LayerNorm(2), layer), layer)
    groups = param_groups(model, [scaled("0.*")], lr=1.0)
    assert entry(groups, "lr") == {
        **{"0.weight": 2.0, "0.bias": 2.0},
        **{"1.0.weight": 1.0, "1.0.bias": 1.0},
    }
    message = refusal(model, scaled("2.bias"))
    assert message.endswith("2.bias is tied, and goes by the name 0.bias")


def test_freezing_a_tied_parameter_freezes_it_everywhere() -> None:
    tied = Tied()
    param_groups(tied, [Rule("embed.*", freeze=True)])
    assert not tied.head.weight.requires_grad


# ## What is told about the rules
def test_groups_tell_what_each_rule_spoke_of() -> None:
    rules = [
        scaled("head.*"),
        Rule(Substring("embed"), freeze=True),
        Rule("x", tags="x", optional=True),
    ]
    groups = param_groups(Net(), rules, lr=1.0)
    assert isinstance(groups, ParamGroups)
    assert isinstance(groups, list)
    assert [applied.rule.is_default for applied in groups.applied] == [True, True, *[False] * 3]
    assert [applied.rule for applied in groups.applied[2:]] == rules
    assert [(each.tensors, each.parameters) for each in groups.applied] == [
        *((5, 2 * (4 + 4) + 3), (2, 8)),
        *((2, 15), (1, 20), (0, 0)),
    ]
    assert groups.applied[2] == Applied(rules[0], 2, 15)


def test_a_rule_about_what_another_one_freezes_is_an_error_each_time() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    rules = [Rule("0.*", freeze=True), Rule("0.weight", lr_scale=0.1)]
    for _ in range(2):
        with pytest.raises(ValueError, match=r"lr_scale=0.1\) must match .* got frozen ones only"):
            param_groups(model, rules, lr=1.0)
        assert model[0].weight.requires_grad
    assert param_groups(model, rules, lr=1.0, include_frozen=True)[0]["lr"] == 0.1


def test_a_tag_may_choose_what_is_frozen() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    rules = [Rule("0.*", tags="old"), Rule(Tagged("old"), freeze=True)]
    for _ in range(2):
        assert param_groups(model, rules, lr=1.0).frozen == ("0.weight", "0.bias")
