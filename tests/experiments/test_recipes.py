"""The recipes: what their rules come to on the real models."""

import re

import pytest
import torch

from experiments import recipes
from experiments.cli import run_command
from experiments.gpt import GPT
from experiments.recipes import RECIPES, main
from labml_nn_optim.param_groups import Rule, param_groups


@pytest.fixture(scope="module")
def grouped():
    """For each recipe the model and its groups."""
    found = {}
    for name, make in RECIPES.items():
        recipe = make()
        with torch.device("meta"):
            model = recipe.make()
        found[name] = model, recipe.groups(model)
    return found


def values(groups, key):
    return {name: group[key] for group in groups for name in group["param_names"]}


@pytest.mark.parametrize(
    ("name", "groups", "tensors", "numbers"),
    [
        ("vit_b_16", 28, 152, 86_567_656),
        ("swin_t", 28, 173, 28_288_354),
        ("convnext_tiny", 16, 182, 28_589_128),
        ("resnet50", 2, 128, 25_331_688),
        ("gpt", 2, 52, 842_496),
    ],
)
def test_a_recipe_has_so_many_groups_tensors_and_numbers(name, groups, tensors, numbers, grouped):
    model, found = grouped[name]
    assert len(found) == groups
    assert sum(len(group["params"]) for group in found) == tensors
    assert sum(param.numel() for group in found for param in group["params"]) == numbers
    frozen = sum(param.numel() for param in model.parameters() if not param.requires_grad)
    assert numbers + frozen == sum(param.numel() for param in model.parameters())


@pytest.mark.parametrize(
    ("name", "param", "lr", "weight_decay"),
    [
        ("vit_b_16", "conv_proj.weight", 1e-3 * 0.75**13, 0.05),
        ("vit_b_16", "class_token", 1e-3 * 0.75**13, 0.0),
        ("vit_b_16", "encoder.pos_embedding", 1e-3 * 0.75**13, 0.0),
        ("vit_b_16", "encoder.layers.encoder_layer_0.mlp.0.weight", 1e-3 * 0.75**12, 0.05),
        ("vit_b_16", "encoder.layers.encoder_layer_11.mlp.0.bias", 1e-3 * 0.75, 0.0),
        (
            "vit_b_16",
            "encoder.layers.encoder_layer_5.self_attention.in_proj_bias",
            1e-3 * 0.75**7,
            0.0,
        ),
        ("vit_b_16", "encoder.ln.weight", 1e-3, 0.0),
        ("vit_b_16", "heads.head.weight", 1e-3, 0.05),
        ("swin_t", "features.0.0.weight", 1.25e-3 * 0.8**13, 0.05),
        ("swin_t", "features.1.1.attn.qkv.weight", 1.25e-3 * 0.8**11, 0.05),
        ("swin_t", "features.1.1.attn.relative_position_bias_table", 1.25e-3 * 0.8**11, 0.0),
        ("swin_t", "features.2.reduction.weight", 1.25e-3 * 0.8**10, 0.05),
        ("swin_t", "features.7.1.mlp.0.weight", 1.25e-3 * 0.8, 0.05),
        ("swin_t", "head.weight", 1.25e-3, 0.05),
        ("convnext_tiny", "features.0.0.weight", 5e-5 * 0.8**7, 1e-8),
        ("convnext_tiny", "features.1.0.layer_scale", 5e-5 * 0.8**6, 0.0),
        ("convnext_tiny", "features.2.1.weight", 5e-5 * 0.8**5, 1e-8),
        ("convnext_tiny", "features.5.2.block.0.weight", 5e-5 * 0.8**4, 1e-8),
        ("convnext_tiny", "features.5.3.block.0.weight", 5e-5 * 0.8**3, 1e-8),
        ("convnext_tiny", "features.5.8.block.0.weight", 5e-5 * 0.8**2, 1e-8),
        ("convnext_tiny", "features.6.1.weight", 5e-5 * 0.8, 1e-8),
        ("convnext_tiny", "classifier.2.weight", 5e-5, 1e-8),
        ("resnet50", "layer2.0.conv1.weight", 0.02, 1e-4),
        ("resnet50", "layer2.0.bn1.weight", 0.02, 0.0),
        ("resnet50", "fc.bias", 0.02, 0.0),
        ("gpt", "wte.weight", 6e-4, 0.1),
        ("gpt", "h.3.mlp.c_fc.weight", 6e-4, 0.1),
        ("gpt", "h.0.ln_1.weight", 6e-4, 0.0),
    ],
)
def test_a_parameter_has_the_rate_and_the_decay_of_its_recipe(
    name, param, lr, weight_decay, grouped
):
    _, groups = grouped[name]
    assert values(groups, "lr")[param] == pytest.approx(lr)
    assert values(groups, "weight_decay")[param] == weight_decay


def test_the_first_stage_of_the_backbone_is_frozen(grouped):
    model, groups = grouped["resnet50"]
    frozen = {name.split(".")[0] for name in groups.frozen}
    assert frozen == {"conv1", "bn1", "layer1"}
    assert not any(param.requires_grad for param in model.layer1.parameters())


def test_the_depths_of_convnext_are_those_of_its_authors(grouped):
    _, groups = grouped["convnext_tiny"]
    assert sorted({group.get("lr_scale", 1.0) for group in groups}) == pytest.approx(
        [0.8**power for power in range(7, -1, -1)]
    )


def test_a_gpt_has_other_betas_and_one_tensor_for_its_first_and_last_layer(grouped):
    model, groups = grouped["gpt"]
    assert {group["betas"] for group in groups} == {(0.9, 0.95)}
    names = [name for group in groups for name in group["param_names"]]
    assert "wte.weight" in names
    assert "lm_head.weight" not in names
    with pytest.raises(
        ValueError, match=r"lm_head.weight is tied, and goes by the name wte.weight"
    ):
        param_groups(model, [Rule("lm_head.weight", no_decay=True)])


def test_a_gpt_does_not_look_ahead():
    torch.manual_seed(0)
    model = GPT(vocabulary=11, length=6, width=8, heads=2, blocks=2).eval()
    tokens = torch.tensor([[1, 2, 3, 4, 5, 6]])
    changed = tokens.clone()
    changed[0, 4] = 9
    with torch.no_grad():
        one, other = model(tokens), model(changed)
    assert one.shape == (1, 6, 11)
    torch.testing.assert_close(one[:, :4], other[:, :4])
    assert not torch.allclose(one[:, 4:], other[:, 4:])


def test_the_command_prints_the_table_of_the_chapter(capfd):
    assert run_command(main, ["--model", "vit_b_16"]) == 0
    printed = [line.split() for line in capfd.readouterr().out.splitlines()]
    fence = re.search(r"```text\n(.*?)```", recipes.__doc__ or "", re.DOTALL)
    rows = [line.split()[:6] for line in fence[1].splitlines() if line.strip() != "..."]
    assert rows == [row[:6] for row in printed[: len(rows)]]


def test_the_command_lists_the_recipes(capfd):
    assert run_command(main, ["--list"]) == 0
    assert [line.split()[0] for line in capfd.readouterr().out.splitlines()] == list(RECIPES)


def test_another_model_is_one_line(capfd):
    assert run_command(main, ["--model", "vgg"]) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert "'vgg' is not one of 'vit_b_16'" in captured.err
