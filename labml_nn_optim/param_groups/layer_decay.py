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

(prose to come)
"""

from __future__ import annotations

from collections.abc import Sequence

from labml_nn_optim.checks import require_choice, require_number
from labml_nn_optim.param_groups.depth import FINAL_NORMS, LayerPatterns
from labml_nn_optim.param_groups.rules import Rule
from labml_nn_optim.param_groups.selectors import Chosen, ParameterTable

__all__ = ["LayerDecay"]


class LayerDecay:
    r"""Scales the learning rate of a parameter at depth $d$ of $D$ by $\text{rate}^{D - 1 - d}$.

    - `rate`: above 0; 1 changes nothing
    - `layers`: where one layer ends and the next begins: regular expressions from the stem to the head,
      each a layer, or as many as there are numbers in its group. Without them the model's own `get_layer_depth` is
      asked, or its [structure](depth.py)
    - `final_norm`: whether the normalization behind the last block counts as `"head"`, as in mmpretrain, or
      `"last_block"`, as in timm
    - `min_scale`: no scale is smaller
    - `freeze_below`: parameters whose scale is smaller are not trained at all
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
        require_number("rate", rate, above=0.0)
        require_number("min_scale", min_scale, maximum=1.0)
        require_number("freeze_below", freeze_below, maximum=1.0)
        require_choice("final_norm", final_norm, FINAL_NORMS)
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
