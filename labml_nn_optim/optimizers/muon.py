r"""
---
title: Muon
summary: Muon makes the momentum of a matrix orthogonal, so that a step goes as far along its rare directions as along its frequent ones.
paper:
  title: "Muon: An optimizer for hidden layers in neural networks"
  authors: Keller Jordan, Yuchen Jin, Vlado Boza, Jiacheng You, Franz Cesista, Laker Newhouse, Jeremy Bernstein
  year: 2024
  url: https://kellerjordan.github.io/posts/muon/
chapter: "7.2"
needs: [orthogonal, optimizers/adamw]
symbols:
  \theta: param
  g: grad
  B: momentum_buffer
  \tilde B: ahead
  O: update
  \mu: momentum
  s: scale
verified_against:
  implementation: torch.optim.Muon 2.14.1, with its bfloat16 replaced by float64
  difference: 1e-15 over 100 noisy steps in float64
---

# A momentum knows few directions

A network with three hidden layers of 128 and torch's initialization learns the digits of scikit-learn, pixels divided
by 16, with AdamW, $\alpha = 0.001$, in batches of 128 drawn at random from all images. After 100 steps take the matrix
of the third layer, $128 \times 128$, and look at the singular values of its momentum ($\tilde B$ below), of AdamW's
step and of the step that Muon would make (one seed):

| singular value | momentum | AdamW's step | Muon's step |
|---:|---:|---:|---:|
| 1st | 1 | 1 | 1.20 |
| 2nd | 0.63 | 0.43 | 1.20 |
| 5th | 0.42 | 0.26 | 1.15 |
| 10th | 0.08 | 0.07 | 1.04 |
| 16th | 0.007 | 0.031 | 0.87 |
| 32nd | 0.002 | 0.012 | 0.53 |
| 64th | 0.0003 | 0.003 | 0.11 |

The first two columns are relative to their largest value. A step of SGD with momentum moves the matrix along five
or ten directions and hardly along the other hundred: five hold more than 90 % of the squares. AdamW works on single
weights, and that changes little: 93 %. In Muon's step they hold 23 %.

A singular vector on the right is a pattern of inputs, one on the left a pattern of outputs. Patterns that most of
the batch shares have large values, rare ones small values. The hope behind Muon is that rare ones are worth
learning too. A small value may be noise just as well, and the rule does not ask.

## The update rule

$$
\begin{aligned}
B_t &= \mu\, B_{t-1} + (1 - \mu)\, g_t \\
\tilde B_t &= \mu\, B_t + (1 - \mu)\, g_t \\
O_t &\approx U V^T \quad \text{for } \tilde B_t = U \Sigma V^T \\
\theta_t &= (1 - \alpha \lambda)\, \theta_{t-1} - \alpha\, s\, O_t
\end{aligned}
$$

for a matrix with $r$ rows and $c$ columns. $s$ depends on its shape, see below. Five steps of [Newton and
Schulz](../orthogonal.py) make $O_t$. What is no matrix gets [AdamW](adamw.py).

$O$ does not change when $B$ is multiplied by a number. So it does not matter whether momentum is an average, as
here, or a sum, as in Jordan's CIFAR-10 script: the learning rate stays the same. Nor does the scale of the loss
matter. The line with $\tilde B$ is Nesterov's look ahead; `nesterov=False` leaves it out.

## Steepest descent, if a step is measured by what it does

Which step $\Delta$ of a given size lowers the loss most? To first order that is the one with the largest
$\langle G, \Delta \rangle = \sum_{ij} G_{ij} \Delta_{ij}$, for a step in the direction of $-\Delta$. The answer
depends on what "size" means:

| size of a step | best step | optimizer |
|---|---|---|
| root of the sum of squares | $G / \lVert G \rVert_F$ | SGD |
| largest element | $\operatorname{sign} G$ | [Lion](lion.py), nearly [Adam](adam.py) |
| largest singular value | $U V^T$ | Muon |

A layer multiplies its input: the step changes the output by $\Delta x$. The largest singular value is how much
longer than $x$ that can be at most. If all of it is to stay below $\alpha$, then with
$G = \sum_i \sigma_i u_i v_i^T$

$$
\langle G, \Delta \rangle = \sum_i \sigma_i\, u_i^T \Delta\, v_i \le \alpha \sum_i \sigma_i
$$

as $u_i^T \Delta v_i \le \lVert \Delta v_i \rVert \le \alpha$. $\Delta = \alpha\, U V^T$ reaches the bound:
$u_i^T U V^T v_i = 1$ for every $i$. For the momentum above it lowers the loss, to first order, 1.8 times as much as
$G$ itself would at the same largest singular value.

## Shampoo without a memory

[Shampoo](shampoo.py) sums $L = \sum_t G_t G_t^T$ and $R = \sum_t G_t^T G_t$ over all steps and goes along
$L^{-1/4} G R^{-1/4}$. Leave out the sums, and

$$
(G G^T)^{-1/4}\, G\, (G^T G)^{-1/4} = U \Sigma^{-1/2} U^T\, U \Sigma V^T\, V \Sigma^{-1/2} V^T = U V^T
$$

Muon is that, of an averaged gradient. It has no matrices to keep and takes no roots.

## How long a step is

$O$ has $\min(r, c)$ singular values of 1, so its squares sum to $\min(r, c)$. The root of their mean over all $r c$
elements is

$$
\operatorname{RMS}(O) = \sqrt{\frac{\min(r, c)}{r c}} = \frac{1}{\sqrt{\max(r, c)}}
$$

An element of a large matrix moves less than one of a small matrix. Whether it should is what $s$ decides. There are
three answers:

| `adjust_lr_fn` | $s$ | keeps equal | 128 × 128 | 128 × 512 | 512 × 128 | 1024 × 1024 |
|---|---|---|---:|---:|---:|---:|
| `"original"` | $\sqrt{\max(1, r / c)}$ | neither | 0.088 | 0.044 | 0.088 | 0.031 |
| `"match_rms_adamw"` | $0.2 \sqrt{\max(r, c)}$ | the move of an element | 0.2 | 0.2 | 0.2 | 0.2 |
| `"spectral_unclamped"` | $\sqrt{r / c}$ | the change of an output | 0.088 | 0.022 | 0.088 | 0.031 |

The numbers are the RMS of a step divided by $\alpha$, for exact $U V^T$. Jordan's five steps leave singular values
from 0.68 to 1.2 and smaller ones, and come out lower.

So a learning rate belongs to its row. Jordan's code has 0.02 with the first. The second is Liu et al.'s (2025), for
AdamW's learning rates: where gradients are pure noise, the root of the mean square of AdamW's moves is
$\sqrt{(1 - \beta_1) / (1 + \beta_1)}\, \alpha = 0.23\, \alpha$. It is the default here, so that one rate,
one schedule and one decay serve all parameters.

**torch's default is another.** It has the first row with $\alpha = 0.001$. That is a twentieth of Jordan's rate,
and for a matrix of 1024 columns a sixth of the step here. Let Muon have the three hidden matrices of the example
and AdamW the rest. After 300 steps on a line to 0 with $\lambda = 0.1$ these are the mean losses of three seeds on all
images (AdamW alone with its defaults otherwise, its part of the last column at 0.001):

| $\alpha$ | AdamW | `"match_rms_adamw"` | `"original"` |
|---:|---:|---:|---:|
| 0.001 | 0.12 | 1.6 | 1.9 |
| 0.003 | 0.05 | 0.10 | 1.2 |
| 0.01 | 0.008 | 0.00006 | 0.07 |
| 0.02 | | | 0.003 |

AdamW's rate fits only roughly. In the first 50 steps at 0.001 gradients agree, and AdamW moves an element of the third
matrix by 0.8 to 0.5 $\alpha$. Muon moves it by 0.13 at most, less than 0.2, because the momentum does not fill its
directions: from the 32nd on five steps do not reach 1. In a long run with noisy gradients the two come closer. In a
short one try three times AdamW's rate as well as AdamW's own.

## Which parameters are matrices

- **Hidden linear layers**: yes.
- **Convolutions**: a kernel of shape (out, in, h, w) is the matrix of out rows and in $\times$ h $\times$ w
  columns, which is what it does to a patch of the image. torch's Muon refuses it. Jordan's code orthogonalizes it
  so, and then computes $r / c$ from h and w, which is 1 for a square kernel: for $256 \times 64 \times 1 \times 1$
  half the step it should be.
- **Biases, scales**: no, they are vectors. AdamW has them whatever the group says.
- **Embeddings, the output layer**: no, advises Jordan. Their inputs or outputs are single tokens and classes;
  [Composite optimizers](../param_groups/composite.py) has reasons, and an experiment that contradicts for the
  output layer. Here it does not: with all matrices at 0.003 the example ends at 0.4, not 0.10.

The last two have to be said. `matrices=False` makes a group AdamW's:

```python
body = [*model.blocks.parameters()]
ends = [*model.embedding.parameters(), *model.head.parameters()]
optimizer = Muon([{"params": body}, {"params": ends, "matrices": False}], lr=1e-3)
```

Split what is fused. Take queries, keys and values in one $192 \times 64$ matrix, with gradients of sizes 0.1, 0.1
and 1 (Gaussian). Its 64 directions are shared out: the three parts of $O$ have the RMS 0.03, 0.03 and 0.10. As three
matrices each has 0.11.

## Why decay

SGD's steps become small with the gradient, Muon's never do, nor do AdamW's. Without decay a weight matrix grows,
even on pure noise. If all gradients agree, the largest singular value would grow for ever, and decay stops it:

$$
\lVert \theta_t \rVert \le (1 - \alpha \lambda) \lVert \theta_{t-1} \rVert + \alpha s \lVert O_t \rVert
\quad \Rightarrow \quad \lVert \theta \rVert \lesssim 1.2\, \frac{s}{\lambda}
$$

with 1.2 for Jordan's coefficients. For a $64 \times 64$ matrix, $s = 1.6$ and $\lambda = 0.1$ that is 19.2, and
with a constant gradient it is nearly reached.

Liu et al. trained 800 million parameters on 100 billion tokens. Without decay Muon was ahead at first, but its
weights kept growing, out of the range where bfloat16 is exact enough, they suspect. With decay it ended below both
that and AdamW.

## What a step costs

One step of five for $r \le c$ is $2 r^2 c$ operations for $X X^T$, $2 r^3$ for its square and $2 r^2 c$ for the
product with $X$. The forward and backward pass of $N$ inputs through the matrix is $6 r c N$. The quotient is

$$
\frac{5\, (4 r^2 c + 2 r^3)}{6 r c N} = \frac{5 r\, (2 + r / c)}{3 N}
$$

or $5 r / N$ for a square matrix. $N$ counts tokens, or places of a kernel in all images. With $r = 768$ and half a
million tokens it is 0.7 %. With 128 inputs for $128 \times 128$ it is 5: the step costs five times the pass. Where
$c \ge 2 r$, the steps [on a Gram matrix](../orthogonal.py) make it less.

State: one tensor for a matrix instead of AdamW's two.

## Conventions

- **bfloat16.** Jordan's code, torch and timm orthogonalize in bfloat16 everywhere. Here that is the default on
  GPUs, elsewhere it is the type of the parameter. In the first step on a Gaussian $128 \times 128$ matrix that makes
  1 %. Jordan's formulas in bfloat16 are 3 % away from both, for they round more often. torch, timm with the same
  coefficients, and this course with `ns_dtype=torch.bfloat16` agree there to less than 0.1 %.
- **Defaults.** Jordan's code: $\alpha = 0.02$ with `"original"` and no decay. torch: see above. timm: 0.02 with
  `"match_rms_adamw"`, no Nesterov, no decay, and other coefficients, `quintic`. optax: Jordan's $s$ unless
  `consistent_rms=0.2`; its matrices are transposed, so $r$ and $c$ are, too.
- **The gradient.** Jordan's code and pytorch_optimizer overwrite `p.grad` with $\tilde B$. Whoever logs gradient
  norms after the step logs something else. A parameter without a gradient moves on in Jordan's code; here and in
  torch it does not.
- **Checkpoints** of torch's Muon load here with their scale, and ours load there.

## What comparisons found

- Wen et al. (2025, arXiv 2509.02046) tuned ten optimizers on language models of 0.1 to 1.2 billion parameters. The
  fastest are those with matrices, Muon and [SOAP](soap.py) among them. They are 1.4 times as fast as a tuned AdamW
  at 0.1 billion, and 1.1 times at 1.2 billion.
- Liu et al. (2025, arXiv 2502.16982) needed 52 % of AdamW's operations for the same loss, on a fitted curve of
  compute-optimal Llama models, with AdamW's rates tuned. They trained Moonlight with it, 16 billion parameters of
  which 3 are active, on 5.7 trillion tokens. Finetuning a model that AdamW had trained showed no advantage.
- Jordan's CIFAR-10 script reaches 94.01 % in 2.59 s on an A100, the mean of 200 runs. It was 3.09 s before Muon.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.checks import (
    require_choice,
    require_count,
    require_flag,
    require_number,
)
from labml_nn_optim.orthogonal import NEWTON_SCHULZ, Coefficients, orthogonalize, polar_express
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["Muon", "as_matrices"]

SCALES = ("match_rms_adamw", "original", "spectral_unclamped")
POLAR_EXPRESS = "polar_express"


def as_matrices(stack: Tensor) -> Tensor:
    """See a stack of kernels, of shape (k, out, in, ...), as matrices of shape (k, out, in * ...)."""
    return stack.flatten(2)


class Muon(GenericAdaptiveOptimizer):
    r"""Orthogonalized momentum for matrices, AdamW for everything else.

    - `params`: parameters or groups of them; a group with `matrices=False`, for embeddings and the
      output layer, is AdamW's altogether
    - `lr`: the learning rate $\alpha$, a number or a tensor of one element
    - `momentum`: $\mu$ in $[0, 1)$
    - `nesterov`: whether to look one step ahead
    - `weight_decay`: a number, decoupled and times `lr`, or a
      [WeightDecay](../weight_decay.py#WeightDecay)
    - `adjust_lr_fn`: how the shape scales a step of a matrix: `"match_rms_adamw"`, `"original"` or
      `"spectral_unclamped"`; `None`, torch's default, is `"original"`
    - `ns_coefficients`: $(a, b, c)$ of every step, or `"polar_express"`
    - `ns_steps`: how many steps orthogonalize
    - `ns_dtype`: the data type in which they do; `None` is `torch.bfloat16` on a GPU and that of the
      parameter, at least `torch.float32`, elsewhere
    - `matrices`: whether parameters with two or more dimensions are matrices
    - `vector_lr_scale`: the learning rate of AdamW as a multiple of `lr`
    - `betas`, `eps`: AdamW's
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions), but neither `compile` nor
      `flat`

    State: one tensor of the shape of a matrix, two of that of any other parameter.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range.
    Jordan et al. (2024); Liu et al. (2025), arXiv 2502.16982, for the decay and `"match_rms_adamw"`.
    """

    elementwise = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        momentum: float = 0.95,
        nesterov: bool = True,
        weight_decay: WeightDecay | float = 0.1,
        adjust_lr_fn: str | None = "match_rms_adamw",
        ns_coefficients: Coefficients | str = NEWTON_SCHULZ,
        ns_steps: int = 5,
        ns_dtype: torch.dtype | None = None,
        matrices: bool = True,
        vector_lr_scale: float = 1.0,
        betas: tuple[float, float] = (0.9, 0.95),
        eps: float = 1e-8,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {
            "momentum": momentum,
            "nesterov": nesterov,
            "adjust_lr_fn": adjust_lr_fn,
            "ns_coefficients": ns_coefficients,
            "ns_steps": ns_steps,
            "ns_dtype": ns_dtype,
            "matrices": matrices,
            "vector_lr_scale": vector_lr_scale,
        }
        own |= dict(defaults or {})
        super().__init__(params, own, lr, betas, eps, weight_decay, **options)

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        require_number("momentum", group["momentum"], below=1.0)
        require_flag("nesterov", group["nesterov"])
        require_flag("matrices", group["matrices"])
        if group["adjust_lr_fn"] is not None:
            require_choice("adjust_lr_fn", group["adjust_lr_fn"], SCALES)
        require_count("ns_steps", group["ns_steps"], minimum=1)
        require_number("vector_lr_scale", group["vector_lr_scale"])
        coefficients = group["ns_coefficients"]
        if isinstance(coefficients, str):
            require_choice("ns_coefficients", coefficients, [POLAR_EXPRESS])
        elif not isinstance(coefficients, tuple | list) or len(coefficients) != 3:
            raise TypeError(
                f"ns_coefficients must be three numbers or {POLAR_EXPRESS!r}, got {coefficients!r}"
            )
        else:
            for index, coefficient in enumerate(coefficients):
                require_number(f"ns_coefficients[{index}]", coefficient, minimum=None)
        dtype = group["ns_dtype"]
        if not (dtype is None or (isinstance(dtype, torch.dtype) and dtype.is_floating_point)):
            raise TypeError(f"ns_dtype must be None or a floating-point type, got {dtype!r}")

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start at zero: momentum for a matrix, the two averages of AdamW for what is none."""
        if group["matrices"] and param.dim() >= 2 and not param.is_complex():
            state["momentum_buffer"] = torch.zeros_like(param)
        else:
            state["exp_avg"] = torch.zeros_like(param)
            state["exp_avg_sq"] = torch.zeros_like(param)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Compute AdamW's step size and the root of its second correction, and list the coefficients."""
        beta1, beta2 = group["betas"]
        vector_lr = group["lr"] * group["vector_lr_scale"]
        steps, coefficients = group["ns_steps"], group["ns_coefficients"]
        is_named = isinstance(coefficients, str)
        return {
            "vector_lr": vector_lr,
            "step_size": vector_lr / (1 - beta1**step),
            "correction": math.sqrt(1 - beta2**step),
            "steps": polar_express(steps) if is_named else [tuple(coefficients)] * steps,
        }

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move a [stack](../stacks.py) of matrices, or of anything else, of one shape."""
        if not param.numel():
            return
        if "momentum_buffer" in state:
            self._step_matrices(state["momentum_buffer"], group, grad, param)
        else:
            self._step_vectors(state, group, grad, param)

    def _step_matrices(
        self, momentum_buffer: Tensor, group: Mapping[str, Any], grad: Tensor, param: Tensor
    ) -> None:
        grad = self.weight_decay(param, grad, group)
        update = self._orthogonal(momentum_buffer, group, grad)
        # $\theta_t = \theta_{t-1} - \alpha\, s\, O_t$
        scale = shape_scale(update.size(-2), update.size(-1), group["adjust_lr_fn"])
        param.add_(update.reshape(param.shape), alpha=-group["lr"] * scale)

    def _orthogonal(
        self, momentum_buffer: Tensor, group: Mapping[str, Any], grad: Tensor
    ) -> Tensor:
        """Take the gradient into the momentum, and return that as orthogonal matrices."""
        momentum = group["momentum"]
        # $B_t = \mu B_{t-1} + (1 - \mu)\, g_t$
        momentum_buffer.lerp_(grad, 1 - momentum)
        # $\tilde B_t = \mu B_t + (1 - \mu)\, g_t$
        ahead = grad.lerp(momentum_buffer, momentum) if group["nesterov"] else momentum_buffer
        matrices = as_matrices(ahead)
        # $O_t \approx U V^T$ for $\tilde B_t = U \Sigma V^T$
        dtype = group["ns_dtype"]
        if dtype is None and matrices.is_cuda:
            dtype = torch.bfloat16
        return orthogonalize(matrices.to(dtype or matrices.dtype), group["steps"])

    def _step_vectors(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Tensor, param: Tensor
    ) -> None:
        beta1, beta2 = group["betas"]
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        grad = self.weight_decay(param, grad, {**group, "lr": group["vector_lr"]})
        # [AdamW](adamw.py) for what has no singular values
        exp_avg.lerp_(grad, 1 - beta1)
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        denominator = exp_avg_sq.sqrt().div_(group["correction"]).add_(group["eps"])
        param.sub_(exp_avg.div(denominator).mul_(group["step_size"]))


def shape_scale(rows: int, columns: int, adjust_lr_fn: str | None) -> float:
    """Return the factor of a step for matrices of this shape."""
    if adjust_lr_fn == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    quotient = rows / columns
    return math.sqrt(quotient if adjust_lr_fn == "spectral_unclamped" else max(1.0, quotient))


# ## Choosing, and when not to
#
# - `lr`: with the default $s$, one to three times AdamW's. With `"original"`, 0.02.
# - `weight_decay`: 0.1, and more attention to it the longer the run.
# - `momentum`: 0.95. Liu et al. found no gain in tuning it.
# - `ns_steps`, `ns_coefficients`: leave them. Polar Express brings the example a third lower at the same rate, which
#   may be no more than a longer step. Ten of Jordan's steps brought Liu et al. nothing.
# - `ns_dtype`: bfloat16 is nearly a fifth away on the momentum above ([why](../orthogonal.py)), and models are trained
#   so.
# - `vector_lr_scale`: for `"original"`, AdamW's rate divided by `lr`, 0.015 for instance.
#
# Take it for models whose parameters are mostly hidden matrices, with batches so large that $5 r / N$ is small. Leave
# it for small batches, for models that are mostly embedding, and for finetuning what AdamW has trained.
#
# ## Traps
#
# - **A learning rate without its $s$ says nothing.** 0.02 in a paper is Jordan's, and 0.02 here is 4.5 times as long
#   for a $512 \times 512$ matrix.
# - **A small gradient is no small step.** A layer whose gradient is nothing but noise moves as far as all others.
#   Clipping the gradient only limits how much of $B$ one batch can become.
# - **Several matrices in one parameter**, as experts of shape (8, out, in), are read as a kernel with 8 rows. Make
#   them parameters of their own.
# - **Kernels with one input channel**, as depthwise ones, are matrices of 9 columns. timm gives them to AdamW; here
#   say `matrices=False`.
# - **Sharded parameters are refused** unless every process has them whole: [Sharded parameters](../sharded.py). Half
#   a matrix has other singular vectors.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), all four matrices Muon's, the output layer's too. The search
# chose $\alpha = 0.003$, as for [AdamW](adamw.py), with a held-out loss of 0.027, AdamW's being 0.037 (one seed).
# At 0.001 the loss is 48 % higher, AdamW's 25 %. At 0.01 it is 44 % higher, where AdamW learns nothing: three times
# AdamW's rate is possible here, and no gain. The accuracies are 99.42, 99.51 and 99.41 %. AdamW's 99.30 to 99.40 %
# end one image lower, which 10 000 images cannot tell; [Adam](adam.py)'s 99.39 to 99.44 % overlap.
#
# The training loss differs more. Over the steps 2 to 112 its mean is 0.53 to 0.56, AdamW's 0.34 to 0.36; over the
# third epoch 0.007, AdamW's 0.010 to 0.012. Muon begins softly: the first update of seed 0 is 0.17 long, AdamW's
# 1.84. With all singular values at 1 the matrices would move by $0.2 \sqrt{430\,500}\, \alpha = 131\, \alpha$. No
# update in the records is longer than $90\, \alpha$.
#
# [CIFAR-10](../../experiments/cifar.py) shows what MNIST has no room for, again with every kernel and the output layer
# Muon's. The search (one epoch, one seed) chose 0.01, three times AdamW's rate; from 0.003 to 0.03 the held-out loss
# stays within 7 % of the best. The accuracies of three seeds are 82.84, 82.95 and 83.26 %, AdamW's 79.34 to 80.28 %.
# Of all other rules that ran there, only [NorMuon](normuon.py) reaches Muon's worst seed. Here the closer fit carries
# over to the test images: in the third epoch the mean training loss is 0.52 to 0.53, AdamW's 0.61 to 0.64, and in the
# end the test loss 0.479 to 0.495, AdamW's 0.565 to 0.595. All rules have the same number of steps. What a step costs
# is [another question](../../experiments/speed.py).
#
# ## Exercises
#
# **1.** A matrix of one row: what is Muon's step, and what $s$ makes its length $\alpha$?
#
# ::: solution
# There is one singular value, $\lVert \tilde B \rVert$, so $O = \tilde B / \lVert \tilde B \rVert$: normalized SGD
# with momentum. $O$ has length 1, and $s$ must be 1: `"original"`, as $r / c \le 1$. `"match_rms_adamw"` makes it
# $0.2 \sqrt c\, \alpha$. Jordan's coefficients make both 30 % shorter: five steps take 1 to 0.70.
# :::
#
# **2.** Check that Shampoo's formula without memory is the polar factor, and that Muon's first step is, up to its
# coefficients.
#
# ::: solution
# ```python
# import torch
# from labml_nn_optim import Muon
#
#
# def power(symmetric, exponent):
#     values, vectors = torch.linalg.eigh(symmetric)
#     return vectors * values**exponent @ vectors.T
#
#
# torch.manual_seed(0)
# gradient = torch.randn(6, 6, dtype=torch.float64)
# u, _, vt = torch.linalg.svd(gradient)
# root = power(gradient @ gradient.T, -0.25) @ gradient @ power(gradient.T @ gradient, -0.25)
# torch.testing.assert_close(root, u @ vt)
#
# theta = torch.nn.Parameter(torch.zeros(6, 6, dtype=torch.float64))
# theta.grad = gradient
# Muon([theta], lr=1.0, adjust_lr_fn="original", ns_coefficients="polar_express", ns_steps=8).step()
# torch.testing.assert_close(-theta.detach(), u @ vt)
# ```
# :::
#
# **3.** Muon is used on a $4096 \times 1024$ matrix with half a million tokens in a batch. How much does it add to
# the pass? And with 8192 tokens?
#
# ::: solution
# The smaller side is $r = 1024$, and $r / c = 1/4$. $5 \cdot 1024 \cdot 2.25 / 3 = 3840$ tokens' worth: 0.7 % of
# $2^{19}$, and 47 % of 8192. On one Gram matrix, in float32, it is 25 products instead of 45: 0.4 % and 26 %. In
# bfloat16, with a new start after every two steps, it is 35: 0.6 % and 36 %.
# :::
