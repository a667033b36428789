r"""
---
title: What not to decay
summary: Biases and normalization scales are left out of weight decay, by rules that any explicit one overrides.
chapter: "11.5"
needs: [param_groups/rules]
---

# A scale that decays switches its layer off

(prose to come)
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
