r"""
---
title: An average of the weights
summary: EMA keeps a running average of the weights beside any optimizer, saves it with it, and puts it into the model for an evaluation.
paper:
  title: "Exponential Moving Average of Weights in Deep Learning: Dynamics and Benefits"
  authors: Daniel Morales-Brotons, Thijs Vogels, Hadrien Hendrikx
  year: 2024
  arxiv: "2411.18704"
  venue: TMLR
chapter: "8.4"
needs: [wrappers/wrapper, averaging]
symbols:
  \theta: param
  \bar\theta: average
  \beta: decay
verified_against:
  implementation: torch.optim.swa_utils.AveragedModel 2.14.1 with get_ema_multi_avg_fn
  difference: "0"
---

# Two lines that are easily left out

With a constant learning rate, noise keeps the weights moving around the minimum. An average of many steps lies nearer
to it: the noise cancels, and the minimum stays ([Averages of weights](../../docs_src/averaging.md) derives how much).
With torch's `AveragedModel` that takes a line after each step and one more entry in each checkpoint. Forget the line
after one of two `optimizer.step()`, or the entry, and nothing complains. The average is only another one.

Here the average belongs to the optimizer:

```python
optimizer = EMA(AdamW(model.parameters(), lr=1e-3), decay=0.999)
for batch in batches:
    optimizer.zero_grad()
    loss_of(model, batch).backward()
    optimizer.step()                  # and the average follows
with optimizer.applied():             # the average is in the model
    evaluate(model)
torch.save(optimizer.state_dict(), path)
```

A step that a `GradScaler` skips is not averaged. A step of [SAM](sam.py) is averaged where it ends.

## The rule

$$
\bar\theta_1 = \theta_1, \qquad
\bar\theta_t = \beta\, \bar\theta_{t-1} + (1 - \beta)\, \theta_t
$$

The optimizer goes on from $\theta_t$ and knows nothing of it. As in `AveragedModel`, the average starts at the weights
after the first step.

## How long it remembers

The weights of $i$ steps ago count $(1 - \beta)\, \beta^i$. Their mean age is $\beta / (1 - \beta)$, and half of the
average is younger than $\ln 2 / \ln(1 / \beta)$ steps, nearly 0.7 times that:

| $\beta$ | 0.9 | 0.99 | 0.999 | 0.9999 |
|---|---:|---:|---:|---:|
| mean age | 9 | 99 | 999 | 9999 |
| half-life | 6.6 | 69 | 693 | 6931 |
| the warm-up reaches $\beta$ at $t$ | 80 | 890 | 8990 | 89 990 |

The first weights count $\beta^{t-1}$, since the average starts there: with 0.999, 37 % after a thousand steps.
Let SGD with $\alpha = 0.1$ start at 10 in the bowl $\frac12 \theta^2$, with noise of variance 1 on each gradient. After
1000 steps the mean of $\theta^2$ is 0.0526. The averages:

| | mean of $\bar\theta^2$ |
|---|---:|
| $\beta = 0.99$ | 0.0046 |
| $\beta = 0.999$ | 11.2 |
| $\beta = 0.999$ or 0.9999, `warmup=True` | 0.0044 |
| $\beta = 0.9$, `every=10` | 0.0053 |
| $\beta = 0.99$, `every=10` | 1.69 |

The *warm-up* uses $\min\big(\beta, \frac{1 + t}{10 + t}\big)$ for the $t$-th average, so the memory
$1 / (1 - \beta)$ grows with the run, to about a ninth of it. Neither 0.999 nor 0.9999 is reached in 1000 steps.

`every` saves time. With 10, the weights of every tenth step are averaged, and the memory is ten times as long:
$\beta = 0.9$ is then like 0.99, a little noisier.

## Half precision

A step of an average with $\beta = 0.999$ is a thousandth of the distance. In bfloat16 most of that is rounded away.
Let the weights be 0 once and 1 from then on. After 2000 more steps the average should be 0.865:

| | after 2000 steps |
|---|---:|
| `AveragedModel` of a bfloat16 model | 0.250 |
| EMA here | 0.865 |

The average of a float16 or bfloat16 parameter is kept, saved and loaded in float32. It is rounded when it is put
into the model.

## What is not averaged

`EMA` knows parameters. Buffers of the model are as the last weights left them, among them the running means and
variances of BatchNorm. torch's `update_bn` computes those of the average in one pass over some batches:

```python
with optimizer.applied():
    update_bn(some_batches, model)
    model.eval()
    evaluate(model)
```

The statistics stay when the weights come back. In training they are not used, and follow the weights again within
some steps, but an evaluation of the last weights right after that has the wrong ones. To keep the old statistics,
evaluate a copy of the model.

## Evidence

Morales-Brotons et al. (2024) study the EMA beside SGD. They report that it needs less decay of the learning rate,
that it is good early, and that its solutions generalize better, are better calibrated and bear noisy labels better
than the last weights. Our own [runs on MNIST](../../experiments/averaging.py) agree in the first two: with a constant
rate the average does what a falling rate does. Doing both gains 1 % of the loss at best there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer

from labml_nn_optim.checks import require_count, require_flag, require_number
from labml_nn_optim.sharded import locals_of
from labml_nn_optim.wrappers.wrapper import Wrapper

__all__ = ["EMA"]


class EMA(Wrapper):
    r"""A running average of the weights.

    - `optimizer`: any `torch.optim.Optimizer`
    - `decay`: the decay rate $\beta$ of the average, in $[0, 1)$
    - `warmup`: use $\min(\beta, (1 + t) / (10 + t))$ in step $t$, so that the start is forgotten
    - `every`: average the weights of every such step

    It keeps one tensor for each parameter, in float32 for half precision, else in the parameter's type.

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
            # Element by element, so each process averages its part of a sharded parameter.
            averages = locals_of([self.average[param] for param in known])
            pairs = zip(locals_of(known), averages, strict=True)
            weights = [param.to(each.dtype) for param, each in pairs]
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


