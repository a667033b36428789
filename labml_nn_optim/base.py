r"""
---
title: The optimizer object
summary: The base class keeps groups, state and checkpoints, so that an optimizer is one update rule and nothing else.
chapter: "0.1"
symbols:
  \theta: param
  g: grad
  t: step
---

# What is left when the rule is taken away

Adam is five lines of mathematics. torch's file on it has 990 lines: which parameters have a gradient, what
is stored for each of them, what a checkpoint holds, how to be fast. Little of that depends on the rule.

So it stands here, once. An optimizer of this course says three things:

- [init_state](#GenericAdaptiveOptimizer.init_state): what it stores for a parameter,
- [scalars](#GenericAdaptiveOptimizer.scalars): what depends on the step $t$ alone,
- [step_param](#GenericAdaptiveOptimizer.step_param): the update of one parameter $\theta$ by its gradient $g$.

```python
class Sign(GenericAdaptiveOptimizer):
    beta_count = 0
    has_eps = False

    def step_param(self, state, group, grad, param):
        param.add_(grad.sign().mul(-group["lr"]))
```

is a complete optimizer. It runs over packed and chunked tensors, compiles, checks its learning rate when a
group is made, and saves. Weight decay it would get from a first line
`grad = self.weight_decay(param, grad, group)`; without that line, decay is accepted and does nothing.

## One rule, three ways to run it

The rule is written with the methods of a tensor. What it is handed is not always a parameter:

- tensor by tensor (`per_tensor=True`), for reading and debugging;
- in pieces, the default: on a CPU large tensors are cut so that a piece stays in the cache, and small ones
  are laid side by side; on a GPU all go as lists ([The plan of a step](plan.py), [Pieces](pieces.py));
- compiled (`compile=True`), the whole rule as one kernel ([Compiled rules](compiled.py)).

All three give the same parameters, up to rounding. The time of a step of Adam over the 62 tensors of
ResNet-18, on two CPU threads and divided by that of torch's loop over tensors:

| `per_tensor=True` | default | `flat=True` | `compile=True` | torch's foreach | torch's fused |
|---:|---:|---:|---:|---:|---:|
| 0.85 | 0.73 | 0.61 | 0.29 | 1.81 | 0.27 |

[Measuring speed](../experiments/speed.py) says how that was measured, and what it is for other models
and rules.

A parameter may be spread over several processes, as FSDP2's `fully_shard` does it. Each process then runs the rule on
its part, in any of the three ways. A rule that needs whole tensors refuses such parameters, and so does `flat=True`:
[Sharded parameters](sharded.py) says why, and how the state is saved.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, chain
from typing import Any, ClassVar, TypedDict, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer, ParamsT

from labml_nn_optim.caution import Caution
from labml_nn_optim.checks import (
    is_zero,
    require_choice,
    require_flag,
    require_fractions,
    require_number,
)
from labml_nn_optim.compiled import apply_rule, run_compiled
from labml_nn_optim.named_state import matching_names
from labml_nn_optim.pieces import FlatBuffers, Member, Piece, working_dtype
from labml_nn_optim.plan import CHUNK, Cohort, Layout, Plan, split_by_kind
from labml_nn_optim.rounding import COMPENSATION, ROUNDINGS, Rounding, is_half
from labml_nn_optim.sharded import (
    align_gradients,
    local,
    place_like,
    place_of_part,
    place_state,
    require_runnable,
)
from labml_nn_optim.weight_decay import DecayInRule, WeightDecay, find_kind, reader

__all__ = ["GenericAdaptiveOptimizer", "RunOptions"]


class RunOptions(TypedDict, total=False):
    """How a rule is run. All are off unless given.

    - `maximize`: climb instead of descend
    - `per_tensor`: one tensor after the other, as it is
    - `compile`: through `torch.compile`; the first step with a data type, device or kind of decay, of
      which 0 is one, then takes several seconds
    - `flat`: move the parameters of a group and their gradients into one buffer for each data type and
      device, of which they become views. Parameters that shared storage no longer do, a single saved
      parameter carries the buffer with it, and
      [zero_grad](#GenericAdaptiveOptimizer.zero_grad) fills with zeros
    - `cautious`: leave out the parts of an update that the gradient contradicts,
      [Cautious updates](caution.py); neither with `compile` nor with `flat`
    - `rounding`: how a half-precision parameter is rounded, `"nearest"` unless given, `"stochastic"` or
      `"kahan"`, [Rounding](rounding.py)
    """

    maximize: bool
    per_tensor: bool
    compile: bool
    flat: bool
    cautious: bool
    rounding: str


class GenericAdaptiveOptimizer(Optimizer):
    r"""What every optimizer here is built on.

    A subclass may set

    - `elementwise`: `False` if the rule needs a tensor whole, for its norm or as a matrix; it is then
      handed [stacks](stacks.py);
    - `beta_count`: how many decay rates `betas` holds;
    - `has_eps`: whether there is an `eps`;
    - `scalar_state`: names of state entries that are one number for a whole parameter;
    - `momentum_state`: the name of the entry that is made as soon as `momentum` is not 0.

    """

    elementwise: ClassVar[bool] = True
    beta_count: ClassVar[int] = 2
    has_eps: ClassVar[bool] = True
    scalar_state: ClassVar[tuple[str, ...]] = ()
    momentum_state: ClassVar[str | None] = None

    def __init__(
        self,
        params: ParamsT,
        defaults: Mapping[str, Any] | None = None,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, ...] | None = None,
        eps: float | None = None,
        weight_decay: WeightDecay | float = 0.0,
        **options: Unpack[RunOptions],
    ) -> None:
        r"""Check the arguments and make the groups.

        - `params`: parameters, or groups of them with hyper-parameters of their own
        - `defaults`: further hyper-parameters of the subclass, by name
        - `lr`: $\alpha$, at least 0, a number or a tensor of one element
        - `betas`, `eps`: where the rule has them
        - `weight_decay`: a number or a [WeightDecay](weight_decay.py#WeightDecay)

        Raises `TypeError` or `ValueError`, in one line, for what is not allowed.
        """
        self.weight_decay: WeightDecay | DecayInRule = (
            weight_decay if isinstance(weight_decay, WeightDecay) else WeightDecay(weight_decay)
        )
        self.per_tensor = options.get("per_tensor", False)
        self.compile = options.get("compile", False)
        self.flat = options.get("flat", False)
        self.cautious = options.get("cautious", False)
        self.rounding = options.get("rounding", "nearest")
        hyper_parameters = {"lr": lr, "betas": betas, "eps": eps}
        self._check_options(options, hyper_parameters)
        self._kinds: dict[str, type[WeightDecay]] = {}
        self._take_kind(self.weight_decay)
        self._forget_plans()
        super().__init__(
            params,
            {key: value for key, value in hyper_parameters.items() if value is not None}
            | self.weight_decay.defaults()
            | {"maximize": options.get("maximize", False)}
            | dict(defaults or {}),
        )

    def _check_options(self, options: RunOptions, hyper_parameters: Mapping[str, Any]) -> None:
        missing = {"betas": not self.beta_count, "eps": not self.has_eps}
        for name, is_missing in missing.items():
            if is_missing and hyper_parameters[name] is not None:
                raise TypeError(f"{name} is no argument of {type(self).__name__}")
        known = RunOptions.__annotations__
        for name, value in options.items():
            if name not in known:
                raise TypeError(f"{name} is no argument of {type(self).__name__}")
            if name == "rounding":
                require_choice(name, value, ROUNDINGS)
            else:
                require_flag(name, value)
        if self.per_tensor and (self.compile or self.flat):
            raise ValueError("per_tensor must be False when compile or flat is True, got True")
        if not self.elementwise and (self.compile or self.flat):
            raise ValueError(f"compile and flat must be False for {type(self).__name__}, got True")
        if self.cautious and (self.compile or self.flat):
            raise ValueError("compile and flat must be False when cautious is True, got True")

    def check_group(self, group: Mapping[str, Any]) -> None:
        """Raise for a hyper-parameter of `group` that is not allowed; a subclass adds its own."""
        require_number("lr", group["lr"])
        if self.beta_count:
            require_fractions("betas", group.get("betas"), self.beta_count)
        if self.has_eps:
            require_number("eps", group.get("eps"))
        require_number("weight_decay", group["weight_decay"])
        self._check_decay(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with hyper-parameters of their own; what is not given is the default.

        Raises `ValueError` for [sharded parameters](sharded.py) that the rule cannot run on.
        """
        if isinstance(param_group, dict):
            decay = param_group.get("weight_decay")
            if isinstance(decay, WeightDecay):
                self._take_kind(decay)
                param_group = param_group | decay.defaults()
            self.check_group(self.defaults | param_group)
        super().add_param_group(param_group)
        # torch has made a list of what may have been an iterator.
        try:
            self._check_placements(self.param_groups[-1]["params"])
        except ValueError:
            self.param_groups.pop()
            raise

    def _check_placements(self, params: Sequence[Tensor]) -> None:
        require_runnable(params, type(self).__name__, not self._needs_whole, self.flat)

    @property
    def _needs_whole(self) -> bool:
        # The share that a mask leaves is that of a whole tensor.
        return not self.elementwise or self.cautious

    # ## The decay of a group
    #
    # A group holds the fields of its decay and the name of the class, so that checkpoints do. Classes that
    # were given are found here, all others among those that are defined.
    def _take_kind(self, decay: WeightDecay) -> None:
        kind = type(decay)
        if self._kinds.setdefault(kind.__name__, kind) is not kind:
            raise ValueError(f"weight_decay must be of one class {kind.__name__}, got two")

    def _kind_of(self, group: Mapping[str, Any]) -> type[WeightDecay]:
        name = group["weight_decay_kind"]
        return self._kinds.get(name) or find_kind(name)

    def _decay_of(self, group: Mapping[str, Any]) -> WeightDecay:
        return reader(self._kind_of(group))(group)

    def _check_decay(self, group: Mapping[str, Any]) -> None:
        # A decay checks its fields when it is made.
        replace(self._decay_of(group))

    # ## What a rule says
    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        """Put what the rule stores into `state`, each entry with the shape of `param`.

        A rule that is not elementwise may store tensors of other shapes.

        An entry named in `scalar_state` is a float64 tensor of shape `()` on the CPU. This method is
        called when a parameter has its first gradient, and again when a schedule lets momentum begin later:
        only what is missing is then taken. `step` is there already. For a
        half-precision parameter `param` is a float32 copy, so that what is made like it is float32. A
        complex one comes as it is, and is seen as two real numbers in `step_param`.
        """

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        r"""Return numbers that depend on the step $t = 1, 2, \dots$ and on hyper-parameters alone.

        They are computed once for all parameters of a group that have made as many steps, and join
        `group` for
        [step_param](#GenericAdaptiveOptimizer.step_param). An entry `lr` replaces the learning rate:
        that is how a schedule inside an optimizer reaches the weight decay, too. The entries of
        `scalar_state` are in `group` as numbers, and those that are returned are stored.
        """
        return {}

    def prepare(self, work: Sequence[tuple[dict[str, Any], Sequence[Member]]]) -> None:
        """Compute what depends on all parameters, before any of them moves.

        `work` holds each group and its parameters that have a gradient, with their states. What is found
        goes into the groups, as numbers, and so into checkpoints.
        """

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        """Update `param` in place from `grad`, with `state` of the same shape.

        The arguments may be one parameter, a piece of one, many in a row, or lists of tensors; without
        `elementwise` they are a [stack](stacks.py) of equal shapes, with one more dimension in front. So the
        rule uses tensor methods only, in place where it can, and no `if` on a tensor's values. Of `self` it
        uses `self.weight_decay` and nothing else; hyper-parameters are in `group`. Compiled, every number
        there is a tensor but a plain 0.
        """
        raise NotImplementedError(f"{type(self).__name__} has no step_param")

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make one step for every parameter that has a gradient.

        `closure`, if given, computes the loss and its gradients first, and the loss is returned.
        Raises `ValueError` for a sparse gradient, and for a [sharded parameter](sharded.py) or its gradient
        that the rule cannot run on; `TypeError` if a kind of decay was written into a group.

        Within a function that `torch.compile` compiles, the step runs as it is: its numbers change from step to
        step, and a compiler takes each for a constant.
        """
        if torch.compiler.is_compiling():
            outside: Callable[..., float | None] = torch.compiler.disable(self._step)  # type: ignore[no-untyped-call]
            return outside(closure)
        return self._step(closure)

    def _step(self, closure: Callable[[], float] | None) -> float | None:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if isinstance(group["weight_decay"], WeightDecay):
                raise TypeError(
                    "weight_decay must be a number in a group that is made, got "
                    f"{group['weight_decay']!r}; give it to the optimizer or to a new group"
                )
        plans = [self._plan_for(*each) for each in enumerate(self.param_groups)]
        work = [(group, plan.members) for group, plan in zip(self.param_groups, plans, strict=True)]
        self.prepare(work)
        for group, plan in zip(self.param_groups, plans, strict=True):
            for cohort in plan.cohorts:
                self._run(group, cohort)
        return loss

    # ## What the base class does with it
    def _active(self, group: Mapping[str, Any]) -> list[Tensor]:
        params = [param for param in group["params"] if param.grad is not None]
        layouts = {param.grad.layout for param in params} - {torch.strided}
        if layouts:
            raise ValueError(
                f"{type(self).__name__} takes dense gradients, got {layouts.pop()}; "
                "build the embedding with sparse=False"
            )
        align_gradients(params)
        return params

    def _plan_for(self, index: int, group: Mapping[str, Any]) -> Plan:
        plan = self._plans.get(index)
        if plan is not None and self._lacks_momentum(group, plan.names):
            del self._plans[index]
            plan = None
        if plan is None or not plan.owns_gradients_of(group["params"], self.state):
            plan = self._plan(index, group, self._active(group))
            plan.take_gradients()
        return plan

    def _plan(self, index: int, group: Mapping[str, Any], params: Sequence[Tensor]) -> Plan:
        # A plan is used as long as it holds. Small parameters are packed only once the same ones have
        # had gradients twice in a row, so the first plan is made anew: packing moves state, which is
        # wasted if they change. Compiled and flat rules need it from the start.
        plan = self._plans.get(index)
        seen_before = plan is not None and plan.is_for(params)
        if plan is not None and seen_before and plan.layout.pack and plan.holds(self.state):
            return plan
        self._check_placements(params)
        for param in params:
            self._init(group, param)
        layout = Layout(
            whole=self.per_tensor,
            stacked=self._needs_whole,
            chunk=None if self.compile else CHUNK,
            pack=self.compile or self.flat or seen_before,
        )
        flat = self._flatten(index, params) if self.flat else ()
        numbers = ("step", *self.scalar_state)
        places = self._places() if self.rounding == "stochastic" else None
        plan = self._plans[index] = Plan(params, self.state, layout, flat, numbers, places)
        return plan

    def _places(self) -> dict[int, int]:
        # How many elements come before a parameter, through all groups.
        params = list(chain.from_iterable(group["params"] for group in self.param_groups))
        starts = accumulate((param.numel() for param in params), initial=0)
        pairs = zip(params, starts, strict=False)
        return {id(param): start + place_of_part(param) for param, start in pairs}

    def _init(self, group: Mapping[str, Any], param: Tensor) -> None:
        state = self.state[param]
        if not state or self._lacks_momentum(group, state):
            self._init_state(group, param, state)
        if self._compensates(param) and COMPENSATION not in state:
            state[COMPENSATION] = torch.zeros_like(param)

    def _compensates(self, param: Tensor) -> bool:
        return self.rounding == "kahan" and is_half(param.dtype)

    def _init_state(self, group: Mapping[str, Any], param: Tensor, state: dict[str, Any]) -> None:
        fresh: dict[str, Any] = {"step": torch.zeros((), dtype=torch.float32)}
        home = local(param.detach())
        working = home.to(working_dtype(home.dtype))
        self.init_state(fresh, group, working)
        self._decay_of(group).init_state(fresh, group, working)
        place_state(fresh, param, ("step", *self.scalar_state))
        # A compiled kernel takes the entries by their place, so all parameters have them in one order.
        merged = fresh | state
        state.clear()
        state.update(merged)

    def _lacks_momentum(self, group: Mapping[str, Any], names: Collection[str]) -> bool:
        # A schedule may let momentum begin after the steps that a state has seen.
        name = self.momentum_state
        return name is not None and name not in names and not is_zero(group["momentum"])

    def _flatten(self, index: int, params: Sequence[Tensor]) -> list[FlatBuffers]:
        buffers = self._flat.get(index, [])
        held = {id(param) for each in buffers for param in each.params}
        if not held.issuperset(map(id, params)) or not all(each.still_hold() for each in buffers):
            buffers = self._flat[index] = [FlatBuffers(alike) for alike in split_by_kind(params)]
        return buffers

    def _run(self, group: Mapping[str, Any], cohort: Cohort) -> None:
        # `group` itself is not changed: the rule sees a copy, with its scalars. Tensors among the
        # numbers are read out, but not for a kernel, which takes them as they are.
        step = cohort.advance()
        rounding = ROUNDINGS[self.rounding](step)
        hyper = {key: group[key] for key in group if key != "params"}
        if not self.compile:
            hyper = {key: as_number(value) for key, value in hyper.items()}
        scalars = self.scalars(hyper | cohort.own_numbers(), step)
        cohort.keep(scalars)
        decay = self._decay_of(hyper | scalars)
        if self.compile:
            names = self.defaults | decay.defaults()
            known = {key: hyper[key] for key in names} | scalars
            lively = frozenset(("lr", *scalars))
            rule, read_decay = type(self).step_param, reader(type(decay))
            run_compiled(rule, read_decay, known, lively, cohort.pieces, rounding)
        else:
            self._run_pieces(decay, hyper | scalars, cohort.pieces, rounding)

    def _run_pieces(
        self,
        decay: WeightDecay,
        hyper: Mapping[str, Any],
        pieces: Sequence[Piece],
        rounding: Rounding,
    ) -> None:
        in_rule = (Caution if self.cautious else DecayInRule)(decay)
        given, self.weight_decay = self.weight_decay, in_rule
        try:
            for piece in pieces:
                operands = rounding.load(piece)
                apply_rule(self.step_param, hyper, operands, in_rule)
                rounding.store(piece, operands)
        finally:
            self.weight_decay = given

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop all gradients, but fill those with zeros that live in a flat buffer.

        A parameter that a batch then does not use has a gradient of zero there, not `None`: it decays,
        moves with what it has averaged, and counts the step.
        """
        if not self._flat:
            super().zero_grad(set_to_none)
            return
        buffers = list(chain.from_iterable(self._flat.values()))
        held = {id(param) for each in buffers for param in each.params}
        for each in buffers:
            each.zero_gradients()
        for group in self.param_groups:
            for param in group["params"]:
                if id(param) not in held:
                    param.grad = None

    # ## Copies and checkpoints
    #
    # torch copies and pickles groups, state and defaults of an optimizer and drops all else. The kind of
    # decay and the ways of running go along here; plans are made anew.
    def _forget_plans(self) -> None:
        self._plans: dict[int, Plan] = {}
        self._flat: dict[int, list[FlatBuffers]] = {}

    def __getstate__(self) -> dict[str, Any]:
        kept = ("weight_decay", "_kinds", "per_tensor", "compile", "flat", "cautious", "rounding")
        return super().__getstate__() | {name: getattr(self, name) for name in kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Called for a copy, and for a checkpoint, which brings groups and state alone. What cannot be
        # loaded is refused before anything is taken over.
        if "defaults" not in state:
            self._keep_decays(state["param_groups"])
            self._check_loaded(state["param_groups"], state["state"])
        super().__setstate__(state)
        self._forget_plans()
        # A checkpoint of torch knows nothing of our own hyper-parameters; they have their defaults.
        for group in self.param_groups:
            for name, value in self.defaults.items():
                group.setdefault(name, value)
        for own in self.state.values():
            self._complete(own)

    def _keep_decays(self, loaded: Sequence[dict[str, Any]]) -> None:
        # What a checkpoint does not say of the decay stays as it is in the group.
        for group, present in zip(loaded, self.param_groups, strict=True):
            for name, value in self._decay_of(present).defaults().items():
                group.setdefault(name, value)

    def _check_loaded(
        self, groups: Sequence[dict[str, Any]], states: Mapping[Tensor, dict[str, Any]]
    ) -> None:
        for group in groups:
            self._check_decay(group)
            if self.beta_count and "betas" in group:
                require_fractions("betas", group["betas"], self.beta_count)
        owned = [(group, param) for group in groups for param in group["params"]]
        for place, (group, param) in enumerate(owned):
            state = states.get(param)
            for name in self._needed(group, param) if state else ():
                if state and name not in state:
                    raise ValueError(
                        f"state_dict must hold {name} of parameter {place} for {type(self).__name__} with "
                        f"{self._kind_of(group).__name__}, got {', '.join(map(str, state))}"
                    )

    def _needed(self, group: Mapping[str, Any], param: Tensor) -> Sequence[str]:
        """Return the names of the state tensors without which no step can be made."""
        made: dict[str, Any] = {}
        like = torch.empty(param.shape, dtype=working_dtype(param.dtype), device="meta")
        self.init_state(made, self.defaults | dict(group), like)
        own = made.keys() - {self.momentum_state, *self.scalar_state}
        return [*self._kind_of(group).state_names, *sorted(own)]

    def _complete(self, state: dict[str, Any]) -> None:
        # Some of torch's optimizers count no steps, or store `None` for what they do not use. State that
        # is there has seen at least one step.
        for name in [name for name, value in state.items() if value is None]:
            del state[name]
        if state:
            state["step"] = torch.as_tensor(state.get("step", 1.0), dtype=torch.float32)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a checkpoint of ours or of the same optimizer of `torch.optim`.

        State that is whole, or sharded otherwise, is sharded like its parameter.

        If both sides have the names of the parameters, and in other groups or another order, state is
        matched [by name](named_state.py). Raises `ValueError` for what does not fit then.

        torch casts state to the data type of its parameter, and moves it there. For half precision that
        would destroy it, so it is taken from the checkpoint again, in float32. So are single numbers, in
        float64, which stay on the CPU, and whole numbers, as they are. What
        [Kahan's sum](rounding.py) keeps stays in half precision, and is left out where `rounding` is another.
        """
        with matching_names(self) as loaded:
            super().load_state_dict(state_dict)
        state_dict = loaded[-1]
        saved = chain.from_iterable(group["params"] for group in state_dict["param_groups"])
        params = chain.from_iterable(group["params"] for group in self.param_groups)
        for key, param in zip(saved, params, strict=True):
            if key in state_dict["state"]:
                self.state[param] |= self._uncast(state_dict["state"][key], param)
                self._spread(self.state[param], param)
                if not self._compensates(param):
                    self.state[param].pop(COMPENSATION, None)

    def _spread(self, state: dict[str, Any], param: Tensor) -> None:
        # A checkpoint may hold whole tensors, or those of another mesh.
        for name in state.keys() - {"step", *self.scalar_state}:
            if isinstance(state[name], Tensor) and state[name].shape == param.shape:
                state[name] = place_like(state[name], param)

    def _uncast(self, saved: Mapping[str, Any], param: Tensor) -> dict[str, Tensor]:
        is_half = working_dtype(param.dtype) != param.dtype
        found = {}
        for name, value in saved.items():
            if name in self.scalar_state:
                found[name] = torch.as_tensor(value, dtype=torch.float64, device="cpu").clone()
            elif name == "step" or not isinstance(value, Tensor):
                continue
            elif name == COMPENSATION:
                found[name] = value.to(param.device, param.dtype, copy=True)
            elif not (value.is_floating_point() or value.is_complex()):
                found[name] = value.to(param.device, copy=True)
            elif is_half:
                found[name] = value.to(param.device, torch.float32, copy=True)
        return found


def as_number(value: Any) -> Any:
    """Read a tensor of one element out; other values, and those in tuples, stay as they are."""
    if isinstance(value, Tensor):
        return value.item()
    if isinstance(value, tuple | list):
        return tuple(as_number(element) for element in value)
    return value


# ## Traps
#
# - **Gradients that are `None`.** Such a parameter is left alone: no decay, no step counted. A gradient
#   of zero is not the same: it decays, and $m$ still moves the weight. With `flat=True` unused parameters
#   have zeros.
# - **The step is counted for each parameter.** A layer that is unfrozen late starts at $t = 1$, with
#   the corrections and the warm-up that belong there.
# - **`state_dict` names parameters by position.** Two runs that build their groups in another order
#   exchange the state of parameters of the same shape without a word, unless the groups hold
#   [names](named_state.py).
# - **Hyper-parameters live in `param_groups`.** Set `optimizer.param_groups[0]["lr"]`; an attribute
#   `optimizer.lr` would change nothing. A value set that way is not checked.
# - **A number for `weight_decay` is decoupled**, for every optimizer but those of [Trust ratios](trust.py). In
#   `torch.optim.Adam` it is not: see [Weight decay](weight_decay.py).
#
# ## Exercises
#
# **1.** Write an optimizer that moves every weight by `lr` against the sign of its gradient, with
# decay, and check it against one step by hand.
#
# ::: solution
# ```python
# import torch
# from labml_nn_optim import GenericAdaptiveOptimizer
#
#
# class Sign(GenericAdaptiveOptimizer):
#     beta_count = 0
#     has_eps = False
#
#     def step_param(self, state, group, grad, param):
#         grad = self.weight_decay(param, grad, group)
#         param.add_(grad.sign().mul(-group["lr"]))
#
#
# theta = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
# theta.grad = torch.tensor([0.3, -5.0])
# Sign([theta], lr=0.1, weight_decay=0.5).step()
# torch.testing.assert_close(theta.detach(), torch.tensor([0.95 - 0.1, -1.9 + 0.1]))
# ```
# :::
#
# **2.** Why is `beta ** step` computed in `scalars` and not in `step_param`?
#
# ::: solution
# It is one number for many parameters. Inside a compiled kernel it would be computed for every element:
# 14.6 ms instead of 6.7 ms for a step of Adam over the parameters of ResNet-18 on one thread.
# :::
