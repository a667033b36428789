r"""
---
title: Prodigy
summary: Prodigy estimates from the gradients how far the solution is from the start, and takes that distance for Adam's learning rate.
paper:
  title: "Prodigy: An Expeditiously Adaptive Parameter-Free Learner"
  authors: Konstantin Mishchenko, Aaron Defazio
  year: 2023
  arxiv: "2306.06101"
  venue: ICML
chapter: "5.4"
needs: [optimizers/adam, totals]
symbols:
  \theta: param
  \theta_0: p0
  g: grad
  m: exp_avg
  v: exp_avg_sq
  s: s
  r: numerator
  d: d
  \gamma: gamma
verified_against:
  implementation: pytorch_optimizer.Prodigy 4.1.0 with float64 as torch's default type
  difference: 4e-15 over 100 noisy steps in float64; up to 3e-7 with float32 as the default type
---

# The same problem in other units

Twenty weights are fitted to a target of $\pm D$ in each of them, by the mean absolute error of ten Gaussian
examples a step: 2000 steps from zero, with a cosine to 0. Errors are divided by $D$, and 3.6 before the first
step. $d$ is the rate that Prodigy finds. Adam has 1 and 3 times the powers of ten to choose from. Medians of 200
seeds; single runs are up to four times off:

| $D$ | Adam's best $\alpha$ | its error | Adam at $\alpha = 0.03$ | Prodigy | its $d$ | half of that in step |
|---:|---:|---:|---:|---:|---:|---:|
| 0.01 | 0.00003 | $3 \cdot 10^{-6}$ | 0.003 | $2 \cdot 10^{-4}$ | 0.002 | 14 |
| 1 | 0.003 | $3 \cdot 10^{-6}$ | 0.00003 | $2 \cdot 10^{-4}$ | 0.2 | 22 |
| 100 | 0.3 | $3 \cdot 10^{-6}$ | 3.0 | $2 \cdot 10^{-4}$ | 22 | 29 |
| 10 000 | 30 | $3 \cdot 10^{-6}$ | 3.6 | $2 \cdot 10^{-4}$ | 2200 | 37 |

A step of Adam moves each weight by about $\alpha$, whatever the scale of the loss. So $\alpha$ is a length in the
units of the weights, and the best one is $0.003\, D$. One $\alpha$ for all rows leaves the last two near where they
began. Prodigy is given nothing, starts each time with $d = 10^{-6}$, and has a rate for each row within forty steps.

It does not find the best one. Its $d$ is seventy to eighty times as large as the best $\alpha$ here, and so is its
error. What it spares you is the search over powers of ten.

## Why the distance is all that is missing

Let the loss $f$ be convex, $\theta^*$ its minimum, $D = \lVert \theta_0 - \theta^* \rVert$, and let no gradient
be longer than $G$. Gradient descent with a constant step $\gamma$ has

$$
\lVert \theta_t - \theta^* \rVert^2 = \lVert \theta_{t-1} - \theta^* \rVert^2
- 2 \gamma\, \langle g_t, \theta_{t-1} - \theta^* \rangle + \gamma^2 \lVert g_t \rVert^2
$$

The product in the middle is at least $f(\theta_{t-1}) - f(\theta^*)$, by convexity. Sum over $T$ steps, and the
left sides cancel against the right ones:

$$
\frac{1}{T} \sum_t f(\theta_{t-1}) - f(\theta^*) \le \frac{D^2}{2 \gamma T} + \frac{\gamma G^2}{2},
\qquad \text{least for } \gamma = \frac{D}{G \sqrt T}, \text{ where it is } \frac{D G}{\sqrt T}
$$

$G$ can be seen while training goes on; that is what [Adagrad](adagrad.py) and [Adam](adam.py) divide by. $T$ is in
the schedule. $D$ nobody has seen. With $k D$ in its place the bound becomes $(k + 1/k) / 2$ times as large: five
times, if the guess is off by ten.

## A lower bound that the gradients give away

Take weights $w_t \ge 0$. By convexity again,

$$
0 \le \sum_t w_t \left( f(\theta_{t-1}) - f(\theta^*) \right)
\le \sum_t w_t \langle g_t, \theta_{t-1} - \theta^* \rangle
= - \underbrace{\sum_t w_t \langle g_t, \theta_0 - \theta_{t-1} \rangle}_{r}
+ \Big\langle \underbrace{\sum_t w_t\, g_t}_{s},\; \theta_0 - \theta^* \Big\rangle
$$

So $r \le \langle s, \theta_0 - \theta^* \rangle$. Nothing in $r$ or $s$ is unknown. Let $D_\infty$ be the largest
distance of any weight from its solution. The product is at most $\lVert s \rVert_1$, the sum of absolute values,
times that:

$$
\hat d = \frac{r}{\lVert s \rVert_1} \le D_\infty
$$

Adam moves all weights alike, so this is the distance that it needs. The bound holds for any weights $w_t$ and for any
path: how $\theta$ was moved has not been used. So one may take the largest $\hat d$ so far for the distance, move by
it, and look again.

Why does it rise? Far from the solution all gradients say the same, $g_t = g$. Adam moves each weight equally far
against it, so $\langle g, \theta_0 - \theta_{t-1} \rangle$ is $\lVert g \rVert_1$ times that way, and $\hat d$ is a
mean of the way over the steps. Each step is about $d$ long, so after a few of them the way is longer than $d$, and
$d$ follows. With a constant gradient and the defaults it grows 2.57-fold in each step, for ever. Once the weights
have passed the solution, gradients turn, $r$ grows no more, and $d$ stands still.

## The update rule

$$
\begin{aligned}
\gamma_t &= \alpha_t\, d_{t-1}, \qquad w_t = \frac{d_{t-1}}{d_0}\, \gamma_t \\
s_t &= \beta_3 s_{t-1} + w_t\, g_t \\
r_t &= \beta_3 r_{t-1} + w_t \langle g_t, \theta_0 - \theta_{t-1} \rangle \\
m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, d_{t-1}\, g_t \\
v_t &= \beta_2 v_{t-1} + (1 - \beta_2)\, d_{t-1}^2\, g_t^2 \\
d_t &= \max\left( d_{t-1},\; c\, \frac{r_t}{\lVert s_t \rVert_1} \right) \\
\theta_t &= \theta_{t-1} - \gamma_t\, \frac{m_t}{\sqrt{v_t} + d_t\, \varepsilon}
\end{aligned}
$$

for all weights of the model at once: $r$, $\lVert s \rVert_1$ and $d$ are three numbers.

- **$w_t$ grows like $d^2$.** While $d$ was small, gradients were taken near the start and tell little about the way.
  They count with the square of the $d$ of their time. [D-Adaptation](d_adapt_adam.py) has $d$ there; the square is
  what Prodigy adds, and it improves the guarantee by a factor $\sqrt{\log (D / d_0)}$. The division by $d_0$ keeps
  $s$ from being tiny, and cancels.
- **$m$ and $v$ are averages of $d\, g$ and its square.** With a constant $d$ it cancels, and this is Adam
  without corrections. While $d$ grows, the averages forget faster than $\beta_1$ and $\beta_2$ say.
- **$\beta_3 = \sqrt{\beta_2}$**: $r$ and $s$ forget over some 2000 steps. Weights $w_t$ may be anything, so the bound
  survives that.
- **The first step** moves each weight by $0.1 / \sqrt{0.001} = 3.2$ times $d_0$, for $v$ has no correction.

## What the bound does not survive

**Noise.** $r \le \langle s, \theta_0 - \theta^* \rangle$ holds on average over the draw of a batch. The largest of
many noisy values is no average. Feed it Gaussian noise and nothing else, in float64. The middle half of the runs
(400 of 10 weights, 40 of 1000) lies between

| step | $d$, 10 weights | $d$, 1000 weights |
|---:|---:|---:|
| 100 | $3 \cdot 10^{-5}$ and 0.05 | $10^{-6}$ and $2 \cdot 10^{-6}$ |
| 1000 | 500 and $6 \cdot 10^{16}$ | $2 \cdot 10^{-6}$ and $10^{-4}$ |
| 10 000 | $2 \cdot 10^{64}$ and overflow | $10^{-4}$ and 0.4 |

Each time $d$ jumps, the squares of the new $d$ drown all that was summed before, and $r / \lVert s \rVert_1$ starts
from a few gradients. Many weights average the noise out. A handful does not.

**No solution at a finite distance.** The loss of a classifier that separates its data falls for ever. For a
linear loss $d$ is 49 after 20 steps and $10^{18}$ after 60.

**Distances that differ.** $D_\infty$ is the largest one. Add two losses like the first, one of ten weights with
$D = 100$ and one of ten others with $D = 0.01$, in one optimizer. In step 200 the near ones are some two thousand times
as far from their solution as they began. The schedule brings them back, but they end some five thousand times farther
off than with a Prodigy of their own (60 seeds: six hundred to twenty thousand times).

**Networks are not convex**, so nothing is proved for them. That $d$ finds a usable rate there is an observation.

## Conventions

- **Rates that differ.** The authors' `prodigyopt` refuses them, but for 0, and still decays a group with that.
  pytorch_optimizer gives every group the rate of the first: a group with `lr=0` moves like the others. Here a group
  moves by its own $\alpha$, $w_t$ has the largest of them, and a group with half of that counts half in
  $\lVert s \rVert_1$. So $d$ bounds the distance in units of the group's rate. With `lr=0` nothing happens to a group.
- **Coupled decay** is in all of $s$, $r$, $m$ and $v$, as in `prodigyopt`. In pytorch_optimizer it is added to a
  gradient that has been used already, and does nothing.
- **Sums.** pytorch_optimizer keeps $r$ and $\lVert s \rVert_1$ in torch's default type. With float32 it is
  up to $3 \cdot 10^{-7}$ from here after 100 steps of float64 weights, with float64 $4 \cdot 10^{-15}$.
- `slice_p` of `prodigyopt`, which looks at every $p$-th weight to save memory, is not here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import RunOptions, as_number
from labml_nn_optim.checks import require_flag, require_number
from labml_nn_optim.pieces import Member
from labml_nn_optim.totals import Batch, WholeModelOptimizer, batches, dot, norm1, summed
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["Prodigy", "correction"]


class Prodigy(WholeModelOptimizer):
    r"""Adam whose learning rate is an estimate of the distance to the solution.

    - `params`: parameters or groups of them
    - `lr`: $\alpha$, a factor on the estimated rate $d$, for a schedule: leave it at 1 otherwise
    - `betas`: the decay rates $(\beta_1, \beta_2)$, each in $[0, 1)$
    - `eps`: $\varepsilon$, times $d$ added to $\sqrt{v_t}$
    - `weight_decay`: a number, decoupled and times $\alpha d$, or a [WeightDecay](../weight_decay.py#WeightDecay)
    - `beta3`: $\beta_3$, by which the sums of the estimate forget, or `None` for $\sqrt{\beta_2}$
    - `d0`: $d_0 > 0$, the first estimate
    - `d_coef`: $c > 0$, a factor on every later estimate
    - `growth_rate`: at least 1, the largest factor by which $d$ may grow in a step, or `math.inf`
    - `use_bias_correction`: whether to apply Adam's corrections
    - `safeguard_warmup`: whether $\alpha$ is left out of $s$, so that a warm-up does not inflate $d$
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions)

    The estimate is one for all groups. It takes `betas`, `beta3` and the arguments after it from the first group.
    The groups hold it as `d`.

    State: four tensors of the parameter's shape.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Mishchenko and Defazio (2023), algorithm 4 and the authors' code.
    """

    shared = ("d", "d_last", "d_max", "d_numerator", "k")

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 0.0,
        beta3: float | None = None,
        d0: float = 1e-6,
        d_coef: float = 1.0,
        growth_rate: float = math.inf,
        use_bias_correction: bool = False,
        safeguard_warmup: bool = False,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {
            "beta3": beta3,
            "d0": d0,
            "d_coef": d_coef,
            "growth_rate": growth_rate,
            "use_bias_correction": use_bias_correction,
            "safeguard_warmup": safeguard_warmup,
        }
        super().__init__(
            params, own | dict(defaults or {}), lr, betas, eps, weight_decay, **options
        )

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        if group["beta3"] is not None:
            require_number("beta3", group["beta3"], below=1.0)
        require_number("d0", group["d0"], above=0.0)
        require_number("d_coef", group["d_coef"], above=0.0)
        if group["growth_rate"] != math.inf:
            require_number("growth_rate", group["growth_rate"], minimum=1.0)
        require_flag("use_bias_correction", group["use_bias_correction"])
        require_flag("safeguard_warmup", group["safeguard_warmup"])

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start the averages and $s$ at zero, and keep $\theta_0$."""
        state["exp_avg"] = torch.zeros_like(param)
        state["exp_avg_sq"] = torch.zeros_like(param)
        state["s"] = torch.zeros_like(param)
        state["p0"] = param.clone()

    def prepare(self, work: Sequence[tuple[dict[str, Any], Sequence[Member]]]) -> None:
        r"""Estimate $d$ from all parameters, while they still stand where their gradients were taken."""
        first = self.param_groups[0]
        d0, d = first["d0"], first.get("d", first["d0"])
        beta3 = math.sqrt(first["betas"][1]) if first["beta3"] is None else first["beta3"]
        # $\gamma_t$, with the largest of the groups' $\alpha$. A group with half of it counts half in $\lVert s
        # \rVert_1$, and one whose $\alpha$ is 0 is left out of everything.
        rates = [as_number(group["lr"]) for group, _ in work]
        lr = max(rates)
        moving = [each for each, rate in zip(work, rates, strict=True) if rate > 0]
        count = first.get("k", 0) + 1
        gamma = d * lr * (correction(first, count) if first["use_bias_correction"] else 1.0)
        weight = d / d0 * (d if first["safeguard_warmup"] else gamma)

        def found() -> Iterator[tuple[Batch, tuple[Tensor, Tensor]]]:
            for batch in batches(moving, self._decay_of):
                s, p0 = batch.state["s"], batch.state["p0"]
                # $s_t = \beta_3 s_{t-1} + w_t\, g_t$
                s.mul_(beta3).add_(batch.grad, alpha=weight)
                share = as_number(batch.group["lr"]) / lr
                yield batch, (dot(batch.grad, p0.sub(batch.param)), norm1(s).mul(share))

        progress, length = summed(found()) or (0.0, 0.0)
        if length == 0:
            # No gradient has come yet, or no group may move: nothing does.
            self.share(d_last=0.0, d=d)
            return
        # $r_t = \beta_3 r_{t-1} + \frac{d}{d_0}\gamma_t \langle g_t, \theta_0 - \theta_{t-1} \rangle$
        numerator = beta3 * first.get("d_numerator", 0.0) + d / d0 * gamma * progress
        d_hat = first["d_coef"] * numerator / length
        highest = max(first.get("d_max", d0), d_hat)
        last, d = d, min(highest, (max(d, d_hat) if d == d0 else d) * first["growth_rate"])
        self.share(d=d, d_last=last, d_max=highest, d_numerator=numerator, k=count)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Compute the rate $\gamma_t$ of the step, which is that of the old $d$.

        A group that may not move keeps its averages as well: their memory is 1 then, and $g_t$ counts 0.
        """
        d, (beta1, beta2) = group["d_last"], group["betas"]
        lr = d * group["lr"]
        if lr == 0:
            return {
                "lr": 0.0,
                "memory1": 1.0,
                "memory2": 1.0,
                "new1": 0.0,
                "new2": 0.0,
                "floor": 1.0,
            }
        return {
            "lr": lr * (correction(group, step) if group["use_bias_correction"] else 1.0),
            "memory1": beta1,
            "memory2": beta2,
            "new1": d * (1 - beta1),
            "new2": d * d * (1 - beta2),
            "floor": group["d"] * group["eps"],
        }

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move one parameter, or a piece that holds many."""
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        grad = self.weight_decay(param, grad, group)
        # $m_t = \beta_1 m_{t-1} + (1 - \beta_1)\, d\, g_t$
        exp_avg.mul_(group["memory1"]).add_(grad, alpha=group["new1"])
        # $v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, d^2 g_t^2$
        exp_avg_sq.mul_(group["memory2"]).addcmul_(grad, grad, value=group["new2"])
        # $\theta_t = \theta_{t-1} - \gamma_t\, m_t / (\sqrt{v_t} + d_{\text{new}}\, \varepsilon)$
        denominator = exp_avg_sq.sqrt().add_(group["floor"])
        param.addcdiv_(exp_avg, denominator, value=-group["lr"])


