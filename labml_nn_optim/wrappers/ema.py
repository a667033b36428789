r"""
---
title: An average of the weights
summary: EMA keeps a running average of the weights beside any optimizer, saves it with it, and puts it into the model for an evaluation.
chapter: "8.4"
needs: [wrappers/wrapper, averaging]
symbols:
  \theta: param
  \bar\theta: average
---

# An average of the weights
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer

from labml_nn_optim.checks import require_count, require_flag, require_number
from labml_nn_optim.wrappers.wrapper import Wrapper

__all__ = ["EMA"]


class EMA(Wrapper):
    r"""A running average of the weights.

    - `optimizer`: any `torch.optim.Optimizer`
    - `decay`: the decay rate $\beta$ of the average, in $[0, 1)$
    - `warmup`: use $\min(\beta, (1 + t) / (10 + t))$ in step $t$, so that the start is forgotten
    - `every`: how many steps lie between two weights that are averaged

    Raises `TypeError` or `ValueError` for an argument of the wrong kind or out of its range.
    """

    kept = ("count", "average")

    def __init__(
        self, optimizer: Optimizer, decay: float = 0.999, warmup: bool = False, every: int = 1
    ) -> None:
        require_number("decay", decay, below=1.0)
        require_flag("warmup", warmup)
        require_count("every", every, minimum=1)
        super().__init__(optimizer)
        self.decay = decay
        self.warmup = warmup
        self.every = every
        self.is_applied = False

    def _start_anew(self) -> None:
        self.count = 0
        self.average: dict[Tensor, Tensor] = {}

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make one step and average its weights.

        Raises `RuntimeError` while the average is in the model.
        """
        if self.is_applied:
            raise RuntimeError("step must be made with the weights, not with their average")
        loss = self.optimizer.step(closure)
        self.count += 1
        if self.count % self.every == 0:
            self._update()
        return loss

    @torch.no_grad()
    def _update(self) -> None:
        times = self.count // self.every
        decay = min(self.decay, (1 + times) / (10 + times)) if self.warmup else self.decay
        known = [param for param in self.params() if param in self.average]
        # $\bar\theta_t = \beta\, \bar\theta_{t-1} + (1 - \beta)\, \theta_t$, and $\bar\theta_1 = \theta_1$
        if known:
            averages = [self.average[param] for param in known]
            weights = [param.to(each.dtype) for param, each in zip(known, averages, strict=True)]
            torch._foreach_lerp_(averages, weights, 1 - decay)
        for param in self.params():
            if param not in self.average:
                half = param.dtype in (torch.float16, torch.bfloat16)
                self.average[param] = param.detach().to(
                    torch.float32 if half else param.dtype, copy=True
                )

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the average into the parameters for an evaluation, and bring the weights back at the end.

        Raises `RuntimeError` if it is there already.
        """
        if self.is_applied:
            raise RuntimeError("applied must not be inside applied")
        self.is_applied = True
        try:
            with self._exchanged(self.average):
                yield
        finally:
            self.is_applied = False
