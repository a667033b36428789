r"""
---
title: SOAP
summary: >-
  SOAP runs Adam in the coordinates in which Shampoo's matrices are diagonal, and looks for these coordinates only
  now and then.
paper:
  title: "SOAP: Improving and Stabilizing Shampoo using Adam"
  authors: Nikhil Vyas, Depen Morwani, Rosie Zhao, Mujin Kwun, Itai Shapira, David Brandfonbrener, Lucas Janson, Sham Kakade
  year: 2024
  arxiv: "2409.11321"
  venue: ICLR
chapter: "7.4"
needs: [optimizers/shampoo, optimizers/adafactor, optimizers/adamw]
symbols:
  \theta: param
  g: grad
  m: exp_avg
  v: exp_avg_sq
  u: update
  Q: basis
  f: precondition_frequency
verified_against:
  implementation: pytorch_optimizer.SOAP 4.1.0 without its casts to float32
  difference: 1.6e-15 over 100 noisy steps in float64
---

# Turn the problem, and Adam is lost

A loss $\frac{1}{2} \langle \theta, A\, \theta\, B \rangle$ of an $8 \times 6$ matrix. $A$ and $B$ have eigenvalues
from 1 to 0.001, and are diagonal or turned at random. What is left of the loss after 300 steps with $\alpha$ on a
line to 0, each optimizer with the best of nine rates (medians of three starts, which differ by a factor of 3)?

| | $\beta_1, \beta_2$ | diagonal | turned |
|---|---|---:|---:|
| SGD with momentum | 0.9 | $3 \cdot 10^{-4}$ | $3 \cdot 10^{-4}$ |
| Adam | 0.9, 0.999 | $2 \cdot 10^{-15}$ | $8 \cdot 10^{-4}$ |
| SOAP | 0.9, 0.999 | $6 \cdot 10^{-15}$ | $5 \cdot 10^{-15}$ |
| Adam | 0.95, 0.95 | $7 \cdot 10^{-8}$ | $7 \cdot 10^{-5}$ |
| SOAP | 0.95, 0.95 | $1 \cdot 10^{-7}$ | $8 \cdot 10^{-8}$ |

Where steep and flat directions are axes, Adam gives each its own rate, and 48 scales are no problem. Where they lie
across the axes, every weight takes part in all of them. Its $v$ is a mixture, mostly of the steep ones, so flat
directions get the small rate that steep ones need.

A layer has no reason to have its directions along the axes. If inputs are correlated, they lie along the principal
components. [Shampoo](shampoo.py) finds such directions: eigenvectors of $L = \sum g g^T$ and $R = \sum g^T g$.
SOAP lets Adam run along them.

## The update rule

$$
\begin{aligned}
g'_t &= Q_L^T\, g_t\, Q_R \\
m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, g'_t, \qquad v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, g_t'^2 \\
u_t &= \frac{\hat m_t}{\sqrt{\hat v_t} + \varepsilon_t}, \qquad
\varepsilon_t = \frac{\varepsilon}{\sqrt{1 - \beta_2^{t-1}}} \\
\theta_t &= (1 - \alpha \lambda) \left( \theta_{t-1} - \alpha\, Q_L\, u_t\, Q_R^T \right) \\
L_t &= \beta L_{t-1} + (1 - \beta)\, g_t\, g_t^T, \qquad R_t = \beta R_{t-1} + (1 - \beta)\, g_t^T g_t
\end{aligned}
$$

and in the steps $f + 1$, $2 f + 1$ and so on, with `qr` for the orthogonal factor of a QR decomposition,

$$
Q_L \leftarrow \operatorname{qr}(L_t\, Q_L), \qquad Q_R \leftarrow \operatorname{qr}(R_t\, Q_R), \qquad
m_t \leftarrow \text{turned along}
$$

$\beta$ is $\beta_2$ unless `shampoo_beta` is given. The very first step only looks: it starts $L$ and $R$, finds the
first bases with an eigendecomposition and moves nothing. So the hats count from the second:
$\hat m_t = m_t / (1 - \beta_1^{t-1})$. A vector has no basis and gets Adam.

## Shampoo is Adafactor in these coordinates

Why Adam, where Shampoo has roots of matrices? Take averages over all gradients, $L = \mathbb E\, g g^T$ with
eigenvalues $\lambda_i$, $R = \mathbb E\, g^T g$ with $\mu_j$, and look at squares in the new coordinates. Their row
sums are

$$
\sum_j \mathbb E\, g_{ij}'^2 = \left( \mathbb E\, g' g'^T \right)_{ii} = \left( Q_L^T L\, Q_L \right)_{ii} = \lambda_i
$$

and the column sums are $\mu_j$. [Adafactor](adafactor.py) keeps row and column sums alone, and divides by the root of
their product over the total:

$$
\frac{g'_{ij}}{\sqrt{\lambda_i\, \mu_j / \sum_k \lambda_k}}
\qquad \text{which turned back is} \qquad \sqrt{\operatorname{tr} L}\; L^{-1/2}\, g\, R^{-1/2}
$$

That is Shampoo with $p = \frac{1}{2}$: the paper's observation, and exercise 1. So Shampoo stores the second moment
in a basis in which it could have all $r c$ entries and keeps $r + c$. Adam keeps all of them. What is more, $v$ is
renewed in each step, where Shampoo's eigenvalues wait for the next decomposition. That is why SOAP needs no
[grafting](shampoo.py): every coordinate has the length that Adam gives it.

## A new basis for the price of a product and a QR

If $Q$ holds the eigenvectors of $L$, then $L Q$ has the same columns, longer or shorter, and QR gives $Q$ back. If
$Q$ is only near, each product with $L$ favours the large eigenvalues: a power iteration with all columns at once. One
round per renewal is enough if $L$ changes slowly. It also stays near the old basis. A new decomposition could put
the eigenvectors in another order, and $v$ would belong to other directions.

Columns are first put in the order of $q_i^T L\, q_i$, for QR keeps the first column's direction and bends the last
one. $v$ takes the same order. $m$ is a vector in a space that is turned, so it is turned with it:
$m \leftarrow (Q_\text{new}^T Q_\text{old})\, m$. $v$ cannot be: squares do not turn. It stays, and belongs to
slightly wrong directions for a while.

How slightly? This is the $64 \times 128$ layer of a small network on MNIST, in the steps 100 to 300: the share of
$L$ and of $R$, in the Frobenius norm, that is off the diagonal in the basis.

| | after a renewal | before the next one |
|---|---:|---:|
| $f = 1$ | 7 and 2 % | |
| $f = 10$ | 16 and 5 % | 29 and 16 % |
| $f = 100$ | 30 and 15 % | 53 and 40 % |

The network is that of [Shampoo's table](shampoo.py), 300 steps on 12 800 images. The losses at the end are 0.067,
0.071 and 0.095 for $f = 1$, 10, 100, where Shampoo has 0.070, 0.083 and 0.109, and AdamW 0.131. All are best at
$\alpha = 0.01$, of four or five rates (medians of three seeds).

## What a step costs

Two products turn $g$, two turn the step back, and $L$ and $R$ take one each. The paper and pytorch_optimizer keep
$m$ in the coordinates of $\theta$ and turn it in every step, which is two more; the author's code turns it back and
forth, which is four. Here $m$ stays in the basis, and is turned when that is. The numbers are the same, since turning
is linear.

The six products have $3 r c\, (r + c)$ multiplications. Forward and backward pass have $3 r c\, b$ for $b$ rows
of input, so SOAP costs as much as $r + c$ more rows: 1920 tokens for $384 \times 1536$.

With matrices of a small vision transformer, $384 \times 384$, $384 \times 1536$ and $1536 \times 384$, in float32 on
one CPU thread, a step takes 149 ms between renewals (pytorch_optimizer's 196 ms), and 218 ms on average with renewals
at $f = 10$. AdamW's takes 2.2 ms. A product and a QR took 235 ms for 1536, an eigendecomposition 301 ms.

## Memory

Two tensors, and two matrices a side: $2 + 2\, (r^2 + c^2) / (r c)$ numbers for each parameter.

| | 384 × 384 | 384 × 1536 | 64 × 64 × 3 × 3 | 50 257 × 768 | with `max_precond_dim=60_000` |
|---|---:|---:|---:|---:|---:|
| numbers | 6 | 10.5 | 2.4 | 2.03 | 133 |

Adam has 2. A dimension above 10 000 keeps its coordinates: the embedding is turned on its short side only. Both
sides would be 20 GB in float32.

## Conventions

- **float32.** The author keeps $L$, $R$ and the bases in float32, pytorch_optimizer casts for QR only. In float64 they
  differ from ours by that: by less than $10^{-5}$ over 100 steps for pytorch_optimizer.
- **Decay** comes after the step, and not in the first one. AdamW's comes before. Decay in the gradient is not in the
  author's code; here it is in $L$ and $R$, too.
- **Order.** A step uses the bases of the gradients before it, which is why the first one does not move. $L$ and $R$
  learn from $g_t$ afterwards.
- **Vectors, kernels.** The author can give vectors a basis (`precondition_1d`) and merge the small dimensions of a
  kernel (`merge_dims`), both off by default. Neither is here: a kernel has a basis for each dimension.
- **Defaults** are the author's: $\alpha = 0.003$, both $\beta$ 0.95, $\lambda = 0.01$.

## What comparisons found

- Vyas et al.: language models of 360 and 660 million parameters with large batches need over 40 % fewer steps and
  over 35 % less time than AdamW, and about 20 % less of both than Shampoo. The authors advise to make the batch as
  large as possible.
- Wen et al. (2025, arXiv 2509.02046), with every optimizer tuned: those with matrices are the fastest, SOAP and Muon
  among them, 1.4 times AdamW at 0.1 billion parameters, 1.1 times at 1.2 billion. At 16 times the data of a
  compute-optimal run SOAP and [Kron](kron.py) pass Muon.
- A race on one small GPT, which counts steps and not time, was led in June 2026 by Muon that is fed with SOAP's steps,
  among other changes
  ([results 44 to 46](https://github.com/KellerJordan/modded-nanogpt/tree/master/records/track_3_optimization)).
- Lu et al. (2025, arXiv 2509.22938) trained nanoGPT and a network that colours images, and found no significant
  advantage over Adam or Shampoo in the final loss.
- Lin et al. (2025, arXiv 2509.03378) estimate $L$ and $R$ by another measure of distance. Their KL-Shampoo is better
  than SOAP in their pre-training runs, without a $v$.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.checks import require_count, require_number
from labml_nn_optim.optimizers.shampoo import gram_along, multiply_along, preconditioned_dims
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["SOAP"]


class SOAP(GenericAdaptiveOptimizer):
    r"""Adam in the eigenbasis of Shampoo's matrices.

    - `params`: parameters or groups of them
    - `lr`: the learning rate $\alpha$, a number or a tensor of one element
    - `betas`: the decay rates $(\beta_1, \beta_2)$, each in $[0, 1)$
    - `eps`: $\varepsilon$, added to $\sqrt{v_t}$
    - `weight_decay`: a number, decoupled and times `lr`, after the step, 0.01 by default, or a
      [WeightDecay](../weight_decay.py#WeightDecay)
    - `shampoo_beta`: the decay rate of the matrices in $[0, 1)$; `None` is $\beta_2$
    - `precondition_frequency`: how many steps a basis is used
    - `max_precond_dim`: a longer dimension keeps its coordinates
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions), but neither `compile` nor
      `flat`

    State: two tensors of the parameter's shape, and two matrices for each of its dimensions, unless
    it has one or none.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Vyas et al. (2024), algorithm 3.
    """

    elementwise = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 3e-3,
        betas: tuple[float, float] = (0.95, 0.95),
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 1e-2,
        shampoo_beta: float | None = None,
        precondition_frequency: int = 10,
        max_precond_dim: int = 10_000,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {
            "shampoo_beta": shampoo_beta,
            "precondition_frequency": precondition_frequency,
            "max_precond_dim": max_precond_dim,
        }
        own |= dict(defaults or {})
        super().__init__(params, own, lr, betas, eps, weight_decay, **options)

    def _check_options(self, options: RunOptions, hyper_parameters: Mapping[str, Any]) -> None:
        super()._check_options(options, hyper_parameters)
        # A mask acts on what happens between the decay and the end, and here the decay comes last.
        if self.cautious:
            raise ValueError("cautious must be False for SOAP, got True")

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        if group["shampoo_beta"] is not None:
            require_number("shampoo_beta", group["shampoo_beta"], below=1.0)
        require_count("precondition_frequency", group["precondition_frequency"], minimum=1)
        require_count("max_precond_dim", group["max_precond_dim"], minimum=1)

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start averages and matrices at zero; each basis is found in the first step."""
        state["exp_avg"] = torch.zeros_like(param)
        state["exp_avg_sq"] = torch.zeros_like(param)
        if param.dim() < 2:
            return
        for dim in preconditioned_dims(param, group["max_precond_dim"]):
            size = param.shape[dim]
            state[f"gram_{dim}"] = param.new_zeros(size, size)
            state[f"basis_{dim}"] = param.new_zeros(size, size)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Compute Adam's corrections, which count from the second step, and what the step has to do."""
        beta1, beta2 = group["betas"]
        frequency, shampoo_beta = group["precondition_frequency"], group["shampoo_beta"]
        made = step - 1
        return {
            "looks_only": made == 0,
            "renews_basis": made > 0 and made % frequency == 0,
            "memory": beta2 if shampoo_beta is None else shampoo_beta,
            "step_size": group["lr"] * math.sqrt(1 - beta2**made) / (1 - beta1**made)
            if made
            else 0.0,
        }

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move a [stack](../stacks.py) of parameters of one shape."""
        decoupled = group["decoupled_weight_decay"]
        if not decoupled:
            grad = self.weight_decay(param, grad, group)
        if not group["looks_only"]:
            self._step_adam(state, group, grad, param)
            if decoupled:
                self.weight_decay(param, grad, group)
        self._follow(state, group, grad)

    def _step_adam(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Tensor, param: Tensor
    ) -> None:
        beta1, beta2 = group["betas"]
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        # $g' = Q_L^T\, g\, Q_R$
        for dim in _dims(state):
            grad = multiply_along(grad, state[f"basis_{dim}"], dim)
        # Adam on $g'$
        exp_avg.lerp_(grad, 1 - beta1)
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        update = exp_avg.div(exp_avg_sq.sqrt().add_(group["eps"]))
        # $\theta_t = \theta_{t-1} - \alpha\, Q_L\, u'\, Q_R^T$
        for dim in _dims(state):
            update = multiply_along(update, state[f"basis_{dim}"].mT, dim)
        param.sub_(update.mul_(group["step_size"]))

    def _follow(self, state: dict[str, Any], group: Mapping[str, Any], grad: Tensor) -> None:
        for dim in _dims(state):
            # $L_t = \beta L_{t-1} + (1 - \beta)\, g\, g^T$
            state[f"gram_{dim}"].lerp_(gram_along(grad, dim), 1 - group["memory"])
            if group["looks_only"]:
                # Eigenvectors, that of the largest eigenvalue first
                state[f"basis_{dim}"].copy_(torch.linalg.eigh(state[f"gram_{dim}"])[1].flip(-1))
            elif group["renews_basis"]:
                _turn(state, dim)


def _dims(state: Mapping[str, Any]) -> list[int]:
    return [int(name.removeprefix("basis_")) for name in state if name.startswith("basis_")]


def _turn(state: dict[str, Any], dim: int) -> None:
    r"""Bring the basis of `dim` one power iteration nearer to the eigenvectors, and the averages along."""
    basis, exp_avg, exp_avg_sq = state[f"basis_{dim}"], state["exp_avg"], state["exp_avg_sq"]
    product = state[f"gram_{dim}"] @ basis
    # The columns in the order of their estimated eigenvalues $q_i^T L q_i$
    order = basis.mul(product).sum(dim=-2).argsort(dim=-1, descending=True)
    columns = order[:, None, :].expand_as(product)
    renewed = torch.linalg.qr(product.gather(-1, columns))[0]
    # $m$ is turned, $v$ only changes its order with the columns.
    exp_avg.copy_(multiply_along(exp_avg, basis.mT @ renewed, dim))
    shape = [len(order), *(1 for _ in exp_avg_sq.shape[1:])]
    shape[dim + 1] = -1
    exp_avg_sq.copy_(exp_avg_sq.gather(dim + 1, order.view(shape).expand_as(exp_avg_sq)))
    basis.copy_(renewed)


# ## Choosing, and when not to
#
# - `lr`: AdamW's is a good first try. Both were best at 0.01 on the small network above.
# - `betas`: 0.95 for both is the author's choice. With 0.999 the matrices are averages over 1000 steps, and a basis
#   changes more slowly. `shampoo_beta` sets that alone.
# - `precondition_frequency`: 10. Between 10 and 1 there was little to gain, 100 costs some of the advantage.
# - `max_precond_dim`: lower it when memory is short. A dimension of 4096 costs 34 million numbers.
#
# Leave it where the products weigh: with batches of fewer rows than $r + c$, a step of SOAP costs more than the
# gradient. Leave it where memory is short, or where most parameters are vectors or embeddings, which get Adam or
# nearly so.
#
# ## Traps
#
# - **The first step does not move anything.** A test of one step sees no change.
# - **Directions without signal** get steps of full length: Adam divides each coordinate by its own root, however
#   small. For $64 \times 64$ gradients of rank 4, a mean with noise twice its size, the cosine of a step with the
#   mean is 0.3 after 20 steps and 0.2 after 60, Adam's 0.85. With full rank both have 0.85.
# - **A first gradient without full rank** has eigenvectors that are chosen by rounding. Two machines can go two ways
#   from there. If it has full rank, a turned problem gives the turned steps, up to rounding.
# - **It cannot resume from Adam's state.** `exp_avg` and `exp_avg_sq` have the same names and shapes, and belong to
#   other coordinates.
# - **$\varepsilon$** is added before Adam's correction of $v$, as the author does it. In the first steps it counts
#   for more than in [Adam](adam.py): 4.5 times with $\beta_2 = 0.95$.
# - **A NaN in the first gradient** is an error of `eigh`. Later ones make NaN of the weights, as with Adam.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py): the search chose $\alpha = 0.003$, the default and
# [AdamW](adamw.py)'s choice, with a held-out loss of 0.032, AdamW's being 0.037 (one seed). To the left it falls off
# as AdamW does: at 0.001 both have a loss 25 % higher. To the right it forgives more: 0.033 at 0.01, where AdamW learns
# nothing.
#
# The accuracies are 99.41, 99.41 and 99.34 %, AdamW's 99.30 to 99.40 %. On 10 000 images that is no difference. The
# training loss shows one. Over the steps 2 to 112 its mean is 0.28 to 0.30, AdamW's 0.34 to 0.36; over the rest of the
# first epoch 0.048 to 0.050, AdamW's 0.071; over the third 0.003 to 0.004, AdamW's 0.010 to 0.012. The network fits the
# training images sooner and more closely, and knows no more about the others. The first update in the records has
# length 0, as the first gradient only makes the bases.
#
# [On CIFAR-10](../../experiments/cifar.py) the network is not yet fitted after three epochs, and there the accuracies
# differ, too. The search (one epoch, one seed) chose 0.01, three times AdamW's 0.003. From 0.003 to 0.03 the held-out
# loss stays within 5 % of the best, while AdamW's is 28 % higher at three times its best rate. The accuracies of three
# seeds are 80.9, 81.6 and 81.6 %, AdamW's 79.3 to 80.3 %; the mean training loss of the third epoch is 0.55 to 0.57,
# AdamW's 0.61 to 0.64. Both have the same number of steps, and SOAP's cost more.
#
# ## Exercises
#
# **1.** Check, for 50 random gradients, that Shampoo with $p = 1/2$ is Adafactor in the eigenbasis.
#
# ::: solution
# ```python
# import torch
#
#
# def power(symmetric, exponent):
#     values, vectors = torch.linalg.eigh(symmetric)
#     return vectors * values**exponent @ vectors.T
#
#
# torch.manual_seed(0)
# gradients = torch.randn(50, 6, 5, dtype=torch.float64)
# left = (gradients @ gradients.mT).mean(0)
# right = (gradients.mT @ gradients).mean(0)
# q_left, q_right = (torch.linalg.eigh(each)[1] for each in (left, right))
# squares = (q_left.T @ gradients @ q_right).square().mean(0)
# rows, columns = squares.sum(1, keepdim=True), squares.sum(0)
#
# turned = q_left.T @ gradients[0] @ q_right
# adafactor = q_left @ (turned / (rows * columns / rows.sum()).sqrt()) @ q_right.T
# shampoo = left.trace().sqrt() * power(left, -0.5) @ gradients[0] @ power(right, -0.5)
# torch.testing.assert_close(adafactor, shampoo)
# ```
# :::
#
# **2.** Turn the gradients of a square matrix by fixed orthogonal matrices, and show that SOAP's steps are turned
# with them.
#
# ::: solution
# ```python
# import torch
# from labml_nn_optim import SOAP
#
# torch.manual_seed(0)
# gradients = torch.randn(30, 5, 5, dtype=torch.float64)
# u, v = (torch.linalg.qr(torch.randn(5, 5, dtype=torch.float64))[0] for _ in range(2))
#
#
# def end(gradients):
#     theta = torch.nn.Parameter(torch.zeros(5, 5, dtype=torch.float64))
#     optimizer = SOAP([theta])
#     for gradient in gradients:
#         theta.grad = gradient.clone()
#         optimizer.step()
#     return theta.detach()
#
#
# torch.testing.assert_close(u @ end(gradients) @ v.T, end(u @ gradients @ v.T))
# ```
# :::
#
# **3.** For which shapes of $n$ parameters does SOAP need the least memory, and how much does one of $r = 4c$ need?
#
# ::: solution
# $(r^2 + c^2) / (r c) = r / c + c / r$ is least for $r = c$: 6 numbers for each parameter. With $r = 4 c$ it is 4.25,
# and 10.5 numbers.
# :::
