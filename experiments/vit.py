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
symbols:
  \alpha: lr
  \lambda: weight_decay
---

An image of CIFAR-10 has 32 x 32 pixels. Cut it into squares of 4 x 4 and write the 48 numbers of each square in a row: this is a
*patch*, and the image is a list of 64 of them. A transformer reads lists. Nothing else in it is made for images.

```sh
python -m experiments.cifar --model vit --optimizer adamw --lr 0.001 --rule built-in
```

Rules for parameter groups are mostly written for such networks. This one is small enough to ask what they bring.
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
    """## Attention

    Each token asks all others. Its query is compared with their keys, and it gets the mean of their values, weighted by how
    well they fit. One linear layer computes queries, keys and values of all heads. This is the only place where tokens meet.
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

    The price is a stream that grows from block to block, so one more norm stands before the head.
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

    The 347,530 parameters have the names that they have in timm, such as `blocks.0.attn.qkv.weight`. By these names [layer
    decay](../labml_nn_optim/param_groups/layer_decay.py) finds five depths: the stem, three blocks, the head.

    **Positions.** Attention is a weighted mean, and a mean does not know the order. Without the position embedding the network gives an
    image and the same image with its patches shuffled the same logits. So each place has a vector of its own that is added to its token.
    It begins near zero, and all that the network knows of up and left it has to learn.

    **No class token.** The larger ViTs read the answer from one more token. Here the head reads the mean of all.
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
