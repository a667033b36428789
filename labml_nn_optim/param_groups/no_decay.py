r"""
---
title: What not to decay
summary: Biases and normalization scales are left out of weight decay, by rules that any explicit one overrides.
chapter: "11.5"
needs: [param_groups/rules]
---

# A bias that has to be 5

A linear layer with four inputs is fitted to 1000 numbers whose mean is 5. Its bias has to be 5. [AdamW](../optimizers/adamw.py) with
$\alpha = 0.01$ makes 20,000 steps on batches of 32. These are means over the last 2000:

| $\lambda$ | bias | mean squared error |
|---:|---:|---:|
| 0 | 4.99 | 0.96 |
| 0.1 | 4.89 | 0.97 |
| 0.5 | 2.00 | 9.95 |

The noise in these data has a variance of 0.96, and nothing can be better. A strong decay takes the bias away, and gains nothing
for it.

Decay is there against weights that fit noise. A bias is one number for all examples, and has no way to fit the noise of
one. The scale of a normalization is the same, and 0 is a bad place for it: a
scale of 1 leaves its input alone, and one of 0 switches the layer off. So usual recipes decay matrices and
convolutions, and nothing else.

It is a question of many tensors and few numbers.

| model | tensors | of them without decay | numbers | of them without decay |
|---|---:|---:|---:|---:|
| ViT-B/16 | 152 | 100 | 86.6 million | 0.14 % |
| ConvNeXt-T of torchvision | 182 | 105 | 28.6 million | 0.20 % |
| ResNet-50 | 161 | 107 | 25.6 million | 0.21 % |

## The rule

Two rules stand before all others in [param_groups](groups.py#param_groups):

1. What is called `bias` is not decayed: `exclude_bias_from_weight_decay`.
2. Else, what has at most one dimension, or belongs to a normalization, is not decayed:
   `exclude_normalization_params_from_weight_decay`.

The second takes in what is no normalization, but as small: the scales of LayerScale, a query that is a vector, a temperature.
The bias of a normalization goes by the first rule alone. So with the first switched off and the second on, all biases decay,
those of normalization too. That is noether's order.

Every explicit [rule](rules.py) about a decay overrides both, for the parameters that it names and no others.

## Why a normalization makes decay a different thing

What stands *before* a normalization is another matter. If a layer's output is normalized, its weights may be multiplied by any
number, and the network computes the same. Decay cannot make such a network simpler. It still does
something: the gradient of a weight that is half as long is twice as large, so a shorter weight turns faster. Decay keeps
the length in check, and so sets the speed at which the weight turns. Leave it out, and the
weights grow, since each gradient is at a right angle to the weight, and learning slows down by itself.
That is exact for plain gradient descent. Adam divides the size of the gradient away, and a weight half as long turns twice as fast, not four times.
([Van Laarhoven, 2017](https://arxiv.org/abs/1706.05350))

So weights before a normalization are decayed for the sake of their learning rate.

## Conventions

| decayed? | biases | scales of normalization | embeddings | others |
|---|---|---|---|---|
| here, noether | no | no | yes | nothing with one dimension |
| timm | no | no, having one dimension | yes | a model's list `no_weight_decay()`: class token, position embedding |
| nanoGPT | no | no | yes | what has fewer than two dimensions |
| BERT's code | no | no | yes | |
| [Goyal et al., 2017](https://arxiv.org/abs/1706.02677) | yes, but for those of normalization | no | | |
| [He et al., 2018](https://arxiv.org/abs/1812.01187) | no | no | | |
| torch, a bare `model.parameters()` | yes | yes | yes | |
| mmpretrain | yes, unless told | yes, unless told | yes | first rule that fits: [its constructor](constructor.py) |

An embedding is a matrix, and decays. A row whose token does not occur then shrinks in each step by $\alpha\lambda$, as the
gradient of the table is 0 there and not missing. For rare tokens that adds up. Some recipes leave embeddings out:

```python
Rule(ModuleType(nn.Embedding), no_decay=True)
```
"""

from __future__ import annotations

from dataclasses import dataclass

from labml_nn_optim.param_groups.depth import is_norm
from labml_nn_optim.param_groups.rules import Rule
from labml_nn_optim.param_groups.selectors import ParameterTable, Selector

__all__ = ["Biases", "Normalization", "built_in_rules"]


