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
---

# The best rate moves

(prose to come)
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
    - `scale_decay`: divide the weight decay by the scale of the rate, which keeps $\alpha\lambda$
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

        Weights must have a variance that is proportional to $1 / \text{fan\_in}$, as torch gives them. Those of outputs
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
