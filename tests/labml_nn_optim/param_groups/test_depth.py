"""How deep the parameters of a model are."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import groupby
from typing import Any

import pytest
import torch
from torch import nn

from labml_nn_optim.param_groups import LayerDecay, ParameterTable
from labml_nn_optim.param_groups.depth import Layers, is_norm
from tests.labml_nn_optim.param_groups.examples import Net, Tied, public, row, tree


def depths(model: nn.Module, layers: Any = None, final_norm: str = "head") -> dict[str, int]:
    """The depth of each parameter, by name."""
    table = ParameterTable(model)
    found = table.layers(layers, final_norm)
    assert len(found.depths) == len(table)
    assert all(0 <= depth < found.num_layers for depth in found.depths)
    return dict(zip(table.names, found.depths, strict=True))


def count(model: nn.Module) -> int:
    return ParameterTable(model).layers().num_layers


def prefixes(model: nn.Module, length: int) -> dict[int, list[str]]:
    """The first parts of the names at each depth, in order, without repetition."""
    found: dict[int, list[str]] = {}
    for name, depth in depths(model).items():
        found.setdefault(depth, []).append(".".join(name.split(".")[:length]))
    return {depth: [key for key, _ in groupby(names)] for depth, names in sorted(found.items())}


def linear() -> nn.Module:
    return nn.Linear(2, 2)


def norm() -> nn.Module:
    return nn.LayerNorm(2)


# ## torchvision and timm
def test_torchvisions_vit() -> None:
    model = public("torchvision.vit_b_16")
    assert prefixes(model, 3) == {
        0: ["class_token", "conv_proj.weight", "conv_proj.bias", "encoder.pos_embedding"],
        **{depth: [f"encoder.layers.encoder_layer_{depth - 1}"] for depth in range(1, 13)},
        13: ["encoder.ln.weight", "encoder.ln.bias", "heads.head.weight", "heads.head.bias"],
    }
    assert depths(model, final_norm="last_block")["encoder.ln.weight"] == 12


def test_torchvisions_swin() -> None:
    model = public("torchvision.swin_t")
    stages = [(1, 2), (3, 2), (5, 6), (7, 2)]
    blocks = [f"features.{stage}.{block}" for stage, size in stages for block in range(size)]
    # What merges patches joins the block behind it.
    merging = {3: 2, 5: 4, 11: 6}
    expected = {depth: [block] for depth, block in enumerate(blocks, 1)}
    for depth, place in merging.items():
        own = [f"features.{place}.{name}" for name in ("reduction", "norm")]
        expected[depth] = [*own, *expected[depth]]
    found = prefixes(model, 3)
    assert found.pop(0) == ["features.0.0", "features.0.2"]
    assert found.pop(13) == ["norm.weight", "norm.bias", "head.weight", "head.bias"]
    assert found == expected


def test_torchvisions_convnext() -> None:
    model = public("torchvision.convnext_tiny")
    stages = [(1, 3), (3, 3), (5, 9), (7, 3)]
    blocks = [f"features.{stage}.{block}" for stage, size in stages for block in range(size)]
    expected = {depth: [block] for depth, block in enumerate(blocks, 1)}
    for depth, place in {4: 2, 7: 4, 16: 6}.items():
        expected[depth] = [f"features.{place}.0", f"features.{place}.1", *expected[depth]]
    found = prefixes(model, 3)
    assert found.pop(0) == ["features.0.0", "features.0.1"]
    assert {name.split(".")[0] for name in found.pop(19)} == {"classifier"}
    assert found == expected
    # Its last normalization stands in the head, and stays there.
    assert depths(model, final_norm="last_block") == depths(model)


RESNET50 = [
    f"layer{stage}.{block}" for stage, size in enumerate((3, 4, 6, 3), 1) for block in range(size)
]


@pytest.mark.parametrize("name", ["torchvision.resnet50", "timm.resnet50"])
def test_resnets_of_both(name: str) -> None:
    assert prefixes(public(name), 2) == {
        0: ["conv1.weight", "bn1.weight", "bn1.bias"],
        **{depth: [block] for depth, block in enumerate(RESNET50, 1)},
        17: ["fc.weight", "fc.bias"],
    }


@pytest.mark.parametrize(
    ("name", "stem", "head"),
    [
        (
            "timm.vit_tiny_patch16_224",
            ["cls_token", "pos_embed", "patch_embed.proj"],
            ["norm.weight", "norm.bias", "head.weight", "head.bias"],
        ),
        (
            "timm.beit_base_patch16_224",
            ["cls_token", "patch_embed.proj"],
            ["fc_norm.weight", "fc_norm.bias", "head.weight", "head.bias"],
        ),
        (
            "timm.vit_base_patch16_clip_224",
            ["cls_token", "pos_embed", "patch_embed.proj", "norm_pre.weight", "norm_pre.bias"],
            ["norm.weight", "norm.bias", "head.weight", "head.bias"],
        ),
        (
            "timm.deit_tiny_distilled_patch16_224",
            ["cls_token", "pos_embed", "dist_token", "patch_embed.proj"],
            ["norm.weight", "norm.bias", *(f"{head}.{own}" for head in ("head", "head_dist") for own in ("weight", "bias"))],
        ),
    ],
)  # fmt: skip
def test_timms_transformers(name: str, stem: list[str], head: list[str]) -> None:
    assert prefixes(public(name), 2) == {
        0: stem,
        **{depth: [f"blocks.{depth - 1}"] for depth in range(1, 13)},
        13: head,
    }


@pytest.mark.parametrize(
    ("name", "stages", "sizes", "stem", "head"),
    [
        ("timm.swin_tiny_patch4_window7_224", "layers", (2, 2, 6, 2), "patch_embed", {"norm", "head"}),
        ("timm.convnext_tiny", "stages", (3, 3, 9, 3), "stem", {"head"}),
        ("timm.tiny_vit_5m_224", "stages", (2, 2, 6, 2), "patch_embed", {"head"}),
        # Stages that mix classes of blocks.
        ("timm.edgenext_xx_small", "stages", (2, 2, 6, 2), "stem", {"head"}),
        ("timm.nextvit_small", "stages", (3, 4, 10, 3), "stem", {"norm", "head"}),
    ],
)  # fmt: skip
def test_timms_models_with_stages(
    name: str, stages: str, sizes: tuple[int, ...], stem: str, head: set[str]
) -> None:
    found = prefixes(public(name), 4)
    assert {part.split(".")[0] for part in found.pop(0)} == {stem}
    assert {part.split(".")[0] for part in found.pop(sum(sizes) + 1)} == head
    blocks = [
        f"{stages}.{stage}.blocks.{block}"
        for stage, size in enumerate(sizes)
        for block in range(size)
    ]
    for depth, block in enumerate(blocks, 1):
        own = found.pop(depth)
        assert own[-1] == block
        assert all(".downsample." in part for part in own[:-1])
    assert not found


def test_blocks_of_mixed_classes_in_sequences() -> None:
    found = prefixes(public("timm.mobilevit_s"), 3)
    blocks = [f"stages.{s}.{b}" for s, size in enumerate((1, 3, 2, 2, 2)) for b in range(size)]
    assert [found[depth] for depth in range(1, 11)] == [[block] for block in blocks]
    assert {part.split(".")[0] for part in found[11]} == {"final_conv", "head"}


def test_a_block_may_have_normalization_in_its_name() -> None:
    found = prefixes(public("timm.eva02_tiny_patch14_224"), 2)
    assert [found[depth] for depth in range(1, 13)] == [[f"blocks.{depth}"] for depth in range(12)]

    class PreNormBlock(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attn = tree(qkv=linear())
            self.norm = norm()

    model = tree(embed=nn.Embedding(2, 2), blocks=row(PreNormBlock), head=linear())
    assert depths(model)["blocks.1.attn.qkv.weight"] == 2


def test_layers_with_normalization_in_their_name_are_no_blocks() -> None:
    found = depths(public("torchvision.mobilenet_v3_small"))
    assert found["features.0.0.weight"] == 0
    assert found["features.1.block.0.0.weight"] == 1
    assert found["features.12.0.weight"] == found["classifier.0.weight"] == 12


# ## The names of Hugging Face
class BertLayer(nn.Module):
    """Attention and what follows, under their names."""

    def __init__(self) -> None:
        super().__init__()
        output = tree(dense=linear(), LayerNorm=norm())
        self.attention = tree(self=tree(query=linear(), key=linear()), output=output)
        self.intermediate = tree(dense=linear())
        self.output = tree(dense=linear(), LayerNorm=norm())


class ResNetConvLayer(nn.Module):
    """A convolution and its normalization."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(2, 2, 1)
        self.normalization = nn.BatchNorm2d(2)


