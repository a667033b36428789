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
needs: [wrappers/wrapper, optimizers/sgd]
symbols:
  \theta: param
  g: grad
  \rho: rho
  \eta: eta
verified_against:
  implementation: >-
    pytorch_optimizer.SAM 4.1.0 around torch.optim.SGD with its norm computed in float64; as it is, the norm is in
    float32, and it is 3e-9 away (SAM) or 5e-7 (ASAM with η = 0)
  difference: 2e-16 (SAM) and 3e-14 (ASAM) over 100 noisy steps in float64
---

# Two weights whose product should be 1

Take $L = \frac12 (xy - 1)^2$, a network with one weight in each of two layers. Every point with $xy = 1$ is a
minimum, with the same loss of 0. They differ in how steep the walls are: across the valley the curvature is
$x^2 + y^2$. That is 9 at $(3, \frac13)$ and 2 at $(1, 1)$, the least.

Start at $(3, \frac12)$ with $\alpha = 0.02$:

| | after 2000 steps | curvature | after 10 000 steps | curvature |
|---|---|---:|---|---:|
| SGD | (2.98, 0.34) | 8.97 | the same | 8.97 |
| SAM, $\rho = 0.05$ | (2.65, 0.37) | 7.18 | (1.78, 0.56) | 3.47 |
| SAM, $\rho = 0.1$ | (1.95, 0.51) | 4.05 | (1.03, 0.97) | 2.01 |
| SAM, $\rho = 0.2$ | (1.07, 0.93) | 2.02 | (0.99, 0.99) | 1.98 |

SGD goes down to the nearest minimum and stops. SAM (*sharpness-aware minimization*) goes down too, and then along
the bottom to where the valley is wide.

Why should one want that? New data are a slightly other loss. Take a line with a narrow hole at $-1$ and a wide one
at 1,

$$
L(x) = 1.1 - e^{-(x + 1)^2 / (2 \cdot 0.15^2)} - 0.9\, e^{-(x - 1)^2 / (2 \cdot 0.9^2)}
$$

and move it by a random distance with a standard deviation of 0.2. The bottom of the narrow hole has a mean loss of
0.42 then, where it had 0.02. The wide one goes from 0.20 to 0.22.

## The update rule

$$
\begin{aligned}
g_t &= \nabla L(\theta_{t-1}) \\
e_t &= \rho\, \frac{g_t}{\lVert g_t \rVert} \\
g^\text{up}_t &= \nabla L(\theta_{t-1} + e_t)
\end{aligned}
$$

and the optimizer makes its step from $\theta_{t-1}$, with $g^\text{up}_t$ as the gradient. The norm goes over all
parameters together. Both gradients are of the same batch.

## Why up along the gradient

What SAM would like to make small is the worst loss nearby:

$$
\min_\theta\; \max_{\lVert e \rVert \le \rho} L(\theta + e)
$$

To first order $L(\theta + e) \approx L(\theta) + g^\top e$. By the inequality of Cauchy and Schwarz
$g^\top e \le \rho \lVert g \rVert$, with equality for $e = \rho\, g / \lVert g \rVert$. So that is where the worst
point is thought to be, and the worst loss is

$$
L(\theta + e) \approx L(\theta) + \rho\, \lVert g \rVert
$$

For its gradient one has to know how $e$ changes with $\theta$. It does not matter, to first order: the length of
$e$ is always $\rho$, so it can only turn, at a right angle to itself. That is a right angle to $g$, where the loss
does not change. Take $e$ as fixed, then, and with the Hessian $H$

$$
\nabla L(\theta + e) \approx g + H e = g + \rho\, \frac{H g}{\lVert g \rVert}
= \nabla \big( L + \rho\, \lVert g \rVert \big)
$$

SAM descends the loss plus $\rho$ times the length of its gradient. On a small network the two sides differ by 0.017
for $\rho = 0.1$ and by 0.00017 for 0.01, an error of second order; $g$ itself is 0.42 and 0.041 away.

At a minimum $g$ is 0, and nothing would be left. But steps jump across the bottom. In a bowl of curvature $h$ SAM
ends up jumping between $\pm \alpha h \rho / (2 - \alpha h)$, where SGD comes to rest. Where walls are steep, $g$ is
long on both sides of the bottom, and its mean points along the valley to where it is shorter.

