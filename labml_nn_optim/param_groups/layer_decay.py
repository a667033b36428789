r"""
---
title: Layer-wise learning rates
summary: Each layer learns at a fixed fraction of the rate of the layer behind it, so that fine-tuning changes the first layers least.
paper:
  title: Universal Language Model Fine-tuning for Text Classification
  authors: Jeremy Howard, Sebastian Ruder
  year: 2018
  arxiv: "1801.06146"
  venue: ACL
chapter: "11.7"
needs: [param_groups/groups, param_groups/depth]
---

# The first layers know most already

[A network that reads MNIST](../../experiments/finetune.py) gets a new last layer and fifty images of digits by other hands. With
$\alpha = 0.01$ for all of its four layers it reads 79.9 % of new ones. With 0.01 for the new layer, a quarter of that for the one before it, a
sixteenth and a sixty-fourth for the first two, it reads 87.1 %.

The new layer knows nothing and has far to go. The others know what strokes look like. A rate that is right for the new one tears them up,
while the new one is still random and its gradients mean little.

So give the layers different rates: the full one for the head, and less and less towards the stem.

```python
groups = param_groups(vit, [LayerDecay(0.75)], lr=1e-3, weight_decay=0.05)
```

## The rule

A parameter at [depth](depth.py) $d$ of $D$ learns at

$$\alpha_d = \alpha\, r^{\,D - 1 - d}$$

The head has $r^0 = 1$. A ViT-B/16 has $D = 14$: its last block learns at $r$, its first at $r^{12}$, its embeddings at $r^{13}$.

| $r$ | last block | block in the middle, $d = 7$ | first block | embeddings |
|---:|---:|---:|---:|---:|
| 0.9 | 0.90 | 0.53 | 0.28 | 0.25 |
| 0.75 | 0.75 | 0.18 | 0.032 | 0.024 |
| 0.65 | 0.65 | 0.075 | 0.0057 | 0.0037 |
| 0.5 | 0.50 | 0.016 | 0.00024 | 0.00012 |

At 0.5 the first half of the network is as good as frozen.

## Why a power

Under Adam a parameter moves by about $\alpha_d$ in a step, whatever its gradient is. In $T$ steps it can come as far as $\alpha_d T$. So
the rates are budgets: how far each layer may leave the place where pre-training has put it. A layer's change acts on all layers behind
it, so a change in the stem is worth more than one at the end, and the budget should shrink towards the stem. That it shrinks
by the *same* factor at each layer is a choice with a single number to tune, and not derived from anything.

Under SGD the step is $\alpha_d$ times the gradient, and gradients differ between layers by themselves. The powers come on top of
that.

Decoupled decay is $\alpha_d \lambda$, so the early layers also decay less. mmpretrain, timm and this library leave it so.

## Conventions

| | the head | the final normalization | who multiplies |
|---|---|---|---|
| here | 1 | 1, or $r$ with `final_norm="last_block"` | the group's `lr`; a scheduler keeps it |
| mmpretrain | 1 | 1 | the group's `lr` at the start |
| BEiT | 1 | 1 | the training loop, in each step, with the floor |
| timm | 1 | $r$ in a ViT | the scheduler: `lr_scale` is an entry of the group |
| ULMFiT | 1 | | $r = 1/2.6$ between its layers |

ULMFiT, for a language model of a few layers, called it discriminative fine-tuning. Transformers had it from 2019 on, in
[work on fine-tuning BERT](https://arxiv.org/abs/1905.05583) and in XLNet's code; BEiT took it to images.

**The floor of a schedule.** A schedule in torch or mmengine that ends at an absolute `eta_min` ends all groups at the same
value. For $\alpha = 10^{-3}$, $r = 0.75$ and `eta_min` $= 10^{-5}$ the head falls along its cosine from 1e-3 to 1e-5, and the embeddings from
2.4e-5 to 1e-5: at the start 42 times slower than the head, at nine tenths of the run 3.3 times, at the end the same.
[Scheduler](../schedulers/scheduler.py) scales the floor with the group, unless it is told `absolute_floor`.
"""

from __future__ import annotations

from collections.abc import Sequence

from labml_nn_optim.checks import require_number
from labml_nn_optim.param_groups.depth import FINAL_NORMS, LayerPatterns, check_layers
from labml_nn_optim.param_groups.rules import Rule
from labml_nn_optim.param_groups.selectors import Chosen, ParameterTable

__all__ = ["LayerDecay"]


