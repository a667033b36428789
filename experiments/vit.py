r"""---
title: A small transformer for images
summary: >-
  A vision transformer that two CPU cores train on CIFAR-10, layer by layer, to see what rules for parameter groups do to it.
paper:
  title: "An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale"
  authors: Alexey Dosovitskiy, Lucas Beyer, Alexander Kolesnikov, Dirk Weissenborn, Xiaohua Zhai, et al.
  year: 2021
  arxiv: "2010.11929"
  venue: ICLR
chapter: "12.15"
needs: [experiments/cifar, param_groups/no_decay, param_groups/layer_decay]
---

An image of CIFAR-10 has 32 x 32 pixels. Cut it into squares of 4 x 4 and write the 48 numbers of each square in a row: this is a
*patch*, and the image is a list of 64 of them. A transformer reads lists. Nothing else in it is made for images.

```sh
python -m experiments.cifar --model vit --optimizer adamw --lr 0.001 --set weight_decay=0.05 --rule built-in
```

[Recipes](recipes.py) for such networks come with rules for parameter groups. This one is small enough to ask what they bring.

## With and without rules

Three arms, each AdamW with $\lambda = 0.05$, a warm-up of a twentieth of the steps and a cosine to zero:

- *none*: all parameters decay, biases and norms too.
- *built-in*: [biases and norms](../labml_nn_optim/param_groups/no_decay.py) do not decay. These are 4,042 of the 347,530 parameters.
- *layer-decay=0.75*: as *built-in*, and each layer learns at 0.75 of the rate of the one behind it. The first patches learn at 0.32 of the rate of the head, and decay at 0.32
  of its pace, because AdamW multiplies $\lambda$ by the rate.

Each arm has its own search: one pass with one seed for each rate, on images held back from training. The grid grows where the best rate lies on its edge. At the chosen rate, in bold, it
then makes three runs of three passes over all 50,000 images, in batches of 128 and in bfloat16, with one seed each:

| held-out loss at $\alpha$ | 0.0003 | 0.001 | 0.003 | 0.01 |
|---|---:|---:|---:|---:|
| none | 1.655 | **1.529** | 1.567 | |
| built-in | 1.655 | **1.528** | 1.562 | |
| layer-decay=0.75 | 1.732 | 1.573 | **1.524** | 1.634 |

| test accuracy | seed 0 | seed 1 | seed 2 |
|---|---:|---:|---:|
| none | 59.68 % | 60.45 % | 61.06 % |
| built-in | 59.75 % | 60.47 % | 60.95 % |
| layer-decay=0.75 | 59.71 % | 59.83 % | 62.04 % |

**The built-in rules change nothing here.** Seed by seed the two arms lie within 0.11 points, while the seeds lie 1.2 to 1.4 points apart. Here
[pairing](comparison.py) tells much more than the ranges do. That is no surprise. The 1173 rates sum to $586.5\,\alpha$, and at $\alpha = 0.001$ a weight
without gradient loses $586.5 \cdot 0.001 \cdot 0.05 = 2.9$ % to the decay, in the whole run.

**Layer decay wants a larger rate.** It lowers all rates but the head's, so the search takes the next point of the grid. At 0.001 it would have looked worse than
*built-in*, 1.573 against 1.528. At its own best rate three seeds do not tell the two apart: it is 0.04 and 0.64 points worse and 1.09 better, and pairing is of no help.

None of this speaks for or against the rules where they come from: in runs hundreds of times as long, and in fine-tuning.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class PatchEmbed(nn.Module):
    """## Patches

    One linear layer turns the 48 numbers of each patch into a vector of `width` numbers, a *token*. As a convolution of 4 x 4 that moves
    by 4 it needs no cutting.
    """

    def __init__(self, patch: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, kernel_size=patch, stride=patch)

    def forward(self, images: Tensor) -> Tensor:
        """Return the tokens, shape `[batch, patches, width]`, row by row from the upper left."""
        tokens: Tensor = self.proj(images).flatten(start_dim=2).transpose(1, 2)
        return tokens


class Attention(nn.Module):
    r"""## Attention

    Each token asks all tokens. Its query is compared with their keys, and it gets the mean of their values, weighted by how
    well they fit. In the blocks this is the only place where tokens meet. One linear layer computes queries, keys and values of three heads, each of which weighs on its own
    with 32 numbers of a token. A product of two vectors of 32 independent numbers with variance 1 has the variance 32; the factor $1 / \sqrt{32}$ makes it 1 again, so that the softmax is not
    a choice of one token from the start.

    torch has all of it in one call, `functional.scaled_dot_product_attention`, whose fast kernels never hold the weights of all pairs. With 64 tokens they
    are few. On a CPU that call is slow in bfloat16: forward and backward pass of 128 images took 372 milliseconds with it and 189 as written here. In float32 it was the
    faster one, 297 against 314. (torch 2.14, one thread of an Intel Xeon that had other work, medians of nine.)
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the shape of `x`, `[batch, patches, width]`."""
        split = self.qkv(x).unflatten(-1, (3, self.heads, -1))
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind()
        fit = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)
        mixed = fit.softmax(dim=-1) @ value
        projected: Tensor = self.proj(mixed.transpose(1, 2).flatten(start_dim=2))
        return projected


class Mlp(nn.Module):
    """Two linear layers with GELU between them, for each token by itself."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the shape of `x`."""
        projected: Tensor = self.fc2(functional.gelu(self.fc1(x)))
        return projected


