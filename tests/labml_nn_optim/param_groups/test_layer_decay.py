"""Rates that fall from the head to the stem."""

from __future__ import annotations

import math
from typing import Any

import pytest
import timm.optim
import torch
from torch import nn

from labml_nn_optim.param_groups import Depth, LayerDecay, ParameterTable, Rule, param_groups
from tests.labml_nn_optim.examples import vectors
from tests.labml_nn_optim.param_groups.examples import (
    NAMES,
    Net,
    entry,
    named,
    parts,
    public,
    refusal,
    tree,
)


def rates(model: nn.Module, *rules: Any, **options: Any) -> dict[str, float]:
    """The rate of each parameter for a base of 1."""
    return entry(param_groups(model, rules, lr=1.0, weight_decay=0.05, **options), "lr")


# ## The rule
def test_a_layer_learns_at_a_fixed_part_of_the_rate_of_the_one_behind_it() -> None:
    found = rates(Net(), LayerDecay(0.5))
    assert [found[name] for name in NAMES] == [0.125] + [0.25] * 4 + [0.5] * 4 + [1.0] * 2


def test_groups_have_the_scale_beside_the_rate() -> None:
    groups = param_groups(Net(), [LayerDecay(0.5)], lr=0.1, weight_decay=0.05)
    assert [group.get("lr_scale") for group in groups] == [0.125, 0.25, 0.25, 0.5, 0.5, None, None]
    assert [group["lr"] for group in groups[:2]] == [0.0125, 0.025]
    assert named(groups)["head.weight"]["name"] == "default"
    assert groups[0].items() >= {"name": "lr_scale=0.125", "original_lr": 0.1}.items()


def test_a_rate_of_1_changes_nothing() -> None:
    assert parts(param_groups(Net(), [LayerDecay(1)], lr=1.0)) == parts(param_groups(Net()))


def test_the_exponent_counts_layers_of_the_model_not_depths_that_occur() -> None:
    net = Net()
    net.get_layer_depth = lambda name: (3 if name.startswith("head") else 1, 6)
    found = rates(net, LayerDecay(0.5))
    assert (found["embed.weight"], found["head.weight"]) == (0.5**4, 0.5**2)


def test_other_rules_multiply() -> None:
    rules = [LayerDecay(0.5), Rule("*.bias", lr_scale=4.0), LayerDecay(0.5)]
    found = rates(Net(), *rules)
    assert (found["embed.weight"], found["blocks.1.fc.bias"]) == (1 / 64, 1.0)


def test_decay_is_not_scaled() -> None:
    groups = param_groups(Net(), [LayerDecay(0.5)], lr=1.0, weight_decay=0.05)
    assert set(entry(groups, "weight_decay").values()) == {0.05, 0.0}


def test_the_depth_may_be_given_by_patterns() -> None:
    found = rates(Net(), LayerDecay(0.5, layers=["embed", "blocks", "head"]))
    assert [found[name] for name in NAMES] == [0.25] + [0.5] * 8 + [1.0] * 2
    found = rates(Net(), LayerDecay(0.5, layers=["embed", r"blocks\.(\d)", "head"]))
    assert found == rates(Net(), LayerDecay(0.5))


def test_the_norm_behind_the_blocks_counts_to_the_head_or_to_the_last_block() -> None:
    model = tree(
        embed=nn.Embedding(2, 2), blocks=Net().blocks, norm=nn.LayerNorm(4), head=nn.Linear(4, 2)
    )
    assert rates(model, LayerDecay(0.5))["norm.weight"] == 1.0
    assert rates(model, LayerDecay(0.5, final_norm="last_block"))["norm.weight"] == 0.5


# ## Floors
def test_no_scale_is_below_the_least() -> None:
    found = rates(Net(), LayerDecay(0.5, min_scale=0.3))
    assert [found[name] for name in NAMES] == [0.3] * 5 + [0.5] * 4 + [1.0] * 2


def test_layers_below_a_scale_are_frozen() -> None:
    net = Net()
    groups = param_groups(net, [LayerDecay(0.5, freeze_below=0.25)], lr=1.0)
    assert groups.frozen == ("embed.weight",)
    assert not net.embed.weight.requires_grad
    assert set(entry(groups, "lr").values()) == {0.25, 0.5, 1.0}


