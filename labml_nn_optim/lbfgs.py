r"""
---
title: L-BFGS
summary: L-BFGS learns the curvature of a loss from the last few moves and gradients, and lets a line search choose how far to go.
paper:
  - title: On the limited memory BFGS method for large scale optimization
    authors: Dong C. Liu, Jorge Nocedal
    year: 1989
    doi: 10.1007/BF01589116
    venue: Mathematical Programming 45
chapter: "8.5"
needs: [optimizers/sgd]
symbols:
  g: grad
  d: direction
  s: move
  y: change
---

# L-BFGS
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer, ParamsT

from labml_nn_optim.checks import require_count, require_flag, require_number
from labml_nn_optim.named_state import matching_names
from labml_nn_optim.pieces import working_dtype
from labml_nn_optim.sharded import is_distributed

__all__ = ["LBFGS", "Trial", "cubic_minimum", "strong_wolfe", "two_loop"]


# ## The direction
def two_loop(
    grad: Tensor,
    moves: Sequence[Tensor],
    changes: Sequence[Tensor],
    rhos: Sequence[float],
    scale: float,
) -> Tensor:
    r"""Return $-H g$.

    - `moves`, `changes`: the pairs $s_i$ and $y_i$, oldest first
    - `rhos`: $\rho_i = 1 / y_i^\top s_i$
    - `scale`: $\gamma$, with which $H$ begins
    """
    pairs = list(zip(moves, changes, rhos, strict=True))
    direction = grad.neg()
    shares = []
    # From the newest pair to the oldest: $a_i = \rho_i\, s_i^\top q$ and $q \leftarrow q - a_i y_i$
    for move, change, rho in reversed(pairs):
        share = float(move.dot(direction)) * rho
        direction.add_(change, alpha=-share)
        shares.append(share)
    direction.mul_(scale)
    # From the oldest to the newest: $r \leftarrow r + s_i\, (a_i - \rho_i\, y_i^\top r)$
    for (move, change, rho), share in zip(pairs, reversed(shares), strict=True):
        direction.add_(move, alpha=share - float(change.dot(direction)) * rho)
    return direction


# ## How far to go
class Trial(NamedTuple):
    r"""What was found at the distance `step` on the line: $\phi$, $\phi'$ and the gradient."""

    step: float
    loss: float
    slope: float
    grad: Tensor

    @property
    def is_finite(self) -> bool:
        """Whether neither loss nor slope is infinite or NaN."""
        return math.isfinite(self.loss) and math.isfinite(self.slope)


def cubic_minimum(left: Trial, right: Trial, low: float, high: float) -> float:
    """Return where the cubic through two trials and their slopes is least, between `low` and `high`.

    The middle between `low` and `high` if it has no minimum, or if a trial is not finite.
    """
    middle = (low + high) / 2
    if left.step > right.step:
        left, right = right, left
    width = right.step - left.step
    if width == 0 or not (left.is_finite and right.is_finite):
        return middle
    mean = left.slope + right.slope - 3 * (right.loss - left.loss) / width
    square = mean * mean - left.slope * right.slope
    if not 0 <= square < math.inf:
        return middle
    root = math.sqrt(square)
    bottom = right.slope - left.slope + 2 * root
    if bottom == 0:
        return middle
    return min(max(right.step - width * ((right.slope + root - mean) / bottom), low), high)