class ResNetBottleNeckLayer(nn.Module):
    """A block, with `layer` inside."""

    def __init__(self) -> None:
        super().__init__()
        self.shortcut = ResNetConvLayer()
        self.layer = nn.Sequential(ResNetConvLayer(), ResNetConvLayer(), ResNetConvLayer())


class ConvNextLayer(nn.Module):
    """A block with a scale of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.layer_scale_parameter = nn.Parameter(torch.ones(2))
        self.dwconv = nn.Conv2d(2, 2, 1)
        self.layernorm = norm()


class SwinLayer(nn.Module):
    """A block of a stage."""

    def __init__(self) -> None:
        super().__init__()
        self.layernorm_before = norm()
        self.attention = tree(self=tree(query=linear(), relative_position_bias_table=2))


class T5LayerSelfAttention(nn.Module):
    """The first part of a block."""

    def __init__(self) -> None:
        super().__init__()
        self.SelfAttention = tree(q=linear())
        self.layer_norm = norm()


class T5LayerFF(nn.Module):
    """The last part of a block."""

    def __init__(self) -> None:
        super().__init__()
        self.DenseReluDense = tree(wi=linear(), wo=linear())
        self.layer_norm = norm()


def bert() -> nn.Module:
    embeddings = tree(word_embeddings=nn.Embedding(2, 2), LayerNorm=norm())
    inner = tree(
        embeddings=embeddings, encoder=tree(layer=row(BertLayer)), pooler=tree(dense=linear())
    )
    return tree(bert=inner, classifier=linear())


def vit() -> nn.Module:
    embeddings = tree(
        cls_token=2, position_embeddings=2, patch_embeddings=tree(projection=linear())
    )
    inner = tree(embeddings=embeddings, encoder=tree(layer=row(BertLayer)), layernorm=norm())
    return tree(vit=inner, classifier=linear())


def gpt2() -> nn.Module:
    def block() -> nn.Module:
        return tree(
            ln_1=norm(),
            attn=tree(c_attn=linear()),
            ln_2=norm(),
            mlp=tree(c_fc=linear(), c_proj=linear()),
        )

    inner = nn.ModuleDict(
        {"wte": nn.Embedding(2, 2), "wpe": nn.Embedding(2, 2), "h": row(block), "ln_f": norm()}
    )
    return tree(transformer=inner, lm_head=linear())


def llama() -> nn.Module:
    def block() -> nn.Module:
        return tree(
            self_attn=tree(q_proj=linear()), mlp=tree(up_proj=linear()), input_layernorm=norm()
        )

    inner = tree(embed_tokens=nn.Embedding(2, 2), layers=row(block), norm=norm())
    return tree(model=inner, lm_head=linear())


def hf_swin() -> nn.Module:
    def stage(last: bool = False) -> nn.Module:
        merging = None if last else tree(reduction=linear(), norm=norm())
        return tree(blocks=row(SwinLayer), downsample=merging)

    embeddings = tree(patch_embeddings=tree(projection=linear()), norm=norm())
    encoder = tree(layers=nn.ModuleList([stage(), stage(last=True)]))
    return tree(
        swin=tree(embeddings=embeddings, encoder=encoder, layernorm=norm()), classifier=linear()
    )


def hf_convnext() -> nn.Module:
    def stage(first: bool = False) -> nn.Module:
        down = nn.ModuleList([] if first else [norm(), nn.Conv2d(2, 2, 1)])
        return tree(downsampling_layer=down, layers=row(ConvNextLayer))

    embeddings = tree(patch_embeddings=nn.Conv2d(2, 2, 1), layernorm=norm())
    encoder = tree(stages=nn.ModuleList([stage(first=True), stage()]))
    return tree(
        convnext=tree(embeddings=embeddings, encoder=encoder, layernorm=norm()), classifier=linear()
    )


def hf_resnet() -> nn.Module:
    def stage() -> nn.Module:
        return tree(layers=nn.Sequential(*row(ResNetBottleNeckLayer)))

    inner = tree(embedder=tree(embedder=ResNetConvLayer()), encoder=tree(stages=row(stage)))
    return tree(resnet=inner, classifier=nn.Sequential(nn.Flatten(), linear()))


def t5() -> nn.Module:
    def stack() -> nn.Module:
        parts = row(lambda: tree(layer=nn.ModuleList([T5LayerSelfAttention(), T5LayerFF()])))
        return tree(block=parts, final_layer_norm=norm())

    return tree(shared=nn.Embedding(2, 2), encoder=stack(), decoder=stack(), lm_head=linear())


@pytest.mark.parametrize(
    ("make", "length", "expected"),
    [
        (bert, 4, [
            ["bert.embeddings.word_embeddings.weight", "bert.embeddings.LayerNorm.weight", "bert.embeddings.LayerNorm.bias"],
            ["bert.encoder.layer.0"],
            ["bert.encoder.layer.1"],
            ["bert.pooler.dense.weight", "bert.pooler.dense.bias", "classifier.weight", "classifier.bias"],
        ]),
        (vit, 3, [
            ["vit.embeddings.cls_token", "vit.embeddings.position_embeddings", "vit.embeddings.patch_embeddings"],
            ["vit.encoder.layer"],
            ["vit.encoder.layer"],
            ["vit.layernorm.weight", "vit.layernorm.bias", "classifier.weight", "classifier.bias"],
        ]),
        (gpt2, 3, [
            ["transformer.wte.weight", "transformer.wpe.weight"],
            ["transformer.h.0"],
            ["transformer.h.1"],
            ["transformer.ln_f.weight", "transformer.ln_f.bias", "lm_head.weight", "lm_head.bias"],
        ]),
        (llama, 3, [
            ["model.embed_tokens.weight"],
            ["model.layers.0"],
            ["model.layers.1"],
            ["model.norm.weight", "model.norm.bias", "lm_head.weight", "lm_head.bias"],
        ]),
        (hf_swin, 5, [
            [f"swin.embeddings.patch_embeddings.projection.{own}" for own in ("weight", "bias")]
            + [f"swin.embeddings.norm.{own}" for own in ("weight", "bias")],
            ["swin.encoder.layers.0.blocks"],
            ["swin.encoder.layers.0.blocks", "swin.encoder.layers.0.downsample"],
            ["swin.encoder.layers.1.blocks"],
            ["swin.encoder.layers.1.blocks"],
            ["swin.layernorm.weight", "swin.layernorm.bias", "classifier.weight", "classifier.bias"],
        ]),
        (hf_convnext, 5, [
            [f"convnext.embeddings.{part}.{own}" for part in ("patch_embeddings", "layernorm") for own in ("weight", "bias")],
            ["convnext.encoder.stages.0.layers"],
            ["convnext.encoder.stages.0.layers"],
            ["convnext.encoder.stages.1.downsampling_layer", "convnext.encoder.stages.1.layers"],
            ["convnext.encoder.stages.1.layers"],
            ["convnext.layernorm.weight", "convnext.layernorm.bias", "classifier.weight", "classifier.bias"],
        ]),
        (hf_resnet, 4, [
            ["resnet.embedder.embedder.convolution", "resnet.embedder.embedder.normalization"],
            ["resnet.encoder.stages.0"],
            ["resnet.encoder.stages.0"],
            ["resnet.encoder.stages.1"],
            ["resnet.encoder.stages.1"],
            ["classifier.1.weight", "classifier.1.bias"],
        ]),
        (t5, 3, [
            ["shared.weight"],
            ["encoder.block.0"],
            ["encoder.block.1"],
            # The norm between the two stacks joins the block behind it.
            ["encoder.final_layer_norm.weight", "encoder.final_layer_norm.bias", "decoder.block.0"],
            ["decoder.block.1"],
            ["decoder.final_layer_norm.weight", "decoder.final_layer_norm.bias", "lm_head.weight", "lm_head.bias"],
        ]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)  # fmt: skip
def test_the_names_of_hugging_face(
    make: Callable[[], nn.Module], length: int, expected: list[list[str]]
) -> None:
    assert prefixes(make(), length) == dict(enumerate(expected))


def test_a_backbone_of_hugging_face_stands_in_any_model() -> None:
    inside = depths(tree(encoder=bert(), extra=linear()))
    assert inside["encoder.bert.encoder.layer.1.attention.self.key.bias"] == 2
    assert inside["extra.weight"] == 3


def test_nanogpt_with_its_tied_output() -> None:
    model = gpt2()
    model.transformer.wte.weight = model.lm_head.weight
    found = depths(model)
    assert "lm_head.weight" not in found
    assert found["transformer.wte.weight"] == found["transformer.wpe.weight"] == 0
    assert found["transformer.h.1.mlp.c_proj.weight"] == 2
    assert found["transformer.ln_f.weight"] == 3
    assert depths(model, final_norm="last_block")["transformer.ln_f.weight"] == 2


# ## The depths of mmpretrain, without asking a model
def mm_vit() -> nn.Module:
    backbone = tree(
        cls_token=2,
        pos_embed=2,
        patch_embed=tree(projection=linear()),
        layers=row(lambda: tree(ln1=norm(), attn=tree(qkv=linear()))),
        ln1=norm(),
    )
    return tree(backbone=backbone, head=tree(layers=tree(head=linear())))


def mm_swin(**more: int) -> nn.Module:
    def stage(last: bool = False) -> nn.Module:
        merging = None if last else tree(norm=norm(), reduction=linear())
        return tree(
            blocks=row(lambda: tree(norm1=norm(), attn=tree(qkv=linear()))), downsample=merging
        )

    stages = nn.ModuleList([stage(), stage(last=True)])
    backbone = tree(**more, patch_embed=tree(projection=linear()), stages=stages, norm3=norm())
    return tree(backbone=backbone, head=tree(fc=linear()))


def vit_depth(name: str) -> int:
    """What mmpretrain's ViT with two layers says."""
    own = name.removeprefix("backbone.")
    if own == name:
        return 3
    if own in ("cls_token", "pos_embed") or own.startswith("patch_embed"):
        return 0
    return int(own.split(".")[1]) + 1 if own.startswith("layers") else 3


