r"""
---
title: Cautious updates
summary: A cautious optimizer leaves out those parts of its update that the gradient of the moment contradicts.
paper:
  title: "Cautious Optimizers: Improving Training with One Line of Code"
  authors: Kaizhao Liang, Lizhang Chen, Bo Liu, Qiang Liu
  year: 2024
  arxiv: "2411.16085"
chapter: "4.5"
needs: [base, stacks, optimizers/adam]
symbols:
  \theta: param
  g: grad
  u: update
---

# Cautious updates
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labml_nn_optim.stacks import mean_of_each
from labml_nn_optim.weight_decay import DecayInRule

__all__ = ["Caution"]

LEAST_SHARE = 1e-3


class Caution(DecayInRule):
    r"""What a rule calls as `self.weight_decay` if its updates are to be cautious.

    The call comes after the decay and before the update. It notes the parameters and the gradient, and
    `finish` makes the update again, masked.
    """

    def begin(self, state: Mapping[str, Any]) -> None:
        """Start a run of the rule."""
        super().begin(state)
        self.start: tuple[Any, Any, Any] | None = None

    def __call__(self, param: Any, grad: Any, group: Mapping[str, Any]) -> Any:
        """Decay, and take note of what the update starts from and of its gradient."""
        grad = super().__call__(param, grad, group)
        self.start = param, param.clone(), grad
        return grad

    def finish(self, param: Any) -> None:
        r"""Keep of the update $u$ what has the sign of $g$, and then decay if that comes after the update.

        Raises `TypeError` for a rule that has not called its decay.
        """
        if self.start is None:
            raise TypeError(
                "cautious must be False for a rule that does not call self.weight_decay"
            )
        moved, before, grad = self.start
        update = before.sub(moved)
        # $\phi = \mathbb 1[u\, g > 0]$
        mask = update.mul(grad).gt(0).to(update.dtype)
        # $\theta_t = \theta - u\, \phi / \max(\operatorname{mean} \phi,\, 10^{-3})$
        mask.div_(mean_of_each(mask).clamp_min_(LEAST_SHARE))
        moved.copy_(before.addcmul_(update, mask, value=-1))
        if self.noted is None and moved is not param:
            param.copy_(moved)
        super().finish(param)
