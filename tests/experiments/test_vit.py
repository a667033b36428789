import math
import re

import pytest
import torch
from timm.models import VisionTransformer
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from experiments import committed, vit
from experiments.cifar import CIFAR
from experiments.committed_runs import requests
from experiments.recipes import vit_b_16
from experiments.records import save
from experiments.schedules import choose_schedule
from experiments.vit import Attention, Block, PatchEmbed, ViT
from labml_nn_optim.param_groups import LayerDecay, param_groups
from tests.experiments.examples import make_cifar_record
from tests.experiments.test_pages import figures

WIDTH = 96


@pytest.fixture
def model():
    torch.manual_seed(0)
    return ViT()


def images():
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def rates(model, rules=(), **settings):
    """For each parameter its learning rate and its weight decay."""
    groups = param_groups(model, rules, lr=1.0, weight_decay=0.05, **settings)
    return {
        name: (group["lr"], group["weight_decay"])
        for group in groups
        for name in group["param_names"]
    }


def test_the_table_of_the_layers_has_the_parameters_of_the_network(model):
    rows = re.findall(r"^ *\| ([^|]+) \| [^|]+ \| ([\d,]+) \|$", ViT.__doc__, re.MULTILINE)
    counted = {
        name: sum(p.numel() for p in child.parameters()) for name, child in model.named_children()
    }
    assert [(layer, int(number.replace(",", ""))) for layer, number in rows] == [
        ("patches, 4 x 4", counted["patch_embed"]),
        ("position embedding", model.pos_embed.numel()),
        (f"three blocks of {counted['blocks'] // 3:,}", counted["blocks"]),
        ("norm, mean over the patches", counted["norm"]),
        ("linear", counted["head"]),
    ]
    assert len(model.blocks) == 3
    total = sum(p.numel() for p in model.parameters())
    assert f"The {total:,} parameters" in ViT.__doc__


def test_it_is_the_network_of_timm_with_the_same_names_and_the_same_logits(model):
    other = VisionTransformer(
        img_size=32,
        patch_size=4,
        embed_dim=WIDTH,
        depth=3,
        num_heads=3,
        num_classes=10,
        class_token=False,
        global_pool="avg",
        fc_norm=False,
        norm_layer=torch.nn.LayerNorm,
    )
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other.eval()(images()), model(images()), rtol=1e-4, atol=1e-5)
    assert "pos_embed" in other.no_weight_decay()


def test_a_patch_is_read_as_48_numbers_row_by_row_from_the_upper_left():
    embed = PatchEmbed(4, WIDTH)
    cut = images().unfold(2, 4, 4).unfold(3, 4, 4).permute(0, 2, 3, 1, 4, 5).reshape(2, 64, 48)
    expected = functional.linear(cut, embed.proj.weight.flatten(1), embed.proj.bias)
    torch.testing.assert_close(embed(images()), expected, rtol=1e-4, atol=1e-5)


def test_attention_is_that_of_torch():
    torch.manual_seed(0)
    own, other = Attention(12, 3), torch.nn.MultiheadAttention(12, 3, batch_first=True)
    other.in_proj_weight.data, other.in_proj_bias.data = own.qkv.weight.data, own.qkv.bias.data
    other.out_proj.load_state_dict(own.proj.state_dict())
    x = torch.randn(2, 5, 12)
    torch.testing.assert_close(own(x), other(x, x, x)[0])


def test_the_sum_of_a_block_is_never_normalized():
    block = Block(12, 3)
    for layer in (block.attn.proj, block.mlp.fc2):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    x = 100 + torch.randn(2, 5, 12)
    assert torch.equal(block(x), x)


def shuffled_patches(given):
    order = torch.randperm(64, generator=torch.Generator().manual_seed(0))
    patches = functional.unfold(given, kernel_size=4, stride=4)[:, :, order]
    return functional.fold(patches, given.shape[-2:], kernel_size=4, stride=4)


def test_without_positions_the_order_of_the_patches_does_not_matter_and_with_them_it_does(model):
    torch.nn.init.normal_(model.pos_embed)
    given, shuffled = images(), shuffled_patches(images())
    assert not torch.allclose(model(given), model(shuffled), atol=1e-3)
    torch.nn.init.zeros_(model.pos_embed)
    torch.testing.assert_close(model(given), model(shuffled), rtol=1e-4, atol=1e-5)


def test_the_position_embedding_begins_near_zero(model):
    assert model.pos_embed.std().item() == pytest.approx(0.02, rel=0.1)


