r"""
---
title: L-BFGS
summary: L-BFGS learns the curvature of a loss from the last few moves and gradients, and lets a line search choose how far to go.
paper:
  title: On the limited memory BFGS method for large scale optimization
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
  \rho: rho
  \gamma: scale
  t: step
verified_against:
  implementation: torch.optim.LBFGS 2.14.1
  difference: 0 in float64 on Rosenbrock's function, a logistic regression and a small network, with and without a line search
---

# 43 looks at a loss, or seven hundred

Rosenbrock's function $100\,(y - x^2)^2 + (1 - x)^2$ is a bent valley. From $(-1.2, 1)$ you have to follow it to
$(1, 1)$. A *look* is one call of the closure, which gives the loss and its gradient. How many looks does it take
until the loss is below $10^{-8}$?

| method | with | looks |
|---|---|---:|
| [gradient descent](optimizers/sgd.py) | $\alpha = 0.002$; 0.0022 fails | 10 374 |
| heavy ball | $\mu = 0.99$, $\alpha = 0.0005$, best of seven | 1108 |
| [Adam](optimizers/adam.py) | $\alpha = 0.7$, best of eleven rates | 715 |
| L-BFGS, no line search | the defaults | 62 |
| L-BFGS, strong Wolfe | the defaults, `max_iter=100` | 43 |
| L-BFGS-B of scipy | its defaults | 43 |
| BFGS of scipy, the whole matrix | its defaults | 38 |

No rate had to be found for the last four. They need the same loss at each look, and that is what most training of
networks does not have.

## The update rule

$$
\begin{aligned}
d_k &= -H_k\, g_k \\
\theta_{k+1} &= \theta_k + t\, d_k, \qquad t \text{ from a line search that begins at } \alpha = 1 \\
s_k &= \theta_{k+1} - \theta_k, \qquad y_k = g_{k+1} - g_k
\end{aligned}
$$

$H_k$ stands for the inverse of the Hessian. It is made of the last $m$ pairs $(s, y)$, and it is never written down.

## From Newton to one equation

Let $A$ be the Hessian. Newton's move is $-A^{-1} g$. Five such moves bring Rosenbrock's function below $10^{-8}$.
A network of a million weights has $10^{12}$ second derivatives, though, and nobody has them.

But each move says something about them. For a move $s$ and the change $y$ of the gradient

$$y = \int_0^1 A(\theta_k + \tau s)\, d\tau \; s = \bar A\, s$$

with the mean Hessian on the way. Look for a matrix $H$ in the place of the inverse. It should be symmetric, positive
definite, and do to $y$ what $\bar A^{-1}$ does:

$$H_{k+1}\, y = s$$

This is the *secant equation*. In one dimension it is Newton's method with the slope between two points in the place
of the derivative. In $n$ dimensions it is $n$ equations for $n (n + 1) / 2$ numbers, so most of $H$ is still free.
Keep what is free as it was.

**The update.** Measure $\theta$ in coordinates in which the mean bowl is round, $x = \bar A^{1/2}\, \theta$. There
$y = s$, and the secant equation says that $H_{k+1}\, s = s$. Take $s / \lVert s \rVert$ for the first axis: the
first row and the first column of $H_{k+1}$ are $1, 0, 0, \dots$ by that, and of all symmetric matrices of this kind
the one nearest to $H_k$ has everything else from $H_k$. With the projection $P = I - s s^\top / s^\top s$ it is

$$H_{k+1} = P\, H_k\, P + \frac{s s^\top}{s^\top s}$$

Now go back to $\theta$, by $\bar A^{-1/2}$ on both sides of $H_{k+1}$. $s^\top s$ becomes
$s^\top \bar A\, s = y^\top s$, and $P$ becomes $I - y s^\top / y^\top s$ on the right, its transpose on the left:

$$
H_{k+1} = V^\top H_k\, V + \rho\, s s^\top, \qquad V = I - \rho\, y s^\top, \quad \rho = \frac{1}{y^\top s}
$$

$\bar A$ has dropped out. This is BFGS, after Broyden, Fletcher, Goldfarb and Shanno. Check it: $V y = 0$, so
$H_{k+1} y = \rho\, s\, s^\top y = s$. And $u^\top H_{k+1} u = (V u)^\top H_k (V u) + \rho\, (s^\top u)^2$ is
positive if $\rho$ is.

## The last few pairs, and two loops

The matrix is $n \times n$. Do not form it. Keep the last $m$ pairs $(s_i, y_i)$, begin with $\gamma I$ in each
step, and apply the updates to the one vector that you need, $H g$. Write $q_m = g$ and go through the product from
the outside:

$$
a_i = \rho_i\, s_i^\top q_i, \qquad q_{i-1} = V_i\, q_i = q_i - a_i\, y_i, \qquad i = m, \dots, 1
$$

Inside is $r_0 = \gamma\, q_0$. On the way out each update adds its $V_i^\top$ and its second term, for which
$\rho_i\, s_i s_i^\top q_i = a_i s_i$ is known already:

$$
r_i = V_i^\top r_{i-1} + a_i\, s_i = r_{i-1} + s_i\, (a_i - \rho_i\, y_i^\top r_{i-1}), \qquad i = 1, \dots, m
$$

and $r_m = H g$. That is $4 m n$ multiplications, against those of the loss and its gradient, and $2 m n$ numbers to
keep.

**Where to begin.** $\gamma = s^\top y / y^\top y$ with the newest pair. Since $s = \bar A^{-1} y$, it is a mean of
the inverse curvatures, weighted with $y$, so it lies between those of the steepest and the flattest direction. It
gives $H g$ the right length, and $t = 1$ is a good first try.

**How many pairs.** In a bowl of 50 directions with curvatures from 1 to 10 000, evenly spaced in the logarithm, and
with steps to the exact minimum along each line, all pairs together are the inverse after 50 moves. From a distance
of 1 in each direction the gradient falls by

| moves | 25 | 40 | 49 | 50 | 100 |
|---|---:|---:|---:|---:|---:|
| all pairs | 1200 | $8 \cdot 10^4$ | $3 \cdot 10^8$ | $10^{22}$ | |
| $m = 20$ | 1200 | 2500 | 15 000 | 7300 | $2 \cdot 10^5$ |
| $m = 5$ | 620 | 1400 | 2900 | 5200 | $4 \cdot 10^5$ |

The last two rows are medians of 21 orders of the directions: with few pairs the path depends on rounding, and at 100
moves the orders differ tenfold.

With the line search that is used in practice, the gradient is a millionth after some 130 looks with all pairs, 350
with $m = 20$, 470 with 5, 600 with a single one. Gradient descent needs some 20 000, a well tuned heavy ball some 700.
A few pairs give most of what there is.

## The line search, and why it has two conditions

Everything hangs on $y^\top s > 0$. In a bowl it always holds. Over a hill it need not, and $H$ would then have
directions in which the loss rises. Along $d = -H g$ let $\phi(t) = f(\theta + t d)$, with $\phi'(0) < 0$. The
*strong Wolfe conditions* are

$$
\phi(t) \le \phi(0) + c_1 t\, \phi'(0), \qquad |\phi'(t)| \le c_2\, |\phi'(0)|, \qquad c_1 = 10^{-4}, \; c_2 = 0.9
$$

The first says that the loss falls enough. The second says that the slope has become flatter, and that is all that
$y^\top s$ needs:

$$
y^\top s = t\, \bigl( \phi'(t) - \phi'(0) \bigr) \ge t\, (1 - c_2)\, |\phi'(0)| > 0
$$

If the loss is bounded below, such a $t$ exists: the line of the first condition goes down for ever, so $\phi$ crosses
it, and between 0 and the crossing there is a point where the slope of $\phi$ is that of the line, nearly 0.

[strong_wolfe](#strong_wolfe) finds one. It goes on, up to ten times as far in each try, until it has passed such a
point. Then it closes in, with the minimum of the cubic that has the losses and slopes of both ends. Mostly $t = 1$
is taken at once. $c_2 = 0.9$ is loose on purpose, for a look spent on another direction brings more. From 100 random
starts in Rosenbrock's valley all end below $10^{-6}$ within 400 looks with the search, and 92 without.

## Where the loss is NaN

$3 x - \log x$ from $x = 10$: the second move tries a point just below 0, and the loss is NaN. Every comparison with
NaN is false. So torch's search finds no reason to stop, and goes on: to $-45$, to $-293$, and after 26 looks $x$ is
$-1.1 \cdot 10^{18}$.

Here a point that is not finite has gone too far, whatever its loss, and the interval is halved: 17 looks, and
$x = 0.3333$. No such point is ever returned. Without a line search the move is taken back, the history is
forgotten, and the step ends.

## Why it fails with batches

Both $s^\top y$ and $y^\top y$ trust a difference of two gradients. Let the two come from two batches. Then

$$y = \bar A\, s + (\xi_{k+1} - \xi_k)$$

and near the minimum, where moves are short, the noise is the larger part. Take 20 directions with curvatures from 1
to 100, noise of standard deviation $\sigma$ on each gradient, $m = 10$, one move a step and no line search. This is
the mean loss of the steps 101 to 200:

| $\sigma$ | L-BFGS, $\alpha = 1$: median of ten runs | mean | SGD, $\alpha = 0.01$: mean |
|---:|---:|---:|---:|
| 0 | $2 \cdot 10^{-9}$ | $2 \cdot 10^{-9}$ | 0.060 |
| 0.01 | 0.0002 | 0.014 | 0.060 |
| 0.1 | 0.0055 | 1.5 | 0.061 |
| 1 | 0.59 | 54 000 | 0.12 |

The mean is far above the median because of rare explosions: $y^\top s$ is small by chance, $\rho$ is huge for the next
$m$ moves, and one of them takes the loss from 0.14 to $5 \cdot 10^7$. A lower rate is no repair, for it shortens $s$
and leaves the noise: with $\alpha = 0.1$ the medians are higher.

A line search is no help, since losses of two batches do not lie on one curve. Dropout alone is enough. A
network of 32 hidden units fits 200 points in some 500 looks:

| dropout | mask drawn at each look | one mask for each step |
|---:|---:|---:|
| 0 | $10^{-8}$ | $10^{-8}$ |
| 0.2 | 0.45, 131 moves | 0.17, 460 moves |
| 0.5 | 0.46, 150 moves | 0.37, 480 moves |

With a new mask the search finds nothing lower, and each step ends after a few moves. Adam has 0.078 with dropout 0.2
after 500 steps, and draws a mask in each.

Repairs exist: take both gradients of $y$ from data that two batches have in common (*A Multi-Batch L-BFGS Method for
Machine Learning*), or let batches grow until noise is small (*A Progressive Batching L-BFGS Method for Machine
Learning*).

## Where it is at home

Where all data fit in one batch, and the loss is to be very small.

- **Last layers, and other convex fits.** A softmax on 64 features of 500 points, scales from 1 to 0.03. Looks until
  the loss is within $10^{-6}$ of the best: 74 for L-BFGS; 137 for Adam with the best of four rates and 2338 with the
  worst; 625 for a heavy ball; 1994 for gradient descent.
- **Networks that solve differential equations.** A network of two hidden layers of 20 units learns the solution of
  $u'' = f$ on 64 points. The largest of three seeds' relative errors after some 3000 looks: 0.047 for Adam with
  $\alpha = 0.01$, 0.00002 for L-BFGS. Rathore et al. (2024, arXiv 2402.01868) find Adam and then L-BFGS better than
  either alone on such problems.

## Conventions

- **torch** visits the same points where losses are finite. Names and checkpoints are torch's; `old_dirs` holds the
  $y$, `old_stps` the $s$ and `ro` the $\rho$. Like torch's, it drops pairs with $y^\top s \le 10^{-10}$, and makes a
  first move of at most `lr` in the sum of absolute values.
- **The search is that of the book** (Nocedal and Wright, *Numerical Optimization*, algorithms 3.5 and 3.6). torch
  takes for the better end of an interval the one with the lower loss, even if that loss has not fallen enough, and
  compares with the last try from the third on only. Of 40 lines in our tests its search meets the conditions on 33,
  ours on all. Of the other 7, six have losses that are infinite or NaN.
- **Half precision.** Vectors are in float32 here. torch has them in the type of the parameters, and in float16 sums
  beyond 65 504 are infinite.
- **A `state_dict`** of torch's that you hold in memory changes with later steps. Here it does not.
- **If the closure raises**, parameters and state are those before the step.
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

        If the loss or a gradient is not finite at the start, nothing moves. If the closure raises, parameters
        and state are those before the step.
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
        with model.or_back():
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
                _forget(known)
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
                _, loss, grad = model.look()
                if not _is_finite(loss, grad):
                    # What is remembered would lead there again.
                    model.put(here)
                    _forget(known)
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
        parts = torch.split(direction, [real.numel() for real in reals])
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
    def or_back(self) -> Iterator[None]:
        """Come back to the parameters of now if something is raised inside."""
        here = self.values()
        try:
            yield
        except BaseException:
            self.put(here)
            raise

    def trial(self, direction: Tensor, here: Sequence[Tensor], step: float) -> Trial:
        """Look at a point of the line through `here`, and come back."""
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


def _forget(known: dict[str, Any]) -> None:
    # torch starts anew where it finds that no move has been made.
    known["n_iter"] = 0
    for name in ("d", "t", "old_dirs", "old_stps", "ro", "H_diag", "prev_flat_grad", "prev_loss"):
        known.pop(name, None)


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


# ## In a training loop
#
# ```python
# optimizer = LBFGS(model.parameters(), line_search_fn="strong_wolfe", max_iter=100)
#
# def closure():
#     optimizer.zero_grad()
#     loss = loss_of(model(inputs), targets)      # all data, or one batch that stays
#     loss.backward()
#     return loss
#
# for _ in range(steps):
#     loss = optimizer.step(closure)              # the loss before the step
# ```
#
# A step is up to `max_iter` moves, and looks some more times than that. The unit of a schedule or of a progress bar
# is the look: `optimizer.state_dict()["state"][0]["func_evals"]`.
#
# - `line_search_fn`: `"strong_wolfe"`, always. torch's default, kept here, is none.
# - `lr`: 1 with a line search. Without one, less, and there is no promise then.
# - `history_size`: 10 to 100. The state is $2m + 2$ vectors. With 100 pairs that is 202 times the weights: 9.5 GB
#   for the 11.7 million of a ResNet-18.
# - `max_iter`: large, if all looks are at the same data. The history goes on from step to step all the same.
#
# ## Traps
#
# - **The scale of the loss.** Tolerances are absolute, and so is the $10^{-10}$. Multiply Rosenbrock's function by
#   $10^{-6}$, and the defaults stop at $10^{-3}$ instead of $4 \cdot 10^{-10}$ (in the units of before); by
#   $10^{-8}$, and they never move. With tolerances of 0 it arrives; by $10^{-9}$ most pairs are dropped, and it does
#   not even then. The defaults are made for losses near 1, and a mean squared error may be far below.
# - **Randomness in the closure.** Draw dropout masks, augmentation, collocation points outside, and keep them for the
#   step. If that is impossible, seed inside.
# - **BatchNorm** averages its statistics over every look, tries that are given up included. Compute them anew
#   with `torch.optim.swa_utils.update_bn` at the end.
# - **Clipping inside the closure.** What is returned is then no gradient of the loss, and $y$ no curvature.
# - **float32 parameters.** A search cannot see differences below $10^{-7}$ of the loss. For small fits use float64.
#   Parameters of half precision may not move at all.
# - **Mixed precision.** `torch.amp.GradScaler.step` refuses a closure.
# - **Decay** belongs into the loss. There is one group, with one rate.
# - **Without a line search** the last point of a step is not looked at. If it is NaN, the next step says so, and does
#   not move.
#
# ## Exercises
#
# **1.** Show with [two_loop](#two_loop) that exact line searches in a bowl of five directions end after five moves.
#
# ::: solution
# ```python
# import torch
# from labml_nn_optim.lbfgs import two_loop
#
# curvature = torch.tensor([1.0, 4.0, 10.0, 50.0, 200.0], dtype=torch.float64)
# theta = torch.ones(5, dtype=torch.float64)
# moves, changes, rhos, scale = [], [], [], 1.0
# sizes = []
# for _ in range(6):
#     grad = curvature * theta
#     sizes.append(grad.norm().item())
#     direction = two_loop(grad, moves, changes, rhos, scale)
#     move = -grad.dot(direction) / direction.dot(curvature * direction) * direction
#     change = curvature * move
#     moves.append(move)
#     changes.append(change)
#     rhos.append(1 / change.dot(move).item())
#     scale = 1 / (rhos[-1] * change.dot(change).item())
#     theta = theta + move
# assert sizes[4] > 1e-4 * sizes[0]
# assert sizes[5] < 1e-10 * sizes[0]
# ```
# :::
#
# **2.** A loss is $f(x) = -x^2 / 2$ near the start. What are $s$ and $y$ after a step of gradient descent from 1, and
# what would $H$ be?
#
# ::: solution
# The gradient is $-1$ at 1, the move $s = t$, and the gradient at $1 + t$ is $-(1 + t)$. So $y = -t$ and
# $y^\top s = -t^2 < 0$. The secant equation wants $H = -1$, and $-H g$ would climb. The second Wolfe condition asks
# for $1 + t \le 0.9$, which no $t > 0$ meets. A search goes on until it has left the hill.
# :::
#
# **3.** Fit a softmax to 300 points with L-BFGS and with Adam. How many looks does each need to come within
# $10^{-6}$ of the best loss?
#
# ::: solution
# Some 30 against more than a hundred.
#
# ```python
# import torch
# from labml_nn_optim import LBFGS, Adam
#
# torch.manual_seed(0)
# inputs = torch.randn(300, 10, dtype=torch.float64)
# targets = (inputs @ torch.randn(10, 3, dtype=torch.float64) + torch.randn(300, 3)).argmax(1)
#
#
# def losses(kind, looks, **arguments):
#     weight = torch.nn.Parameter(torch.zeros(10, 3, dtype=torch.float64))
#     optimizer, seen = kind([weight], **arguments), []
#
#     def closure():
#         optimizer.zero_grad()
#         fit = torch.nn.functional.cross_entropy(inputs @ weight, targets)
#         loss = fit + 1e-3 * weight.square().sum()
#         loss.backward()
#         seen.append(loss.item())
#         return loss
#
#     while len(seen) < looks:
#         optimizer.step(closure)
#     return seen
#
#
# def until(seen):
#     return next(count for count, loss in enumerate(seen) if loss < best + 1e-6)
#
#
# fast = losses(LBFGS, 60, line_search_fn="strong_wolfe", tolerance_change=0.0)
# slow = losses(Adam, 1000, lr=0.1)
# best = min(fast + slow)
# assert until(fast) < 40
# assert until(slow) > 2 * until(fast)
# ```
# :::
