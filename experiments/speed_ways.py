"""The ways of running one update rule that are timed against each other."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from experiments.speed_lists import Shapes, make_parameters
from labml_nn_optim import get_optimizer
from labml_nn_optim.param_groups.composite import CompositeOptimizer

PER_TENSOR = "per tensor"
DEFAULT = "default"
FLAT = "flat"
COMPILE = "compile"
COMPILE_FLAT = "compile + flat"
TORCH_LOOP = "torch loop"
TORCH_FOREACH = "torch foreach"
TORCH_FUSED = "torch fused"
LABML = "labml per tensor"

TIMM = "timm"
PYTORCH_OPTIMIZER = "pytorch_optimizer"

TORCH_WAYS = (TORCH_LOOP, TORCH_FOREACH, TORCH_FUSED)
OUR_WAYS = (PER_TENSOR, DEFAULT, FLAT, COMPILE, COMPILE_FLAT)
COMPILED_WAYS = (COMPILE, COMPILE_FLAT)
THEIR_WAYS = (*TORCH_WAYS, TIMM, PYTORCH_OPTIMIZER)

Make = Callable[[Iterable[nn.Parameter]], Optimizer]


@dataclass(frozen=True)
class Counterpart:
    """The same rule in `torch.optim` or in another package.

    * `kind`: the class, or a function that makes one
    * `options`: arguments that make it the same rule
    * `both`: arguments for ours too, where the defaults leave nothing worth measuring
    * `ours`: arguments for ours alone that make it the same rule
    """

    kind: Callable[..., Optimizer]
    options: Mapping[str, Any] = field(default_factory=dict)
    both: dict[str, Any] = field(default_factory=dict)
    ours: dict[str, Any] = field(default_factory=dict)

    def ways(self) -> dict[str, Make]:
        """Return torch's ways of running the rule: those that the class has an argument for."""
        known = inspect.signature(self.kind).parameters
        flags: dict[str, dict[str, bool]] = {TORCH_LOOP: {}}
        if "foreach" in known:
            flags = {TORCH_LOOP: {"foreach": False}, TORCH_FOREACH: {"foreach": True}}
        if "fused" in known:
            flags[TORCH_FUSED] = {"fused": True}
        make = partial(self.kind, **self.options, **self.both)
        return {name: partial(make, **flag) for name, flag in flags.items()}


@dataclass(frozen=True)
class Peer:
    """The same rule in a package beside torch, which need not be installed.

    * `package`: its name, which is also that of the row
    * `kind`: the class in it
    * `options`: arguments that make it the same rule
    """

    package: str
    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def ways(self) -> dict[str, Make]:
        """Return the package's way of running the rule, or none without the package."""
        if importlib.util.find_spec(self.package) is None:
            return {}
        module = importlib.import_module("timm.optim" if self.package == TIMM else self.package)
        return {self.package: partial(getattr(module, self.kind), **self.options)}


class TorchMuon(CompositeOptimizer):
    """torch's Muon for matrices, and its AdamW for all that is none, kernels included."""

    def __init__(self, params: Iterable[nn.Parameter], **options: Any) -> None:
        given = list(params)
        matrices = [param for param in given if param.dim() == 2]
        others = [param for param in given if param.dim() != 2]
        parts: list[Optimizer] = [torch.optim.Muon(matrices, **options)] if matrices else []
        parts += [torch.optim.AdamW(others, betas=(0.9, 0.95), weight_decay=0.1)] if others else []
        super().__init__(parts)


COUNTERPARTS = {
    "adadelta": Counterpart(torch.optim.Adadelta),
    "adafactor": Counterpart(torch.optim.Adafactor),
    "adagrad": Counterpart(torch.optim.Adagrad),
    "adam": Counterpart(torch.optim.Adam),
    "adamax": Counterpart(torch.optim.Adamax),
    "adamw": Counterpart(torch.optim.AdamW),
    "amsgrad": Counterpart(torch.optim.Adam, {"amsgrad": True}),
    "asgd": Counterpart(torch.optim.ASGD),
    "muon": Counterpart(
        TorchMuon, {"adjust_lr_fn": "match_rms_adamw"}, ours={"ns_dtype": torch.bfloat16}
    ),
    "nadam": Counterpart(torch.optim.NAdam),
    "radam": Counterpart(torch.optim.RAdam),
    "rmsprop": Counterpart(torch.optim.RMSprop),
    "rprop": Counterpart(torch.optim.Rprop),
    "sgd": Counterpart(torch.optim.SGD, both={"momentum": 0.9}),
}
"""What torch has, by the name of our file."""