def swin_depth(name: str) -> int:
    """What mmpretrain's Swin with two stages of two blocks says."""
    parts = name.removeprefix("backbone.").split(".")
    if parts[0] == "patch_embed":
        return 0
    if parts[0] != "stages":
        return 5
    stage = int(parts[1])
    return 2 * stage + int(parts[3]) + 1 if parts[2] == "blocks" else 2 * (stage + 1)


@pytest.mark.parametrize(
    ("model", "ask"), [(mm_vit(), vit_depth), (mm_swin(), swin_depth)], ids=["vit", "swin"]
)
def test_the_structure_says_what_mmpretrain_says(model: nn.Module, ask: Any) -> None:
    assert depths(model) == {name: ask(name) for name, _ in model.named_parameters()}


def test_a_position_embedding_of_swin_is_stem_here_and_head_in_mmpretrain() -> None:
    model = mm_swin(absolute_pos_embed=2)
    assert depths(model)["backbone.absolute_pos_embed"] == 0
    assert swin_depth("backbone.absolute_pos_embed") == 5


# ## What a structure may look like
def test_stem_and_head_are_what_stands_before_and_behind_the_blocks() -> None:
    assert prefixes(Net(), 2) == {
        0: ["embed.weight"],
        1: ["blocks.0"],
        2: ["blocks.1"],
        3: ["head.weight", "head.bias"],
    }
    assert count(Net()) == 4