## What it does not do

It does not climb out of a hole. On the line above the narrow minimum has the curvature 44, the wide one 1.1, and
between them is a rim at $-0.58$. Start near the bottom of the narrow one, at $-1.1$, and make 2000 steps with
$\alpha = 0.02$:

| $\rho$ | 0 | 0.1 to 0.4 | 0.45 | 0.5 | 1 |
|---|---:|---:|---:|---:|---:|
| ends at | $-1.00$ | $-1.06$ to $-0.92$ | $-0.55$ | $-0.50$ | 0.00 |

As long as $\rho$ does not reach the rim, 0.41 away, SAM stays and jumps about the bottom. When it does, it leaves, and
gets stuck at a distance of exactly $\rho$ from the narrow minimum: the way up is to the left from there,
$\theta + e$ is the bottom, and at the bottom the gradient is 0. Starts within $\rho$ of the rim stall as well. The
picture of a ball that leaves the narrow hole for the wide one is not what SAM does. It moves along a valley.

## ASAM: which distance?

Multiply the first layer of a ReLU network by $c$ and divide the next by $c$. The network is the same, and so is every
prediction. $\rho$ is now another distance: 0.05 in the layer whose weights have become small.

Ten inputs, 32 units, one output, by how much $L(\theta + e)$ is above $L(\theta)$:

| $c$ | 1 | 3 | 10 | 30 |
|---|---:|---:|---:|---:|
| SAM, $\rho = 0.05$ | 0.084 | 0.267 | 1.19 | 6.17 |
| ASAM, $\rho = 0.5$, $\eta = 0$ | 0.0897 | 0.0897 | 0.0897 | 0.0897 |
| ASAM, $\rho = 0.5$, $\eta = 0.01$ | 0.098 | 0.111 | 0.168 | 0.365 |

ASAM measures the change of each weight in units of its size, $T_\theta = |\theta| + \eta$:
$\lVert T_\theta^{-1} e \rVert \le \rho$. With $u = T_\theta^{-1} e$ the linear problem is
$\max\, (T_\theta\, g)^\top u$ over $\lVert u \rVert \le \rho$, the same as before, and

$$
e = T_\theta\, u = \rho\, \frac{T_\theta^2\, g}{\lVert T_\theta\, g \rVert}
$$

Where a weight is multiplied by $c$ in that way, its gradient is divided by $c$, $T_\theta\, g$ stays, and $e$ is
multiplied by $c$ like the weight. $\eta$ lets weights at 0 move, and costs the invariance where weights are not much
larger than it.

On the valley above, ASAM with $\eta = 0$ is slower: $\rho = 0.2$ comes to a curvature of 6.4 in 10 000 steps.

## What flatness explains, and what not

Flatter is better is a finding, and no theorem about all networks.

- Dinh et al. (2017, arXiv 1703.04933) use the scaling above: every ReLU network has an equal one that is as sharp
  as you like. Sharpness as a plain distance can therefore say nothing on its own.
- Andriushchenko et al. (2023, arXiv 2302.07011) measure it without that fault, ASAM's way, on networks trained on
  ImageNet and CIFAR-10 and on fine-tuned CLIP and BERT. It does not correlate well with the test error, rather with
  the learning rate. Outside of the training distribution sharper minima were better in several cases.
- Wen, Li and Ma (2023, arXiv 2307.11007) find networks of two layers where the flattest solutions do not generalize
  and SAM still does: whatever it does, it is not only flatness.
- Andriushchenko and Flammarion (2022, ICML) call the usual justifications incomplete. None of them says why
  *m-sharpness* matters: $e$ computed for each small part of a batch on its own.

**m-sharpness.** The paper splits a batch over accelerators, and each goes up by its own gradient. Then the
gradients up there are averaged. With smaller parts SAM was better, and each part's $e$ is noisier. Exercise 2 does
it on one device.

## Evidence

