"""mmpretrain's constructor: its groups, its precedence, and what is repaired behind an option."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import Parameter

from labml_nn_optim import RAdam
from labml_nn_optim.optimizers.adamw import AdamW
from labml_nn_optim.param_groups import LearningRateDecayOptimWrapperConstructor as Constructor
from labml_nn_optim.schedulers import Scheduler
from labml_nn_optim.schedules import LinearDecreasingSchedule
from tests.labml_nn_optim.examples import vectors

CASES = ("custom", "rate.5 norm0 bias.5 flat.25")


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(2, 2)
        self.norm = nn.LayerNorm(2)


class Backbone(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cls_token = Parameter(torch.zeros(1, 1, 2))
        self.gamma = Parameter(torch.ones(2))
        self.patch_embed = nn.Linear(2, 2)
        self.layers = nn.ModuleList([Layer(), Layer()])
        self.ln1 = nn.LayerNorm(2)

    def get_layer_depth(self, param_name: str, prefix: str = "") -> tuple[int, int]:
        count = len(self.layers) + 2
        name = param_name.removeprefix(prefix)
        if not param_name.startswith(prefix):
            return count - 1, count
        if name in ("cls_token", "pos_embed") or name.startswith("patch_embed"):
            return 0, count
        if name.startswith("layers."):
            return int(name.split(".")[1]) + 1, count
        return count - 1, count


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.head = nn.Linear(2, 2)


def groups(
    paramwise_cfg: dict[str, Any] | None, model: nn.Module | None = None, **options: Any
) -> dict[str, dict[str, Any]]:
    cfg = {"optimizer": {"type": "AdamW", "lr": 1.0, "weight_decay": 0.1}}
    optimizer = Constructor(cfg, paramwise_cfg, **options)(model or Classifier())
    return {group["param_name"]: group for group in optimizer.param_groups}


@pytest.mark.parametrize("case", CASES)
def test_groups_are_those_of_mmpretrain(case: str) -> None:
    recorded = vectors("mmpretrain_layer_decay.json")[case]
    cfg = {"optimizer": recorded["optimizer"]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer = Constructor(cfg, recorded["paramwise_cfg"])(Classifier())
    assert isinstance(optimizer, AdamW)
    assert len(optimizer.param_groups) == len(recorded["groups"])
    for group, expected in zip(optimizer.param_groups, recorded["groups"], strict=True):
        assert {key: group[key] for key in expected} == expected
        extras = {"foo", "lr_mult"} - expected.keys()
        assert not extras & group.keys()


def test_every_recorded_case_is_compared() -> None:
    assert set(vectors("mmpretrain_layer_decay.json")) == set(CASES)


def test_a_rate_of_2_makes_early_layers_faster() -> None:
    class Peer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cls_token = Parameter(torch.zeros(1, 1, 2))
            self.pos_embed = Parameter(torch.zeros(1, 2, 2))
            self.layers = nn.ModuleList([nn.Linear(1, 1) for _ in range(3)])
            self.head = nn.Linear(1, 1)

        def get_layer_depth(self, name: str) -> tuple[int, int]:
            if name in ("cls_token", "pos_embed"):
                return 0, 5
            return (int(name.split(".")[1]) + 1 if name.startswith("layers") else 4), 5

    cfg = {"optimizer": {"type": "torch.optim.AdamW", "lr": 1.0, "weight_decay": 0.05}}
    tokens = {".cls_token": {"decay_mult": 0.0}, ".pos_embed": {"decay_mult": 0.0}}
    paramwise = {"layer_decay_rate": 2.0, "bias_decay_mult": 0.0}
    optimizer = Constructor(cfg, paramwise | {"custom_keys": tokens}, repair=True)(Peer())
    assert [group["lr"] for group in optimizer.param_groups] == [16, 16, 8, 8, 4, 4, 2, 2, 1, 1]
    decays = [group["weight_decay"] for group in optimizer.param_groups]
    assert decays == [0, 0, 0.05, 0, 0.05, 0, 0.05, 0, 0.05, 0]


def test_the_longest_custom_key_wins_and_ties_are_alphabetical() -> None:
    keys = {"lin": {"a": 1}, "0.lin": {"a": 2}, "head": {"a": 3}, "eigh": {"a": 4}}
    made = groups({"custom_keys": keys | {"ad.w": {"a": 5}}})
    assert made["backbone.layers.0.lin.weight"]["a"] == 2
    assert made["backbone.layers.1.lin.weight"]["a"] == 4
    assert made["backbone.layers.1.lin.bias"]["a"] == 1
    assert made["head.weight"]["a"] == 5
    assert made["head.bias"]["a"] == 3


def test_a_custom_key_without_decay_mult_restores_the_full_decay() -> None:
    made = groups({"norm_decay_mult": 0.0, "custom_keys": {"layers.1.norm": {"note": "kept"}}})
    assert made["backbone.layers.1.norm.weight"]["weight_decay"] == 0.1
    assert made["backbone.layers.0.norm.weight"]["weight_decay"] == 0.0


def test_biases_of_norms_obey_the_bias_rule_unless_repaired() -> None:
    as_is, repaired = ({"bias_decay_mult": 0.0}, {"bias_decay_mult": 0.0})
    name = "backbone.layers.0.norm.bias"
    assert groups(as_is)[name]["weight_decay"] == 0.0
    assert groups(repaired, repair=True)[name]["weight_decay"] == 0.1
    assert groups(repaired, repair=True)["head.bias"]["weight_decay"] == 0.0


class RMSNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = Parameter(torch.ones(1, 2))


def test_a_norm_of_ones_own_is_one_only_if_repaired() -> None:
    model = nn.Sequential(nn.Linear(2, 2), RMSNorm(), nn.Linear(2, 2))
    cfg = {"norm_decay_mult": 0.0}
    assert groups(cfg, model)["1.weight"]["weight_decay"] == 0.1
    assert groups(cfg, model, repair=True)["1.weight"]["weight_decay"] == 0.0


def test_lr_mult_of_a_custom_key_is_inert_unless_repaired() -> None:
    cfg = {"layer_decay_rate": 0.5, "custom_keys": {"layers.0.lin": {"lr_mult": 10.0}}}
    name = "backbone.layers.0.lin.weight"
    assert groups(cfg)[name]["lr"] == 0.25
    assert groups(cfg)[name]["lr_mult"] == 10.0
    assert groups(cfg, repair=True)[name]["lr"] == 2.5
    assert "lr_mult" not in groups(cfg, repair=True)[name]


def test_keys_that_mmpretrain_ignores_are_told_or_repaired() -> None:
    model = nn.Sequential(nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4))
    cfg = {"bias_lr_mult": 2.0, "dwconv_decay_mult": 0.5}
    with pytest.warns(UserWarning, match="bias_lr_mult, dwconv_decay_mult does nothing"):
        as_is = groups(cfg, model)
    assert {group["lr"] for group in as_is.values()} == {1.0}
    repaired = groups(cfg, model, repair=True)
    assert {name for name, group in repaired.items() if group["lr"] == 2.0} == {"0.bias", "1.bias"}
    assert repaired["0.weight"]["weight_decay"] == 0.05
    assert repaired["1.weight"]["weight_decay"] == 0.1


def test_a_leading_dot_finds_parameters_of_the_root_if_repaired() -> None:
    class Root(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cls_token = Parameter(torch.zeros(1, 1, 2))
            self.blocks = nn.ModuleList([Layer(), Layer()])

    cfg = {"custom_keys": {".cls_token": {"decay_mult": 0.0}}}
    with pytest.warns(UserWarning, match=r"got '\.cls_token'"):
        assert groups(cfg, Root())["cls_token"]["weight_decay"] == 0.1
    assert groups(cfg, Root(), repair=True)["cls_token"]["weight_decay"] == 0.0


def test_a_custom_key_without_a_match_is_told_and_an_error_if_repaired() -> None:
    cfg = {"custom_keys": {"haed": {"decay_mult": 0.0}}}
    with pytest.warns(UserWarning, match=r"got 'haed'; the nearest names are head"):
        groups(cfg)
    with pytest.raises(ValueError, match=r"got 'haed'; the nearest names are head"):
        groups(cfg, repair=True)


def test_without_a_paramwise_cfg_there_is_one_plain_group_unless_repaired() -> None:
    cfg = {"optimizer": {"type": "SGD", "lr": 1.0}}
    model = Classifier()
    for empty in (None, {}):
        assert len(Constructor(cfg, empty)(model).param_groups) == 1
    assert len(Constructor(cfg, None, repair=True)(model).param_groups) == 16


def test_frozen_parameters_are_left_out_and_tied_ones_are_there_once() -> None:
    model = Classifier()
    model.backbone.gamma.requires_grad_(False)
    model.head.weight = model.backbone.patch_embed.weight
    made = groups({"layer_decay_rate": 0.5}, model)
    assert "backbone.gamma" not in made
    assert "head.weight" not in made
    assert made["backbone.patch_embed.weight"]["lr"] == 0.125


def test_a_wrapped_model_is_unwrapped() -> None:
    class Wrapper(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = Classifier()

    assert "head.weight" in groups({"layer_decay_rate": 0.5}, Wrapper())


def test_depth_may_come_from_patterns_or_the_structure() -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patch_embed = nn.Linear(2, 2)
            self.blocks = nn.ModuleList([Layer(), Layer()])
            self.norm = nn.LayerNorm(2)
            self.head = nn.Linear(2, 2)

    cfg = {"layer_decay_rate": 0.5}
    made = groups(cfg, Plain())
    assert [made[f"{part}.weight"]["layer_id"] for part in ("patch_embed", "norm", "head")] == [
        0,
        3,
        3,
    ]
    last = groups(cfg, Plain(), final_norm="last_block")
    assert last["norm.weight"]["layer_id"] == 2
    listed = groups(cfg, Plain(), layers=["patch_embed|blocks", "norm|head"])
    assert listed["blocks.1.lin.weight"]["lr"] == 0.5


def test_without_a_decay_of_the_optimizer_its_own_default_holds() -> None:
    cfg = {"optimizer": {"type": "torch.optim.AdamW", "lr": 1.0}}
    optimizer = Constructor(cfg, {"layer_decay_rate": 0.5})(Classifier())
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.01}


@pytest.mark.parametrize("key", ["norm_decay_mult", "bias_decay_mult", "flat_decay_mult"])
def test_a_multiplier_of_the_decay_needs_a_decay(key: str) -> None:
    cfg = {"optimizer": {"type": "AdamW", "lr": 1.0}}
    with pytest.raises(ValueError, match=f"weight_decay must be given for {key}, got None"):
        Constructor(cfg, {key: 0.0})
    with pytest.raises(ValueError, match=r"weight_decay must be given for custom_keys\['a'\]"):
        Constructor(cfg, {"custom_keys": {"a": {"decay_mult": 0.0}}})


def test_the_type_is_ours_torchs_or_a_class() -> None:
    def kind(name: Any) -> type:
        return type(Constructor({"optimizer": {"type": name, "lr": 0.1}})(Classifier()))

    assert kind("radam") is kind("RAdam") is kind(RAdam) is RAdam
    assert kind("torch.optim.RAdam") is torch.optim.RAdam
    assert kind("SparseAdam") is torch.optim.SparseAdam
    with pytest.raises(ValueError, match="got 'AdmaW'; the nearest are adamw"):
        kind("AdmaW")
    with pytest.raises(TypeError, match="type must be the name or class"):
        kind(None)


@pytest.mark.parametrize(
    ("optim_wrapper_cfg", "paramwise_cfg", "error", "message"),
    [
        ([], None, TypeError, "optim_wrapper_cfg must be a dict"),
        ({}, None, TypeError, "optimizer must be a dict, got None"),
        ({"optimizer": {"type": "SGD"}}, None, TypeError, "lr must be a finite number"),
        ({"optimizer": {"type": "SGD", "lr": -1}}, None, ValueError, "lr must be"),
        ({"clip_grad": 1}, None, ValueError, "optim_wrapper_cfg must have no other keys"),
        (None, [1], TypeError, "paramwise_cfg must be a dict"),
        (None, {"layer_decay": 0.5}, ValueError, "got 'layer_decay'"),
        (None, {"layer_decay_rate": 0}, ValueError, "layer_decay_rate must be"),
        (None, {"custom_keys": [1]}, TypeError, "custom_keys must be a dict"),
        (None, {"custom_keys": {"a": 1}}, TypeError, r"custom_keys\['a'\] must be a dict"),
        (None, {"dcn_offset_lr_mult": 1.0}, ValueError, "got 'dcn_offset_lr_mult'"),
        (None, {"norm_decay_mult": "0"}, TypeError, "norm_decay_mult must be"),
    ],
)
def test_what_is_not_allowed_is_told_at_once(
    optim_wrapper_cfg: Any, paramwise_cfg: Any, error: type[Exception], message: str
) -> None:
    usual = {"optimizer": {"type": "SGD", "lr": 0.1, "weight_decay": 0.1}}
    with pytest.raises(error, match=message) as raised:
        Constructor(usual if optim_wrapper_cfg is None else optim_wrapper_cfg, paramwise_cfg)
    assert "\n" not in str(raised.value)


def test_add_params_puts_a_prefix_before_the_names() -> None:
    cfg = {"optimizer": {"type": "SGD", "lr": 1.0, "weight_decay": 0.1}}
    paramwise = {"layer_decay_rate": 0.5, "custom_keys": {"neck.0": {"decay_mult": 0.0}}}
    params: list[dict[str, Any]] = []
    neck = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    asked = []

    def depth(name: str) -> tuple[int, int]:
        asked.append(name)
        return int(name.split(".")[1]), 3

    Constructor(cfg, paramwise).add_params(params, neck, "neck", depth)
    assert asked == ["neck.0.weight", "neck.0.bias", "neck.1.weight", "neck.1.bias"]
    assert [group["param_name"] for group in params] == asked
    assert [(group["lr"], group["weight_decay"]) for group in params] == [
        (0.25, 0),
        (0.25, 0),
        (0.5, 0.1),
        (0.5, 0.1),
    ]


def test_a_schedule_keeps_the_proportions_of_the_layers() -> None:
    cfg = {"optimizer": {"type": "SGD", "lr": 1.0, "weight_decay": 0.1}}
    for mode in ("absolute", "relative"):
        optimizer = Constructor(cfg, {"layer_decay_rate": 0.5})(Classifier())
        line = LinearDecreasingSchedule(1.0, exclude_last=True)
        Scheduler(optimizer, line, mode=mode, total_steps=4, last_epoch=0)
        rates = {group["param_name"]: group["lr"] for group in optimizer.param_groups}
        assert rates["head.weight"] == 0.75
        assert rates["backbone.cls_token"] == 0.75 * 0.125


def test_the_optimizer_trains() -> None:
    model = Classifier()
    cfg = {"optimizer": {"type": "AdamW", "lr": 0.1, "weight_decay": 0.1}}
    optimizer = Constructor(cfg, {"layer_decay_rate": 0.5})(model)
    before = model.head.weight.detach().clone()
    loss: Tensor = model.head(torch.ones(1, 2)).sum()
    loss.backward()
    optimizer.step()
    assert not torch.equal(before, model.head.weight)


def test_the_paramwise_cfg_may_stand_in_the_configuration_of_the_wrapper() -> None:
    paramwise = {"layer_decay_rate": 0.5}
    cfg = {"optimizer": {"type": "SGD", "lr": 1.0}, "paramwise_cfg": paramwise}
    optimizer = Constructor(cfg)(Classifier())
    assert optimizer.param_groups[0]["lr"] == 0.125
    with pytest.raises(ValueError, match="paramwise_cfg must be given once"):
        Constructor(cfg, paramwise)


def test_what_the_depth_decides_cannot_be_set_by_a_custom_key() -> None:
    key = {"lr": 9.0, "lr_scale": 5.0, "layer_id": 7, "param_name": "x", "note": 1}
    made = groups({"layer_decay_rate": 0.5, "custom_keys": {"head": key}})["head.weight"]
    assert (made["lr"], made["lr_scale"], made["layer_id"], made["note"]) == (1.0, 1.0, 3, 1)


def test_a_misspelt_multiplier_in_a_custom_key_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"got 'decay_mul'; did you mean decay_mult\?$"):
        groups({"custom_keys": {"head": {"decay_mul": 0.0}}})