def correction(group: Mapping[str, Any], step: int) -> float:
    r"""Return $\sqrt{1 - \beta_2^t} / (1 - \beta_1^t)$."""
    beta1, beta2 = group["betas"]
    value: float = math.sqrt(1 - beta2**step) / (1 - beta1**step)
    return value


# ## Choosing, and when not to
#
# - `lr`: 1, with a schedule on top that falls to 0. In the first example a constant $\alpha = 1$ ends at an error
#   between 0.2 and 1.6 in place of 0.0002. The authors recommend no schedule or a cosine over the whole run, without
#   restarts.
# - `d_coef`: the number that is left to tune. There, $c = 0.1$ gives 0.00005, 1 gives 0.0002 and 10 gives 0.001.
# - `d0`: small enough to be below every distance. $10^{-12}$ costs some 20 steps more than $10^{-6}$. One that is too
#   large is never corrected: $d_0 = 100$ for $D = 1$ stays, and the error ends at 0.09.
# - `safeguard_warmup=True` with any warm-up. While $\alpha$ is small, steps are short for their $d$; the way to the
#   solution takes longer, and $d$ rises higher: to 0.4 with 500 steps of linear warm-up. The safeguard leaves
#   $\alpha$ out of $s$, not out of $r$, so that $\hat d$ is smaller: 0.15, where a run without a warm-up has 0.2.
# - `growth_rate`: 1.02 makes a warm-up out of the search, which then takes some 600 steps. It ended at $d = 0.6$.
# - `weight_decay`: $\lambda$ is times $\alpha d$. A weight without gradient forgets over $1 / (\lambda d)$ steps.
#   You do not know $d$ beforehand, so look at it before you trust a $\lambda$ that was chosen for AdamW.
#
# For diffusion models the authors advise `safeguard_warmup`, `use_bias_correction` and $\lambda = 0.01$, and a $d_0$
# of $10^{-5}$ or $10^{-4}$ if $d$ does not rise.
#
# Kasimbeg et al. (2025, arXiv 2505.24005) ran learning-rate-free methods on AlgoPerf, a benchmark of several
# workloads, with one setting for all. With the settings of the literature they did poorly. When the other
# hyper-parameters had been searched over all workloads, the best of them came close to a NAdamW that had been searched
# in the same way, and stayed slightly behind. The rate is one number among several.
#
# If you can afford to try five values of $\alpha$, [AdamW](adamw.py) needs half of the memory and half of the time
# of a step.
#
# ## Traps
#
# - **`lr=0.001` by habit.** $\hat d$ is a mean of the way over some 2000 steps, and with steps of $0.001\, d$ to
#   $0.003\, d$ that hardly gets to $d$. In the first example $d$ stays at $10^{-6}$ and nothing is learned.
#   $\alpha = 0.01$ is late: most errors end between 1 and 2.
# - **Half precision.** Weights of size 1 in bfloat16 do not move by $3 \cdot 10^{-6}$. They stay where they are, $r$
#   is 0, and $d$ is $10^{-6}$ after any number of steps. Keep the weights in float32 and let autocast compute in half
#   precision.
# - **Four tensors** for each parameter: 16 bytes a weight, against Adam's 8. The sums go over all of them before
#   anything moves: a step takes two to three times as long as AdamW's, on one thread of a CPU.
# - **$d$ never falls.** One strange batch may raise it for good. Log `optimizer.param_groups[0]["d"]`.
# - **What is new starts now.** A layer that is unfrozen late has its $\theta_0$ there, and the $d$ of all the others.
# - **Clipping** by the norm keeps the bound: a shorter $g_t$ is a smaller $w_t$.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), with $\alpha$ as the factor and a line to 0. The promise is that 1
# needs no search, and it holds: of 0.3, 1 and 3 the search chose 1, the default. The held-out loss is 8 % higher at
# 0.3 and 1 % at 3. A factor of ten costs little, where [AdamW](adamw.py) fails at three times its best rate.
#
# What is it worth? Without any search, Prodigy's held-out loss is 0.0396, AdamW's at its default 0.0459. After a search
# over five rates AdamW has 0.0368, 7 % less than Prodigy. The accuracies are 99.31, 99.22 and 99.33 %, AdamW's 99.30
# to 99.40 %: they overlap.
#
# The curves show $d$ at work. The first update is 0.0019 long, 3.2 millionths for each weight. In step 16 it is 0.93
# to 1.35, the longest of all that were kept, and from step 48 on shorter than 0.4. So $d$ was found within the first
# sixteen steps, and they cost something: the loss is still 2.1 in step 16, AdamW's 1.2.
#
# [On CIFAR-10](../../experiments/cifar.py) the promise does not hold. Of five factors the search (one epoch, one seed)
# chose 10: there the held-out loss is 1.016, at 1 it is 1.105, at 30 it is 1.148. AdamW has 0.969 at its default,
# without a search, and 0.924 at its best. The $d$ that Prodigy finds is too small: even with the factor 10 the median
# update is 0.05 to 0.11 long, AdamW's at its best rate 0.19. The accuracies of three seeds with 10 are 75.8, 77.0 and
# 77.1 %, AdamW's 79.3 to 80.3 %. Why $d$ is small on this network, which has batch norm, was not examined.
#
# ## Exercises
#
# **1.** Check $d \le D_\infty$ on a convex loss without noise, $\sum_i i\, |\theta_i - \theta_i^*|$.
#
# ::: solution
# ```python
# import torch
# from labml_nn_optim import Prodigy
#
# for scale in (0.01, 1.0, 100.0):
#     solution = scale * torch.tensor([1.0, -0.5, 0.25], dtype=torch.float64)
#     theta = torch.nn.Parameter(torch.zeros(3, dtype=torch.float64))
#     optimizer = Prodigy([theta])
#     for _ in range(200):
#         slopes = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
#         theta.grad = slopes * torch.sign(theta.detach() - solution)
#         optimizer.step()
#         assert optimizer.param_groups[0]["d"] <= scale
#     assert optimizer.param_groups[0]["d"] > 0.1 * scale
# ```
# $d$ ends at 0.15, 0.17 and 0.19 times the distance. It is a lower bound, and need not be a tight one.
# :::
#
# **2.** All gradients are 1, there is one weight, and $\beta_3 = 1$. Show that $\hat d$ is a mean of the ways
# $\theta_0 - \theta_{t-1}$. Can it then be larger than the longest way?
#
# ::: solution
# $r = \sum_t w_t\, (\theta_0 - \theta_{t-1})$ and $s = \sum_t w_t$, so $\hat d = r / s$ is their mean with weights
# $w_t$, and no mean is larger than the largest value. If gradients disagree it can be: with $g = 1$ and then $-1$,
# $s$ may be near 0 while $r$ is not. For a convex loss $\hat d \le D_\infty$ all the same. Noise may turn a gradient
# around as well, and then nothing limits $\hat d$.
# :::
#
# **3.** A guess of $k D$ for the distance costs a factor of $(k + 1/k) / 2$ in the bound. Somebody tries the rates of
# five powers of ten, and the best one may be anywhere among them. What is the worst factor left?
#
# ::: solution
# The nearest power of ten is off by $\sqrt{10}$ at most: $(3.16 + 0.32) / 2 = 1.74$. Prodigy costs a fifth of that
# search, and its $d$ is below $D_\infty$: six times in exercise 1, where the factor would be 3.1.
# :::