def test_freezing_looks_at_the_scale_before_the_floor() -> None:
    groups = param_groups(Net(), [LayerDecay(0.5, min_scale=0.5, freeze_below=0.3)], lr=1.0)
    assert groups.frozen == tuple(NAMES[:5])


def test_layers_that_are_frozen_already_are_no_error() -> None:
    net = Net()
    net.embed.requires_grad_(False)
    net.blocks[0].requires_grad_(False)
    assert set(rates(net, LayerDecay(0.5)).values()) == {0.5, 1.0}
    assert set(rates(net, LayerDecay(0.5, freeze_below=0.3)).values()) == {0.5, 1.0}


# ## Messages
def test_it_says_what_it_is() -> None:
    assert repr(LayerDecay(0.75)) == "LayerDecay(0.75)"
    rules = LayerDecay(0.5, freeze_below=0.2).expand(ParameterTable(Net()))
    assert [repr(rule) for rule in rules] == [
        "Rule(depth 0, freeze=True)",
        "Rule(depth 1, lr_scale=0.25)",
        "Rule(depth 2, lr_scale=0.5)",
        "Rule(depth 3, lr_scale=1.0)",
    ]


def test_a_model_without_layers_is_refused() -> None:
    message = "layers must be given for a model with one layer only, ['weight'], got None"
    assert refusal(nn.Linear(2, 2), LayerDecay(0.5)) == message


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"rate": 0.0}, ValueError, "rate must be a finite number > 0 and <= 1, got 0.0"),
        ({"rate": -0.5}, ValueError, "rate must be a finite number > 0 and <= 1, got -0.5"),
        ({"rate": 75}, ValueError, "rate must be a finite number > 0 and <= 1, got 75.0"),
        ({"rate": "0.5"}, TypeError, "rate must be a finite number > 0 and <= 1, got '0.5'"),
        ({"rate": float("nan")}, ValueError, "rate must be a finite number > 0 and <= 1, got nan"),
        ({"min_scale": 2.0}, ValueError, "min_scale must be a finite number >= 0 and <= 1, got 2.0"),
        ({"min_scale": None}, TypeError, "min_scale must be a finite number"),
        ({"freeze_below": -0.1}, ValueError, "freeze_below must be a finite number >= 0 and <= 1"),
        ({"final_norm": "stem"}, ValueError, "final_norm must be one of head, last_block, got 'stem'"),
        ({"layers": "blocks"}, TypeError, "layers must be a list of regular expressions, got 'blocks'"),
        ({"layers": 12}, TypeError, "layers must be a list of regular expressions, got 12"),
        ({"layers": ["a", 1]}, TypeError, "layers must be a list of regular expressions"),
        ({"layers": ["a", "b("]}, ValueError, "layers must be regular expressions, got .*missing \\)"),
        ({"layers": []}, ValueError, r"layers must be at least one regular expression, got \[\]"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused_at_once(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{message}"):
        LayerDecay(**{"rate": 0.5, **arguments})


# ## timm's rates
def timms(model: nn.Module, rate: float, **options: Any) -> dict[str, float]:
    """The scale that timm gives each parameter."""
    names = {id(param): name for name, param in model.named_parameters()}
    groups = timm.optim.param_groups_layer_decay(
        model, weight_decay=0.05, layer_decay=rate, **options
    )
    return {names[id(param)]: group["lr_scale"] for group in groups for param in group["params"]}


@pytest.mark.parametrize(
    "name",
    [
        *("vit_tiny_patch16_224", "deit_tiny_distilled_patch16_224", "deit3_small_patch16_224"),
        *("vit_base_patch16_clip_224", "beit_base_patch16_224", "eva02_tiny_patch14_224"),
        *("swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256"),
        *("convnext_tiny", "convnextv2_atto", "resnet18", "resnet50", "resnet50d"),
        *("mixer_s16_224", "mobilenetv3_small_100", "hiera_tiny_224", "levit_128s"),
    ],
)
def test_timm_scales_the_same_with_the_norm_in_the_last_block(name: str) -> None:
    model = public(f"timm.{name}")
    ours = rates(model, LayerDecay(0.75, final_norm="last_block"))
    assert ours == pytest.approx(timms(model, 0.75), rel=1e-12)


def test_timms_floor_is_the_same() -> None:
    model = public("timm.vit_tiny_patch16_224")
    ours = rates(model, LayerDecay(0.5, final_norm="last_block", min_scale=0.01))
    assert ours == timms(model, 0.5, min_scale=0.01)


def test_timm_freezes_the_same_layers_unless_there_is_a_floor() -> None:
    """Where the floor is above the scale under which it freezes, timm freezes nothing."""
    decay = LayerDecay(0.5, final_norm="last_block", freeze_below=0.002)
    ours = param_groups(public("timm.vit_tiny_patch16_224"), [decay], lr=1.0)
    model = public("timm.vit_tiny_patch16_224")
    timms(model, 0.5, no_opt_scale=0.002, min_scale=0.01)
    assert all(param.requires_grad for param in model.parameters())
    assert entry(ours, "lr") == timms(model, 0.5, no_opt_scale=0.002)
    frozen = [name for name, param in model.named_parameters() if not param.requires_grad]
    assert list(ours.frozen) == frozen
    assert len(frozen) == 4 + 4 * 12


def differing(name: str, rate: float = 0.5) -> dict[str, tuple[int, int]]:
    """How many layers from the end timm and we see a parameter, where that differs."""
    model = public(f"timm.{name}")
    ours, theirs = rates(model, LayerDecay(rate, final_norm="last_block")), timms(model, rate)
    return {
        name: (round(math.log(theirs[name], rate)), round(math.log(ours[name], rate)))
        for name in ours
        if ours[name] != theirs[name]
    }


def test_without_a_head_timm_counts_a_layer_less() -> None:
    """Here, as in mmpretrain, the head has its depth even if nothing is there."""
    model = public("timm.vit_tiny_patch16_224")
    model.head = nn.Identity()
    ours, theirs = rates(model, LayerDecay(0.5, final_norm="last_block")), timms(model, 0.5)
    assert ours == pytest.approx({name: scale / 2 for name, scale in theirs.items()})
    assert max(ours.values()) == 0.5


def test_rotary_frequencies_are_stem_here_and_head_in_timm() -> None:
    assert differing("vit_small_patch16_rope_mixed_224") == {"rope.freqs": (0, 13)}


def test_a_convolution_behind_the_last_block_is_head_here_and_last_block_in_timm() -> None:
    assert differing("efficientnet_b0") == dict.fromkeys(
        ["conv_head.weight", "bn2.weight", "bn2.bias"], (1, 0)
    )
    assert {name.split(".")[0] for name in differing("resnet33ts")} == {"final_conv"}


def test_two_rows_of_blocks_follow_each_other_here_and_are_counted_side_by_side_in_timm() -> None:
    found = differing("cait_xxs24_224")
    assert found["pos_embed"] == (25, 27)
    assert found["blocks.23.mlp.fc1.weight"] == (1, 3)
    assert not any(name.startswith(("blocks_token_only.1.", "norm", "head")) for name in found)


def test_some_models_have_a_layer_for_each_stage_in_timm_and_for_each_block_here() -> None:
    assert differing("maxvit_tiny_tf_224")["stem.conv1.weight"] == (5, 12)
    assert differing("efficientformer_l1")["stages.0.blocks.0.mlp.fc1.weight"] == (4, 15)


def test_timm_knows_the_blocks_of_regnet_and_we_its_stages() -> None:
    found = differing("regnety_002")
    assert found["stem.conv.weight"] == (14, 5)
    assert found["s1.b1.conv1.conv.weight"] == (13, 4)
    fitting = LayerDecay(0.5, layers=["stem", r"^s(\d)\.b(\d)", "final_conv|head"])
    model = public("timm.regnety_002")
    assert rates(model, fitting) == timms(model, 0.5)


# ## mmpretrain's rates
class Backbone(nn.Module):
    """The backbone for which mmpretrain's groups were recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, 4))
        self.gamma = nn.Parameter(torch.zeros(4))
        self.patch_embed = nn.Conv2d(3, 4, 2)
        self.layers = nn.ModuleList(
            nn.ModuleDict({"lin": nn.Linear(4, 4), "norm": nn.LayerNorm(4)}) for _ in range(2)
        )
        self.ln1 = nn.LayerNorm(4)

    def get_layer_depth(self, name: str, prefix: str = "") -> tuple[int, int]:
        """Return the depth as mmpretrain's ViT does."""
        own = name.removeprefix(prefix)
        if not name.startswith(prefix):
            return 3, 4
        if own in ("cls_token", "pos_embed") or own.startswith("patch_embed"):
            return 0, 4
        return (int(own.split(".")[1]) + 1 if own.startswith("layers") else 3), 4


@pytest.mark.parametrize("knowing", [True, False])
def test_mmpretrains_recorded_rates_come_out(knowing: bool) -> None:
    model = tree(backbone=Backbone(), head=nn.Linear(4, 2))
    if not knowing:
        model.backbone.get_layer_depth = None
    for case in vectors("mmpretrain_layer_decay.json").values():
        rate = (case["paramwise_cfg"] or {}).get("layer_decay_rate")
        recorded = {group["param_name"]: group for group in case["groups"] if "param_name" in group}
        if rate is None or not recorded:
            continue
        found = rates(model, LayerDecay(rate))
        base = case["optimizer"]["lr"]
        expected = {name: group["lr"] / base for name, group in recorded.items()}
        if not knowing:
            # A vector before the blocks is stem by structure, and head for their ViT.
            assert expected.pop("backbone.gamma") == 1.0
            assert found.pop("backbone.gamma") == rate**3
        assert found == pytest.approx(expected)


# ## Real recipes
@pytest.mark.parametrize(
    ("name", "groups", "expected"),
    [
        ("vit_b_16", 28, {
            "conv_proj.weight": 0.75**13, "encoder.layers.encoder_layer_0.ln_1.bias": 0.75**12,
            "encoder.layers.encoder_layer_11.mlp.0.weight": 0.75, "heads.head.weight": 1.0,
        }),
        ("swin_t", 28, {
            "features.0.0.weight": 0.75**13, "features.2.reduction.weight": 0.75**10,
            "features.7.1.mlp.0.weight": 0.75, "norm.weight": 1.0,
        }),
        ("convnext_tiny", 40, {
            "features.0.0.weight": 0.75**19, "features.1.0.layer_scale": 0.75**18,
            "features.7.2.block.0.weight": 0.75, "classifier.0.weight": 1.0,
        }),
        ("resnet50", 36, {
            "conv1.weight": 0.75**17, "layer1.0.conv1.weight": 0.75**16,
            "layer4.2.bn3.weight": 0.75, "fc.bias": 1.0,
        }),
    ],
)  # fmt: skip
def test_recipes_for_the_models_of_torchvision(
    name: str, groups: int, expected: dict[str, float]
) -> None:
    found = param_groups(
        public(f"torchvision.{name}"), [LayerDecay(0.75)], lr=1.0, weight_decay=0.05
    )
    assert len(found) == groups
    assert expected.items() <= entry(found, "lr").items()


def test_a_depth_can_be_selected_beside_a_decay() -> None:
    rules = [LayerDecay(0.5), Rule(Depth(at_most=1), freeze=True), Rule(Depth(3), lr_scale=10.0)]
    found = rates(Net(), *rules)
    assert sorted(set(found.values())) == [0.5, 10.0]


def test_depths_are_found_once_however_many_rules_ask() -> None:
    class Counting(Net):
        asked = 0

        def get_layer_depth(self, name: str) -> tuple[int, int]:
            Counting.asked += 1
            return 0, 2

    rules: list[Any] = [LayerDecay(0.5), *(Rule(Depth(0), lr_scale=2.0) for _ in range(3))]
    param_groups(Counting(), rules, lr=1.0)
    assert Counting.asked == len(NAMES)


def test_a_layer_at_half_the_rate_moves_half_as_far() -> None:
    net = Net()
    before = {name: param.detach().clone() for name, param in net.named_parameters()}
    optimizer = torch.optim.SGD(param_groups(net, [LayerDecay(0.5)], lr=0.5, weight_decay=0.0))
    for param in net.parameters():
        param.grad = torch.ones_like(param)
    optimizer.step()
    moved = {name: float((before[name] - p.detach()).mean()) for name, p in net.named_parameters()}
    assert moved["blocks.0.fc.weight"] == pytest.approx(moved["blocks.1.fc.weight"] / 2, rel=1e-5)
    assert moved["head.weight"] == pytest.approx(0.5, rel=1e-5)
