"""The optimizer object."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, ClassVar, TypedDict, Unpack

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer, ParamsT

from labml_nn_optim.checks import require_flag, require_fractions, require_number
from labml_nn_optim.compiled import apply_rule, run_compiled
from labml_nn_optim.pieces import FlatBuffers, working_dtype
from labml_nn_optim.plan import CHUNK, Cohort, Layout, Plan, split_by_kind
from labml_nn_optim.weight_decay import WeightDecay

__all__ = ["GenericAdaptiveOptimizer", "RunOptions"]


class RunOptions(TypedDict, total=False):
    maximize: bool
    per_tensor: bool
    compile: bool
    flat: bool


class GenericAdaptiveOptimizer(Optimizer):
    elementwise: ClassVar[bool] = True
    beta_count: ClassVar[int] = 2
    has_eps: ClassVar[bool] = True

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
        self.weight_decay = (
            weight_decay if isinstance(weight_decay, WeightDecay) else WeightDecay(weight_decay)
        )
        self.per_tensor = options.get("per_tensor", False)
        self.compile = options.get("compile", False)
        self.flat = options.get("flat", False)
        self._check_options(options)
        self._forget_plans()
        hyper_parameters = {"lr": lr, "betas": betas, "eps": eps}
        super().__init__(
            params,
            {key: value for key, value in hyper_parameters.items() if value is not None}
            | self.weight_decay.defaults()
            | {"maximize": options.get("maximize", False)}
            | dict(defaults or {}),
        )

    def _check_options(self, options: RunOptions) -> None:
        known = RunOptions.__annotations__
        for name, value in options.items():
            if name not in known:
                raise TypeError(f"{name} is no argument of {type(self).__name__}")
            require_flag(name, value)
        if self.per_tensor and (self.compile or self.flat):
            raise ValueError("per_tensor must be False when compile or flat is True, got True")
        if not self.elementwise and (self.compile or self.flat):
            raise ValueError(f"compile and flat must be False for {type(self).__name__}, got True")

    def check_group(self, group: Mapping[str, Any]) -> None:
        require_number("lr", group["lr"])
        if self.beta_count:
            require_fractions("betas", group.get("betas"), self.beta_count)
        if self.has_eps:
            require_number("eps", group.get("eps"))
        require_number("weight_decay", group["weight_decay"])

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        if isinstance(param_group, dict):
            decay = param_group.get("weight_decay")
            if isinstance(decay, WeightDecay):
                param_group = param_group | decay.defaults()
            self.check_group(self.defaults | param_group)
        super().add_param_group(param_group)

    def init_state(self, state: dict[str, Any], group: Mapping[str, Any], param: Tensor) -> None:
        pass

    def scalars(self, group: Mapping[str, Any], step: int) -> dict[str, Any]:
        return {}

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        raise NotImplementedError(f"{type(self).__name__} has no step_param")

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for index, group in enumerate(self.param_groups):
            params = [param for param in group["params"] if param.grad is not None]
            self._check_gradients([param.grad for param in params])
            plan = self._plan(index, group, params)
            plan.take_gradients()
            for cohort in plan.cohorts:
                self._run(group, cohort)
        return loss

    def _check_gradients(self, grads: Sequence[Any]) -> None:
        layouts = set(map(attrgetter("layout"), grads)) - {torch.strided}
        if layouts:
            raise ValueError(
                f"{type(self).__name__} takes dense gradients, got {layouts.pop()}; "
                "build the embedding with sparse=False"
            )

    def _plan(self, index: int, group: Mapping[str, Any], params: Sequence[Tensor]) -> Plan:
        plan = self._plans.get(index)
        seen_before = plan is not None and plan.is_for(params)
        if plan is not None and seen_before and plan.layout.pack and plan.holds(self.state):
            return plan
        for param in params:
            self._init(group, param)
        layout = Layout(
            whole=self.per_tensor or not self.elementwise,
            chunk=None if self.compile else CHUNK,
            pack=self.compile or self.flat or seen_before,
        )
        flat = self._flatten(index, params) if self.flat else ()
        plan = self._plans[index] = Plan(params, self.state, layout, flat)
        return plan

    def _init(self, group: Mapping[str, Any], param: Tensor) -> None:
        state = self.state[param]
        if state:
            return
        state["step"] = torch.zeros((), dtype=torch.float32)
        home = param.detach()
        self.init_state(state, group, home.to(working_dtype(home.dtype)))

    def _flatten(self, index: int, params: Sequence[Tensor]) -> list[FlatBuffers]:
        buffers = self._flat.get(index, [])
        held = {id(param) for each in buffers for param in each.params}
        if not held.issuperset(map(id, params)) or not all(each.still_hold() for each in buffers):
            buffers = self._flat[index] = [FlatBuffers(alike) for alike in split_by_kind(params)]
        return buffers

    def _run(self, group: Mapping[str, Any], cohort: Cohort) -> None:
        step = cohort.advance()
        hyper = {key: group[key] for key in group if key != "params"}
        if self.compile:
            scalars = self.scalars(hyper, step)
            known = {key: hyper[key] for key in self.defaults} | scalars
            lively = frozenset(("lr", *scalars))
            rule = type(self).step_param
            run_compiled(rule, self.weight_decay, known, lively, cohort.pieces)
            return
        hyper = {key: as_number(value) for key, value in hyper.items()}
        hyper |= self.scalars(hyper, step)
        for piece in cohort.pieces:
            operands = piece.load()
            apply_rule(self.step_param, hyper, operands)
            piece.store(operands)

    def zero_grad(self, set_to_none: bool = True) -> None:
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

    def _forget_plans(self) -> None:
        self._plans: dict[int, Plan] = {}
        self._flat: dict[int, list[FlatBuffers]] = {}

    def __getstate__(self) -> dict[str, Any]:
        kept = ("weight_decay", "per_tensor", "compile", "flat")
        return super().__getstate__() | {name: getattr(self, name) for name in kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._forget_plans()
        for group in self.param_groups:
            for name, value in self.defaults.items():
                group.setdefault(name, value)
        for own in self.state.values():
            if "step" in own:
                own["step"] = torch.as_tensor(own["step"], dtype=torch.float32)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        saved = chain.from_iterable(group["params"] for group in state_dict["param_groups"])
        params = chain.from_iterable(group["params"] for group in self.param_groups)
        for key, param in zip(saved, params, strict=True):
            dtype = working_dtype(param.dtype)
            if dtype != param.dtype and key in state_dict["state"]:
                self.state[param] |= {
                    name: value.to(param.device, dtype, copy=True)
                    for name, value in state_dict["state"][key].items()
                    if isinstance(value, Tensor) and name != "step"
                }


def as_number(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.item()
    if isinstance(value, tuple | list):
        return tuple(as_number(element) for element in value)
    return value