def test_layer_decay_finds_five_depths_from_the_stem_to_the_head(model):
    found = {
        name: round(math.log(lr, 0.75))
        for name, (lr, _) in rates(model, [LayerDecay(0.75)]).items()
    }
    assert found["pos_embed"] == found["patch_embed.proj.weight"] == 4
    assert [found[f"blocks.{number}.attn.qkv.weight"] for number in range(3)] == [3, 2, 1]
    assert found["norm.weight"] == found["head.weight"] == 0


def test_the_built_in_rules_leave_out_biases_and_norms_but_not_the_positions(model):
    decayed = {name for name, (_, decay) in rates(model).items() if decay}
    matrices = {name for name, p in model.named_parameters() if p.dim() > 1}
    assert decayed == matrices
    assert "pos_embed" in decayed


def test_the_built_in_rules_take_the_decay_off_4042_parameters(model):
    sizes = {name: p.numel() for name, p in model.named_parameters()}
    spared = sum(sizes[name] for name, (_, decay) in rates(model).items() if not decay)
    assert spared == 4042
    assert f"{spared:,} of the {sum(sizes.values()):,} parameters" in vit.__doc__


def test_the_rates_of_a_run_sum_to_what_the_chapter_says():
    steps = 3 * math.ceil(50_000 / CIFAR.recipes["vit"].batch_size)
    schedule = choose_schedule("warmup-cosine", ()).make(steps)
    total = sum(schedule.get_value(step, steps) for step in range(steps))
    assert f"The {steps} rates sum to ${total:.1f}" in vit.__doc__


@pytest.mark.parametrize(("patch", "millions"), [(4, 23.9), (2, 123.0)])
def test_the_multiplications_are_those_of_the_first_exercise(patch, millions):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        ViT(patch=patch)(images()[:1])
    assert counter.get_total_flops() / 2e6 == pytest.approx(millions, abs=0.05)


def test_depths_are_counted_as_in_the_large_network(model):
    with torch.device("meta"):
        large = vit_b_16().make()
    ours, theirs = rates(model, [LayerDecay(0.75)]), rates(large, [LayerDecay(0.75)])
    for number in range(3):
        same = f"encoder.layers.encoder_layer_{number + 9}.self_attention.in_proj_weight"
        assert ours[f"blocks.{number}.attn.qkv.weight"] == theirs[same]
    assert ours["head.weight"] == theirs["heads.head.weight"]


def test_one_batch_can_be_learned_by_heart(model):
    labels = torch.tensor([3, 7])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(20):
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(images()), labels)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1


def test_the_recipe_is_for_adamw_with_a_warm_up():
    recipe = CIFAR.recipes["vit"]
    assert isinstance(recipe.make_model(), ViT)
    assert (recipe.optimizer, recipe.schedule) == ("adamw", "warmup-cosine")


def test_one_sweep_asks_for_the_network_without_rules_and_with_two_sets():
    (request,) = [each for each in requests(["cifar"]) if each.conditions.model == "vit"]
    assert [arm.rules.texts for arm in request.arms] == [(), ("built-in",), ("layer-decay=0.75",)]
    assert request.conditions.out == committed.folder("cifar", committed.VIT)
    assert {arm.choice.options["weight_decay"] for arm in request.arms} == {0.05}


def test_the_chapter_shows_the_runs_of_the_network_as_soon_as_there_are_any(results):
    assert figures("experiments.vit") == []
    path = save(make_cifar_record(), results.parent / "cifar" / "vit")
    (figure,) = figures("experiments.vit")
    assert figure.title == "Runs with and without rules"
    assert figure.files == {f"results/cifar/vit/{path.name}": path}


def test_the_tables_of_the_chapter_are_those_of_the_records():
    folder = committed.folder("cifar", committed.VIT)
    for row in re.findall(
        r"^\| (none|built-in|layer-decay=0.75) \| (.*) \|$", vit.__doc__, re.MULTILINE
    ):
        rules, cells = (
            [] if row[0] == "none" else [row[0]],
            [cell.strip() for cell in row[1].split("|")],
        )
        if "%" in row[1]:
            found = sorted(
                (run.seed, f"{run.final['test_accuracy']:.2%}".replace("%", " %"))
                for run in committed.records_in(folder)
                if run.configuration["rules"] == rules
            )
            assert [text for _, text in found] == cells
        else:
            searched = {
                run.configuration["lr"]: f"{run.final['test_loss']:.3f}"
                for run in committed.records_in(folder / committed.SEARCHES)
                if run.configuration["rules"] == rules
            }
            assert list(dict(sorted(searched.items())).values()) == [
                cell.strip("*") for cell in cells if cell
            ]
            (chosen,) = [cell for cell in cells if cell.startswith("**")]
            assert chosen.strip("*") == min(searched.values())
