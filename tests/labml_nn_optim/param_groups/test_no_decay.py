"""Which parameters are not decayed unless a rule says so."""

from __future__ import annotations

import pytest
import timm.layers
import torch
from torch import Tensor, nn

from labml_nn_optim import AdamW
from labml_nn_optim.param_groups import (
    Biases,
    Normalization,
    Rule,
    built_in_rules,
    description,
    param_groups,
)
from tests.labml_nn_optim.param_groups.examples import NAMES, Net, chosen, entry, public, tree


class RMSNorm(nn.Module):
    """A normalization that derives from nothing."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(shape))


class LayerNormWithAnotherName(nn.LayerNorm):
    """Known by what it derives from."""


LayerNormWithAnotherName.__name__ = "Affine"


class LayerScale(nn.Module):
    """A scale for each channel."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(shape))


class NormedLinear(nn.Linear):
    """A layer that has the word in its name."""


class NormAttentionBlock(nn.Module):
    """A block that has the word in its name, a layer inside and a matrix of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Linear(2, 2, bias=False)
        self.table = nn.Parameter(torch.ones(2, 2))


def decayed(model: nn.Module, biases: bool = True, normalization: bool = True) -> list[str]:
    """The names of what is decayed."""
    groups = param_groups(
        model,
        weight_decay=0.5,
        exclude_bias_from_weight_decay=biases,
        exclude_normalization_params_from_weight_decay=normalization,
    )
    decays = entry(groups, "weight_decay")
    return [name for name, _ in model.named_parameters() if decays[name] == 0.5]


@pytest.mark.parametrize(
    "norm",
    [
        nn.LayerNorm((2, 3, 4)),
        nn.LayerNorm(4),
        nn.LayerNorm(4, bias=False),
        nn.RMSNorm(4),
        nn.RMSNorm((3, 4)),
        nn.BatchNorm1d(4),
        nn.BatchNorm2d(4),
        nn.BatchNorm3d(4),
        nn.SyncBatchNorm(4),
        nn.GroupNorm(2, 4),
        nn.InstanceNorm1d(4, affine=True),
        nn.InstanceNorm2d(4, affine=True),
        RMSNorm(4),
        RMSNorm(4, 1, 1),
        LayerNormWithAnotherName((2, 2)),
        timm.layers.LayerNorm2d(4),
        timm.layers.BatchNormAct2d(4),
        timm.layers.RmsNorm(4),
        timm.layers.GroupNorm1(4),
    ],
    ids=lambda norm: f"{type(norm).__name__}{tuple(norm.weight.shape)}",
)
def test_normalization_is_not_decayed_whatever_its_class_and_shape(norm: nn.Module) -> None:
    model = tree(fc=nn.Linear(2, 2), norm=norm)
    assert decayed(model) == ["fc.weight"]
    assert "norm.weight" in decayed(model, normalization=False)
    assert "norm.weight" in chosen(model, Normalization())


@pytest.mark.parametrize(
    ("module", "names"),
    [
        (nn.Linear(2, 2), ["weight"]),
        (nn.Bilinear(2, 2, 2), ["weight"]),
        (nn.Conv2d(2, 2, 3), ["weight"]),
        (nn.ConvTranspose1d(2, 2, 3), ["weight"]),
        (nn.Embedding(2, 2), ["weight"]),
        (nn.EmbeddingBag(2, 2), ["weight"]),
        (NormedLinear(2, 2), ["weight"]),
        (nn.PReLU(), []),
        (LayerScale(4), []),
        (LayerScale(4, 1, 1), ["gamma"]),
        (NormAttentionBlock(), ["table", "proj.weight"]),
        (nn.MultiheadAttention(4, 2), ["in_proj_weight", "out_proj.weight"]),
        (nn.MultiheadAttention(4, 2, add_bias_kv=True), [
            *("in_proj_weight", "bias_k", "bias_v", "out_proj.weight"),
        ]),
        (nn.LSTM(2, 2), ["weight_ih_l0", "weight_hh_l0"]),
        (nn.ParameterList([torch.ones(2, 2), torch.ones(3), torch.ones(())]), ["0"]),
        (nn.utils.parametrizations.weight_norm(nn.Linear(2, 3)), [
            *("parametrizations.weight.original0", "parametrizations.weight.original1"),
        ]),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_the_rest_is_decayed_if_it_has_more_than_one_dimension(
    module: nn.Module, names: list[str]
) -> None:
    inside = tree(part=module, fc=nn.Linear(2, 2))
    assert decayed(inside) == [*(f"part.{name}" for name in names), "fc.weight"]


def test_temperatures_and_vectors_are_not_decayed() -> None:
    model = tree(fc=nn.Linear(2, 2), query=4)
    model.logit_scale = nn.Parameter(torch.tensor(2.7))
    assert decayed(model) == ["fc.weight"]
    assert decayed(model, biases=False) == ["fc.weight", "fc.bias"]
    assert decayed(model, normalization=False) == ["query", "logit_scale", "fc.weight"]


# ## The two flags
@pytest.mark.parametrize(
    ("biases", "normalization", "spared"),
    [
        (True, True, [name for name in NAMES if name.endswith("bias") or "norm" in name]),
        (True, False, [name for name in NAMES if name.endswith("bias")]),
        (False, True, ["blocks.0.norm.weight", "blocks.1.norm.weight"]),
        (False, False, []),
    ],
)
def test_the_bias_of_a_normalization_obeys_the_flag_of_biases_alone(
    biases: bool, normalization: bool, spared: list[str]
) -> None:
    """As in noether; mmpretrain's documentation says so as well, but its code does otherwise."""
    assert decayed(Net(), biases, normalization) == [name for name in NAMES if name not in spared]