class Block(nn.Module):
    r"""## Norms before, not behind

    Return $x + a(\mathrm{norm}(x))$ with the attention $a$, and then the same with the two linear layers.

    The norm stands inside the branch, so the sum itself is never normalized: from the last block to the first the gradient has a way on which nothing
    scales it. In the first transformers the norm stood behind the sum. Their gradients near the output are large at the start, and without a warm-up of the rate
    they diverge or end worse ([Xiong and others, 2020](https://arxiv.org/abs/2002.04745)).

    The price is a stream that grows from block to block, so one more norm stands before the head. All runs here have a warm-up nevertheless, as recipes for
    Adam do; whether this network needs it was not measured.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, 4 * width)

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the shape of `x`."""
        x = x + self.attn(self.norm1(x))
        result: Tensor = x + self.mlp(self.norm2(x))
        return result


class ViT(nn.Module):
    """## The network

    | layer | output | parameters |
    |---|---|---|
    | input | 3 x 32 x 32 | |
    | patches, 4 x 4 | 64 x 96 | 4,704 |
    | position embedding | 64 x 96 | 6,144 |
    | three blocks of 111,840 | 64 x 96 | 335,520 |
    | norm, mean over the patches | 96 | 192 |
    | linear | 10 | 970 |

    The 347,530 parameters have the names that they have in timm, such as `blocks.0.attn.qkv.weight`. timm's `VisionTransformer` of this size gives the
    same logits with them, if it has no class token, torch's `LayerNorm`, and the mean behind the last norm (`fc_norm=False`). By these names [layer
    decay](../labml_nn_optim/param_groups/layer_decay.py) finds five depths: patches and positions, three blocks, last norm and head.

    **Positions.** Attention is a weighted mean, and a mean does not know the order. Without the position embedding the network gives an
    image and the same image with its patches shuffled the same logits. So each place has a vector of its own that is added to its token.
    It begins near zero, and all that the network knows of up and left it has to learn.

    **No class token.** The ViTs of the paper read the answer from one more token. Here the head reads the mean of all.
    """

    def __init__(
        self, image: int = 32, patch: int = 4, width: int = 96, heads: int = 3, blocks: int = 3
    ) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(patch, width)
        self.pos_embed = nn.Parameter(torch.empty(1, (image // patch) ** 2, width))
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        self.blocks = nn.ModuleList([Block(width, heads) for _ in range(blocks)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, shape `[batch, 10]`, of images of shape `[batch, 3, 32, 32]`."""
        x = self.patch_embed(images) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.head(self.norm(x).mean(dim=1))
        return logits


# ## Traps
#
# - *The position embedding decays.* The built-in rules leave out what has one dimension, and it has three. timm's list for a ViT takes it out. To do the
#   same, add `--rule pos_embed:no_decay=True`. The runs here do not.
# - *Layer decay is a rule for fine-tuning.* It spares layers that know something. Here none does at the start.
# - *Multiplications are not time.* This network has 1.2 times those of the [small one](cifar.py) and took 2.9 times as long, in the same minute on the same thread. Only 39 % of
#   that went into products of matrices. Copies, with the casts to bfloat16 and back, took 22 %, GELU 10 %, norms 8 %, the softmax 5 %.
#
# ## Exercises
#
# **1.** How many multiplications does an image take, and how many are there with patches of 2 x 2?
#
# ::: solution
# A linear layer of $n$ weights takes $n$ multiplications for each of 64 tokens. In a block that is $12 \cdot 96^2 \cdot 64 = 7.08$ million. Comparing
# and mixing take $2 \cdot 64^2 \cdot 96 = 0.79$ million more. With the patches, $48 \cdot 96 \cdot 64 = 0.29$ million, three blocks come
# to 23.9 million.
#
# Patches of 2 x 2 are 256 tokens. The linear layers of the blocks take four times as much, comparing and mixing sixteen times, and the patches, four times as many of a quarter
# of the size, the same: $84.9 + 37.7 + 0.3 = 123$ million.
# :::
#
# **2.** Which groups does `LayerDecay(0.75)` make if the position embedding is not to decay?
#
# ::: solution
# Ten: for each of five depths one that decays and one that does not. Without that rule there are ten as well, and the position embedding decays with the weights of the patches.
#
# ```python
# from experiments.vit import ViT
# from labml_nn_optim.param_groups import LayerDecay, Rule, param_groups
#
# rules = [LayerDecay(0.75), Rule("pos_embed", no_decay=True)]
# groups = param_groups(ViT(), rules, lr=1e-3, weight_decay=0.05)
# assert len(groups) == 10
# (own,) = [group for group in groups if "pos_embed" in group["param_names"]]
# assert own["weight_decay"] == 0
# assert own["param_names"] == ["pos_embed", "patch_embed.proj.bias"]
# ```
# :::
