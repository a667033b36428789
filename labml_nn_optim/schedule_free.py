r"""
---
title: Schedule-free learning
summary: Schedule-free optimizers average what a constant learning rate finds, so that a run can end at any step.
paper:
  title: The Road Less Scheduled
  authors: Aaron Defazio, Xingyu Yang, Harsh Mehta, Konstantin Mishchenko, Ahmed Khaled, Ashok Cutkosky
  year: 2024
  arxiv: "2405.15682"
  venue: NeurIPS
chapter: "5.1"
needs: [base, optimizers/sgd, optimizers/adam_warmup]
symbols:
  y: param
  z: z
  u: update
  c: share
  \beta: beta
  \alpha: lr
  r: r
---

# Schedule-free learning
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.checks import is_zero, require_flag, require_number
from labml_nn_optim.optimizers.adam_warmup import require_steps
from labml_nn_optim.pieces import Member
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["ScheduleFree", "add_decay", "move"]


class ScheduleFree(GenericAdaptiveOptimizer):
    r"""What the schedule-free optimizers share: the weights of the average, and the two modes.

    - `warmup`: $W$, the number of steps in which the rate rises in a straight line
    - `r`: how much later points count more, by the factor $t^r$
    - `weight_lr_power`: by which power of the largest rate so far a point counts
    - all others: as in [GenericAdaptiveOptimizer](base.py#GenericAdaptiveOptimizer.__init__)

    Raises `ValueError` for `cautious=True`, and for a decay that acts after the update.
    """

    scalar_state: ClassVar[tuple[str, ...]] = ("weight_sum", "lr_max")

    def __init__(
        self,
        params: ParamsT,
        defaults: Mapping[str, Any] | None = None,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, ...] | None = None,
        eps: float | None = None,
        weight_decay: WeightDecay | float = 0.0,
        *,
        warmup: float = 0,
        r: float = 0.0,
        weight_lr_power: float = 2.0,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {"warmup": warmup, "r": r, "weight_lr_power": weight_lr_power, "train_mode": True}
        super().__init__(
            params, own | dict(defaults or {}), lr, betas, eps, weight_decay, **options
        )

    # ## What is refused
    def _check_options(self, options: RunOptions, hyper_parameters: Mapping[str, Any]) -> None:
        super()._check_options(options, hyper_parameters)
        # The mask would act on the move of $y$ and leave $z$ as it is.
        if self.cautious:
            raise ValueError(f"cautious must be False for {type(self).__name__}, got True")

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what schedule-free optimizers have."""
        super().check_group(group)
        require_steps("warmup", group["warmup"])
        require_number("r", group["r"])
        require_number("weight_lr_power", group["weight_lr_power"])
        require_flag("train_mode", group["train_mode"])

    def _check_decay(self, group: Mapping[str, Any]) -> None:
        super()._check_decay(group)
        # What comes after the update would move $y$ alone.
        kind = self._kind_of(group)
        if kind.after_step and group["decoupled_weight_decay"]:
            raise ValueError(
                f"weight_decay must be a kind that acts before the update for {type(self).__name__}, "
                f"got {kind.__name__}"
            )

    # ## The weights of the average
    def interpolation(self, group: Mapping[str, Any]) -> float:
        r"""Return $\beta$, how much of $x$ there is in $y$."""
        raise NotImplementedError(f"{type(self).__name__} has no interpolation")

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Let $z$ start where the parameter is, and so where $x$ and $y$ are."""
        state["weight_sum"] = torch.zeros((), dtype=torch.float64)
        state["lr_max"] = torch.zeros((), dtype=torch.float64)
        state["z"] = param.clone()

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Compute $\alpha_t$, $c_t$ and the factor by which $y$ follows the update."""
        lr, warmup = float(group["lr"]), float(group["warmup"])
        if step < warmup:
            lr *= step / warmup
        lr_max = max(lr, group["lr_max"])
        # $w_t = t^r \max_{i \le t} \alpha_i^2$ and $c_t = w_t / \sum_{i \le t} w_i$. Where no step has had a
        # rate, nothing is averaged.
        weight = step ** float(group["r"]) * lr_max ** float(group["weight_lr_power"])
        weight_sum = group["weight_sum"] + weight
        share = weight / weight_sum if weight_sum > 0 else 0.0
        return {
            "lr": lr,
            "lr_max": lr_max,
            "weight_sum": weight_sum,
            "share": share,
            "follow": self.interpolation(group) * (1 - share) - 1,
        }

    # ## Two modes
    @torch.no_grad()
    def train(self) -> None:
        """Let the parameters be $y$, where gradients are taken; nothing happens if they are."""
        self._switch(True)

    @torch.no_grad()
    def eval(self) -> None:
        """Let the parameters be $x$, which is to be evaluated; nothing happens if they are."""
        self._switch(False)

    def _switch(self, train_mode: bool) -> None:
        for group in self.param_groups:
            if group["train_mode"] == train_mode:
                continue
            beta = self.interpolation(group)
            # $y = x + (1 - \beta)(z - x)$, and so $x = y + (1 - 1 / \beta)(z - y)$
            weight = 1 - beta if train_mode else 1 - 1 / beta
            for param in group["params"]:
                # Without state $x = y = z$.
                state = self.state.get(param, {})
                if "z" in state:
                    member = Member(param, state, ("step", *self.scalar_state))
                    home, z = member.home, member.tensors["z"]
                    home.copy_(home.to(z.dtype).lerp(z, weight))
            group["train_mode"] = train_mode

    def prepare(self, work: Sequence[tuple[dict[str, Any], Sequence[Member]]]) -> None:
        """Refuse to step from $x$.

        Raises `RuntimeError` in eval mode; no parameter has moved then.
        """
        if not all(group["train_mode"] for group in self.param_groups):
            raise RuntimeError(
                f"{type(self).__name__} must be in train mode for a step, got eval mode; call train()"
            )
        super().prepare(work)

    # ## Groups and checkpoints
    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters; the mode is that of the groups that are there."""
        super().add_param_group(param_group)
        self.param_groups[-1]["train_mode"] = self.param_groups[0]["train_mode"]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a checkpoint, and its mode: parameters that were saved with it are in that mode.

        Nothing is moved, so it does not matter whether parameters are loaded before or after.
        """
        super().load_state_dict(state_dict)
        # State that was matched by name leaves the present groups as they are, but for this.
        modes = {group.get("train_mode", True) for group in state_dict["param_groups"]}
        if len(modes) == 1:
            for group in self.param_groups:
                group["train_mode"] = next(iter(modes))


def move(param: Any, z: Any, update: Any, group: Mapping[str, Any]) -> None:
    r"""Move $y$, which is `param`, and $z$ by an update $u$, both in place."""
    # $y_{t+1} = (1 - c)\, y_t + c\, z_t - (1 - \beta (1 - c))\, u_t$
    param.lerp_(z, group["share"])
    param.add_(update, alpha=group["follow"])
    # $z_{t+1} = z_t - u_t$
    z.sub_(update)


def add_decay(
    weight_decay: Callable[[Any, Any, Mapping[str, Any]], Any],
    param: Any,
    grad: Any,
    update: Any,
    group: Mapping[str, Any],
) -> None:
    r"""Let decoupled decay join an update in place: what it would take from $y$."""
    if group["decoupled_weight_decay"] and not is_zero(group["weight_decay"]):
        decayed = param.clone()
        weight_decay(decayed, grad, group)
        update.add_(param.sub(decayed))