def test_a_bias_is_what_is_called_bias() -> None:
    model = tree(fc=nn.Linear(2, 2), biased=2, bias_table=2)
    model.bias = nn.Parameter(torch.ones(2, 2))
    assert chosen(model, Biases()) == ["bias", "fc.bias"]
    assert decayed(model, normalization=False) == ["biased", "bias_table", "fc.weight"]


def test_biases_by_other_names_count_as_vectors() -> None:
    model = tree(attn=nn.MultiheadAttention(4, 2), rnn=nn.GRU(2, 2))
    others = {"attn.in_proj_bias", "rnn.bias_ih_l0", "rnn.bias_hh_l0"}
    assert not others & set(decayed(model, biases=False))
    assert others <= set(decayed(model, normalization=False))


def test_the_built_in_rules_are_optional_defaults() -> None:
    rules = built_in_rules()
    assert [repr(rule.select) for rule in rules] == ["Biases()", "Normalization()"]
    assert all(rule.is_default and rule.optional for rule in rules)
    assert [repr(rule.select) for rule in built_in_rules(normalization=False)] == ["Biases()"]
    assert built_in_rules(False, False) == []
    assert decayed(nn.Sequential(nn.Linear(2, 2, bias=False))) == ["0.weight"]


# ## Rules that say otherwise
def test_any_of_them_can_be_decayed_by_a_rule() -> None:
    model = tree(fc=nn.Linear(2, 2), scale=LayerScale(4), norm=nn.LayerNorm(4))
    rules = [
        Rule("scale.gamma", weight_decay=0.1),
        Rule(nn.LayerNorm, weight_decay=0.2),
        Rule("fc.bias", weight_decay_scale=0.5),
    ]
    decays = entry(param_groups(model, rules, weight_decay=0.5), "weight_decay")
    assert decays == {
        **{"fc.weight": 0.5, "fc.bias": 0.25, "scale.gamma": 0.1},
        **{"norm.weight": 0.2, "norm.bias": 0.2},
    }


def test_more_can_be_spared_by_a_rule() -> None:
    model = tree(embed=nn.Embedding(2, 2), scale=LayerScale(4, 1, 1), fc=nn.Linear(2, 2))
    rules = [Rule(nn.Embedding, no_decay=True), Rule("*.gamma", no_decay=True)]
    groups = param_groups(model, rules, weight_decay=0.5)
    assert entry(groups, "weight_decay")["fc.weight"] == 0.5
    assert groups[0]["param_names"] == ["embed.weight", "scale.gamma", "fc.bias"]


# ## On real models
@pytest.mark.parametrize(
    ("name", "kept"),
    [
        # LayerScale has the shape (C, 1, 1) in torchvision, (C,) in timm.
        ("torchvision.convnext_tiny", {"layer_scale"}),
        ("timm.convnext_tiny", set()),
        ("torchvision.resnet18", set()),
        ("torchvision.vit_b_16", {"class_token", "pos_embedding"}),
        ("timm.vit_tiny_patch16_224", {"cls_token", "pos_embed"}),
        ("torchvision.swin_t", {"relative_position_bias_table"}),
    ],
)
def test_what_is_decayed_in_real_models(name: str, kept: set[str]) -> None:
    model = public(name)
    names = set(decayed(model))
    matrices = {
        f"{path}.{own}"
        for path, module in model.named_modules()
        for own, param in module.named_parameters(recurse=False)
        if isinstance(module, nn.Linear | nn.Conv2d | nn.MultiheadAttention) and param.ndim > 1
    }
    assert matrices <= names
    assert {each.rpartition(".")[2] for each in names - matrices} == kept


def test_what_is_spared_stays_where_it_is_without_a_gradient() -> None:
    net = Net()
    for param in net.parameters():
        param.grad = torch.zeros_like(param)
    before: dict[str, Tensor] = {name: p.detach().clone() for name, p in net.named_parameters()}
    AdamW(param_groups(net, lr=0.5, weight_decay=0.5)).step()
    moved = [name for name, param in net.named_parameters() if not param.equal(before[name])]
    assert moved == ["embed.weight", "blocks.0.fc.weight", "blocks.1.fc.weight", "head.weight"]


def test_the_description_tells_what_is_built_in() -> None:
    text = description(param_groups(Net(), weight_decay=0.5))
    assert "Rule(Biases(), weight_decay=0.0) (built in): 5 tensors, 19 parameters" in text
    assert "Rule(Normalization(), weight_decay=0.0) (built in): 2 tensors, 8 parameters" in text
