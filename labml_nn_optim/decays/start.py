r"""
---
title: Decay to the start
summary: In fine-tuning, weight decay can pull every weight to where the training began and not to zero, so that what the new data say nothing about stays as it was learned.
paper:
  title: Explicit Inductive Bias for Transfer Learning with Convolutional Networks
  authors: Xuhong Li, Yves Grandvalet, Franck Davoine
  year: 2018
  arxiv: "1802.01483"
  venue: ICML
chapter: "10.3"
needs: [weight_decay]
symbols:
  \theta: param
  \theta_0: initial_param
  \lambda: weight_decay
---

# Decay makes a trained network forget

A linear model with 20 weights has learned one task, and is to learn another. The right weights have changed by
a third of their size: the old ones are standard normal, the new ones differ from them by normal numbers of size
0.3. There are 15 examples, with noise of size 0.5. [SGD](../optimizers/sgd.py) starts from the old weights and
makes 6000 steps with $\alpha = 0.1$. The squared distance to the right weights, mean of 400 such problems:

| $\lambda$ | 0 | 0.01 | 0.1 | 0.3 | 1 | 3 |
|---|---:|---:|---:|---:|---:|---:|
| decay to zero | 1.35 | 6.30 | 6.89 | 8.30 | 11.27 | 15.00 |
| decay to the start | 1.35 | 1.14 | 0.84 | 0.84 | 1.01 | 1.28 |

The old weights themselves, untouched, have 1.86; zeros have 22.0.

The smallest decay to zero does the damage. 15 examples fix 15 directions of the 20. In the other five
nothing holds the weights but that they were there, and decay takes them away: the old task is forgotten
where the new one has nothing to say.

[Plain decay](../weight_decay.py) says that a weight is probably near 0. That is a fair guess for a network
that was drawn at random. For one that was trained there is a better one.

## The rule

Let $\theta_0$ be the weights at the start of this training. Coupled, the penalty is
$\frac{\lambda}{2} \lVert \theta - \theta_0 \rVert^2$ and joins the gradient; decoupled, each weight goes a part
of its way back:

$$
g \leftarrow g + \lambda\, (\theta - \theta_0)
\qquad \text{or} \qquad
\theta \leftarrow \theta - \alpha\lambda\, (\theta - \theta_0)
$$

With $\theta_0 = 0$ it is plain decay. Li et al. call the penalty $L^2$-SP, for starting point.

## Which directions learn

Take a direction in which the loss has the curvature $h$ and its minimum at $\theta^*$. Gradient and decay
balance where $h\, (\theta - \theta^*) + \lambda\, (\theta - \theta_0) = 0$:

$$
\theta = \frac{h\, \theta^* + \lambda\, \theta_0}{h + \lambda}
$$

Directions that the data know well, $h \gg \lambda$, go to the minimum. Those they know nothing about stay at the
start. Between the two, $\lambda$ is the curvature at which old and new count alike.

**Stopping early does nearly the same.** Without decay, after $t$ steps of gradient descent, the distance to the
minimum has shrunk by the factor $(1 - \alpha h)^t$: directions with $h$ far above $1 / (\alpha t)$ have
arrived, those with $h$ far below have not moved. So $1 / (\alpha t)$ is the $\lambda$ of a run that is stopped
after $t$ steps. In the example the best moment is step 32 of the run without decay, where the distance is 0.84
as well, and $1 / (0.1 \cdot 32) = 0.31$.
The penalty has one advantage: it does not depend on the length of the run. And it can differ from group to group.

## The recipe

The new head of a network has no start that would be worth keeping. So the body goes to its start, and the
head to zero:

```python
optimizer = AdamW(
    [
        {"params": body, "weight_decay": WeightDecayToStart(10.0)},
        {"params": head, "weight_decay": 0.05},
    ],
    lr=1e-4,
)
```

That is the recommendation of the paper, there with SGD and both penalties coupled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["WeightDecayToStart"]


class WeightDecayToStart(WeightDecay):
    r"""Decay towards $\theta_0$, what the parameter was when it had its first gradient.

    Fields and errors are those of [WeightDecay](../weight_decay.py#WeightDecay).

    State: one tensor of the parameter's shape, `initial_param`.
    Li et al. (2018), $L^2$-SP.
    """

    state_names = ("initial_param",)

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        r"""Keep $\theta_0$."""
        state["initial_param"] = param.clone()

    def gradient(self, param: Any, group: Mapping[str, Any]) -> Any:
        r"""Return $\theta - \theta_0$."""
        return param.sub(group["initial_param"])

    def shrink(self, param: Any, amount: Any, group: Mapping[str, Any]) -> None:
        r"""Go the part `amount` of the way from $\theta$ to $\theta_0$."""
        param.lerp_(group["initial_param"], amount)


# ## Choosing, and when not to
#
# - $\lambda$: by trial, over powers of ten. In $T$ steps a weight whose gradient is 0 goes the part
#   $1 - e^{-\alpha\lambda T}$ of its way back: with $\alpha\lambda T$ far below 1 nothing happens.
# - With Adam $\lambda$ is no curvature. An update is at most about $\alpha$ long, so no weight gets farther than
#   $1 / \lambda$ from its start, as with [AdamW](../optimizers/adamw.py) from zero. Weights that would move by 0.1
#   need a $\lambda$ of 10 to notice it, far more than is usual for decay to zero.
# - Give it to what was trained before, norms' scales and biases included, if they were. Leave it off for what is new.
#
# With many data there is nothing to gain: 200 examples in place of 15 give 0.028 without decay and 0.042 with
# $\lambda = 0.1$. Nor if the new task is far from the old one, for then the start is a wrong guess. And try
# stopping early first: it costs nothing.
#
# Li et al. find it better than plain decay throughout on their image tasks, the more so the fewer the
# data. Weighting each weight by its Fisher information, as in elastic weight consolidation, gave them little
# more. In a later study of BERT on small data sets the effect of this and other tricks of
# fine-tuning shrinks much once the runs are longer and Adam is corrected for its start (Zhang et al., 2021,
# arXiv 2006.05987). Nobody knows a distance between weights that is one between functions: in a layer before a
# normalization half of $\theta_0$ does what $\theta_0$ does, and is far away from it.
#
# ## Traps
#
# - **The start is the first gradient.** $\theta_0$ is what a parameter is when it has its first gradient in
#   this optimizer. Load the trained weights before the first step. A layer that is unfrozen later starts
#   from where it is then.
# - **Weights that are loaded later** do not move $\theta_0$. For a second phase of training make a new optimizer.
# - **It belongs in the checkpoint.** A resumed run takes $\theta_0$ from the state. A checkpoint of `torch.optim` does not hold
#   it and is refused, for the weights in it are no start. So is one of this course that is matched into other groups.
# - **A checkpoint brings its kind along.** One that was written with plain decay, loaded into the same groups, makes them decay as it did. Look at
#   `weight_decay_kind` after loading.
# - **Memory.** One more tensor for each parameter, also while $\lambda$ is 0; in half precision it is float32.
# - **A number keeps the kind.** In an optimizer that is made with `WeightDecayToStart(0.1)`, a group with
#   `"weight_decay": 0.05` goes to its start, too. For plain decay there write `WeightDecay(0.05)`.
#
# ## What the experiment shows
#
# [The network of MNIST](../../experiments/finetune.py) learns other digits from fifty images. At the best rate without decay, $\alpha = 0.001$, decay to the start hardly
# counts: for $\lambda$ from 1 to 30 the gain, seed by seed, has a median of at most 0.2 points. At 0.01, too large without decay, it repairs: 79.9 % without, 83.7, 84.0, 86.0 and 87.8 % for
# $\lambda = 1$, 3, 10 and 30. Decay to zero, in the same places: 80.3, 82.3, 79.7 and 72.8 %.
#
# The 87.8 % are the highest number of that page, 1.3 points above one rate at its best, with eight seeds of ten. But $\alpha\lambda = 0.3$
# takes back three tenths of the way in each of the first steps: the layers below the head hardly move. It keeps what they knew: 69.5 % of MNIST is still read, and 24.1 %
# after decay to zero.
#
# ## Exercises
#
# **1.** Check the formula of the place of rest with two weights of the curvatures 1 and 0.01.
#
# ::: solution
# ```python
# import torch
# from labml_nn_optim import SGD, WeightDecayToStart
#
# curvature = torch.tensor([1.0, 0.01], dtype=torch.float64)
# start, minimum, strength = 2.0, 5.0, 0.1
# theta = torch.nn.Parameter(torch.full((2,), start, dtype=torch.float64))
# optimizer = SGD([theta], lr=0.5, momentum=0.0, weight_decay=WeightDecayToStart(strength))
# for _ in range(1000):
#     theta.grad = curvature * (theta.detach() - minimum)
#     optimizer.step()
# expected = (curvature * minimum + strength * start) / (curvature + strength)
# torch.testing.assert_close(theta.detach(), expected)
# assert theta[0] > 4.7 and theta[1] < 2.3
# ```
# :::
#
# **2.** Under which $\lambda$ does a weight with the curvature $h = 0.05$ end where 100 steps without decay bring
# it, with $\alpha = 0.1$? Compare with $1 / (\alpha t)$.
#
# ::: solution
# After $t$ steps the part $r = (1 - \alpha h)^t$ of the way is left; decay leaves $\lambda / (h + \lambda)$. They are
# equal for $\lambda = h r / (1 - r)$.
#
# ```python
# r = (1 - 0.1 * 0.05) ** 100
# strength = 0.05 * r / (1 - r)
# assert abs(strength - 0.0769) < 1e-4
# assert 0.5 < strength * (0.1 * 100) < 1
# ```
# That is 0.077, and $1 / (\alpha t) = 0.1$. For smaller $h$ the two agree better, for larger ones less: stopping
# early lets well known directions arrive completely.
# :::
#
# **3.** Why is a checkpoint without $\theta_0$ refused, and not continued from the weights that are there?
#
# ::: solution
# The weights in a checkpoint are those of the middle of the run. Decay would from then on hold them there,
# without a word, and a resumed run would end elsewhere than one that was never stopped.
# :::
