r"""---
title: Recipes for five models
summary: >-
  How a ViT, a Swin, a ConvNeXt, a ResNet and a GPT are usually grouped, as a few rules each, with a table that shows
  what they come to.
chapter: "12.10"
needs: [param_groups/groups, param_groups/layer_decay, param_groups/report]
symbols:
  \alpha: lr
  \lambda: weight_decay
---

A recipe for fine-tuning a ViT has two rules. What they come to is 28 groups:

```sh
python -m experiments.recipes --model vit_b_16
```

```text
group        lr  lr_scale  weight_decay  tensors  parameters  examples
    0  2.38e-05    0.0238             0        3     152,832  class_token, conv_proj.bias, and 1 more
    1  2.38e-05    0.0238          0.05        1     589,824  conv_proj.weight
    2  3.17e-05    0.0317             0        8       9,984  encoder.layers.encoder_layer_0.ln_1.weight, ...
    3  3.17e-05    0.0317          0.05        4   7,077,888  encoder.layers.encoder_layer_0.self_attention.in_proj_weight, ...
  ...
```

Two for the stem, two for each of twelve blocks, two for the head: one that decays and one that does not. Read the column of the
rates from top to bottom: it rises by a third from block to block, and ends at the full rate.

The numbers of a recipe belong to the data, the length and the batch size that its authors had. What carries over is the shape: what is decayed, what is
slower than what. Search for $\alpha$ anew.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import click
import torch
import torchvision
from torch import nn

from experiments.cli import run_command
from experiments.gpt import GPT
from labml_nn_optim.param_groups import (
    LayerDecay,
    Name,
    ParamGroups,
    Rule,
    RuleFamily,
    describe,
    param_groups,
)


@dataclass(frozen=True)
class Recipe:
    """Rules for one model, and the values that they start from.

    * `make`: returns the model with random weights
    * `source`: where the recipe comes from
    """

    make: Callable[[], nn.Module]
    rules: tuple[Rule | RuleFamily, ...]
    lr: float
    weight_decay: float
    source: str

    def groups(self, model: nn.Module) -> ParamGroups:
        """Return the parameter groups of a model of this kind."""
        return param_groups(model, self.rules, lr=self.lr, weight_decay=self.weight_decay)


def vit_b_16() -> Recipe:
    """## ViT-B/16, fine-tuned

    After pre-training without labels, as with a masked autoencoder: AdamW, layer decay 0.75, a decay of 0.05, a rate of
    0.001 for 256 images. ([He et al., 2022](https://arxiv.org/abs/2111.06377), table 9)

    The class token and the position embedding are no matrices, but have three dimensions, so the
    built-in rules do not know them. A second rule takes the decay off. Like a bias they are the same for
    every image, so they have no way to fit the noise of one.

    The table of the paper and the authors' instructions differ: these have a layer decay of 0.65 and half the rate for this size.
    """
    added = Name("class_token") | Name("encoder.pos_embedding")
    return Recipe(
        make=torchvision.models.vit_b_16,
        rules=(LayerDecay(0.75), Rule(added, no_decay=True)),
        lr=1e-3,
        weight_decay=0.05,
        source="MAE, table 9",
    )


def swin_t() -> Recipe:
    """## Swin-T, fine-tuned

    A Swin has no position embedding. It has a table of biases for each block, by the distance of two
    patches. A table has two dimensions and would decay; Swin's own code leaves it out, by name.

    The numbers are SimMIM's for a Swin-B, with the rate for 512 images. Its layer decay is 0.8 after 800 epochs of pre-training, 0.9 after 100, and
    0.7 for a Swin-L; we know of none for this size. ([Xie et al., 2022](https://arxiv.org/abs/2111.09886), public code)

    The structure finds 14 depths here, as many as SimMIM and mmpretrain count. These put the layers that
    halve the resolution to the stage before. Here they stand between two stages, and go with the one behind.
    """
    return Recipe(
        make=torchvision.models.swin_t,
        rules=(LayerDecay(0.8), Rule("*.relative_position_bias_table", no_decay=True)),
        lr=1.25e-3,
        weight_decay=0.05,
        source="Swin and SimMIM, public code",
    )


def convnext_tiny() -> Recipe:
    r"""## ConvNeXt-T, fine-tuned

    Its authors give stage 1 and stage 2 one depth each, take the blocks of stage 3 in threes, and stage 4 as one.
    ([Liu et al., 2022](https://arxiv.org/abs/2201.03545), public code) With nine blocks in stage 3, and with the stem and the head, these
    are eight depths. The structure has twenty, so `layers` lists the eight.

    Which rate belongs to them? The authors' table has 0.8 for all sizes. Their code knows depths only for the larger networks, with 27 blocks in stage 3 and 14
    depths, and refuses the Tiny one: there the stem has 0.055, and here 0.21. mmpretrain takes 0.7 for a ConvNeXt V2-T with these eight depths, and the
    authors of V2 take 0.9 with a depth for each block. All three follow other ways of pre-training, and we know of no comparison.

    The decay $\lambda = 10^{-8}$ is none: after pre-training with labels on a larger set, the authors do not decay at all, and
    $\alpha$ is $5 \cdot 10^{-5}$ for 512 images.

    torchvision's LayerScale has three dimensions, so with a larger decay it would need the second rule; with this one it does not matter. It stands here so that
    nobody who raises the decay falls into it.
    """
    depths = (
        r"features\.0\.",
        r"features\.1\.",
        r"features\.[23]\.",
        r"features\.(?:4|5\.[0-2])\.",
        r"features\.5\.[3-5]\.",
        r"features\.5\.[6-8]\.",
        r"features\.[67]\.",
        r"classifier\.",
    )
    return Recipe(
        make=torchvision.models.convnext_tiny,
        rules=(LayerDecay(0.8, layers=depths), Rule("*.layer_scale", no_decay=True)),
        lr=5e-5,
        weight_decay=1e-8,
        source="ConvNeXt, public code",
    )


def resnet50() -> Recipe:
    """## ResNet-50 as a backbone

    For detection the stem and the first stage are frozen, which Detectron2 calls freezing at 2. The habit is from Fast R-CNN:
    to train the second stage of a VGG16, too, took a third more time and gained 0.3 points, and in smaller networks the first layer gained nothing.
    ([Girshick, 2015](https://arxiv.org/abs/1504.08083), section 4.5)

    Batch normalization that is frozen so goes on updating its running averages: `requires_grad` is about parameters only. Put those
    modules into `eval` mode, too.

    The rest has one rate, and biases and normalization do not decay.
    ([He et al., 2018](https://arxiv.org/abs/1812.01187)) These numbers are for SGD with a momentum of 0.9 and 16 images,
    and the decay is in the gradient: with this library's SGD, give `WeightDecay(1e-4, weight_decouple=False)`.
    """
    return Recipe(
        make=torchvision.models.resnet50,
        rules=(
            Rule("conv1.*", freeze=True),
            Rule("bn1.*", freeze=True),
            Rule("layer1.*", freeze=True),
        ),
        lr=0.02,
        weight_decay=1e-4,
        source="Detectron2 and Bag of Tricks",
    )


def gpt() -> Recipe:
    r"""## A GPT from scratch

    Nothing is pretrained, so no layer is slower. Matrices and embeddings decay by 0.1, vectors do not, and $\beta_2$ is 0.95, which
    forgets a spike of the loss after some twenty steps and not after a thousand. That is nanoGPT's recipe.

    The output layer is the embedding. It is one tensor with two names, and goes by the first, `wte.weight`. A rule for `lm_head.weight` is an
    error that says so.

    Whether embeddings should decay is not settled. [OLMo 2](https://arxiv.org/abs/2501.00656) leaves them out: `Rule(ModuleType(nn.Embedding), no_decay=True)`. Here that would
    take the decay off the output layer as well.
    """
    return Recipe(
        make=GPT,
        rules=(Rule("*", betas=(0.9, 0.95)),),
        lr=6e-4,
        weight_decay=0.1,
        source="nanoGPT",
    )


RECIPES = {make.__name__: make for make in (vit_b_16, swin_t, convnext_tiny, resnet50, gpt)}


def _list(context: click.Context, parameter: click.Parameter, chosen: bool) -> None:
    if not chosen:
        return
    width = max(map(len, RECIPES))
    for name, make in RECIPES.items():
        click.echo(f"{name:{width}}  {make().source}")
    context.exit()


@click.command("python -m experiments.recipes", help="Print the parameter groups of a recipe.")
@click.option(
    "--model",
    type=click.Choice(list(RECIPES)),
    default="vit_b_16",
    show_default=True,
    help="Whose recipe.",
)
@click.option(
    "--list",
    "list_only",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list,
    help="List the recipes and exit.",
)
def main(model: str) -> None:
    """## The command

    The model is made without memory, on torch's `meta` device: its names and shapes are all that rules need.
    """
    recipe = RECIPES[model]()
    with torch.device("meta"):
        made = recipe.make()
    describe(recipe.groups(made))


if __name__ == "__main__":
    sys.exit(run_command(main))

# ## Traps
#
# - **Names change.** torchvision, timm and Hugging Face name the same ViT in three ways, and a version may rename. A rule that matches nothing is an
#   error, so it is noticed; one that matches other things than meant is not. Read the table.
# - **Half of a recipe.** Layer decay, learning rate, drop path, augmentation and length were tuned together. One of them alone, taken from a paper, is a guess.
# - **A new head** should be in the model before the groups are made. Swapped afterwards, it is in no group, and not trained.
#
# ## Exercises
#
# **1.** How many groups does the ViT have with `LayerDecay(1.0)`, and why?
#
# ::: solution
# Two: with and without decay. All scales are 1, and equal groups are one.
# :::
#
# **2.** timm's ViT has the names `blocks.0`, `cls_token` and `pos_embed`. What has to be changed in the recipe?
#
# ::: solution
# The names in the second rule. `LayerDecay` finds `blocks.0` by itself.
#
# ```python
# import torch
# import torchvision
# from labml_nn_optim.param_groups import LayerDecay, Name, Rule, param_groups
#
# with torch.device("meta"):
#     model = torchvision.models.vit_b_16()
# rules = [LayerDecay(0.75), Rule(Name("class_token"), no_decay=True)]
# assert len(param_groups(model, rules, lr=1e-3, weight_decay=0.05)) == 28
# assert len(param_groups(model, [LayerDecay(1.0)], lr=1e-3, weight_decay=0.05)) == 2
# ```
# :::