| | error or gain |
|---|---|
| CIFAR-10, WRN-16-8, 200 epochs (davda54's README, and ASAM's author there): SGD | 3.20 % |
| SAM, $\rho = 0.05$ | 2.86 % |
| ASAM, $\rho = 0.5$, 1, 2, 5, biases included, $\eta = 0$ | 2.75, 2.69, 2.55, 2.90 % |
| the ASAM authors' code on that network, biases not scaled, $\rho = 0.5$ | 2.37 % |
| ImageNet, the paper, as MosaicML report it: ResNet-50, 100 epochs, to ResNet-152, 400 epochs | +0.4 to +1.9 % |
| ImageNet, ResNet-50, 90 epochs, SAM in every tenth step, $\rho = 0.5$ (MosaicML) | +0.7 %, 7 % slower |
| ImageNet, ViT-B/16, simple augmentation (Chen et al., 2021, arXiv 2106.01548) | +5.3 % |

Both sides have as many steps, so SAM has had twice the gradients, in every tenth step a tenth more. Kaddour et al.
(2022, arXiv 2202.00661) compare it with averages of the weights on 42 tasks of vision, language and graphs. They find
SAM's solutions flatter, and nearer to sharp directions.

A small run of ours: 200 points of a square, labelled by whether $xy > 0$, with 20 % of the labels turned. Two layers of
64 tanh units, SGD with $\alpha = 0.1$ and momentum 0.9, batches of 50, 1500 steps. Medians of five seeds:

| $\rho$ | 0 | 0.05 | 0.1 | 0.2 | 0.5 |
|---|---:|---:|---:|---:|---:|
| right on new points, clean labels, % | 79.3 | 88.8 | 87.7 | 90.9 | 50.2 |
| training labels fitted, % | 84.5 | 84.0 | 84.0 | 80.0 | 52.5 |
| largest curvature | 2.39 | 1.42 | 1.06 | 0.58 | 0.25 |

Up to 0.2, SAM fits no more of the training labels and more of the rule behind them. Twice the steps without it fit
92.5 %, and 76.8 % of the new points are right. The accuracies have a standard deviation over seeds of 3 to 6 points,
so five seeds do not say which $\rho$ is best. The flattest network, with $\rho = 0.5$, has learned nothing: flatness
alone is easily had.

## Conventions

- **The norm.** pytorch_optimizer computes it in float32, also for weights in float64. davda54's code differs from
  this one by 0 for SAM and by $3 \cdot 10^{-14}$ for ASAM.
- **What `step` returns.** Here the loss at the weights. With davda54 and pytorch_optimizer it is `None`, and the
  first gradient has to be there before the call, so the closure runs once.
- **$\eta$** is 0.01 in the ASAM authors' class, 0 in their example and in davda54's code. With $\rho = 0.5$ the two
  are 0.49 apart after 100 steps.
- **Biases.** The ASAM authors' code scales by size only parameters with `weight` in their name. Here, as in davda54's
  code, all are. The best $\rho$ was 0.5 there and 2 in davda54's code.
- **Coming back.** davda54 and this code restore a copy. The ASAM authors subtract $e$, which leaves a rounding error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.optimizer import Optimizer

from labml_nn_optim.checks import require_flag, require_number
from labml_nn_optim.sharded import is_distributed
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
        scale = self.rho / (total_norm(grads) + 1e-12)
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


def total_norm(tensors: Iterable[Tensor]) -> Tensor:
    """Return the norm over all elements, also those that other processes hold."""
    alike: dict[Any, list[Tensor]] = {}
    for tensor in tensors:
        alike.setdefault(tensor.device_mesh if is_distributed(tensor) else None, []).append(tensor)
    norms = [nn.utils.get_total_norm(each) for each in alike.values()]
    whole = [norm.full_tensor() if is_distributed(norm) else norm for norm in norms]
    return nn.utils.get_total_norm(whole)


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


