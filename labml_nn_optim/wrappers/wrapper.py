r"""
---
title: Wrappers
summary: A wrapper does something around the step of any optimizer, and is itself an optimizer to schedulers, scalers and checkpoints.
chapter: "8.1"
needs: [base]
---

# Around the step
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

from torch import Tensor
from torch.optim.optimizer import Optimizer

__all__ = ["Wrapper"]


class Wrapper(Optimizer):
    """An optimizer around another one, whose groups and state it shares.

    - `optimizer`: any `torch.optim.Optimizer`, a wrapper included

    `param_groups`, `state` and `defaults` are those of the optimizer inside, the same objects. A subclass
    says what happens in [step](#Wrapper.step), and names what it keeps in `kept`: numbers, and
    dictionaries with a tensor for each parameter. That is saved beside the rest, so that a checkpoint of
    the optimizer inside loads here, and one from here loads there.

    Raises `TypeError` for what is no optimizer.
    """

    kept: tuple[str, ...] = ()

    def __init__(self, optimizer: Optimizer) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"optimizer must be a torch.optim.Optimizer, got {optimizer!r}")
        inside: Optimizer = optimizer
        while isinstance(inside, Wrapper):
            if type(inside) is type(self):
                name = type(self).__name__
                raise TypeError(f"optimizer must not be in a {name} already, got a {name}")
            inside = inside.optimizer
        self.optimizer: Optimizer = optimizer
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
    @property
    def param_groups(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The groups of the optimizer inside."""
        return self.optimizer.param_groups

    @property
    def state(self) -> MutableMapping[Any, Any]:  # type: ignore[override]
        """The state of the optimizer inside."""
        return self.optimizer.state

    @property
    def defaults(self) -> dict[str, Any]:  # type: ignore[override]
        """The defaults of the optimizer inside."""
        return self.optimizer.defaults

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
        """Make one step of the optimizer inside."""
        return self.optimizer.step(closure)

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
        places = {param: place for place, param in enumerate(self.params())}
        own = {}
        for name in self.kept:
            value = getattr(self, name)
            if isinstance(value, dict):
                value = {places[param]: tensor for param, tensor in value.items()}
            own[name] = value
        return own

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a checkpoint of this wrapper, or one of the optimizer inside, with which it starts anew."""
        state_dict = dict(state_dict)
        for before in self._optimizer_load_state_dict_pre_hooks.values():
            changed = before(self, state_dict)
            state_dict = state_dict if changed is None else changed
        own = state_dict.pop(type(self).__name__, None)
        self.optimizer.load_state_dict(state_dict)
        self._take_own_state(self._fresh() if own is None else own)
        for after in self._optimizer_load_state_dict_post_hooks.values():
            after(self)

    def _fresh(self) -> dict[str, Any]:
        """Return what `kept` names as it is before the first step."""
        return {}

    def _take_own_state(self, own: Mapping[str, Any]) -> None:
        params = list(self.params())
        for name, value in own.items():
            if isinstance(value, dict):
                value = {
                    params[place]: tensor.to(params[place].device, copy=True)
                    for place, tensor in value.items()
                }
            setattr(self, name, value)