PEERS = {
    "adan": Peer(TIMM, "Adan"),
    "ademamix": Peer(PYTORCH_OPTIMIZER, "AdEMAMix"),
    "adopt": Peer(TIMM, "Adopt", {"clip_exp": 0.25}),
    "cautious_adamw": Peer(TIMM, "AdamWLegacy", {"caution": True}),
    "grams": Peer(PYTORCH_OPTIMIZER, "Grams"),
    "kron": Peer(PYTORCH_OPTIMIZER, "Kron"),
    "lamb": Peer(TIMM, "Lamb", {"max_grad_norm": None}),
    "lars": Peer(TIMM, "Lars", {"momentum": 0.9, "weight_decay": 5e-4}),
    "lion": Peer(TIMM, "Lion"),
    "mars": Peer(TIMM, "Mars"),
    "muon": Peer(TIMM, "Muon"),
    "nadamw": Peer(TIMM, "NAdamW"),
    "novograd": Peer(TIMM, "NvNovoGrad"),
    "prodigy": Peer(PYTORCH_OPTIMIZER, "Prodigy"),
    "schedule_free_adamw": Peer(PYTORCH_OPTIMIZER, "ScheduleFreeAdamW"),
    "schedule_free_sgd": Peer(PYTORCH_OPTIMIZER, "ScheduleFreeSGD"),
    "scion": Peer(PYTORCH_OPTIMIZER, "SCION"),
    "soap": Peer(PYTORCH_OPTIMIZER, "SOAP"),
    "stable_adamw": Peer(PYTORCH_OPTIMIZER, "StableAdamW"),
}
"""What other packages have. Their defaults may differ from ours in a number, and not in the work."""


def measured_as(optimizer: str) -> str:
    """Return the name of an optimizer, and the arguments that it is measured with."""
    found = COUNTERPARTS.get(optimizer)
    given = found.both | found.ours if found else {}
    return ", ".join([optimizer, *(f"{name} {value}" for name, value in given.items())])


class LabmlAdam(Optimizer):
    """Adam as labml's collection runs it: parameter by parameter, six operations each.

    The step count is a plain integer, and a new tensor is made for the denominator twice.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    self._step_param(self.state[param], group, param.grad.data, param)

    def _step_param(
        self, state: dict[str, Any], group: dict[str, Any], grad: Tensor, param: nn.Parameter
    ) -> None:
        if not state:
            state["step"] = 0
            state["exp_avg"] = torch.zeros_like(param)
            state["exp_avg_sq"] = torch.zeros_like(param)
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        beta1, beta2 = group["betas"]
        state["step"] += 1
        exp_avg.mul_(beta1).add_(grad, alpha=1 - beta1)
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        bias_correction1 = 1 - beta1 ** state["step"]
        bias_correction2 = 1 - beta2 ** state["step"]
        denominator = (exp_avg_sq.sqrt() / math.sqrt(bias_correction2)).add_(group["eps"])
        param.data.addcdiv_(exp_avg, denominator, value=-group["lr"] / bias_correction1)


def ways_of(optimizer: str, *, compiled: bool = True) -> dict[str, Make]:
    """Return all ways of running `optimizer`, a name of the registry, by their names.

    * `compiled`: with those that go through `torch.compile`
    """
    kind, counterpart = get_optimizer(optimizer), COUNTERPARTS.get(optimizer)
    make = partial(kind, **(counterpart.both | counterpart.ours if counterpart else {}))
    ways: dict[str, Make] = {PER_TENSOR: partial(make, per_tensor=True), DEFAULT: make}
    if kind.elementwise:
        ways[FLAT] = partial(make, flat=True)
    if kind.elementwise and compiled:
        ways[COMPILE] = partial(make, compile=True)
        ways[COMPILE_FLAT] = partial(make, compile=True, flat=True)
    if counterpart:
        ways |= counterpart.ways()
    if optimizer in PEERS:
        ways |= PEERS[optimizer].ways()
    if optimizer == "adam":
        ways[LABML] = LabmlAdam
    return ways


class Subject:
    """An optimizer with parameters of its own, ready to step."""

    def __init__(self, make: Make, shapes: Shapes, device: torch.device) -> None:
        self.parameters = make_parameters(shapes, device)
        self.optimizer = make(self.parameters)
        self.device = device

    def step(self) -> None:
        """Take one step, and wait until the device has done it."""
        self.optimizer.step()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def largest_difference(subjects: Iterable[Subject]) -> float:
    """Return the largest difference between any subject's parameters and the first one's."""
    first, *others = subjects
    return max(
        (
            (theirs.detach() - ours.detach()).abs().max().item()
            for other in others
            for ours, theirs in zip(first.parameters, other.parameters, strict=True)
        ),
        default=0.0,
    )
