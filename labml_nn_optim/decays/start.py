r"""
---
title: Decay towards the start
summary: For a network that was trained before, decay pulls every weight towards where it began and not towards zero.
paper:
  title: Explicit Inductive Bias for Transfer Learning with Convolutional Networks
  authors: Xuhong Li, Yves Grandvalet, Franck Davoine
  year: 2018
  arxiv: "1802.01483"
  venue: ICML
chapter: "10.3"
needs: [weight_decay]
symbols:
  \theta: param
  \theta_0: initial_param
  \lambda: weight_decay
---

# Decay towards the start

$$\theta \leftarrow \theta - \alpha\lambda\, (\theta - \theta_0)$$
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["WeightDecayToStart"]


class WeightDecayToStart(WeightDecay):
    r"""Decay towards $\theta_0$, what the parameter was when it had its first gradient.

    Fields and errors are those of [WeightDecay](../weight_decay.py#WeightDecay).

    State: one tensor of the parameter's shape, `initial_param`.
    Li et al. (2018), equation 2.
    """

    state_names = ("initial_param",)

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Keep $\theta_0$."""
        state["initial_param"] = param.clone()

    def gradient(self, param: Any, group: Mapping[str, Any]) -> Any:
        r"""Return $\theta - \theta_0$."""
        return param.sub(group["initial_param"])

    def shrink(self, param: Any, amount: Any, group: Mapping[str, Any]) -> None:
        r"""Go the part `amount` of the way from $\theta$ to $\theta_0$."""
        param.lerp_(group["initial_param"], amount)
