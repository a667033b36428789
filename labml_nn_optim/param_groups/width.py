r"""
---
title: Rates that fit every width
summary: Maximal update parametrization divides the learning rate of a layer by the factor that its input has grown by, so that a rate found on a narrow network fits a wide one.
paper:
  title: "Tensor Programs V: Tuning Large Neural Networks via Zero-Shot Hyperparameter Transfer"
  authors: Greg Yang, Edward J. Hu, Igor Babuschkin, Szymon Sidor, Xiaodong Liu, David Farhi, Nick Ryder, Jakub Pachocki, Weizhu Chen, Jianfeng Gao
  year: 2022
  arxiv: "2203.03466"
chapter: "11.10"
needs: [param_groups/groups, optimizers/adamw]
symbols:
  \alpha: lr_scale
  m_\text{in}: fan_in
  m_\text{out}: fan_out
verified_against:
  implementation: mup 1.0.0, MuAdamW with decay and MuSGD with momentum, 20 steps of a network three times as wide as its base
  difference: 4e-15
---

# Tuned at width 64, wrong by a factor of five at 1024

A network with two hidden layers reads MNIST for one epoch with [Adam](../optimizers/adam.py), at [ten learning
rates](../../experiments/widths.py). Below are the loss at the best rate of each width, and the loss at the rate that was best
for the narrowest network, $2^{-8}$:

| width | best rate | loss there | loss at $2^{-8}$ |
|---:|---:|---:|---:|
| 64 | $2^{-7.9}$ | 0.1683 | 0.1683 |
| 128 | $2^{-8.4}$ | 0.1431 | 0.1431 |
| 256 | $2^{-9.0}$ | 0.1253 | 0.1395 |
| 512 | $2^{-9.7}$ | 0.1213 | 0.1434 |
| 1024 | $2^{-10.3}$ | 0.1155 | 0.1580 |

The loss is that of the best of the ten; the exponent of the best rate is interpolated. It falls with the width. Who tunes the narrow network, and trains the wide one with what was found, pays 37 % in loss: 1024 units
do worse than 128. It would have been a good deal, since a step at the width 64 takes a twenty-fifth of the time.

*Maximal update parametrization*, muP, gives each layer its own multiple of the rate, and changes the start of the last
layer. With the same $2^{-8}$ the five widths then come to 0.1683, 0.1424, 0.1329, 0.1286 and 0.1245.

## The rule

Take a narrow network of the same architecture, the *base*. Each size in the wide network has grown from the base by a factor, or
has not, like the number of pixels, words or classes. So a parameter has an $m_\text{in}$ and an $m_\text{out}$, the factors of its
input and its output, and 1 where nothing has grown. Under Adam, and all rules that divide the size of the gradient away, and under SGD
it learns at

$$\alpha_\text{Adam} = \frac{\alpha}{m_\text{in}}, \qquad\qquad \alpha_\text{SGD} = \alpha\, \frac{m_\text{out}}{m_\text{in}}$$

With $m$ for the factor of the width, that is the paper's Table 3:

| | $m_\text{in}$ | $m_\text{out}$ | Adam | SGD | variance at the start |
|---|---|---|---|---|---|
| input weights, embeddings | 1 | $m$ | 1 | $m$ | $\propto 1 / \text{fan\_in}$ |
| biases, scales of normalizations | 1 | $m$ | 1 | $m$ | constant |
| hidden weights | $m$ | $m$ | $1/m$ | 1 | $\propto 1 / \text{fan\_in}$ |
| output weights | $m$ | 1 | $1/m$ | $1/m$ | $\propto 1 / \text{fan\_in}^2$ |

```python
with torch.device("meta"):
    base = Transformer(width=256)
model = Transformer(width=2048)
scaling = WidthScaling(base)
scaling.scale_init_(model)
groups = param_groups(model, [scaling], lr=0.003, weight_decay=0.1)
```

`lr` is now the rate of the base, whatever the width of the model is.

## Where it comes from

One step should change the values in each layer, and the outputs, by an amount that does not depend on the width $n$. Look at
a hidden value $\sum_j W_{ij} x_j$. At the start its $n$ terms have random signs, so it has the size $\sqrt n$ times that of a
weight. Weights of the size $1/\sqrt n$ make it 1.

An update has no random signs. The gradient of $W_{ij}$ is $\delta_i x_j$, so Adam's first step is $\alpha$ times the sign of that,
and the value changes by

$$\sum_j \alpha\, \operatorname{sign}(\delta_i x_j)\, x_j = \pm\alpha \sum_j |x_j|$$

which grows like $n$, not like $\sqrt n$. So $\alpha$ must fall like $1/n$. For an input layer the sum runs over the pixels, and
nothing must fall. Here is one step with $\alpha = 0.001$ in a network of the sizes 20, $n$, $n$, 10, the mean change over ten seeds:

| $n$ | hidden values, standard | logits, standard | hidden values, muP | logits, muP |
|---:|---:|---:|---:|---:|
| 64 | 0.0087 | 0.0095 | 0.0087 | 0.0095 |
| 256 | 0.028 | 0.046 | 0.0082 | 0.0088 |
| 1024 | 0.107 | 0.284 | 0.0080 | 0.0085 |

The output layer sums over $n$, too: $1/n$. Its start follows from the same thought. A step changes the hidden values $h$ in
the direction that the output weights themselves point in, since the gradient has come through them. So the signs agree again, and a logit
changes by $\sum_j |W_j| |\Delta h_j|$. Weights of the size $1/\sqrt n$ would make that $\sqrt n$; weights of the size $1/n$ make it
1. This is the variance $1/n^2$.

SGD's step is $\alpha$ times the gradient, so sizes of gradients count. That of an output weight is an error times a
hidden value, and does not depend on $n$. All others have passed through the output weights and have the size $1/n$. In the network above, started as muP does, the mean
gradient of a hidden weight is 0.0018, 0.00045 and 0.00011 at the three widths, that of an output weight 0.0044, 0.0046 and
0.0044. The updates should be 1, $1/n$ and $1/n$ for input, hidden and output. The gradients are $1/n$, $1/n$ and 1. What is missing
is the column of SGD.

A single rate cannot do this. Divide it by $m$ for the sake of the hidden layers, and the input layer stands still.

## What becomes of the decay

Decoupled decay shrinks a weight by $1 - \alpha\lambda$ in a step. With $\alpha / m$ it would take $m$ times as long, so
$\lambda$ is multiplied by $m$ where $\alpha$ is divided by it. The authors' MuAdamW does the same. `scale_decay=False`
leaves $\lambda$ as it is.

## Conventions

| | here | here with `output_multiplier=True`, and in `mup` |
|---|---|---|
| table of the paper | 3 | 8 |
| what goes into the output layer | as it is | divided by $m$ by the model |
| variance of output weights at the start | $\propto 1 / \text{fan\_in}^2$ | constant |
| output weights under Adam, SGD | $1/m$, $1/m$ | 1, $m$ |
| output tied to an embedding | refused | possible |

Both are the same network: weights $m$ times as large, divided by $m$, that move $m$ times as far. Only Adam's $\varepsilon$ sees a
difference, since its gradients are $m$ times smaller. `mup` wants the layer to be its `MuReadout`; here the model divides by itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from labml_nn_optim.checks import require_choice, require_flag
from labml_nn_optim.param_groups.no_decay import Biases, Normalization
from labml_nn_optim.param_groups.rules import Rule
from labml_nn_optim.param_groups.selectors import Chosen, ParameterTable, as_selector

__all__ = ["Growth", "WidthScaling"]

OPTIMIZERS = ("adam", "sgd")

Factors: TypeAlias = Mapping[int, float]
"""The dimensions of a parameter that have grown, and how many times."""


class Growth(NamedTuple):
    r"""How many times as wide a layer is as in the base model: $m_\text{out}$ and $m_\text{in}$.

    A size that is the same in both models has 1.
    """

    fan_out: float = 1.0
    fan_in: float = 1.0


class WidthScaling:
    r"""Scales rates, and decays against them, by what a model is wider than `base_model`.

    - `base_model`: a narrow model of the same architecture, on any device; only its shapes are read, so
      one made under `with torch.device("meta")` is enough, and takes no memory
    - `optimizer`: `"adam"` for rules that divide the size of the gradient away, `"sgd"` for those that do not
    - `scale_decay`: divide the weight decay by the scale of the rate, which keeps $\alpha\lambda$;
      [param_groups](groups.py#param_groups) then needs a `weight_decay`, 0 for none
    - `outputs`: a [selector](selectors.py), or a text for a glob, of parameters that lead from the width to a
      fixed size; weights of linear and convolutional layers are known without it
    - `output_multiplier`: the model divides what goes into its output layer by $m$ itself
    - `uniform`: everything that grows must grow by one factor

    Raises `TypeError` or `ValueError` for what is not allowed.
    """

    def __init__(
        self,
        base_model: nn.Module,
        optimizer: str = "adam",
        *,
        scale_decay: bool = True,
        outputs: Any = None,
        output_multiplier: bool = False,
        uniform: bool = True,
    ) -> None:
        if not isinstance(base_model, nn.Module):
            raise TypeError(f"base_model must be a torch.nn.Module, got {base_model!r}")
        require_choice("optimizer", optimizer, OPTIMIZERS)
        for name, flag in (
            ("scale_decay", scale_decay),
            ("output_multiplier", output_multiplier),
            ("uniform", uniform),
        ):
            require_flag(name, flag)
        base = ParameterTable(base_model)
        self.base_shapes = {
            name: tuple(param.shape) for name, param in zip(base.names, base.params, strict=True)
        }
        self.optimizer = optimizer
        self.scale_decay = scale_decay
        self.outputs = None if outputs is None else as_selector(outputs)
        self.output_multiplier = output_multiplier
        self.uniform = uniform

    def lr_scale(self, growth: Growth) -> float:
        r"""Return $1 / m_\text{in}$ for Adam, $m_\text{out} / m_\text{in}$ for SGD."""
        return (1.0 if self.optimizer == "adam" else growth.fan_out) / growth.fan_in

    def expand(self, table: ParameterTable) -> list[Rule]:
        """Return rules for every kind of growth that changes the rate.

        Raises `ValueError` if the two models do not fit together.
        """
        rows: dict[Growth, set[int]] = {}
        for row, growth in enumerate(self.growths(table)):
            rows.setdefault(growth, set()).add(row)
        # What the built-in rules leave without decay must not get one back because it is scaled.
        bare = Biases().select(table) | Normalization().select(table)
        rules = []
        for growth, chosen in rows.items():
            scale = self.lr_scale(growth)
            if scale == 1:
                continue
            label = f"width {growth.fan_in:g} to {growth.fan_out:g}"
            rules.append(Rule(Chosen(frozenset(chosen), label), lr_scale=scale, optional=True))
            for part in (chosen - bare, chosen & bare):
                if part and self.scale_decay:
                    select = Chosen(frozenset(part), label)
                    rule = Rule(select, weight_decay_scale=1 / scale, optional=True)
                    rule.is_default = part <= bare
                    rules.append(rule)
        return rules

    @torch.no_grad()
    def scale_init_(self, model: nn.Module) -> None:
        r"""Give a new model the variances of its width, in place. Call it once, before the training.

        Weights must have a variance that is proportional to $1 / \text{fan\_in}$, as torch gives those of linear and convolutional
        layers; recurrent ones have another. Those of outputs
        become $\sqrt m$ times smaller, or larger with `output_multiplier`. Biases of linear and convolutional
        layers whose input has grown become $\sqrt{m}$ times larger, so that theirs is that of the base model.

        Raises `ValueError` if the two models do not fit together.
        """
        table = ParameterTable(model)
        factors = self.factors(table)
        for row in self.output_rows(table, factors):
            for factor in factors[row].values():
                power = 0.5 if self.output_multiplier else -0.5
                table.params[row].mul_(factor**power)
        for row, grown in enumerate(factors):
            module = table.modules[row]
            bias = getattr(module, "bias", None)
            if is_layer_weight(table, row) and isinstance(bias, Tensor):
                bias.mul_(math.sqrt(grown.get(fan_in_dim(module), 1.0)))

    # ## What grows, and how
    def growths(self, table: ParameterTable) -> list[Growth]:
        """Return how each parameter has grown.

        A parameter of which one dimension grows leads into the width if it is no output.
        """
        factors = self.factors(table)
        outputs = self.output_rows(table, factors)
        if self.output_multiplier:
            outputs = set()
        else:
            check_tied(table, factors)
        found = []
        for row, grown in enumerate(factors):
            if len(grown) == 2:
                first, second = grown.values()
                swapped = fan_in_dim(table.modules[row]) == 0
                found.append(Growth(second, first) if swapped else Growth(first, second))
            else:
                factor = math.prod(grown.values())
                found.append(Growth(1.0, factor) if row in outputs else Growth(factor, 1.0))
        return found

    def factors(self, table: ParameterTable) -> list[Factors]:
        """Return the dimensions of each parameter that have grown; raises `ValueError` if the models differ."""
        for name in self.base_shapes:
            if name not in table.rows:
                raise ValueError(f"model must have the parameters of base_model, got no {name}")
        found: list[Factors] = []
        known: dict[float, str] = {}
        for name, param in zip(table.names, table.params, strict=True):
            if name not in self.base_shapes:
                raise ValueError(f"base_model must have the parameters of the model, got no {name}")
            grown = grown_dims(name, tuple(param.shape), self.base_shapes[name])
            found.append(grown)
            for factor in grown.values():
                known.setdefault(factor, name)
        if self.uniform and len(known) > 1:
            pairs = ", ".join(f"{factor:g} for {name}" for factor, name in known.items())
            raise ValueError(
                f"base_model must be narrower by one factor unless uniform=False, got {pairs}"
            )
        return found

    def output_rows(self, table: ParameterTable, factors: Sequence[Factors]) -> set[int]:
        """Return the rows of parameters that lead from the width to a fixed size."""
        rows = {row for row, grown in enumerate(factors) if is_layer_output(table, row, grown)}
        if self.outputs is None:
            return rows
        named = self.outputs.select(table)
        if not named:
            raise ValueError(f"outputs must match a parameter; {self.outputs.hint(table)}")
        for row in sorted(named):
            if len(factors[row]) > 1:
                raise ValueError(
                    f"outputs must grow in one dimension, got {table.names[row]}, which does in two"
                )
        return rows | named

    def __repr__(self) -> str:
        return f"WidthScaling({self.optimizer!r})"


def grown_dims(name: str, shape: tuple[int, ...], base: tuple[int, ...]) -> Factors:
    """Return the dimensions in which `shape` is larger than `base`, and how many times."""
    if len(shape) != len(base):
        raise ValueError(
            f"base_model must have as many dimensions as the model, got {base} for {name} of {shape}"
        )
    if any(new < old for new, old in zip(shape, base, strict=True)):
        raise ValueError(
            f"base_model must not be wider than the model, got {base} for {name} of {shape}"
        )
    pairs = enumerate(zip(shape, base, strict=True))
    grown = {dim: new / old for dim, (new, old) in pairs if new != old}
    if len(grown) > 2:
        raise ValueError(
            f"base_model must differ in at most two dimensions, got {base} for {name} of {shape}"
        )
    return grown


def fan_in_dim(module: nn.Module) -> int:
    """Return which dimension of a weight is that of the input: 1, but 0 for transposed convolutions."""
    return 0 if isinstance(module, _ConvTransposeNd) else 1


def is_layer_weight(table: ParameterTable, row: int) -> bool:
    """Whether a parameter is the weight of a linear or convolutional layer."""
    module = table.modules[row]
    return isinstance(module, nn.Linear | _ConvNd) and table.params[row] is module.weight


def is_layer_output(table: ParameterTable, row: int, grown: Factors) -> bool:
    """Whether a weight of a layer leads from the width to a fixed size."""
    return is_layer_weight(table, row) and list(grown) == [fan_in_dim(table.modules[row])]


def check_tied(table: ParameterTable, factors: Sequence[Factors]) -> None:
    """Raise `ValueError` if a parameter is an embedding and an output at once."""
    for alias, name in table.aliases.items():
        modules = (
            table.modules[table.rows[name]],
            table.model.get_submodule(alias.rpartition(".")[0]),
        )
        kinds = {isinstance(module, nn.Linear | _ConvNd) for module in modules}
        if len(kinds) > 1 and len(factors[table.rows[name]]) == 1:
            raise ValueError(
                f"output_multiplier must be True where {alias} is tied to {name}: an input and an output "
                "have two rates"
            )


# ## Choosing the base
#
# - As wide as you can afford to tune. muP keeps the balance between layers that the base has, and that of a wider base was better here.
# - At the least so wide that its best rate has settled: in the runs, that of muP still rises by half an octave from 64 to 512.
# - Tune on the base with the batch size, the number of steps and the schedule of the large run. None of these is a
#   width, and muP has no rule for them, nor for depth.
#
# ## Traps
#
# - **Initialization with a fixed deviation.** Hidden weights must start with a variance $\propto 1 / \text{fan\_in}$, as torch's `nn.Linear` does:
#   uniform within $\pm 1/\sqrt{\text{fan\_in}}$. GPT-2's deviation of 0.02 for all widths does not. Make it
#   $0.02\, \sqrt{n_\text{base} / n}$ before `scale_init_`.
# - **Recurrent layers.** torch gives all tensors of an LSTM the deviation of its hidden size, also the input weights and biases. Multiply these by
#   $\sqrt m$ yourself.
# - **Muon.** The rule for Adam is none for [Muon](composite.py), whose update has a norm that does not depend on the width. Keep the matrices that
#   Muon steps out of it.
# - **Twice.** `scale_init_` belongs between making a model and training it. A checkpoint has it in its weights already.
# - **Attention.** If heads grow, $q \cdot k$ is a sum over the width of a head whose terms agree in sign once $q$ and $k$ have learned. The paper
#   divides by $d$ instead of $\sqrt d$. No rule for groups can do that: it is a line of the model. With more heads of the same size
#   there is nothing to do.
# - **Bare parameters.** A position embedding and a projection to the output look alike: one dimension grows. What no layer holds is
#   taken for an input. Name outputs with `outputs="proj"`, and read [the table](report.py#describe).
# - **What else is larger.** A base for 10 classes and a model for 1000: the classes would count as width. That is why all factors must be
#   equal. Widths that are rounded to a multiple of 256 need `uniform=False`; each layer then has its own factor.
# - **Epsilon.** Gradients shrink like $1/n$. When they come near Adam's $\varepsilon$, the step is no longer $\alpha$.
# - **Coupled decay.** In the gradient, decay under Adam has no product $\alpha\lambda$ to keep. Use decoupled decay. With an absolute
#   one, which does not multiply by $\alpha$, set `scale_decay=False`.
#
# ## What the experiment shows
#
# In the [runs](../../experiments/widths.py) behind the first table the best rate in the standard parametrization falls by 2.4 octaves while the
# width grows by four: like $n^{-0.6}$, somewhere between the hidden layers, which want $1/n$, and the input layer, which wants no change. In muP it
# *rises* by 0.5 octaves, and $2^{-8}$ costs 1 % at most.
#
# muP does not win against a search at the full width. At 1024 that comes to 0.1155. muP comes to 0.1245 with the rate of the base, and to 0.1239 with
# its own best. With every seed the search is ahead, by 5 to 8 %. From a base of 256 muP comes to 0.1192, at the very rate that
# was best there. So much of the gap is the balance between the layers, which is right for the base and not for the
# wide network. The paper tunes multipliers of embeddings, attention and outputs on the base as well.
#
# ## Exercises
#
# **1.** Check coordinates: let networks of two widths take one step of Adam, with and without scaling, and compare how far hidden
# values move.
#
# ::: solution
# Sixteen times the width moves them more than ten times as far, unless the rates are scaled.
#
# ```python
# import torch
# from torch import nn
# from torch.nn.functional import cross_entropy
#
# from labml_nn_optim import AdamW
# from labml_nn_optim.param_groups import WidthScaling, param_groups
#
#
# def network(width):
#     return nn.Sequential(
#         nn.Linear(20, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10)
#     )
#
#
# def change(width, scaling=None):
#     torch.manual_seed(0)
#     model = network(width)
#     if scaling:
#         scaling.scale_init_(model)
#     inputs, targets = torch.randn(64, 20), torch.randint(10, (64,))
#     before = model[:3](inputs)
#     cross_entropy(model(inputs), targets).backward()
#     rules = [scaling] if scaling else []
#     AdamW(param_groups(model, rules, lr=0.001, weight_decay=0.0)).step()
#     return (model[:3](inputs) - before).abs().mean().item()
#
#
# scaling = WidthScaling(network(64))
# assert change(1024) > 10 * change(64)
# assert 0.7 < change(1024, scaling) / change(64) < 1.3
# ```
# :::
#
# **2.** The output layer of Table 8 computes $\frac{1}{m} W' h$. Which rate must $W'$ have under SGD, so that the network does the
# same as with $W = W' / m$ and the rate $\alpha / m$?
#
# ::: solution
# The gradient of $W'$ is that of $W$ divided by $m$. A step of rate $\alpha'$ moves $W'$ by $\alpha' g / m$, and so $W$ by
# $\alpha' g / m^2$. That is $\alpha g / m$ for $\alpha' = \alpha m$, as the table says. Under Adam the size of the gradient is divided away:
# $W$ moves by $\alpha' / m$, and $\alpha' = \alpha$.
# :::
#
# **3.** A depthwise convolution has a filter of its own for each channel. Which rate has it under Adam, which one under SGD?
#
# ::: solution
# Its weights have the shape $[n, 1, k, k]$. An output value sums over $k^2$ inputs however wide the network is, so
# $m_\text{in} = 1$ and $m_\text{out} = m$: the rates of a bias, 1 and $m$.
# :::