class LayerDecay:
    r"""Scales the learning rate of a parameter at depth $d$ of $D$ by $\text{rate}^{D - 1 - d}$.

    - `rate`: $r$, above 0 and at most 1, which changes nothing
    - `layers`: where one layer ends and the next begins: regular expressions from the stem to the head,
      each a layer, or as many as there are numbers in its group. Without them the model's own `get_layer_depth` is
      asked, or its [structure](depth.py)
    - `final_norm`: whether the normalization behind the last block counts as `"head"`, as in mmpretrain, or
      `"last_block"`, as in timm; for the structure only
    - `min_scale`: no scale is smaller
    - `freeze_below`: parameters whose scale, before `min_scale`, is smaller are not trained at all

    Raises `TypeError` or `ValueError` for what is not allowed.
    """

    def __init__(
        self,
        rate: float,
        *,
        layers: LayerPatterns | None = None,
        final_norm: str = FINAL_NORMS[0],
        min_scale: float = 0.0,
        freeze_below: float = 0.0,
    ) -> None:
        require_number("rate", rate, above=0.0, maximum=1.0)
        require_number("min_scale", min_scale, maximum=1.0)
        require_number("freeze_below", freeze_below, maximum=1.0)
        check_layers(layers, final_norm)
        self.rate = rate
        self.layers = layers
        self.final_norm = final_norm
        self.min_scale = min_scale
        self.freeze_below = freeze_below

    def expand(self, table: ParameterTable) -> Sequence[Rule]:
        """Return a rule for each depth."""
        layers = table.layers(self.layers, self.final_norm)
        rows: dict[int, set[int]] = {}
        for row, depth in enumerate(layers.depths):
            rows.setdefault(depth, set()).add(row)
        return [
            self._rule(self.rate ** (layers.num_layers - 1 - depth), depth, frozenset(rows[depth]))
            for depth in sorted(rows)
        ]

    def _rule(self, scale: float, depth: int, rows: frozenset[int]) -> Rule:
        select = Chosen(rows, f"depth {depth}")
        if scale < self.freeze_below:
            return Rule(select, freeze=True)
        return Rule(select, lr_scale=max(self.min_scale, scale), optional=True)

    def __repr__(self) -> str:
        return f"LayerDecay({self.rate!r})"


# ## Choosing the rate
#
# - 17 of mmpretrain's shipped configurations decay by layers: eight at 0.65, four at 0.7, three at 0.75, two at 0.9. All 17
#   fine-tune models that were trained without labels. With one method the rate grows with the depth: MAE's is 0.65 for ViT-B and 0.75 for ViT-L and
#   ViT-H. Between methods and architectures there is no clear rule.
# - The rate goes with the learning rate of the head: with a small $r$ the head may have a larger $\alpha$. Tune both, not one.
# - It goes with the number of depths, too: see [the exchange](depth.py) of a rate between networks.
# - `min_scale` keeps the first layers from being as good as frozen. If that is what you want, `freeze_below` saves their gradients and state.
# - Much new data, or data of another kind: $r$ near 1. From scratch there is nothing to protect: leave it out.
#
# ## Traps
#
# - **A new head in the wrong place.** If the head is not [recognized](depth.py), all depths are off by one. Read
#   [the table](report.py).
# - **A scheduler in the absolute mode of another library** overwrites the group's rate. Most of torch's start from it, and keep it. `OneCycleLR` and
#   `CyclicLR` write one rate into all groups, unless they are given a list: `max_lr=[group["lr"] for group in optimizer.param_groups]`.
# - **Twice the scale.** timm's scheduler multiplies by `lr_scale` what it starts from, the group's `initial_lr`. The groups made here have the
#   scale in `lr` already. With timm's scheduler, set `group["lr"] = group.get("original_lr", group["lr"])` before it is made.
# - **Letting the head go first** is another thing: a schedule for some, [by tag](../../docs_src/tags.md). In our run it gained nothing.
#
# ## What the experiment shows
#
# [The network of MNIST](../../experiments/finetune.py) learns other digits from fifty images, with a new head, and each way at its best rate, chosen on
# other images. One rate for all comes to 85.2 %, a layer decay of 0.75 to 85.4, of 0.5 to 86.7, of 0.25 to 87.1 %. Seed by seed the
# gains are 0.2 (with 5 seeds of 10), 0.6 (8) and 1.1 points (7). A coin does as well as 8 of 10 in one case of nine: a hint, no proof.
#
# What is certain is that the best rate moves. One rate for all is within 2.5 points of its best from $\alpha = 0.0003$ to 0.003, a layer decay of 0.25
# from 0.003 to 0.03. At 0.01 the decay is ahead by 6.3 points with every seed, and at 0.03, where one rate for all ends at chance, by 75. At 0.0003 it is behind by
# 16. Whoever switches it on without a new search for the rate finds that it harms.
#
# It forgets less: after fine-tuning it reads 66.5 % of MNIST, against 59.0 %.
#
# Where the *input* has changed, with the digits inverted, it loses a point. The layers that it spares are then the ones that are wrong.
#
# ## Exercises
#
# **1.** Which $r$ gives the embeddings of a ViT-B/16 a hundredth of the rate of the head?
#
# ::: solution
# $r^{13} = 0.01$, so $r = 0.01^{1/13} = 0.70$.
# :::
#
# **2.** Write the groups of the MNIST network at $r = 0.5$ with torch alone, and compare.
#
# ::: solution
# ```python
# from torch import nn
# from labml_nn_optim.param_groups import LayerDecay, param_groups
#
#
# class Net(nn.Module):
#     def __init__(self):
#         super().__init__()
#         self.conv1, self.conv2 = nn.Conv2d(1, 20, 5), nn.Conv2d(20, 50, 5)
#         self.hidden, self.output = nn.Linear(800, 500), nn.Linear(500, 10)
#
#
# model = Net()
# by_hand = {
#     f"{name}.{own}": 1e-3 * 0.5 ** (3 - depth)
#     for depth, (name, layer) in enumerate(model.named_children())
#     for own, _ in layer.named_parameters()
# }
# groups = param_groups(model, [LayerDecay(0.5)], lr=1e-3)
# by_rule = {name: group["lr"] for group in groups for name in group["param_names"]}
# assert by_rule == by_hand
# ```
# :::
#
# **3.** After fine-tuning with Adam and $r = 0.75$, how much further than the embeddings has the head moved at most?
#
# ::: solution
# Both have made as many steps, of about $\alpha_d$ each: $0.75^{-13} = 42$ times. That holds for a single weight that is
# always pushed the same way. Weights that are pushed back and forth stay behind, in the head as in the stem.
# :::