def test_the_head_has_a_depth_even_in_a_model_that_has_none() -> None:
    model = tree(embed=linear(), blocks=row(lambda: tree(fc=linear())))
    assert count(model) == 4
    assert max(depths(model).values()) == 2


def test_an_embedding_is_stem_and_a_head_is_head_wherever_they_are_registered() -> None:
    model = tree(
        classifier=linear(), blocks=row(lambda: tree(fc=linear())), pos_embed=2, proj=linear()
    )
    found = depths(model)
    assert (found["classifier.weight"], found["pos_embed"], found["proj.weight"]) == (3, 0, 3)


def test_what_stands_between_blocks_joins_the_one_behind_it() -> None:
    model = tree(
        stem=linear(),
        first=row(lambda: tree(fc=linear()), 1),
        bridge=linear(),
        second=row(lambda: tree(fc=linear()), 1),
    )
    assert depths(model)["bridge.weight"] == depths(model)["second.0.fc.weight"] == 2


def test_the_norm_that_ends_the_blocks_may_count_to_the_last() -> None:
    model = tree(
        embed=nn.Embedding(2, 2),
        blocks=row(lambda: tree(fc=linear())),
        norm=nn.RMSNorm(2),
        pool=tree(query=2, norm=norm(), proj=linear()),
        head=linear(),
    )
    head = depths(model)
    assert {head[name] for name in head if name.startswith(("norm", "pool", "head"))} == {3}
    last = depths(model, final_norm="last_block")
    assert last["norm.weight"] == 2
    assert {last[name] for name in last if name.startswith(("pool", "head"))} == {3}


