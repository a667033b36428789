r"""
---
title: Wrappers
summary: A wrapper does something around the step of any optimizer, and is itself an optimizer to schedulers, scalers and checkpoints.
chapter: "8.1"
needs: [base, named_state, param_groups/composite]
symbols:
  \theta: param
---

# A checkpoint that forgets

Some methods are no update rule. They do something around the step of another optimizer:

- [SAM](sam.py) takes the gradient at another place,
- [Lookahead](lookahead.py) calls the weights $\theta$ back every few steps,
- [EMA](ema.py) keeps an average of them.

Each is a few lines. What is hard is to stay an optimizer for everything else that holds one. Make 7 noisy steps with
$\alpha = 0.02$, save and load, make 20 more, and compare the weights with those of 27 steps in a row:

| | largest difference |
|---|---:|
| the authors' Lookahead around AdamW, whose checkpoint has no slow weights | 0.020 |
| davda54's SAM around SGD with momentum, whose checkpoint has no momentum | 0.96 |
| the wrappers here | 0 |

That Lookahead cannot be copied either (`'Lookahead' object has no attribute 'defaults'`), and takes no hooks. Nothing
of this shows in a run that is not interrupted.

## One set of groups

A wrapper here makes no groups and no state. `param_groups`, `state` and `defaults` *are* those of the optimizer
inside, the same objects, so nothing can be out of date:

```python
optimizer = EMA(Lookahead(AdamW(model.parameters(), lr=1e-3)))
scheduler = LinearLR(optimizer)           # writes into AdamW's groups
scaler.unscale_(optimizer)                # finds AdamW's gradients
saved = optimizer.state_dict()            # AdamW's, with an entry "Lookahead" and an entry "EMA"
AdamW(model.parameters()).load_state_dict(saved)
```

Anything that is a `torch.optim.Optimizer` may be inside: one of torch's, a
[CompositeOptimizer](../param_groups/composite.py), another wrapper. And a wrapper may be a part of a composite
optimizer, if it needs no closure.

**Checkpoints.** What a wrapper keeps for a parameter goes under the parameter's number, as in torch's `state`. It
moves with the parameter when a checkpoint has [other groups with the same names](../named_state.py). A checkpoint
from here loads into the bare optimizer. One of the bare optimizer loads here, and the wrapper starts anew.

## What meets what

| | SAM | Lookahead | EMA |
|---|---|---|---|
| accumulated gradients | all micro-batches in both passes | one step | one step |
| clipping of the norm | divided out before the ascent, as usual before the descent | as usual | as usual |
| `GradScaler` | with [the two halves](sam.py#SAM.ascend) | a skipped step is not counted | the same |
| a schedule of `lr` | for the descent; $\rho$ stays | for the fast weights | as usual |
| an EMA around it | never averages the weights up there | averages after the step back | refused |
| a schedule-free optimizer inside | goes | not to be combined | an average of an average |
| a closure | needed, called twice; a clip inside it acts on both passes | goes through | goes through |
| several processes | one norm over all | each its part | each its part |
| more memory | a copy within the step | a copy | a copy, at least float32 |

**Order.** SAM inside or outside of Lookahead or EMA gives the same numbers. With SAM outside, its two halves can be
called. EMA belongs outside of Lookahead: inside, it averages weights that Lookahead then calls back. So
`SAM(EMA(Lookahead(...)))`, or with a closure `EMA(Lookahead(SAM(...)))`.

**Several processes.** Under `DistributedDataParallel` and on [shards](../sharded.py) of `fully_shard`, two processes
with half of the batch each make the steps of one with all of it. A checkpoint of one process loads into both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer

from labml_nn_optim.named_state import is_regrouped, layers_of, match_by_name, params_of
from labml_nn_optim.sharded import place_like

__all__ = ["Wrapper"]


class Wrapper(Optimizer):
    """An optimizer around another one, whose groups and state it shares.

    - `optimizer`: any `torch.optim.Optimizer`, a wrapper of another kind included

    `param_groups`, `state` and `defaults` are those of the optimizer inside, the same objects. A subclass
    says what happens in [step](#Wrapper.step), and names in `kept` what it keeps: numbers, and
    dictionaries with a tensor for each parameter.

    Raises `TypeError` for what is no optimizer, and for one that is in such a wrapper already.
    """

    kept: tuple[str, ...] = ()

    def __init__(self, optimizer: Optimizer) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"optimizer must be a torch.optim.Optimizer, got {optimizer!r}")
        # A checkpoint has one entry for each kind.
        name = type(self).__name__
        if any(type(layer).__name__ == name for layer in layers_of(optimizer)):
            raise TypeError(f"optimizer must not be in a {name} already, got a {name}")
        self.optimizer: Optimizer = optimizer
        self._start_anew()
        # `Optimizer.__init__` would make groups. What else it sets up, it sets up for a copy, too.
        self.__setstate__({})

    def __getstate__(self) -> dict[str, Any]:
        # Hooks are not copied, nor is the step that a scheduler has put in place of the class's.
        return {
            name: value
            for name, value in vars(self).items()
            if name != "step" and not name.startswith("_")
        }

    # ## What is shared
    #
    # There is no second list that could be out of date when the optimizer inside gets a group or loads a
    # checkpoint of its own.
    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of the optimizer inside."""
        return self.optimizer.param_groups

    @param_groups.setter
    def param_groups(self, groups: list[dict[str, Any]]) -> None:
        self.optimizer.param_groups = groups

    @property
    def state(self) -> Any:
        """The state of the optimizer inside."""
        return self.optimizer.state

    @state.setter
    def state(self, state: Any) -> None:
        self.optimizer.state = state

    @property
    def defaults(self) -> dict[str, Any]:  # type: ignore[override]
        """The defaults of the optimizer inside."""
        return self.optimizer.defaults

    @property
    def needs_closure(self) -> bool:
        """Whether `step` can do nothing without a closure."""
        return getattr(self.optimizer, "needs_closure", False)

    def params(self) -> Iterator[Tensor]:
        """Yield all parameters, in the order of the groups."""
        for group in self.param_groups:
            yield from group["params"]

    def add_param_group(self, param_group: dict[str, Any], **arguments: Any) -> None:
        """Add parameters to the optimizer inside, which may take further arguments."""
        self.optimizer.add_param_group(param_group, **arguments)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop all gradients, in the way of the optimizer inside."""
        self.optimizer.zero_grad(set_to_none)

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make one step of the optimizer inside.

        A subclass calls `self.optimizer.step` and not this method: torch runs the hooks of an optimizer
        around every `step` that a class defines, and would run them twice.
        """
        return self.optimizer.step(closure)

    # ## Train and evaluate
    #
    # [Schedule-free optimizers](../schedule_free.py) have two modes. Those of all others have none.
    def train(self) -> None:
        """Let a schedule-free optimizer inside go into train mode; nothing happens without one."""
        self._switch("train")

    def eval(self) -> None:
        """Let a schedule-free optimizer inside go into eval mode; nothing happens without one."""
        self._switch("eval")

    def _switch(self, mode: str) -> None:
        switch = getattr(self.optimizer, mode, None)
        if switch is not None:
            switch()

    @contextmanager
    def _exchanged(self, values: Mapping[Tensor, Tensor]) -> Iterator[None]:
        """Put other values into the parameters, and bring back what was there at the end."""
        held = {param: param.detach().clone() for param in values}
        try:
            write(values)
            yield
        finally:
            write(held)

    # ## Checkpoints
    def state_dict(self) -> dict[str, Any]:
        """Return the checkpoint of the optimizer inside, with one more entry that has the wrapper's name."""
        for before in self._optimizer_state_dict_pre_hooks.values():
            before(self)
        state_dict = self.optimizer.state_dict() | {type(self).__name__: self._own_state()}
        for after in self._optimizer_state_dict_post_hooks.values():
            changed = after(self, state_dict)
            state_dict = state_dict if changed is None else changed
        return state_dict

    def _own_state(self) -> dict[str, Any]:
        # Parameters are numbered through all groups, as torch does it for `state`.
        places = {param: place for place, param in enumerate(self.params())}
        own = {}
        for name in self.kept:
            value = getattr(self, name)
            if isinstance(value, dict):
                value = {places[param]: tensor for param, tensor in value.items()}
            own[name] = value
        return own

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a checkpoint of this wrapper, or one of the optimizer inside, with which it starts anew.

        [By name](../named_state.py) if it has the names of the parameters in other groups. Raises
        `ValueError` for what does not fit; nothing is loaded then.
        """
        state_dict = dict(state_dict)
        for before in self._optimizer_load_state_dict_pre_hooks.values():
            changed = before(self, state_dict)
            state_dict = state_dict if changed is None else changed
        if is_regrouped(self, state_dict):
            state_dict = match_by_name(self, state_dict)
        own = state_dict.pop(type(self).__name__, None)
        params = dict(zip(params_of(state_dict["param_groups"]), self.params(), strict=False))
        if own is not None:
            self._check_own_state(own, params)
        self.optimizer.load_state_dict(state_dict)
        self._start_anew()
        if own is not None:
            self._take_own_state(own, params)
        for after in self._optimizer_load_state_dict_post_hooks.values():
            after(self)

    def _start_anew(self) -> None:
        """Set what `kept` names as it is before the first step."""

    def _check_own_state(self, own: Mapping[str, Any], params: Mapping[Any, Tensor]) -> None:
        name = type(self).__name__
        for entry in self.kept:
            if entry not in own:
                raise ValueError(f"state_dict must have {entry} in {name}, got {', '.join(own)}")
            for key, tensor in own[entry].items() if isinstance(own[entry], dict) else ():
                shape = tuple(params[key].shape) if key in params else None
                if tensor.shape != shape:
                    raise ValueError(
                        f"{entry} of parameter {key} in state_dict must have the shape {shape}, "
                        f"got {tuple(tensor.shape)}"
                    )

    def _take_own_state(self, own: Mapping[str, Any], params: Mapping[Any, Tensor]) -> None:
        # An average may be in float32 for weights in half precision, so the data type stays.
        for name in self.kept:
            value = own[name]
            if isinstance(value, dict):
                value = {
                    params[key]: place_like(tensor.to(params[key].device, copy=True), params[key])
                    for key, tensor in value.items()
                }
            setattr(self, name, value)


@torch.no_grad()
def write(values: Mapping[Tensor, Tensor]) -> None:
    """Copy values into parameters."""
    for param, value in values.items():
        param.copy_(value)


# ## A wrapper of your own
#
# It says three things: what it keeps (`kept`), how that starts (`_start_anew`), and `step`. Exercise 1 has one.
#
# ## Traps
#
# - **Call the wrapper's `step`**, not that of the optimizer inside, which you may still hold. It would make a
#   step that the wrapper does not see.
# - **Save the wrapper.** `optimizer.optimizer.state_dict()` is a good checkpoint of the optimizer inside, and has
#   no slow weights and no average. Nor has what torch's `get_optimizer_state_dict` returns: on shards, give
#   `optimizer.state_dict()` to `torch.distributed.checkpoint.save`. Its `load` fills what is there, so make a step
#   before it.
# - **What is set on the wrapper and what on the groups.** `lr` is in the groups. `rho`, `k`, `decay` and so on are
#   attributes of the wrapper. They are not in the checkpoint.
# - **A scheduler for the wrapper and one for what is inside** write into the same groups. Ours refuses two
#   schedulers on one optimizer, but these are two objects. Make one.
# - **Methods of an inner wrapper** are reached through `.optimizer`: `ema.optimizer.synchronize()`.
# - **Hooks are not copied**, by torch's rule.
#
# ## Exercises
#
# **1.** Write a wrapper that takes a step back to the last good weights when a loss is not finite.
#
# ::: solution
# ```python
# import math
#
# import torch
# from labml_nn_optim import SGD
# from labml_nn_optim.wrappers import Wrapper
#
#
# class Guard(Wrapper):
#     kept = ("good",)
#
#     def _start_anew(self):
#         self.good = {}
#
#     def step(self, closure=None):
#         with torch.enable_grad():
#             loss = closure()
#         if math.isfinite(loss):
#             self.good = {param: param.detach().clone() for param in self.params()}
#             self.optimizer.step()
#         else:
#             with torch.no_grad():
#                 for param, value in self.good.items():
#                     param.copy_(value)
#         return loss
#
#
# theta = torch.nn.Parameter(torch.ones(1))
# optimizer = Guard(SGD([theta], lr=1.0))
#
#
# def closure(gradient):
#     theta.grad = torch.tensor([gradient])
#     return gradient
#
#
# optimizer.step(lambda: closure(1.0))
# assert theta.item() == 0
# optimizer.step(lambda: closure(math.inf))
# assert theta.item() == 1
# assert optimizer.state_dict()["Guard"]["good"][0] == 1
# ```
# :::
#
# **2.** Why does `Lookahead.step` call `self.optimizer.step` and not `super().step`?
#
# ::: solution
# torch puts its hooks around the `step` of each class of which an object is made. `super().step` is such a function
# as soon as somebody has made a plain `Wrapper`. The hooks of the Lookahead would then run twice, and a
# scheduler that counts steps by a hook would count two.
# :::
