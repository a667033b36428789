r"""
---
title: Weight decay
summary: Weight decay pulls every weight towards zero, as a term of the gradient or as a step of its own; under Adam these are two different things.
paper:
  title: Decoupled Weight Decay Regularization
  authors: Ilya Loshchilov, Frank Hutter
  year: 2019
  arxiv: "1711.05101"
  venue: ICLR
chapter: "10.1"
needs: [base]
symbols:
  \lambda: weight_decay
  \theta: param
  g: grad
---

# Two kinds of decay under Adam

Two weights start at 1. Their gradients are Gaussian noise, of size 10 for the first and 0.1 for the
second. [Adam](optimizers/adam.py) with $\alpha = 0.001$ makes 2000 steps with a decay of $\lambda = 0.5$.
Means over 50 runs, each $\pm 0.01$ or less:

| decay | first weight | second weight |
|---|---:|---:|
| none | 1.00 | 1.00 |
| decoupled | 0.37 | 0.37 |
| in the gradient | 0.90 | 0.03 |

Decoupled, both weights shrink alike: $(1 - \alpha\lambda)^{2000} = 0.368$.
In the gradient, the weight with the large gradients is hardly touched, and the other one is wiped out.

Why decay at all? A weight that the loss does not hold in place wanders off or stays large; decay gives it
a reason to be small, and bounds the size of the others. It often improves the accuracy on new data. For a
network that underfits it is in the way.

## Where the difference comes from

*Coupled* decay, or $L_2$ regularization, adds $\frac{\lambda}{2} \lVert\theta\rVert^2$ to the loss, so
its gradient joins the other one:

$$g \leftarrow g + \lambda\, \theta$$

*Decoupled* decay leaves the gradient alone and is a step of its own:

$$\theta \leftarrow (1 - \alpha\lambda)\, \theta$$

Under plain gradient descent both are the same:
$\theta - \alpha (g + \lambda\theta) = (1 - \alpha\lambda)\, \theta - \alpha g$.
Adam divides what is in the gradient by $\sqrt{v}$, the root of its mean square. With gradients of size
10 the decay is divided by about 10. With gradients of size 0.1 it is divided by about 0.5 at first, which
is mostly the decay itself, and by less and less as the weight shrinks.
The weights with the smallest gradients are decayed most.

*Absolute* decay is decoupled and does not multiply by the learning rate:

$$\theta \leftarrow (1 - \lambda)\, \theta$$

Loshchilov and Hutter wrote it so, with one schedule factor for both $\alpha$ and $\lambda$. torch
multiplies by $\alpha$. To go from one convention to the other, set
$\lambda_{\text{absolute}} = \alpha\lambda$: at $\alpha = 0.001$ the two numbers are a thousand times
apart.

## A kind for each group

Four more kinds have chapters of their own. [Cautious decay](decays/cautious.py) spares the weights that
move away from zero, [decay to the start](decays/start.py) pulls to where training began,
[L1](decays/l1.py) takes the same from large and small weights, and [proximal decay](decays/proximal.py) divides
after the update. Each may stand where a number may, when an optimizer or a group is made:

```python
optimizer = AdamW(
    [
        {"params": pretrained, "weight_decay": WeightDecayToStart(10.0)},
        {"params": head},
        {"params": biases, "weight_decay": 0.0},
    ],
    lr=1e-4,
    weight_decay=0.05,
)
```

A number changes $\lambda$ and keeps the kind; an object brings both. The group stores the fields of its
decay and the name of its class, as numbers, flags and text. So a checkpoint holds them, and a number that
you write into a group counts from the next step on. Another kind wants a new optimizer.

## The schedule is in it already

Decoupled decay multiplies by the $\alpha_t$ of the step. When the rate falls, so does the decay. A weight of 1
whose gradient is 0 makes 2000 steps, with $\alpha = 0.001$ and $\lambda = 0.5$ at the start:

| schedule | ends at |
|---|---:|
| none | 0.368 |
| cosine to 0 for $\alpha$ | 0.606 |
| cosine to 0 for $\alpha$ and for $\lambda$ | 0.687 |
| cosine to 0 for $\alpha$, absolute decay of 0.0005 | 0.368 |

The mean of $\alpha_t$ along a cosine is half its start, and that of its square three eighths:
$e^{-1/2} = 0.607$ and $e^{-3/8} = 0.687$.
$\lambda$ is the entry `weight_decay` of the group, and a [Scheduler](schedulers/scheduler.py) with
`key="weight_decay"` writes it. Whether that helps beyond the product is not settled;
[AdamW](optimizers/adamw.py) tells of a case for it.

## A kind of your own

A subclass of [WeightDecay](#WeightDecay) says what is to be pulled where, once for the gradient and once for a
step of its own. No optimizer has to know of it: each calls `self.weight_decay(param, grad, group)`.

| to say | write |
|---|---|
| the gradient of the penalty, for coupled decay | [gradient](#WeightDecay.gradient) |
| the step by $\alpha\lambda$ or $\lambda$, for decoupled decay | [shrink](#WeightDecay.shrink) |
| a number or flag of its own | a field of the dataclass |
| a tensor for each parameter | `state_names` and [init_state](#WeightDecay.init_state) |
| what comes after the update | `after_step = True`, perhaps `needs_before`, and [finish](#WeightDecay.finish) |

A field `x` becomes the entry `weight_decay_x` of the group: groups may differ in it, a schedule may write it.
What `state_names` lists is saved with the optimizer, and is in `group` when the two methods are called.
Like a rule, they see a tensor, a piece or a list, and use tensor methods only. Exercise 3 writes one.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from torch import Tensor

from labml_nn_optim.checks import is_zero, require_flag, require_number

__all__ = ["DecayInRule", "Reader", "WeightDecay", "find_kind", "reader"]

# What a field is called in a parameter group. `decoupled_weight_decay` is torch's name: a checkpoint of
# `torch.optim.AdamW` says what it means.
ENTRIES = {
    "weight_decay": "weight_decay",
    "weight_decouple": "decoupled_weight_decay",
    "absolute": "absolute_weight_decay",
}


def entry_of(field: str) -> str:
    return ENTRIES.get(field, f"weight_decay_{field}")


@dataclass(frozen=True)
class WeightDecay:
    r"""A kind of weight decay, given to an optimizer or to a group as `weight_decay`.

    - `weight_decay`: $\lambda$, at least 0
    - `weight_decouple`: a step of its own (`True`) or a term of the gradient
    - `absolute`: $\lambda$ alone (`True`) or $\alpha \lambda$; for decoupled decay only

    Raises `TypeError` or `ValueError` for a field of the wrong kind or out of range, and for an absolute
    decay in the gradient. An optimizer's `weight_decay=0.1` means `WeightDecay(0.1)`; a number given to
    one group changes $\lambda$ there and keeps the kind.

    A subclass is a kind of its own. It may set

    - `state_names`: what it stores for a parameter, by name;
    - `after_step`: whether its decoupled form acts after the update and not before;
    - `needs_before`: whether it then looks at the parameter from before the update.
    """

    weight_decay: float = 0.0
    weight_decouple: bool = True
    absolute: bool = False

    state_names: ClassVar[tuple[str, ...]] = ()
    after_step: ClassVar[bool] = False
    needs_before: ClassVar[bool] = False

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        KINDS[cls.__name__] = cls

    def __post_init__(self) -> None:
        require_number("weight_decay", self.weight_decay)
        require_flag("weight_decouple", self.weight_decouple)
        require_flag("absolute", self.absolute)
        if self.absolute and not self.weight_decouple:
            raise ValueError("absolute must be False when weight_decouple is False, got True")

    def defaults(self) -> dict[str, Any]:
        """Return what a parameter group stores, so that groups may differ.

        That is every field, and the name of the class. A field `x` of a subclass is the entry
        `weight_decay_x`; numbers, flags and text can be saved.
        """
        fields = {
            entry_of(field.name): getattr(self, field.name) for field in dataclasses.fields(self)
        }
        return fields | {"weight_decay_kind": type(self).__name__}

    # ## What a kind says
    def gradient(self, param: Any, group: Mapping[str, Any]) -> Any:
        r"""Return the gradient of the penalty for $\lambda = 1$: $\theta$, that of $\theta^2 / 2$."""
        return param

    def shrink(self, param: Any, amount: Any, group: Mapping[str, Any]) -> None:
        r"""Decay `param` in place by `amount`, which is $\alpha\lambda$ or, if absolute, $\lambda$."""
        param.mul_(1 - amount)

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        """Put what `state_names` lists into `state`, each entry with the shape of `param`.

        Called once for a parameter, when it has its first gradient. `param` is as in
        [init_state](base.py#GenericAdaptiveOptimizer.init_state) of an optimizer.
        """

    def finish(self, before: Any, param: Any, group: Mapping[str, Any]) -> None:
        """Decay `param` in place after its update; `before` is what it was, or `None`.

        Called for a class with `after_step` if the decay is decoupled and not 0.
        """
        self.shrink(param, self.amount(group), group)

    # ## How it is run
    def amount(self, group: Mapping[str, Any]) -> Any:
        r"""Return $\alpha\lambda$ or, for an absolute decay, $\lambda$."""
        absolute = group.get("absolute_weight_decay", self.absolute)
        weight_decay = group["weight_decay"]
        return weight_decay if absolute else group["lr"] * weight_decay

    def __call__(self, param: Any, grad: Any, group: Mapping[str, Any]) -> Any:
        r"""Decay `param` in place, or return a gradient that does; `grad` itself is not changed.

        `param` and `grad` are tensors of one shape, or a
        [TensorList](pieces.py#TensorList) each. `group` holds
        [defaults](#WeightDecay.defaults), what `state_names` lists, and `lr`, the learning rate that
        this very step has: an optimizer with a schedule inside puts the scheduled one there.
        """
        # No decay costs no pass over the parameters.
        if is_zero(group["weight_decay"]):
            return grad
        # Coupled: $g + \lambda \theta$
        if not group.get("decoupled_weight_decay", self.weight_decouple):
            return self.gradient(param, group).mul(group["weight_decay"]).add_(grad)
        # Decoupled: $(1 - \lambda)\, \theta$ or $(1 - \alpha\lambda)\, \theta$
        self.shrink(param, self.amount(group), group)
        return grad


KINDS: dict[str, type[WeightDecay]] = {WeightDecay.__name__: WeightDecay}


def find_kind(name: Any) -> type[WeightDecay]:
    """Return the class of that name; raises `ValueError` if none is defined.

    Those of this course are imported if need be.
    """
    if name not in KINDS:
        for path in sorted((Path(__file__).parent / "decays").glob("[a-z]*.py")):
            importlib.import_module(f"labml_nn_optim.decays.{path.stem}")
    if name not in KINDS:
        known = ", ".join(sorted(KINDS))
        raise ValueError(f"weight_decay_kind must be a known class ({known}), got {name!r}")
    return KINDS[name]


Reader: TypeAlias = Callable[[Mapping[str, Any]], WeightDecay]
READERS: dict[type[WeightDecay], Reader] = {}


def reader(kind: type[WeightDecay]) -> Reader:
    """Return the function that makes the decay of the class `kind` which a group describes.

    It does not check the fields. A compiled kernel may call it; the decay's numbers are tensors then.
    """
    if kind not in READERS:
        READERS[kind] = make_reader(kind)
    return READERS[kind]


def make_reader(kind: type[WeightDecay]) -> Reader:
    fields = [(each.name, entry_of(each.name), each.default) for each in dataclasses.fields(kind)]

    def read(group: Mapping[str, Any]) -> WeightDecay:
        decay = object.__new__(kind)
        for name, entry, default in fields:
            object.__setattr__(decay, name, group.get(entry, default))
        return decay

    return read


class DecayInRule:
    """What a rule calls as `self.weight_decay`: the decay of its group, and when it acts.

    A decay that acts after the update only takes note here. It takes note of the tensor and the
    learning rate, too, for these are the rule's choice: a rule may move a copy of the parameter, or
    shorten its step.
    """

    def __init__(self, decay: WeightDecay) -> None:
        self.decay = decay
        self.own: dict[str, Any] = {}
        self.noted: tuple[Any, Any, Mapping[str, Any]] | None = None

    def begin(self, state: Mapping[str, Any]) -> None:
        """Start a run of the rule on tensors that have this `state`."""
        if self.decay.state_names:
            self.own = {name: state[name] for name in self.decay.state_names}
        self.noted = None

    def __call__(self, param: Any, grad: Any, group: Mapping[str, Any]) -> Any:
        """Decay now, or take note of the parameter and return `grad`."""
        decay = self.decay
        if self.own:
            group = {**group, **self.own}
        if not (decay.after_step and decay.weight_decouple):
            return decay(param, grad, group)
        if not is_zero(group["weight_decay"]):
            before = param.clone() if decay.needs_before else None
            self.noted = before, param, group
        return grad

    def gradient(self, param: Any, group: Mapping[str, Any]) -> Any:
        r"""Return the gradient of the penalty for $\lambda = 1$."""
        return self.decay.gradient(param, {**group, **self.own})

    def finish(self, param: Any) -> None:
        """Decay after the rule has run, if that was noted; `param` follows a copy that the rule moved."""
        if self.noted is None:
            return
        before, moved, group = self.noted
        self.decay.finish(before, moved, group)
        if moved is not param:
            param.copy_(moved)


# ## What to decay, and how much
#
# - Weights of linear and convolutional layers: yes. Biases and the scales of normalization layers: no;
#   they are few, and a scale pulled to zero switches its layer off. Give them a group with
#   `weight_decay=0`.
# - $\lambda = 0.01$ is torch's default for AdamW, 0.1 is common for language models, 0.05 for vision
#   transformers, all to be multiplied by $\alpha$.
# - What counts is the product: a weight whose gradient is 0 forgets its past over $1 / (\alpha\lambda)$
#   steps. For $\alpha = 3 \cdot 10^{-4}$ and $\lambda = 0.1$ that is 33 000 steps. In a run of 1000 steps
#   such a decay takes 3 %.
#
# ## Traps
#
# - **The name of the optimizer says little.** `torch.optim.Adam(weight_decay=...)` is coupled, `AdamW`
#   decoupled. Here a number is decoupled for every optimizer but those of [Trust ratios](trust.py); say
#   `WeightDecay(0.01, weight_decouple=False)` for decay in the gradient.
# - **The order.** Decoupled decay comes before the step, as in torch, but for kinds with `after_step`. A
#   parameter whose `grad` is `None` is not decayed.
# - **$\alpha = 0$.** A schedule that takes $\alpha$ to 0 takes decoupled decay to 0 as well, but not absolute
#   decay: that one goes on pulling when the optimizer has stopped.
# - **Nothing keeps $\lambda$ under 1.** An absolute decay of 2 turns 1 into $-1$.
# - **A checkpoint holds the name of a class.** A kind of your own must be defined before you load it. A
#   checkpoint of `torch.optim` names none: each group keeps the kind that it has.
# - **Two kinds at once** are one class of yours. An optimizer has one for each group.
#
# ## What the experiment shows
#
# [The MNIST network](../experiments/decay.py) learns 1000 images by heart: Adam, 400 steps, $\alpha = 0.001$ falling to 0, $\lambda$ chosen on other images, medians of
# three seeds. Without decay its test loss is 0.180. In the gradient, at $\lambda = 0.01$, it is 0.160; decoupled, at $\lambda = 3$, it is 0.156. Both beat no
# decay with every seed. Between them nothing is decided: two seeds are for decoupled decay, one is for the other.
#
# The weights do differ. The hidden layer has the smallest gradients, a tenth of those of the first convolution. Decay in the gradient leaves it 34 % of its norm, and the
# convolution 90 %. Decoupled decay leaves 62 to 71 % of every layer.
#
# It also shows what the product does not tell. From $\alpha = 0.001$ to 0.003 the chosen $\lambda$ stays the same for both kinds, though
# $\alpha\lambda$ is three times as large. At 0.0003 the network no longer fits everything, and neither kind helps.
#
# With wrong labels on 200 of the 1000 images there is more to gain: the errors fall from 12.0 % to 7.4 % in the gradient and to 7.8 % decoupled.
#
# ## Exercises
#
# **1.** Under SGD with momentum 0.9, are coupled and decoupled decay still the same?
#
# ::: solution
# No. Coupled decay enters the velocity and acts ten times in the long run, since each gradient does:
# it shrinks a weight like decoupled decay with $10\, \lambda$, delayed by about ten steps. The gradient
# of the loss is amplified by ten just as well, so the balance between the two is the same.
# :::
#
# **2.** After how many steps has decoupled decay halved a weight whose gradient is zero, for
# $\alpha = 0.001$ and $\lambda = 0.5$?
#
# ::: solution
# $n = \ln 2 / (\alpha\lambda) \approx 1386$.
#
# ```python
# import torch
# from labml_nn_optim import Adam
#
# theta = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
# optimizer = Adam([theta], lr=0.001, weight_decay=0.5)
# steps = 0
# while theta.item() > 0.5:
#     theta.grad = torch.zeros_like(theta)
#     optimizer.step()
#     steps += 1
# assert steps == 1386
# ```
# :::
#
# **3.** The scale of a normalization layer does nothing at 1, not at 0. Write a decay to 1, and give it to
# the scales of a model.
#
# ::: solution
# ```python
# import torch
# from labml_nn_optim import AdamW, WeightDecay
#
#
# class DecayToOne(WeightDecay):
#     def gradient(self, param, group):
#         return param.sub(1)
#
#     def shrink(self, param, amount, group):
#         param.mul_(1 - amount).add_(amount)
#
#
# model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.LayerNorm(3))
# scale = model[1].weight
# torch.nn.init.constant_(scale, 3.0)
# groups = [
#     {"params": [scale], "weight_decay": DecayToOne(0.1)},
#     {"params": [model[0].weight], "weight_decay": 0.1},
#     {"params": [model[0].bias, model[1].bias], "weight_decay": 0.0},
# ]
# optimizer = AdamW(groups, lr=0.5)
# for param in model.parameters():
#     param.grad = torch.zeros_like(param)
# optimizer.step()
# torch.testing.assert_close(scale.detach(), torch.full((3,), 3 - 0.05 * 2))
# ```
# :::