def test_a_model_of_layers_without_blocks_has_a_depth_for_each_layer() -> None:
    model = nn.Sequential(
        *(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Conv2d(2, 2, 3), nn.GroupNorm(1, 2)),
        *(nn.Flatten(), linear()),
    )
    assert list(depths(model).values()) == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]
    assert count(model) == 3


def test_a_norm_that_begins_a_model_is_a_layer() -> None:
    model = nn.Sequential(norm(), linear(), norm(), linear())
    assert list(depths(model).values()) == [0, 0, 1, 1, 1, 1, 2, 2]


def test_a_tied_output_is_as_deep_as_the_embedding() -> None:
    assert depths(Tied()) == {"embed.weight": 0, "fc.weight": 1, "fc.bias": 1}


def test_one_layer_alone_has_no_depth() -> None:
    for model in (linear(), nn.Sequential(linear(), norm())):
        with pytest.raises(
            ValueError, match=r"^layers must be given for a model with one layer only"
        ):
            depths(model)


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (nn.LayerNorm(2), True),
        (nn.RMSNorm(2), True),
        (nn.BatchNorm2d(2), True),
        (nn.LazyBatchNorm1d(), True),
        (nn.Linear(2, 2), False),
        (nn.Sequential(nn.LayerNorm(2)), False),
        (nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)), False),
    ],
)
def test_what_normalizes_has_it_in_its_name(module: nn.Module, expected: bool) -> None:
    assert is_norm(module) is expected


