r"""
---
title: AMSGrad
summary: AMSGrad divides by the largest second moment seen so far, so that a rare large gradient is not forgotten before it comes again.
paper:
  title: On the Convergence of Adam and Beyond
  authors: Sashank J. Reddi, Satyen Kale, Sanjiv Kumar
  year: 2018
  arxiv: "1904.09237"
  venue: ICLR 2018
chapter: "3.1"
needs: [optimizers/adam]
symbols:
  \theta: param
  g: grad
  m: exp_avg
  v: exp_avg_sq
  \bar v: max_exp_avg_sq
  \beta_1: beta1
  \beta_2: beta2
verified_against:
  implementation: torch.optim.Adam(amsgrad=True) 2.14.1
  difference: 1e-15 over 200 noisy steps in float64
---

# A problem that Adam gets wrong

One parameter $\theta$ in $[-1, 1]$. Every 101st step the gradient is $1010$, otherwise it is $-10$.
Over 101 steps the gradients sum to $1010 - 100 \cdot 10 = 10$, so the loss falls to the left, and the
best place is $\theta = -1$.

Adam with $\beta_2 = 0.99$ and $\alpha_t = 0.5 / \sqrt{t}$ goes to the right. After 20 000 steps it
stands at $+0.995$.

What happens is easy to follow.
The large gradient arrives together with its own square: $v$ jumps, and the step that should count for
1010 is divided by something of its size.
Then $v$ forgets. With $\beta_2 = 0.99$ it has lost two thirds a hundred steps later, and the small
gradients, divided by less and less, push the other way.
The rare gradient is right and is outvoted.

This is no accident of one example.
Write the update as $\alpha_t / \sqrt{v_t}$ times a gradient average.
The usual proof that gradient descent converges needs a step size that never grows.
In SGD it does not; in Adam it does whenever $v$ shrinks faster than $\alpha_t^2$.

## The update rule

Keep the largest second moment so far, and divide by that:

$$
\begin{aligned}
m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, g_t \\
v_t &= \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2 \\
\bar v_t &= \max(\bar v_{t-1}, v_t) \\
\theta_t &= \theta_{t-1} - \alpha\, \frac{m_t / (1 - \beta_1^t)}
{\sqrt{\bar v_t / (1 - \beta_2^t)} + \varepsilon}
\end{aligned}
$$

On the problem above, with the same numbers, AMSGrad is at $-0.94$ after 20 000 steps.

With a constant $\alpha$ it does not settle at $-1$ either: it saws up and down between the rare
gradients. The theorem is about step sizes that shrink like $1 / \sqrt{t}$, and about the average
regret, not about the last point.

## Three conventions

The formulas above are torch's. They are not the only ones.

- **The paper** corrects neither $m$ nor $v$ for its start at zero.
- **torch** takes the maximum of the raw $v_t$, then divides it by today's $1 - \beta_2^t$.
- **optax** takes the maximum of the corrected $\hat v_t$.

The last two differ for good, not only at the start.
With raw values the early $v_t$ are small, because the average starts at zero, and a first gradient of
$g$ enters $\bar v$ as $(1 - \beta_2)\, g^2$.
With corrected values it enters as $g^2$ and stays: a single large gradient in the first step then
holds the step size down for the rest of the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import RunOptions
from labml_nn_optim.checks import require_flag
from labml_nn_optim.optimizers.adam import Adam
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["AMSGrad"]


class AMSGrad(Adam):
    r"""Adam that divides by the largest second moment so far.

    - `amsgrad`: `False` gives [Adam](optimizers/adam), so that the two can be compared by one argument
    - all others: as in [Adam](optimizers/adam#Adam)

    State: three tensors of the parameter's shape, one more than Adam.
    Reddi, Kale and Kumar (2018), algorithm 2, with torch's corrections.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 0.0,
        optimized_update: bool = False,
        amsgrad: bool = True,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {"amsgrad": amsgrad} | dict(defaults or {})
        super().__init__(params, lr, betas, eps, weight_decay, optimized_update, own, **options)

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        require_flag("amsgrad", group["amsgrad"])

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Add $\bar v$ to the state of Adam."""
        super().init_state(state, group, param)
        if group["amsgrad"]:
            state["max_exp_avg_sq"] = torch.zeros_like(param)

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move one parameter, or a piece that holds many."""
        beta1, beta2 = group["betas"]
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        grad = self.weight_decay(param, grad, group)
        exp_avg.lerp_(grad, 1 - beta1)
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        # The one line that is new. The rest of the rule then reads $\bar v_t$ where Adam reads $v_t$.
        if group["amsgrad"]:
            exp_avg_sq = state["max_exp_avg_sq"].clamp_min_(exp_avg_sq)
        denominator = exp_avg_sq.sqrt().add_(group["eps_hat"])
        param.addcdiv_(exp_avg, denominator, value=-group["step_size"])


# ## What it is worth
#
# The counter-example needs gradients that are rare, huge and informative.
# In networks they are uncommon, and the maximum has a price: one outlier early in the run lowers the
# step size of that parameter for ever.
# In most comparisons since, AMSGrad and Adam are within the noise of each other, and few recipes use
# it. Its lasting use is the argument: a step size that can grow is a hazard, and warm-up, a larger
# $\beta_2$ and gradient clipping are other ways around it.
#
# - Use it when rare gradients matter and training with Adam drifts or spikes late.
# - Do not use it with a $v$ that starts large: a bad first batch is never forgotten.
#
# ## Traps
#
# - The state grows by half: three tensors, not two.
# - With `maximize=True` nothing changes for $\bar v$: squares have no sign.
# - A checkpoint of AMSGrad does not carry its maximum over to a run with `amsgrad=False`, nor back.
#
# ## What the experiment shows
#
# Next to nothing, and that is the usual finding. [The MNIST network](../../experiments/mnist.py) with the
# settings of Adam, three seeds: 99.31, 99.31 and 99.34 %, against 99.29, 99.33 and 99.35 % with Adam.
# The first twenty updates agree to three digits, since $v$ has not fallen yet. Halfway, at step 1410, the
# update of seed 0 is 0.029 long and Adam's 0.036: the maximum holds steps back by a fifth, and the
# accuracy does not notice.
#
# ## Exercises
#
# **1.** Run the counter-example for 5000 steps with $\beta_2 = 0.99$ and with $\beta_2 = 0.9999$. Why
# does the second one help Adam?
#
# ::: solution
# With $\beta_2 = 0.9999$ the average spans about 10 000 steps, so it still knows the large gradient
# when the next one comes: $v$ hardly shrinks in between, and Adam goes left.
#
# ```python
# import torch
# from labml_nn_optim import Adam
#
#
# def end(beta2):
#     theta = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
#     optimizer = Adam([theta], betas=(0.9, beta2))
#     for step in range(1, 5001):
#         optimizer.param_groups[0]["lr"] = 0.5 / step**0.5
#         theta.grad = torch.full_like(theta, 1010.0 if step % 101 == 1 else -10.0)
#         optimizer.step()
#         theta.data.clamp_(-1, 1)
#     return theta.item()
#
#
# assert end(0.99) > 0 > end(0.9999)
# ```
# :::
#
# **2.** The rare gradient is $C$ and comes every $k$ steps, the others are $-1$, and
# $k - 1 < C$. For which $C$ does the loss fall to the left, and what does that say about how rare a
# gradient may be before Adam forgets it?
#
# ::: solution
# The sum over a period is $C - (k - 1) > 0$, so every $C > k - 1$ points left. Adam's memory spans
# $1 / (1 - \beta_2)$ steps. It goes wrong once $k$ is of that order: $k \approx 100$ for
# $\beta_2 = 0.99$, $k \approx 1000$ for $0.999$. A word that occurs once in a thousand batches is such
# a case.
# :::