def strong_wolfe(
    evaluate: Callable[[float], Trial],
    start: Trial,
    step: float,
    *,
    c1: float = 1e-4,
    c2: float = 0.9,
    max_trials: int = 25,
    narrowest: float = 0.0,
) -> tuple[Trial, int]:
    r"""Find a step that meets the strong Wolfe conditions, and say how many trials that took.

    - `evaluate`: returns the trial at a distance
    - `start`: the trial at 0, finite, with a slope below 0
    - `step`: the distance to try first
    - `c1`: the part of the first slope by which the loss has to fall
    - `c2`: the part of the first slope that may be left
    - `max_trials`: after so many more than the first, the best end of the interval at hand is returned
    - `narrowest`: an interval below this width is not searched

    A trial that is not finite has gone too far. None such is returned.
    """

    def is_too_far(trial: Trial) -> bool:
        return not trial.is_finite or trial.loss > start.loss + c1 * trial.step * start.slope

    def is_flat(trial: Trial) -> bool:
        return abs(trial.slope) <= -c2 * start.slope

    low, trial = start, evaluate(step)
    more = 0
    # Go on until a step that meets the conditions must lie behind. The last one that fell far enough is `low`.
    while True:
        if is_too_far(trial) or (more > 0 and trial.loss >= low.loss):
            high = trial
            break
        if is_flat(trial):
            return trial, more + 1
        if trial.slope >= 0 or more >= max_trials:
            low, high = trial, low
            break
        nearest = trial.step + 0.01 * (trial.step - low.step)
        step = cubic_minimum(low, trial, nearest, trial.step * 10)
        low, trial = trial, evaluate(step)
        more += 1
    was_near = False
    # Close in on it. `low` is the best of those that fell far enough, and the slope there leads to `high`.
    while more < max_trials and abs(high.step - low.step) >= narrowest:
        left, right = sorted((low.step, high.step))
        step = cubic_minimum(low, high, left, right)
        # What lies at an end, or close to one for the second time, would hardly shrink the interval.
        margin = 0.1 * (right - left)
        is_near = min(right - step, step - left) < margin
        if is_near and (was_near or step >= right or step <= left):
            step = right - margin if abs(step - right) < abs(step - left) else left + margin
            is_near = False
        was_near = is_near
        trial = evaluate(step)
        more += 1
        if is_too_far(trial) or trial.loss >= low.loss:
            high = trial
            continue
        if is_flat(trial):
            return trial, more + 1
        if trial.slope * (high.step - low.step) >= 0:
            high = low
        low = trial
    return low, more + 1