# ## Asking the model
class Knowing(Net):
    """A model that knows its depths, under a prefix if it is a part of another."""

    def get_layer_depth(self, name: str, prefix: str = "") -> tuple[int, int]:
        """Return depth and number of layers."""
        own = name.removeprefix(prefix)
        if prefix and own == name:
            return 9, 10
        return (8 if own.startswith("head") else 4), 10


def test_a_model_that_knows_its_depths_is_asked() -> None:
    table = ParameterTable(Knowing())
    assert table.layers() == Layers([4] * 9 + [8] * 2, 10)


def test_a_child_that_knows_its_depths_is_asked_with_its_prefix() -> None:
    model = tree(neck=linear(), backbone=Knowing(), head=linear())
    found = depths(model)
    assert found["backbone.embed.weight"] == 4
    assert found["backbone.head.bias"] == 8
    assert found["neck.weight"] == found["head.weight"] == 9


def test_a_child_of_a_child_is_not_asked() -> None:
    assert depths(tree(model=tree(backbone=Knowing())))["model.backbone.blocks.1.fc.bias"] == 2


def test_a_list_of_patterns_goes_before_what_a_model_knows() -> None:
    assert set(depths(Knowing(), ["."]).values()) == {0}


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (lambda name: (3, 3), ValueError, "get_layer_depth must tell a depth from 0 to 2, got 3"),
        (lambda name: (-1, 3), ValueError, "get_layer_depth must tell a depth from 0 to 2, got -1"),
        (
            lambda name: (0, len(name)),
            ValueError,
            r"get_layer_depth must tell one number of layers, got \[9, 11",
        ),
        (lambda name: 3, TypeError, "get_layer_depth must return a depth and the number of layers, got 3"),
        (lambda name: None, TypeError, "get_layer_depth must return a depth and the number of layers"),
        (lambda name: (0, 2, 3), TypeError, "get_layer_depth must return a depth and the number"),
        (lambda name: (0.5, 2), TypeError, r"get_layer_depth must return .*, got \(0.5, 2\) for embed"),
    ],
)  # fmt: skip
def test_a_wrong_answer_is_refused(answer: Any, error: type[Exception], message: str) -> None:
    net = Net()
    net.get_layer_depth = answer
    with pytest.raises(error, match=f"^{message}"):
        depths(net)


