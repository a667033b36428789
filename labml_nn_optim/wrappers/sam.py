r"""
---
title: SAM and ASAM
summary: SAM takes the gradient where the loss is highest near the weights, and applies it at the weights, so that it walks towards flat ground.
paper:
  - title: Sharpness-Aware Minimization for Efficiently Improving Generalization
    authors: Pierre Foret, Ariel Kleiner, Hossein Mobahi, Behnam Neyshabur
    year: 2020
    arxiv: "2010.01412"
    venue: ICLR
  - title: "ASAM: Adaptive Sharpness-Aware Minimization for Scale-Invariant Learning of Deep Neural Networks"
    authors: Jungmin Kwon, Jeongseop Kim, Hyunseo Park, In Kwon Choi
    year: 2021
    arxiv: "2102.11600"
    venue: ICML
chapter: "8.2"
needs: [wrappers/wrapper]
symbols:
  \theta: param
  g: grad
---

# SAM and ASAM
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.optimizer import Optimizer

from labml_nn_optim.checks import require_flag, require_number
from labml_nn_optim.wrappers.wrapper import Wrapper, write

__all__ = ["SAM", "frozen_statistics"]


class SAM(Wrapper):
    r"""A step with the gradient from the worst point within a distance of `rho`.

    - `optimizer`: any `torch.optim.Optimizer` whose step needs no closure
    - `rho`: $\rho \ge 0$, how far to go up
    - `adaptive`: measure the distance of every weight in units of its size, as ASAM does; $\rho$ is then
      about ten times as large
    - `eta`: what ASAM adds to the size of a weight
    - `model`: the network, if its batch normalization is not to follow the batch at the worst point

    Raises `TypeError` or `ValueError` for an argument of the wrong kind or out of its range.
    Foret et al. (2020), algorithm 1; Kwon et al. (2021), algorithm 1.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        rho: float = 0.05,
        adaptive: bool = False,
        eta: float = 0.01,
        model: nn.Module | None = None,
    ) -> None:
        require_number("rho", rho)
        require_flag("adaptive", adaptive)
        require_number("eta", eta)
        super().__init__(optimizer)
        self.rho = rho
        self.adaptive = adaptive
        self.eta = eta
        self.model = model
        self.kept_weights: dict[Tensor, Tensor] = {}

    @property
    def needs_closure(self) -> bool:
        """A step needs two gradients."""
        return True

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Go up, take the gradient there, come back and step.

        `closure` sets the gradients to zero, computes the loss and its gradients, and returns it. It is called
        twice; the first loss, that of the weights themselves, is returned.

        Without a closure this is [descend](#SAM.descend), for a `GradScaler` that calls it. Raises
        `ValueError` if the weights have not gone up.
        """
        if closure is None:
            if not self.kept_weights:
                raise ValueError(
                    "closure must compute the loss and its gradients unless ascend was called, got None"
                )
            self.descend()
            return None
        with torch.enable_grad():
            loss = closure()
        self.ascend()
        try:
            with torch.enable_grad(), frozen_statistics(self.model):
                closure()
        except BaseException:
            self.come_back()
            raise
        self.descend()
        return loss

    @torch.no_grad()
    def ascend(self) -> None:
        r"""Move the weights by $e$ and remember where they were.

        Raises `RuntimeError` if they are up already.
        """
        if self.kept_weights:
            raise RuntimeError("ascend must be followed by descend or come_back, got two in a row")
        params = [param for param in self.params() if param.grad is not None]
        grads = [param.grad for param in params if param.grad is not None]
        # $T_\theta = |\theta| + \eta$ for ASAM
        sizes = [param.abs().add_(self.eta) for param in params] if self.adaptive else None
        if sizes is not None:
            grads = [grad.mul(size) for grad, size in zip(grads, sizes, strict=True)]
        # $e = \rho\, T_\theta^2\, g / \lVert T_\theta\, g \rVert$
        scale = self.rho / (nn.utils.get_total_norm(grads) + 1e-12)
        self.kept_weights = {param: param.detach().clone() for param in params}
        for place, param in enumerate(params):
            direction = grads[place] if sizes is None else grads[place].mul(sizes[place])
            param.add_(direction.mul(scale.to(param.device)))

    def descend(self) -> None:
        """Bring the weights back and step with the gradients of now.

        Raises `RuntimeError` if they are not up.
        """
        if not self.kept_weights:
            raise RuntimeError("descend must follow ascend, got none")
        self.come_back()
        self.optimizer.step()

    def come_back(self) -> None:
        """Bring the weights back without a step, exactly; nothing happens if they are not up."""
        write(self.kept_weights)
        self.kept_weights = {}


@contextmanager
def frozen_statistics(model: nn.Module | None) -> Iterator[None]:
    """Let no batch normalization of `model` follow the batches seen inside; `None` has none."""
    modules = () if model is None else model.modules()
    layers = [module for module in modules if isinstance(module, _BatchNorm)]
    tracking = [layer.track_running_stats for layer in layers]
    # A momentum of 0 would still count the batches, on which an average of all of them rests.
    for layer in layers:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer, was_tracking in zip(layers, tracking, strict=True):
            layer.track_running_stats = was_tracking