# ## The optimizer
class LBFGS(Optimizer):
    r"""Steps along $-H g$, with an $H$ made of the last moves and changes of the gradient.

    - `params`: plain parameters on one device, in one group
    - `lr`: the distance that is tried first, a number or a tensor of one element
    - `max_iter`: how many moves a call of [step](#LBFGS.step) makes at most
    - `max_eval`: after how many calls of the closure it makes no further move; `None` for
      five quarters of `max_iter`
    - `tolerance_grad`: it stops where no gradient is larger
    - `tolerance_change`: it stops when loss or parameters change by less, or the slope is less
    - `history_size`: how many pairs are kept
    - `line_search_fn`: `"strong_wolfe"`, or `None` to go as far as `lr` says
    - `maximize`: climb instead of descend

    State, kept with the first parameter: two vectors as long as all parameters for each pair, and two more.

    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range, for a second
    group, for parameters on several devices and for sharded ones.
    Liu and Nocedal (1989), in the form of `torch.optim.LBFGS`.
    """

    keeps_one_state: ClassVar[bool] = True

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
        *,
        maximize: bool = False,
    ) -> None:
        require_count("max_iter", max_iter, minimum=1)
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max(1, max_iter * 5 // 4) if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add the only group; raises `ValueError` for another one."""
        if self.param_groups:
            raise ValueError("params must be one group for LBFGS, got several")
        if isinstance(param_group, dict):
            _check_group(self.defaults | param_group)
        super().add_param_group(param_group)
        try:
            _check_params(self.param_groups[0]["params"])
        except ValueError:
            self.param_groups.pop()
            raise

    @torch.no_grad()
    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Make up to `max_iter` moves, and return the loss before the first.

        `closure` sets the gradients to zero, computes the loss and its gradients, and returns it. It is called
        at the start, and then at every point that is tried.

        If the loss or a gradient is not finite at the start, nothing moves. If the closure raises at another
        point, the parameters are where they were before it, and the state is that before the step.
        Raises `TypeError` for a `closure` that cannot be called.
        """
        if not callable(closure):
            raise TypeError(f"closure must compute the loss and its gradients, got {closure!r}")
        group = self.param_groups[0]
        model = _Model(group["params"], torch.enable_grad()(closure), group["maximize"])
        if not group["params"]:
            return model.closure()
        known = dict(self.state[group["params"][0]])
        known["n_iter"] = known.get("n_iter", 0)
        first, loss, grad = model.look()
        calls = 1
        if _is_finite(loss, grad) and _largest(grad) > group["tolerance_grad"]:
            calls = self._descend(model, known, loss, grad)
        known["func_evals"] = known.get("func_evals", 0) + calls
        # A new dictionary, for that of a `state_dict` must not change.
        self.state[group["params"][0]] = known
        return first

    def _descend(self, model: _Model, known: dict[str, Any], loss: float, grad: Tensor) -> int:
        group, calls = self.param_groups[0], 1
        tolerance = group["tolerance_change"]
        for moves in range(1, group["max_iter"] + 1):
            known["n_iter"] += 1
            step = float(group["lr"])
            if known.get("d") is None:
                # Nothing is known of the curvature. The first move is no longer than `lr`, in the sum of
                # absolute values.
                known.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0, d=grad.neg())
                step *= min(1.0, 1.0 / float(grad.abs().sum()))
            else:
                _learn(known, grad, group["history_size"])
                pairs = (known["old_stps"], known["old_dirs"], known["ro"])
                known["d"] = two_loop(grad, *pairs, known["H_diag"])
            known.update(t=step, prev_flat_grad=grad, prev_loss=loss)
            direction = known["d"]
            slope = float(grad.dot(direction))
            if not math.isfinite(slope):
                known["d"] = None
                break
            if slope > -tolerance:
                break
            # Here the parameters move.
            here = model.values()
            if group["line_search_fn"] is not None:
                found, trials = strong_wolfe(
                    functools.partial(model.trial, direction, here),
                    Trial(0.0, loss, slope, grad),
                    step,
                    max_trials=group["max_eval"] - calls,
                    narrowest=tolerance / _largest(direction),
                )
                step, loss, grad = found.step, found.loss, found.grad
                known["t"] = step
                model.move(direction, step)
            else:
                model.move(direction, step)
                if moves == group["max_iter"]:
                    break
                trials = 1
                with model.or_back(here):
                    _, loss, grad = model.look()
                if not _is_finite(loss, grad):
                    # The same step would be made again, so its direction is forgotten.
                    model.put(here)
                    known["d"] = None
                    calls += trials
                    break
            calls += trials
            if (
                calls >= group["max_eval"]
                or _largest(grad) <= group["tolerance_grad"]
                or _largest(direction.mul(step)) <= tolerance
                or abs(loss - known["prev_loss"]) < tolerance
            ):
                break
        return calls

    # ## Checkpoints
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a checkpoint of ours or of `torch.optim.LBFGS`.

        Raises `ValueError` if its vectors are not as long as all parameters.

        torch casts state to the data type of the first parameter. The vectors have that in which all
        parameters fit, and half precision is none, so they are taken from the checkpoint again.
        """
        params = self.param_groups[0]["params"]
        length, dtype = _length(params), _common_dtype(params)
        for state in state_dict["state"].values():
            for vector in (*(state.get("old_dirs") or ()), state.get("prev_flat_grad")):
                if vector is not None and vector.numel() != length:
                    raise ValueError(
                        f"state_dict must hold vectors of {length} numbers, got {vector.numel()}"
                    )
        with matching_names(self) as loaded:
            super().load_state_dict(state_dict)
        saved = loaded[-1]["state"].get(loaded[-1]["param_groups"][0]["params"][0])
        if saved:
            self.state[params[0]] = {
                name: _place(value, params[0].device, dtype) for name, value in saved.items()
            }

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for name, value in self.defaults.items():
                group.setdefault(name, value)


class _Model:
    """A closure as a function of one vector, which holds all parameters end to end."""

    def __init__(
        self, params: Sequence[Tensor], closure: Callable[[], Any], maximize: bool
    ) -> None:
        self.params, self.closure, self.sign = params, closure, -1.0 if maximize else 1.0
        self.dtype = _common_dtype(params) if params else torch.float32

    def look(self) -> tuple[Any, float, Tensor]:
        """Return what the closure returns, the loss and its gradient."""
        given = self.closure()
        parts = [self._flat(param, param.grad) for param in self.params]
        loss = self.sign * float(torch.as_tensor(given).detach())
        return given, loss, torch.cat(parts).mul_(self.sign)

    def _flat(self, param: Tensor, grad: Tensor | None) -> Tensor:
        if grad is None:
            grad = torch.zeros_like(param)
        if grad.layout != torch.strided:
            grad = grad.to_dense()
        return _as_real(grad).reshape(-1).to(self.dtype)

    def move(self, direction: Tensor, step: float) -> None:
        """Go along `direction`."""
        reals = [_as_real(param) for param in self.params]
        parts = direction.split([real.numel() for real in reals])
        for real, part in zip(reals, parts, strict=True):
            real.add_(part.view(real.shape), alpha=step)

    def values(self) -> list[Tensor]:
        """Return a copy of all parameters."""
        return [param.clone() for param in self.params]

    def put(self, values: Sequence[Tensor]) -> None:
        """Go to where such a copy was made."""
        for param, value in zip(self.params, values, strict=True):
            param.copy_(value)

    @contextmanager
    def or_back(self, values: Sequence[Tensor]) -> Iterator[None]:
        """Go to `values` if something is raised inside."""
        try:
            yield
        except BaseException:
            self.put(values)
            raise

    def trial(self, direction: Tensor, here: Sequence[Tensor], step: float) -> Trial:
        """Look at a point of the line through `here`, and come back."""
        with self.or_back(here):
            self.move(direction, step)
            _, loss, grad = self.look()
        self.put(here)
        return Trial(step, loss, float(grad.dot(direction)), grad)


def _learn(known: dict[str, Any], grad: Tensor, history_size: int) -> None:
    # Lists are made anew, too.
    change, move = grad - known["prev_flat_grad"], known["d"].mul(float(known["t"]))
    curvature = float(change.dot(move))
    # $y^\top s > 0$, or $H$ would have directions in which the loss rises.
    if curvature > 1e-10:
        known["old_dirs"] = [*known["old_dirs"], change][-history_size:]
        known["old_stps"] = [*known["old_stps"], move][-history_size:]
        known["ro"] = [*known["ro"], 1.0 / curvature][-history_size:]
        # $\gamma = s^\top y / y^\top y$
        known["H_diag"] = curvature / float(change.dot(change))


def _check_group(group: Mapping[str, Any]) -> None:
    require_number("lr", group["lr"])
    for name in ("max_iter", "max_eval", "history_size"):
        require_count(name, group[name], minimum=1)
    for name in ("tolerance_grad", "tolerance_change"):
        require_number(name, group[name])
    if group["line_search_fn"] not in (None, "strong_wolfe"):
        raise ValueError(
            f"line_search_fn must be 'strong_wolfe' or None, got {group['line_search_fn']!r}"
        )
    require_flag("maximize", group["maximize"])


def _check_params(params: Sequence[Tensor]) -> None:
    devices = sorted({str(param.device) for param in params})
    if len(devices) > 1:
        raise ValueError(f"params must be on one device for LBFGS, got {', '.join(devices)}")
    if any(is_distributed(param) for param in params):
        raise ValueError("params must be plain tensors for LBFGS, got a DTensor")


def _as_real(tensor: Tensor) -> Tensor:
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor


def _length(params: Sequence[Tensor]) -> int:
    return sum(_as_real(param.detach()).numel() for param in params)


def _common_dtype(params: Sequence[Tensor]) -> torch.dtype:
    dtypes = [working_dtype(_as_real(param.detach()).dtype) for param in params]
    return functools.reduce(torch.promote_types, dtypes)


def _largest(vector: Tensor) -> float:
    return float(vector.abs().max()) if vector.numel() else 0.0


def _is_finite(loss: float, grad: Tensor) -> bool:
    return math.isfinite(loss) and bool(grad.isfinite().all())


def _place(value: Any, device: torch.device, dtype: torch.dtype) -> Any:
    """Copy vectors to where they are used, and read numbers out."""
    if isinstance(value, Tensor):
        return value.item() if value.dim() == 0 else value.to(device, dtype, copy=True)
    if isinstance(value, list):
        return [_place(each, device, dtype) for each in value]
    return value