# ## Choosing, and when not to
#
# - `rho`: 0.05, with `adaptive` ten times that. The ASAM authors' examples have 0.05 and 0.1 for SAM on CIFAR-10 and
#   CIFAR-100, and 0.5 and 1 for ASAM.
# - The optimizer inside and its rate: as without.
# - Not in every step: MosaicML use it in each tenth with ten times $\rho$. Call `optimizer.optimizer.step()` in
#   the others.
#
# A step costs two passes through the network instead of one. Before paying that, try twice the steps, and an
# [average of the weights](ema.py), which costs no pass. Leave SAM where the training loss, and not the gap to the
# test loss, is the problem: it makes training harder.
#
# ## In half precision
#
# In bfloat16 nothing changes. With a `GradScaler` in float16 closures are not supported: torch raises an error. Take
# the halves:
#
# ```python
# scaler.scale(loss_of(model, batch)).backward()
# scaler.unscale_(optimizer)
# optimizer.ascend()
# scaler.update()
# optimizer.zero_grad()
# with frozen_statistics(model):
#     scaler.scale(loss_of(model, batch)).backward()
# scaler.step(optimizer)                # descend, if no gradient is infinite
# scaler.update()
# optimizer.come_back()                 # if it was skipped
# ```
#
# ## Traps
#
# - **BatchNorm.** The running statistics follow both passes unless you give `model=`. The second pass has the
#   activations of other weights. A layer that averages over all batches (`momentum=None`) would also count each
#   twice.
# - **Dropout** has another mask in the second pass, so part of the difference of the gradients is noise.
# - **The closure must set the gradients to zero.** Otherwise the first gradient is in the second.
# - **Clipping** in the closure acts on both passes: see [Wrappers](wrapper.py).
# - **Several processes.** With `DistributedDataParallel` and on shards the gradient of the first pass is averaged.
#   Compute it under `model.no_sync()` with the former, and each process goes up by its own, as in the paper.
# - **A part of a model** (one group, a frozen backbone): the norm is that of the parameters with a gradient.
# - **Weight decay** is left to the optimizer inside, also one in the gradient. The way up does not know of it.
#
# ## Exercises
#
# **1.** In a bowl of curvature $h$ SAM ends up jumping between two points. Derive their distance from the minimum.
#
# ::: solution
# From $\theta > 0$ up is to the right: the step is $\theta - \alpha h (\theta + \rho)$. It lands at $-\theta$ if
# $2 \theta = \alpha h (\theta + \rho)$, that is $\theta = \alpha h \rho / (2 - \alpha h)$.
#
# ```python
# import torch
# from labml_nn_optim import SAM, SGD
#
# theta = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
# optimizer = SAM(SGD([theta], lr=0.1), rho=0.05)
#
#
# def closure():
#     theta.grad = 2.0 * theta.detach()
#     return theta.item() ** 2
#
#
# for _ in range(500):
#     optimizer.step(closure)
# assert abs(theta.abs().item() - 0.2 * 0.05 / 1.8) < 1e-12
# ```
# :::
#
# **2.** Compute a step with m-sharpness: a batch in parts, each with an ascent of its own.
#
# ::: solution
# ```python
# import torch
# from labml_nn_optim import SAM, SGD
#
# torch.manual_seed(0)
# model = torch.nn.Linear(4, 1)
# inputs, targets = torch.randn(32, 4), torch.randn(32, 1)
# params = list(model.parameters())
# before = [param.detach().clone() for param in params]
# optimizer = SAM(SGD(params, lr=0.1), rho=0.5)
#
#
# def gradients(x, y):
#     optimizer.zero_grad()
#     torch.nn.functional.mse_loss(model(x), y).backward()
#
#
# parts = list(zip(inputs.chunk(4), targets.chunk(4), strict=True))
# total = [torch.zeros_like(param) for param in params]
# for x, y in parts:
#     gradients(x, y)
#     optimizer.ascend()
#     gradients(x, y)
#     optimizer.come_back()
#     for mean, param in zip(total, params, strict=True):
#         mean += param.grad / len(parts)
# for mean, param, start in zip(total, params, before, strict=True):
#     assert torch.equal(param, start)
#     param.grad = mean
# optimizer.optimizer.step()
# ```
# :::
#
# **3.** Why is the first term that SAM leaves out of second order in $\rho$, and not of first?
#
# ::: solution
# The chain rule gives $\nabla_\theta\, L(\theta + e(\theta)) = (I + J)^\top \nabla L(\theta + e)$ with the Jacobian
# $J$ of $e$. What is left out is $J^\top \nabla L(\theta + e) \approx J^\top g + J^\top H e$. Since
# $e^\top e = \rho^2$ for all $\theta$, $J^\top e = 0$, and $g$ is parallel to $e$: the first part is 0. $J$ and $e$
# are both of order $\rho$, so the second is of order $\rho^2$.
# :::