# ## Choosing
#
# - `decay`: a tenth of the run, $1 - \beta = 10 / T$. For a short run, or one of unknown length, `warmup=True` with
#   a large $\beta$.
# - `every`: 1. For each weight the average reads two numbers and writes one, where AdamW reads four and writes three.
#
# It is worth its memory where the learning rate does not fall to zero. With a [schedule-free](../schedule_free.py)
# optimizer it is an average of an average.
#
# torch's `AveragedModel` is the better choice if you want a second model at hand, or an equal average (SWA),
# which is not here.
#
# ## Traps
#
# - **The average of the evaluation is the one to ship.** Save the model inside `applied()`. The optimizer's
#   checkpoint has the average, too, but under numbers and not under names.
# - **Weights that are loaded** in the middle of a run do not change what was averaged before. Load the optimizer's
#   checkpoint with them.
# - **Parameters that are frozen** are averaged as well, which costs memory and changes nothing. Leave them out of the
#   optimizer.
# - **No step inside `applied()`**: it raises an error, as the gradient would be one of other weights.
#
# ## Exercises
#
# **1.** What does `EMA(..., decay=0.0)` keep, and what is it good for?
#
# ::: solution
# The last weights, exactly: $\bar\theta_t = \theta_t$. It is a copy that nobody needs. With `every=100` it is a copy
# of the weights of up to a hundred steps ago, to go back to.
#
# ```python
# import torch
# from labml_nn_optim import EMA, SGD
#
# theta = torch.nn.Parameter(torch.zeros(1))
# optimizer = EMA(SGD([theta], lr=1.0), decay=0.0, every=3)
# for _ in range(5):
#     theta.grad = -torch.ones(1)
#     optimizer.step()
# assert theta.item() == 5
# with optimizer.applied():
#     assert theta.item() == 3
# ```
# :::
#
# **2.** A run has 1000 steps. Which `decay` with `every=10` is like 0.99 with `every=1`?
#
# ::: solution
# The same age in steps: $10 / (1 - \beta) = 100$, so 0.9. More exactly $0.99^{10} = 0.904$.
# :::