@dataclass(frozen=True)
class Biases(Selector):
    """Parameters whose own name is `bias`."""

    def select(self, table: ParameterTable) -> set[int]:
        """Return their rows."""
        return {row for row, name in enumerate(table.names) if is_bias(name)}


@dataclass(frozen=True)
class Normalization(Selector):
    """Parameters of normalization modules and all others with at most one dimension; biases are not among them.

    That includes the scales of LayerScale, queries that are vectors, and temperatures.
    """

    def select(self, table: ParameterTable) -> set[int]:
        """Return their rows."""
        columns = zip(table.names, table.ndims, table.modules, strict=True)
        return {
            row
            for row, (name, ndim, module) in enumerate(columns)
            if (ndim <= 1 or is_norm(module)) and not is_bias(name)
        }


def is_bias(name: str) -> bool:
    """Whether the last part of a dotted name is `bias`."""
    return name.endswith(".bias") or name == "bias"


def built_in_rules(biases: bool = True, normalization: bool = True) -> list[Rule]:
    """Return the rules that switch decay off for biases and for normalization.

    They give way to any explicit rule about the decay, and need not match.
    """
    chosen: list[Selector] = [Biases()] * biases + [Normalization()] * normalization
    rules = [Rule(select, no_decay=True, optional=True) for select in chosen]
    for rule in rules:
        rule.is_default = True
    return rules


# ## Traps
#
# - **A scale with three dimensions.** torchvision's ConvNeXt has its LayerScale as `(768, 1, 1)`: three dimensions, no module of
#   normalization, so it is decayed. timm's has one dimension, and is not. `Rule("*.layer_scale", no_decay=True)`.
# - **`in_proj_bias`** of torch's attention is no `bias` by its name. It has one dimension, and goes by the second rule.
# - **Tokens and position embeddings** have three dimensions and are decayed. ViT recipes leave them out, and Swin's its tables of
#   `relative_position_bias`: `Rule("*cls_token", no_decay=True)` and so on, as in [the recipes](../../experiments/recipes.py).
# - **A norm of one's own** is found by the word `norm` in the name of its class. One that is called `Rescale` needs a rule, if its scale has
#   more than one dimension.
# - **Without a base decay there is nothing to exclude.** With `weight_decay=None` the groups of excluded parameters say 0, the others say
#   nothing, and the default of the optimizer holds for them.
#
# ## What the experiment shows
#
# [In the fine-tuning on digits](../../experiments/finetune.py) the biases are 580 of 431,080 parameters, and whether they decay hardly shows. Over three rates and four
# decays, up to $\lambda = 30$, the difference has a median of at most 0.4 points and a sign that changes. At $\alpha = 0.001$ and $\lambda = 10$ the
# accuracy is 83.6 % with decay on everything and 83.7 % without biases; without any decay it is 85.2 %. This network has no normalization, whose scales are
# the stronger case. The rule costs nothing, and here it gains nothing.
#
# ## Exercises
#
# **1.** In the first table the bias is at 4.89 for $\lambda = 0.1$ and at 2.00 for 0.5. Under SGD it comes to $4.99 / (1 + \lambda)$, 4.54
# and 3.33. Derive all four.
#
# ::: solution
# The gradient of the mean squared error, halved, is $b - 4.99$. Decoupled decay adds $\alpha\lambda b$ to each step, so under SGD the bias
# stands still where $b - 4.99 + \lambda b = 0$. Adam divides the gradient, but not the decay, by the root of its mean square. The mean
# of a batch of 32 has a noise of $1 / \sqrt{32} = 0.18$, so it stands still where, with $e = 4.99 - b$,
# $e / \sqrt{e^2 + 0.18^2} = \lambda b$. For 0.1 that is $e = 0.10$. The left side is below 1 however large $e$ is. So $b$ cannot stay
# above $1 / \lambda$: for 0.5 that is 2.
# :::
#
# **2.** In a network, decay everything but the bias of the last layer.
#
# ::: solution
# ```python
# from torch import nn
# from labml_nn_optim.param_groups import Name, Rule, param_groups
#
# model = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 2))
# groups = param_groups(
#     model,
#     [Rule(Name("2.bias"), no_decay=True)],
#     weight_decay=0.1,
#     exclude_bias_from_weight_decay=False,
#     exclude_normalization_params_from_weight_decay=False,
# )
# free = [name for group in groups if group["weight_decay"] == 0 for name in group["param_names"]]
# assert free == ["2.bias"]
# ```
# :::
