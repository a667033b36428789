r"""
---
title: Adam-mini
summary: Adam-mini keeps one second moment for all weights of a neuron or of a head, and half of Adam's memory.
paper:
  title: "Adam-mini: Use Fewer Learning Rates To Gain More"
  authors: Yushun Zhang, Congliang Chen, Ziniu Li, Tian Ding, Chenwei Wu, Diederik P. Kingma, Yinyu Ye, Zhi-Quan Luo, Ruoyu Sun
  year: 2024
  arxiv: "2406.16793"
  venue: ICLR
chapter: "6.5"
needs: [stacks, optimizers/adamw, optimizers/adafactor]
symbols:
  \theta: param
  g: grad
  m: exp_avg
  v_b: block_sq
verified_against:
  implementation: pytorch_optimizer.AdamMini 4.1.0 with a block a row, brought to float64
  difference: 4e-16 over 100 noisy steps
---

# Ninety divisors do the work of three

A quadratic bowl has ninety weights in three groups of thirty. The curvatures of the first group are 1 to 3, those of
the second 99 to 301, those of the third 30 000 to 90 000. Within a group a random rotation mixes the weights. Each
rule starts at a loss of a million and has 300 steps with its best $\alpha$, which falls to 0:

| | numbers in $v$ | loss |
|---|---:|---:|
| SGD, momentum 0.9 | 0 | 35 |
| one number for all | 1 | 50 |
| one a group | 3 | $3 \cdot 10^{-9}$ |
| [Adam](adam.py) | 90 | $2 \cdot 10^{-9}$ |
| one a half, across the groups | 2 | 3.4 |

Three numbers are as good as ninety. Two that ignore the groups are not.

In a network a neuron can be such a group. For a matrix of $768 \times 3072$ that is 768 numbers in the place of 2.4
million, and the state shrinks from 8 bytes a weight to 4.001. What remains is $m$.

## The update rule

$$
\begin{aligned}
m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, g_t \\
v_{b,t} &= \beta_2 v_{b,t-1} + (1 - \beta_2) \operatorname{mean}_{i \in b} g_{t,i}^2 \\
\theta_{t,i} &= (1 - \alpha\lambda)\, \theta_{t-1,i}
  - \alpha\, \frac{m_{t,i} / (1 - \beta_1^t)}{\sqrt{v_{b,t} / (1 - \beta_2^t)} + \varepsilon}
  \qquad \text{for } i \in b
\end{aligned}
$$

Every weight belongs to one block $b$. With blocks of one weight this is [AdamW](adamw.py).

## When one number is enough

How many steps descent needs depends on the condition number $\kappa$ of the Hessian, the largest curvature over the
smallest. For the bowl above $\kappa = 90\,000$. Divided by its own diagonal it has 3.0, and by one number a block
3.04. So the diagonal earns everything *between* blocks and nothing *within* them.

Within a block it cannot. Let $H = Q \Lambda Q^\top$ with a random rotation $Q$ of $n$ weights. Then

$$
H_{ii} = \sum_k \lambda_k Q_{ik}^2 \approx \frac{1}{n} \sum_k \lambda_k
$$

The $Q_{ik}^2$ sum to 1 over $k$ and are all about $1/n$, so the entries of the diagonal are all about the mean
curvature. Dividing by them is dividing by a constant. For $n = 50$ and curvatures from 1 to 1000 in
equal ratios ten rotations gave $\kappa = 778$ to 1066 afterwards. Without a rotation it is 1: if a block's Hessian is
diagonal, each weight needs a number of its own.

## Are neurons such blocks?

Take a network of 8 tanh neurons on scikit-learn's digits, each pixel with mean 0 and standard deviation 1. Adam
trains it with $\alpha = 0.003$ and batches of 64. Look at it in the steps 0, 30, 100 and 300, with three seeds. In the
Hessian of its first layer the eight blocks of single neurons have 79 to 98 % of the sum of squares (47 to 73 % of the
sum of absolute values). Spread evenly it would be 12.5 %. The diagonal has 13 to 30 % of the squares. So the blocks
are there, and they are dense.

In a block, without pixels that never change, the largest eigenvalue is 28 to 33 times the median from step 30 on (by
absolute values, averaged over the neurons), and 19 to 24 times after dividing by the diagonal. At the start it is 31
to 41 times, and the division makes that 51 to 128.

With pixels only divided by 16 (one seed, from step 30 on) the division does more: 633 to 671 times become 132 to 209.
Pixels at the border vary less, their curvature is smaller, and the diagonal sees that. A number for a neuron does not.

The paper looked at a small Transformer, and divides accordingly: by head for queries and keys, by neuron for values,
projections and the feed-forward layers, by token for embedding and output. Dong et al. (arXiv 2505.02809), some of
the same authors, prove for linear models and one hidden layer at random weights that such blocks appear if there are
many classes. Two steps of the argument are observations: that large networks look like this during training, and
that $v$, a mean of squared gradients, stands for curvature.

## What is lost

Two independent inputs of the sizes 1 and 0.01 enter one neuron. Both true weights are 1, and both start at 0. The mean
gradients are $\theta_1 - 1$ and $10^{-4}\, (\theta_2 - 1)$. With these and $\alpha = 0.01$:

| | first step of $\theta_1$ | first step of $\theta_2$ | $\theta_1$ after 200 steps | $\theta_2$ after 200 steps |
|---|---:|---:|---:|---:|
| Adam | $1.00\, \alpha$ | $1.00\, \alpha$ | 0.984 | 0.984 |
| Adam-mini | $1.41\, \alpha$ | $0.00014\, \alpha$ | 1.000 | 0.0005 |

[Adafactor](adafactor.py), with its number for each column, would see this. Does it matter on real data? The same
digits, a random quarter held out, a network of the sizes 64, 128, 128, 10, 400 steps with batches of 64 and
$\alpha = 0.01$ falling to 0 on a line, medians of three seeds:

| training loss, held-out loss | pixels divided by 16 | then times factors from 1 to 0.01 in equal ratios |
|---|---:|---:|
| Adam | 0.0063, 0.09 | 0.07, 0.18 |
| Adam-mini | 0.0086, 0.08 | 0.28, 0.40 |
| one number for each tensor | 0.0085, 0.09 | 0.28, 0.42 |

So bring the inputs of a network to one size. Here the division into rows gains nothing over one number a tensor. In
[Adafactor's table](adafactor.py) it is closer to Adam than that, but not as close as one number a column.

## How to divide

Here a parameter group says it, in `blocks`:

| | `blocks` | the authors' code 1.1.1 |
|---|---|---|
| matrix of a layer, embedding, output | `None`: one a row | the same |
| queries, keys | the number of heads | the same |
| queries, keys and values in one matrix | three times that | one for the matrix |
| scale of a normalization | `None`: one | the same |
| bias | `None`: one | as in Adam: `"element"` |
| kernel of a convolution | `None`: one an output channel | one for the kernel |

```python
queries_and_keys = [layer.wq.weight, layer.wk.weight]
AdamMini([{"params": queries_and_keys, "blocks": 12}, {"params": others}], lr=3e-4)
```

Two experiments with noise say where one number a tensor is too few. In an embedding of width 64 token $k$ of a
thousand is in a batch with the probability $1 / k$. Over the steps 401 to 600 (root mean square, four seeds) the row of
the first moves $2.7\, \alpha$ a step, and the last hundred $0.09\, \alpha$. With a number a row it is 0.23 and
$0.13\, \alpha$. In a matrix of four heads, one of them with gradients a hundred times as large, the others move
$0.005\, \alpha$ a step. With a number a head all four move $0.23\, \alpha$.

## Conventions

- **By name.** The authors' code looks for `q_proj`, `wk`, `mlp`, `lm_head` and other words in the names of the
  parameters. What matches none gets one number, and a warning is printed. Of `torch.nn.TransformerEncoderLayer` those
  are `in_proj_weight`, with the queries, keys and values of all heads, and `out_proj`; of GPT-2 they are
  `attn.c_attn` and `attn.c_proj`. Call the layers of a network `mlp1` and `mlp2` in the place of `fc1` and `fc2`, and
  after 100 noisy steps with $\alpha = 0.02$ the weights are 0.018 apart. The word `wo` is in `network`, too. Names
  that match give this rule, to $4 \cdot 10^{-16}$.
- **An older division.** pytorch_optimizer has that of the first versions: Adam for embedding and output, one number a
  head, one for every other tensor. On a network of two layers it is 0.018 from here, and $4 \cdot 10^{-8}$ with
  `blocks="tensor"`: it keeps its moments in float32.
- **Decay.** Decoupled and times $\alpha$ everywhere. The authors' code leaves out names with `norm`, `ln` or `bias`;
  here that is a group with `weight_decay=0`.
- **Defaults** are the authors'. $\varepsilon$ is added to the corrected root, as in AdamW.

## What comparisons found

The paper trained language models of 39 million to 13 billion weights, and found Adam-mini on a par with AdamW or
better, with AdamW's hyper-parameters. On two GPUs of 80 GB a Llama of 7 billion weights trained with 49.6 % more
tokens a second, as there is less state to hold and to send. Where all fits anyway, that is not there to be gained.

A developer of torchtitan saw it keep up with AdamW in small models and fall behind at 8 billion weights (July 2024,
issue 7 in the authors' repository). After a correction of the settings a slight gap was left. The division has been
changed since, in October 2024. For less than 10 000 or 20 000 steps the authors advise one number for a whole value
matrix. We know of no comparison by others in which both were tuned.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from labml_nn_optim.base import GenericAdaptiveOptimizer, RunOptions
from labml_nn_optim.checks import require_choice, require_count
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["AdamMini"]


class AdamMini(GenericAdaptiveOptimizer):
    r"""Adam with one second moment for a block of weights.

    - `params`: parameters or groups of them
    - `lr`: the learning rate $\alpha$, a number or a tensor of one element
    - `betas`: the decay rates $(\beta_1, \beta_2)$, each in $[0, 1)$
    - `eps`: $\varepsilon$, added to the root of the corrected second moment; with 0 a block that never had a
      gradient gives NaN
    - `weight_decay`: a number, decoupled and times `lr`, or a
      [WeightDecay](../weight_decay.py#WeightDecay)
    - `blocks`: how a tensor of this group is divided. `None` makes one block of each row of a matrix,
      and one of a vector; a number makes as many blocks of equally many rows, one a head; `"tensor"`
      makes one of all, and `"element"` is [AdamW](adamw.py)
    - `defaults`: more defaults of a group
    - `options`: how the rule is run, [RunOptions](../base.py#RunOptions), but neither `compile` nor
      `flat`

    State: one tensor of the parameter's shape and a number for each block.
    Raises `TypeError` or `ValueError` for a hyper-parameter of the wrong kind or out of its range, and
    where `blocks` does not divide the rows of a tensor.
    Zhang et al. (2024), algorithm 1.
    """

    elementwise = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: WeightDecay | float = 0.0,
        blocks: int | str | None = None,
        *,
        defaults: Mapping[str, Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        own = {"blocks": blocks} | dict(defaults or {})
        super().__init__(params, own, lr, betas, eps, weight_decay, **options)

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Check what only this optimizer has."""
        super().check_group(group)
        if isinstance(group["blocks"], str):
            require_choice("blocks", group["blocks"], WORDS)
        elif group["blocks"] is not None:
            require_count("blocks", group["blocks"], minimum=1)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters; raises `ValueError` where `blocks` does not divide the rows of one."""
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        try:
            for param in group["params"]:
                count_blocks(param.shape, group["blocks"])
        except ValueError:
            self.param_groups.pop()
            raise

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Start both averages at zero: $m$ in the shape of the parameter, $v_b$ as a list of numbers."""
        state["exp_avg"] = torch.zeros_like(param)
        blocks = count_blocks(param.shape, group["blocks"])
        state["block_sq"] = state["exp_avg"].real.new_zeros(blocks)

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Compute Adam's two corrections, the second as a root."""
        beta1, beta2 = group["betas"]
        return {
            "step_size": group["lr"] / (1 - beta1**step),
            "correction": math.sqrt(1 - beta2**step),
        }

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        r"""Move a [stack](../stacks.py) of parameters of one shape."""
        if not param.numel():
            return
        beta1, beta2 = group["betas"]
        exp_avg, block_sq = state["exp_avg"], state["block_sq"]
        grad = self.weight_decay(param, grad, group)
        exp_avg.lerp_(grad, 1 - beta1)
        # $v_b$ sees the mean of the squares in its block.
        block_sq.lerp_(grad.square().reshape(*block_sq.shape, -1).mean(dim=-1), 1 - beta2)
        denominator = block_sq.sqrt().div_(group["correction"]).add_(group["eps"])
        update = exp_avg.reshape(*block_sq.shape, -1).div(denominator.unsqueeze(-1))
        param.sub_(update.mul_(group["step_size"]).reshape(param.shape))


WORDS = ("tensor", "element")


def count_blocks(shape: torch.Size, blocks: int | str | None) -> int:
    """Return into how many blocks a tensor of this shape is divided; raises `ValueError` if it cannot be."""
    rows = shape[0] if shape else 1
    if blocks is None:
        return rows if len(shape) > 1 else 1
    if blocks == "tensor":
        return 1
    if blocks == "element":
        return shape.numel()
    if rows % int(blocks):
        raise ValueError(
            f"blocks must divide the rows of a tensor, got {blocks} for the shape {tuple(shape)}"
        )
    return int(blocks)


# ## Choosing, and when not to
#
# - `lr`, `betas`, `eps`, `weight_decay`: AdamW's. On noise of one size the steps are as long as AdamW's:
#   $0.23\, \alpha$ in step 400, for both.
# - `blocks`: say it for attention. The default is right for layers whose rows are neurons.
#
# Take it where Adam's $v$ does not fit, or has to be sent. [Lion](lion.py) needs the same 4 bytes and has no blocks
# to choose; [Adafactor](adafactor.py) needs next to none and has no momentum. Where inputs come in sizes of their
# own, or the state is no burden, stay with AdamW.
#
# ## Traps
#
# - **Rows must be neurons.** Some models keep a matrix as (inputs, outputs), GPT-2 in Transformers among them. A row
#   is then an input.
# - **A single weight may take a long step.** Adam's first step is $\alpha$ for each weight. Here $\alpha$ is the root
#   mean square in a block: among 50 rows of 400 Gaussian gradients the longest step is $4.3\, \alpha$. An element
#   with a rare large gradient moves up to $\sqrt n\, \alpha$ in a block of $n$.
# - **`blocks` is read when a parameter has its first gradient.** A group that is changed later keeps its division.
# - **A checkpoint of AdamW** lacks `block_sq` and is refused.
# - **Sharded parameters** are refused: the rule needs whole tensors.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), with 584 numbers in $v$ in the place of 431 080. The search chose
# $\alpha = 0.003$, as for [Adam](adam.py) and [AdamW](adamw.py): their rate fits. At 0.001 the held-out loss is
# 10 % higher, at 0.0003 112 %. At 0.01 it is 88 % higher, where both of them learn nothing. The accuracies are
# 99.27, 99.36 and 99.41 %. AdamW's, 99.30 to 99.40 %, and Adam's, 99.39 to 99.44 %, overlap with them: three seeds
# do not tell them apart.
#
# The training loss does. Over the third epoch its mean is 0.016 to 0.018, Adam's 0.011. At the start they are
# closer, 0.35 to 0.44 over the steps 2 to 112 and 0.34 to 0.36. The first update of seed 0 is 1.868 long. If every
# block had a gradient it would be $0.003 \sqrt{431\,080} = 1.970$, so blocks with 10 % of the weights had none. Of
# Adam's single weights 13 % had none.
#
# [On CIFAR-10](../../experiments/cifar.py) three seeds do not tell them apart either. The search (one epoch, one
# seed) chose Adam's 0.003 with a held-out loss of 0.917, Adam's being 0.914; at 0.001 it is 7 % higher, at 0.01 32 %.
# The accuracies of three seeds are 78.7, 79.4 and 79.8 %, Adam's 79.4 to 80.1 %, AdamW's 79.3 to 80.3 %. The mean
# training loss is again a little higher, with each of the seeds: 1.60 to 1.68 over the steps 2 to 112 and 0.63 to
# 0.66 in the third epoch, Adam's 1.57 to 1.63 and 0.62 to 0.63.
#
# ## Exercises
#
# **1.** Show that the first step has the mean square $\alpha^2$ in every block, without decay and with
# $\varepsilon = 0$.
#
# ::: solution
# After one step the corrected $m$ is $g$ and the corrected $v_b$ the mean of $g^2$ in the block. The mean of
# $\alpha^2 g^2 / v_b$ over the block is $\alpha^2$.
#
# ```python
# import torch
# from labml_nn_optim import AdamMini
#
# torch.manual_seed(0)
# weight = torch.nn.Parameter(torch.zeros(6, 5, dtype=torch.float64))
# weight.grad = torch.randn_like(weight) * torch.logspace(-3, 3, 6).unsqueeze(1)
# AdamMini([weight], lr=0.1, eps=0.0, blocks=3).step()
# squares = weight.detach().view(3, -1).square().mean(dim=1)
# torch.testing.assert_close(squares, torch.full((3,), 0.01, dtype=torch.float64))
# ```
# :::
#
# **2.** Make the groups for a `torch.nn.TransformerEncoderLayer` as the paper wants them, with one number a head for
# queries and keys and one a row for values. They are in one matrix. What can you do?
#
# ::: solution
# A division has blocks of one size. With $3h$ blocks the values get a number a head. For a number a row of the values
# the matrix would have to be three parameters.
#
# ```python
# import torch
# from labml_nn_optim import AdamMini
#
# heads = 4
# layer = torch.nn.TransformerEncoderLayer(64, heads, 128)
# named = dict(layer.named_parameters())
# fused = named.pop("self_attn.in_proj_weight")
# biases = [named.pop(name) for name in list(named) if name.endswith("bias")]
# groups = [
#     {"params": [fused], "blocks": 3 * heads},
#     {"params": biases, "blocks": "element"},
#     {"params": list(named.values())},
# ]
# optimizer = AdamMini(groups, lr=1e-3)
# layer(torch.randn(2, 3, 64)).square().mean().backward()
# optimizer.step()
# sizes = [optimizer.state[param]["block_sq"].numel() for param in (fused, layer.linear1.weight)]
# assert sizes == [12, 128]
# ```
# :::
#
# **3.** Ten weights of a neuron have a Hessian that is diagonal with the entries 1, 2, ..., 10. Which $\kappa$ does
# Adam's number for each weight leave, and which a number for the block?
#
# ::: solution
# If $v$ stands for curvature, Adam divides each weight by its own: $\kappa = 1$. One number divides all by the mean
# 5.5, and $\kappa = 10$ stays.
# :::
