r"""
---
title: Lookahead
summary: Lookahead lets an optimizer run some steps ahead, then moves a second set of weights half of the way and starts from there.
paper:
  title: "Lookahead Optimizer: k steps forward, 1 step back"
  authors: Michael R. Zhang, James Lucas, Geoffrey Hinton, Jimmy Ba
  year: 2019
  arxiv: "1907.08610"
  venue: NeurIPS
chapter: "8.3"
needs: [wrappers/wrapper]
symbols:
  \theta: param
  \phi: slow
---

# Lookahead
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer

from labml_nn_optim.checks import require_count, require_number
from labml_nn_optim.wrappers.wrapper import Wrapper

__all__ = ["Lookahead"]


class Lookahead(Wrapper):
    r"""Slow weights that follow those of an optimizer, and call them back every `k` steps.

    - `optimizer`: any `torch.optim.Optimizer`
    - `k`: how many steps it makes between two of the slow weights, at least 1
    - `alpha`: how far the slow weights go towards the fast ones, from 0 to 1

    Raises `TypeError` or `ValueError` for an argument of the wrong kind or out of its range.
    Zhang et al. (2019), algorithm 1.
    """

    kept = ("count", "slow")

    def __init__(self, optimizer: Optimizer, k: int = 5, alpha: float = 0.5) -> None:
        require_count("k", k, minimum=1)
        require_number("alpha", alpha, maximum=1.0)
        super().__init__(optimizer)
        self.k = k
        self.alpha = alpha

    def _start_anew(self) -> None:
        self.count = 0
        self.slow: dict[Tensor, Tensor] = {}

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make one step with the fast weights, and one with the slow ones if it is the k-th."""
        self._keep_start()
        loss = self.optimizer.step(closure)
        self.count += 1
        if self.count % self.k == 0:
            self.synchronize()
        return loss

    def _keep_start(self) -> None:
        # Not when the wrapper is made: the weights may be loaded after that.
        for param in self.params():
            if param not in self.slow:
                self.slow[param] = param.detach().clone()

    @torch.no_grad()
    def synchronize(self) -> None:
        r"""Move the slow weights, $\phi \leftarrow \phi + a\,(\theta - \phi)$, and set the fast ones to them.

        To be called at the end of training, if that is between two of their steps. The next one comes
        when it would have come.
        """
        for param, slow in self.slow.items():
            slow.lerp_(param, self.alpha)
            param.copy_(slow)

    def applied(self) -> AbstractContextManager[None]:
        """Put the slow weights into the parameters for an evaluation, and bring the fast ones back."""
        return self._exchanged(self.slow)