# ## Asking a list
def test_each_pattern_is_a_layer_and_the_first_that_fits_counts() -> None:
    found = depths(Net(), ["embed", r"blocks\.0", "blocks", "head"])
    assert list(found.values()) == [0] + [1] * 4 + [2] * 4 + [3] * 2
    found = depths(Net(), ["norm", "blocks", "."])
    assert list(found.values()) == [2, 1, 1, 0, 0, 1, 1, 0, 0, 2, 2]


def test_a_pattern_with_a_group_is_as_many_layers_as_there_are_numbers() -> None:
    found = depths(Net(), ["embed", r"blocks\.(\d+)\.", "head"])
    assert list(found.values()) == [0] + [1] * 4 + [2] * 4 + [3] * 2
    model = nn.Sequential(*(linear() for _ in range(12)))
    assert depths(model, [r"(\d+)"])["10.weight"] == 10


def test_numbers_that_are_missing_leave_no_gap() -> None:
    model = nn.Sequential(linear(), nn.ReLU(), linear(), nn.ReLU(), linear())
    assert list(depths(model, [r"^(\d+)"]).values()) == [0, 0, 1, 1, 2, 2]


def test_several_groups_are_counted_like_chapters_and_sections() -> None:
    model = tree(
        downsample_layers=row(lambda: nn.Sequential(norm(), linear())),
        stages=row(lambda: nn.Sequential(*row(lambda: tree(fc=linear())))),
        head=linear(),
    )
    # As in ConvNeXt's own code: what leads to a stage stands apart from it, and is a layer of its own here.
    found = depths(model, [r"^downsample_layers\.(\d)|^stages\.(\d)\.(\d)", "head"])
    weights = {name: depth for name, depth in found.items() if name.endswith("weight")}
    assert weights == {
        **{"downsample_layers.0.0.weight": 0, "downsample_layers.0.1.weight": 0},
        **{"stages.0.0.fc.weight": 1, "stages.0.1.fc.weight": 2},
        **{"downsample_layers.1.0.weight": 3, "downsample_layers.1.1.weight": 3},
        **{"stages.1.0.fc.weight": 4, "stages.1.1.fc.weight": 5},
        "head.weight": 6,
    }


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (["embed", "blocks"], "layers must match every parameter, got no match for head.weight"),
        (["embed", "blocks", "head", "tail"], "layers must each match a parameter, got 'tail'"),
        (["embed", "blocks", "blocks", "head"], "layers must each match a parameter, got 'blocks'"),
        ([r"(\w+)\."], r"layers must have groups for numbers only, got '(\\w+)\\.' for embed"),
    ],
)
def test_a_list_that_does_not_fit_is_refused(layers: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        depths(Net(), layers)


def test_a_final_norm_beside_a_list_of_layers_is_refused() -> None:
    with pytest.raises(
        ValueError, match="final_norm must not be given where layers are, got 'last_b"
    ):
        LayerDecay(0.5, layers=["a"], final_norm="last_block")
