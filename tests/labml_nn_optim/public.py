"""The public implementations that our rules are compared with."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import numpy
import pytorch_optimizer
import timm.optim
import torch
from timm.optim.adamw import AdamWLegacy
from torch.nn import Parameter
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from labml_nn_optim import WeightDecay
from labml_nn_optim.optimizers import kron

STRENGTH = 0.1


@dataclass(frozen=True)
class Public:
    """An implementation of the same rule.

    * `kind`: its class, or a function that makes one
    * `options`: its arguments that make it the same rule
    * `ours`: our arguments that do
    * `plain`: its arguments for no weight decay
    * `coupled`, `decoupled`: its arguments for weight decay of that kind with the strength 0.1,
      `None` where it has none
    * `tolerance`: the largest difference over 100 steps in float64, relative to values over 1
    * `on_complex`: whether it moves complex parameters as ours does
    * `on_empty`: whether it runs on parameters without elements
    * `because`: why the tolerance is as large as it is, or a kind of decay is missing
    """

    kind: Callable[..., Optimizer]
    options: Mapping[str, Any] = field(default_factory=dict)
    ours: Mapping[str, Any] = field(default_factory=dict)
    plain: Mapping[str, Any] = field(default_factory=lambda: {"weight_decay": 0.0})
    coupled: Mapping[str, Any] | None = None
    decoupled: Mapping[str, Any] | None = None
    tolerance: float = 1e-12
    on_complex: bool = True
    on_empty: bool = True
    because: str = ""

    @property
    def is_torchs(self) -> bool:
        """Whether checkpoints can be exchanged."""
        return getattr(self.kind, "__module__", "").startswith("torch.optim")

    def decays(self) -> list[tuple[Mapping[str, Any], WeightDecay]]:
        """Return its arguments for each kind of decay that it has, and ours."""
        found: list[tuple[Mapping[str, Any], WeightDecay]] = [(self.plain, WeightDecay())]
        if self.coupled is not None:
            found.append((self.coupled, WeightDecay(STRENGTH, weight_decouple=False)))
        if self.decoupled is not None:
            found.append((self.decoupled, WeightDecay(STRENGTH)))
        return found


def torchs(kind: type[Optimizer], **changes: Any) -> Public:
    """Return an optimizer of torch, whose decay is coupled unless it has a switch for that."""
    has_switch = "decoupled_weight_decay" in inspect.signature(kind).parameters
    decoupled = {"weight_decay": STRENGTH, "decoupled_weight_decay": True} if has_switch else None
    return Public(
        kind, **({"coupled": {"weight_decay": STRENGTH}, "decoupled": decoupled} | changes)
    )


def pytorch_optimizers(kind: type[Optimizer], **changes: Any) -> Public:
    """Return an optimizer of pytorch_optimizer, where an argument tells the kinds of decay apart."""
    return Public(
        kind,
        **(
            {
                "coupled": {"weight_decay": STRENGTH, "weight_decouple": False},
                "decoupled": {"weight_decay": STRENGTH, "weight_decouple": True},
                "on_complex": False,
            }
            | changes
        ),
    )


def timms(kind: type[Optimizer], **changes: Any) -> Public:
    """Return an optimizer of timm, whose decay is decoupled unless changed."""
    return Public(kind, **({"decoupled": {"weight_decay": STRENGTH}} | changes))


def scheduled(factor: Callable[[int], float], **changes: Any) -> Public:
    """Return torch's Adam with its learning rate in step t = 1, 2, ... multiplied by `factor(t)`."""

    class Scheduled(torch.optim.Adam):
        def __init__(self, params: Any, **arguments: Any) -> None:
            super().__init__(params, **arguments)
            self.scheduler = LambdaLR(self, lambda done: factor(done + 1))

        def step(self, closure: Any = None) -> Any:
            loss = super().step(closure)
            self.scheduler.step()
            return loss

    decoupled = {"weight_decay": STRENGTH, "decoupled_weight_decay": True}
    return Public(Scheduled, coupled={"weight_decay": STRENGTH}, decoupled=decoupled, **changes)


class SophiaWithoutCurvature(pytorch_optimizer.SophiaH):
    """Sophia with Hutchinson's estimator, which is given a curvature of zero instead."""

    def step(self, closure: Any = None) -> Any:
        zeros = [torch.zeros_like(p) for group in self.param_groups for p in group["params"]]
        return super().step(closure, hessian=zeros)


class SOAPInFloat64(pytorch_optimizer.SOAP):
    """SOAP that finds its bases in the parameters' data type, not in float32."""

    def step(self, closure: Any = None) -> Any:
        def to(tensor: torch.Tensor, *target: Any) -> torch.Tensor:
            return tensor if target == (torch.float32,) else convert(tensor, *target)

        convert = torch.Tensor.to
        with mock.patch.object(torch.Tensor, "to", to):
            return super().step(closure)


class AdamMiniInFloat64(Optimizer):
    """pytorch_optimizer's AdamMini with a block for each row, with all of it in float64."""

    def __init__(self, params: Any, **arguments: Any) -> None:
        super().__init__(params, {})
        self.params = self.param_groups[0]["params"]
        # It takes matrices alone: the two share their memory.
        self.twins = [Parameter(p.detach().flatten(1) if p.dim() > 2 else p) for p in self.params]
        self.parts = [self.part(twin, **arguments) for twin in self.twins]

    @staticmethod
    def part(param: Parameter, **arguments: Any) -> Optimizer:
        # It takes a model. With n features and n heads, that which is called wq has blocks of n weights.
        size = param.size(1) if param.dim() == 2 else 1
        model = torch.nn.Module()
        model.wq = torch.nn.ParameterDict({"weight" if param.dim() == 2 else "rest": param})
        return pytorch_optimizer.AdamMini(model, num_embeds=size, num_heads=size, **arguments)

    def step(self, closure: Any = None) -> Any:
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        try:
            with mock.patch.object(torch, "float32", torch.float64):
                for param, twin, part in zip(self.params, self.twins, self.parts, strict=True):
                    twin.grad = param.grad.reshape(twin.shape)
                    part.step()
        finally:
            torch.set_default_dtype(before)


class MuonInFloat64(Optimizer):
    """torch's Muon on matrices and its AdamW on the rest, with all of it in the parameters' data type."""

    def __init__(self, params: Any, lr: float, weight_decay: float) -> None:
        super().__init__(params, {"lr": lr})
        self.params = self.param_groups[0]["params"]
        # torch's takes matrices alone: a kernel is flattened, and the two share their memory.
        self.twins = [Parameter(p.detach().flatten(1) if p.dim() > 2 else p) for p in self.params]
        matrices = [twin for twin in self.twins if twin.dim() == 2]
        others = [twin for twin in self.twins if twin.dim() < 2]
        decay = {"weight_decay": weight_decay}
        self.parts = [
            torch.optim.Muon(matrices, lr=lr, **decay),
            torch.optim.AdamW(others, lr=lr, betas=(0.9, 0.95), **decay),
        ]

    def step(self, closure: Any = None) -> Any:
        for param, twin in zip(self.params, self.twins, strict=True):
            twin.grad = param.grad.reshape(twin.shape)
        with mock.patch.object(torch.Tensor, "bfloat16", torch.Tensor.clone):
            for part in self.parts:
                part.step()


class KronWithOurProbes(pytorch_optimizer.Kron):
    """Kron with our noise in float64, balanced in every twentieth step, that decays vectors as well."""

    def __init__(self, params: Any, **arguments: Any) -> None:
        super().__init__(params, precondition_dtype=torch.float64, balance_prob=0.5, **arguments)
        self.made = 0

    def decay_vectors(self) -> None:
        (group,) = self.param_groups
        for param in group["params"]:
            if param.dim() < 2 and group["weight_decouple"]:
                param.mul_(1 - group["lr"] * group["weight_decay"])
            elif param.dim() < 2:
                param.grad.add_(param, alpha=group["weight_decay"])

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        def to(tensor: torch.Tensor, *target: Any, **options: Any) -> torch.Tensor:
            if options.get("dtype") == torch.float32:
                return tensor
            return convert(tensor, *target, **options)

        def noise(like: torch.Tensor, **_: Any) -> torch.Tensor:
            return kron.probe(like.shape, seed=0, step=self.made, like=like)

        self.made += 1
        self.decay_vectors()
        convert = torch.Tensor.to
        with (
            mock.patch.object(torch.Tensor, "to", to),
            mock.patch.object(torch, "randn_like", noise),
            mock.patch.object(numpy.random, "random", return_value=float(self.made % 20 > 0)),
        ):
            return super().step(closure)


NEWTON_SCHULZ = "zero_power_via_newton_schulz_5"
IN_FLOAT64 = functools.partial(
    pytorch_optimizer.optimizer.utils.matrix.zero_power_via_newton_schulz_5, dtype=torch.float64
)


class NorMuonInFloat64(pytorch_optimizer.NorMuon):
    """NorMuon that orthogonalizes in float64, and takes what has two dimensions or more for matrices."""

    def __init__(self, params: Any, lr: float, **arguments: Any) -> None:
        groups = [{"params": [param], "use_muon": param.dim() > 1} for param in params]
        super().__init__(groups, lr, adamw_lr=lr, adamw_eps=1e-8, foreach=False, **arguments)
        for group in self.param_groups:
            group["weight_decay"] = arguments["weight_decay"]

    def step(self, closure: Any = None) -> Any:
        with mock.patch.object(pytorch_optimizer.optimizer.muon.normuon, NEWTON_SCHULZ, IN_FLOAT64):
            return super().step(closure)


class SCIONInFloat64(pytorch_optimizer.SCION):
    """SCION that orthogonalizes in float64."""

    def step(self, closure: Any = None) -> Any:
        with mock.patch.object(pytorch_optimizer.optimizer.scion, NEWTON_SCHULZ, IN_FLOAT64):
            return super().step(closure)


class WrittenOutAdam8bit(Optimizer):
    """Adam with averages in bytes, whose meaning is read off their bits; no library runs it in float64."""

    def __init__(
        self, params: Any, lr: float, weight_decay: float, decoupled: bool, size: int = 256
    ) -> None:
        super().__init__(params, {"lr": lr})
        self.decay, self.decoupled, self.size = weight_decay, decoupled, size
        self.made = 0

    @staticmethod
    def meaning(bits: str, signed: bool) -> float:
        """A sign, zeros that count powers of ten, a one, and a fraction in the bits that are left."""
        sign = -1.0 if signed and bits[0] == "1" else 1.0
        tail = bits[1:] if signed else bits
        zeros = len(tail) - len(tail.lstrip("0"))
        if zeros == len(tail):
            return 0.0 if sign > 0 else 1.0
        if zeros == 7:
            return 1.0
        fraction = tail[zeros + 1 :]
        place = (int(fraction or "0", 2) + 0.5) / 2 ** len(fraction)
        return sign * (0.1 + 0.9 * place) / 10**zeros

    @classmethod
    def rounded(cls, values: torch.Tensor, signed: bool, size: int = 256) -> torch.Tensor:
        """What is read back after `values` have been stored."""
        numbers = [cls.meaning(f"{byte:08b}", signed) for byte in range(256)]
        table = torch.tensor(numbers, dtype=values.dtype)
        found = []
        for block in values.flatten().split(size):
            scale = block.abs().max()
            nearest = (block[:, None] - scale * table).abs().argmin(dim=1)
            found.append(scale * table[nearest])
        return torch.cat(found).view_as(values)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        self.made += 1
        rate = self.param_groups[0]["lr"]
        for param in self.param_groups[0]["params"]:
            if self.decoupled:
                param.mul_(1 - rate * self.decay)
            grad = param.grad + (0.0 if self.decoupled else self.decay * param)
            own = self.state[param]
            m = 0.9 * own.get("m", 0.0) + 0.1 * grad
            v = 0.999 * own.get("v", 0.0) + 0.001 * grad**2
            root = (v / (1 - 0.999**self.made)).sqrt() + 1e-8
            param -= rate * m / (1 - 0.9**self.made) / root
            own["m"], own["v"] = self.rounded(m, True, self.size), self.rounded(v, False, self.size)


class GaLoreInFloat64(Optimizer):
    """GaLore with singular vectors in the parameters' data type, of kernels as well."""

    def __init__(self, params: Any, lr: float, rank: int, **arguments: Any) -> None:
        super().__init__(params, {"lr": lr})
        self.params = self.param_groups[0]["params"]
        # pytorch_optimizer's projects matrices alone: a kernel is flattened, and the two share their memory.
        self.twins = [Parameter(p.detach().flatten(1) if p.dim() > 2 else p) for p in self.params]
        group = {"params": self.twins, "rank": rank, "update_proj_gap": 200}
        group |= {"scale": 0.25, "projection_type": "std"}
        self.inner = pytorch_optimizer.GaLore([group], lr=lr, **arguments)

    def step(self, closure: Any = None) -> Any:
        for param, twin in zip(self.params, self.twins, strict=True):
            twin.grad = param.grad.reshape(twin.shape)
        with mock.patch.object(torch.Tensor, "float", torch.Tensor.clone):
            self.inner.step()


class MarsWithoutFloor(pytorch_optimizer.MARS):
    """MARS without the 1e-15 that pytorch_optimizer adds inside the root."""

    @staticmethod
    def apply_ams_bound(*arguments: Any) -> torch.Tensor:
        return pytorch_optimizer.MARS.apply_ams_bound(*arguments, exp_avg_sq_eps=0.0)

    @staticmethod
    def apply_ams_bound_foreach(*arguments: Any) -> Any:
        return pytorch_optimizer.MARS.apply_ams_bound_foreach(*arguments, exp_avg_sq_eps=0.0)


class WrittenOutDoG(Optimizer):
    """DoG as the paper has it, and with `weighted` DoWG: no library that we know has them."""

    def __init__(
        self, params: Any, lr: float, reps_rel: float, weight_decay: float, weighted: bool
    ):
        super().__init__(params, {"lr": lr})
        self.decay, self.weighted = weight_decay, weighted
        self.owned = [param for group in self.param_groups for param in group["params"]]
        self.start = [param.detach().clone() for param in self.owned]
        self.r_bar = reps_rel * (1 + self.norm(self.start))
        self.total = 1e-8 * (self.r_bar**2 if weighted else 1.0)

    @staticmethod
    def norm(tensors: Any) -> float:
        return math.sqrt(sum(float((each.abs() ** 2).sum()) for each in tensors))

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        moves = [param - start for param, start in zip(self.owned, self.start, strict=True)]
        grads = [param.grad + self.decay * param for param in self.owned]
        self.r_bar = max(self.r_bar, self.norm(moves))
        weight = self.r_bar**2 if self.weighted else 1.0
        self.total += weight * self.norm(grads) ** 2
        rate = self.param_groups[0]["lr"] * self.r_bar * weight**0.5 / math.sqrt(self.total)
        for param, grad in zip(self.owned, grads, strict=True):
            param -= rate * grad


def written_out(weighted: bool) -> Public:
    return Public(
        WrittenOutDoG,
        options={"reps_rel": 0.1, "weighted": weighted},
        ours={"reps_rel": 0.1},
        coupled={"weight_decay": STRENGTH},
        because="the authors have no decoupled decay",
    )


PUBLIC: dict[str, Public] = {
    "ada_belief": pytorch_optimizers(
        pytorch_optimizer.AdaBelief, options={"rectify": True}, on_complex=True
    ),
    "ada_bound": pytorch_optimizers(
        pytorch_optimizer.AdaBound,
        on_complex=True,
        tolerance=1e-8,
        because="pytorch_optimizer adds 1e-15 inside the root",
    ),
    "adadelta": torchs(torch.optim.Adadelta),
    "adafactor": torchs(
        torch.optim.Adafactor,
        coupled=None,
        decoupled={"weight_decay": STRENGTH},
        on_complex=False,
        on_empty=False,
        because="torch has no decay in the gradient",
    ),
    "adagrad": torchs(torch.optim.Adagrad),
    "adam": torchs(torch.optim.Adam),
    "adam_8bit": Public(
        WrittenOutAdam8bit,
        ours={"min_8bit_size": 1},
        plain={"weight_decay": 0.0, "decoupled": True},
        coupled={"weight_decay": STRENGTH, "decoupled": False},
        decoupled={"weight_decay": STRENGTH, "decoupled": True},
        on_complex=False,
    ),
    "adam_fp16": torchs(torch.optim.Adam),
    "adam_mini": Public(
        AdamMiniInFloat64,
        decoupled={"weight_decay": STRENGTH},
        on_complex=False,
        because="pytorch_optimizer has no decay in the gradient",
    ),
    "adam_warmup": scheduled(lambda t: min(1.0, t / 40), ours={"warmup": 40}),
    "adam_warmup_cosine_decay": scheduled(
        lambda t: (
            t / 20 if t <= 20 else max(0.1, (1 + math.cos(math.pi * min(t - 20, 60) / 60)) / 2)
        ),
        ours={"warmup": 20, "total_steps": 80},
    ),
    "adamax": torchs(torch.optim.Adamax),
    "adamw": torchs(torch.optim.AdamW, coupled=None, decoupled={"weight_decay": STRENGTH}),
    "ademamix": pytorch_optimizers(
        pytorch_optimizer.AdEMAMix,
        options={"t_alpha_beta3": 40},
        ours={"t_alpha_beta3": 40},
    ),
    "adan": timms(
        timm.optim.Adan,
        decoupled={"weight_decay": STRENGTH, "no_prox": True},
        on_complex=False,
        because="its default decay, the proximal one, is compared in test_adan.py, and its moments of "
        "complex parameters are complex",
    ),
    "asgd": torchs(
        torch.optim.ASGD,
        options={"t0": 20},
        ours={"t0": 20},
        tolerance=1e-6,
        because="torch keeps eta in float32",
    ),
    "adopt": timms(
        timm.optim.Adopt,
        options={"clip_exp": 0.25},
        coupled={"weight_decay": STRENGTH},
        decoupled={"weight_decay": STRENGTH, "decoupled": True},
    ),
    "amsgrad": torchs(torch.optim.Adam, options={"amsgrad": True}),
    "cautious_adamw": timms(AdamWLegacy, options={"caution": True}),
    "galore": Public(
        GaLoreInFloat64,
        options={"rank": 3},
        ours={"rank": 3},
        on_complex=False,
        because="pytorch_optimizer decays after the step, and never in the gradient",
    ),
    "grams": pytorch_optimizers(
        pytorch_optimizer.Grams,
        coupled=None,
        on_complex=True,
        because="pytorch_optimizer adds coupled decay to a gradient that it has already used",
    ),
    "kron": pytorch_optimizers(KronWithOurProbes, ours={"balance_frequency": 20}),
    "lamb": timms(
        timm.optim.Lamb,
        options={"max_grad_norm": None},
        coupled={"weight_decay": STRENGTH},
        decoupled={"weight_decay": STRENGTH, "decoupled_decay": True},
        on_complex=False,
        because="its moments of complex parameters are complex",
    ),
    "d_adapt_adam": pytorch_optimizers(
        pytorch_optimizer.DAdaptAdam,
        options={"d0": 0.1},
        ours={"d0": 0.1},
        tolerance=1e-5,
        because="pytorch_optimizer keeps d in float32; in float64 it is compared in test_d_adapt_adam.py",
    ),
    "dog": written_out(weighted=False),
    "dowg": written_out(weighted=True),
    "laprop": timms(
        timm.optim.LaProp,
        decoupled=None,
        tolerance=1e-6,
        because="timm keeps one correction in float32, and decays after the step",
    ),
    "lars": timms(
        timm.optim.Lars,
        options={"momentum": 0.9},
        coupled={"weight_decay": STRENGTH},
        decoupled=None,
    ),
    "lion": timms(timm.optim.Lion),
    "mars": pytorch_optimizers(
        MarsWithoutFloor,
        options={"optimize_1d": True, "eps": 0.0},
        ours={"eps": 0.0},
        coupled=None,
        on_complex=True,
        because="it adds eps to the root that is not corrected yet, and decay to the last gradient only",
    ),
    "muon": Public(
        MuonInFloat64,
        ours={"adjust_lr_fn": "original"},
        decoupled={"weight_decay": STRENGTH},
        on_complex=False,
        because="torch has no decay in the gradient",
    ),
    "nadam": torchs(torch.optim.NAdam, tolerance=1e-9, because="torch keeps mu_product in float32"),
    "nadamw": timms(timm.optim.NAdamW),
    "noam": scheduled(
        lambda t: min(t**-0.5, t * 40**-1.5) / 8,
        options={"betas": (0.9, 0.98), "eps": 1e-9},
        ours={"warmup": 40, "d_model": 64},
    ),
    "normuon": pytorch_optimizers(NorMuonInFloat64, options={"update_scale": "match_rms"}),
    "novograd": pytorch_optimizers(pytorch_optimizer.NovoGrad),
    "prodigy": pytorch_optimizers(
        pytorch_optimizer.Prodigy,
        options={"d0": 0.1},
        ours={"d0": 0.1},
        coupled=None,
        tolerance=1e-5,
        because="pytorch_optimizer keeps d in float32; in float64 it is compared in test_prodigy.py, and so "
        "is its coupled decay, which does nothing",
    ),
    "radam": torchs(torch.optim.RAdam),
    "rmsprop": torchs(torch.optim.RMSprop),
    "rprop": torchs(torch.optim.Rprop, plain={}, coupled=None),
    "schedule_free_adamw": pytorch_optimizers(
        pytorch_optimizer.ScheduleFreeAdamW,
        coupled=None,
        decoupled={"weight_decay": STRENGTH},
        because="pytorch_optimizer adds 1e-15 inside the root, which shows where a complex gradient is "
        "nearly 0",
    ),
    "schedule_free_sgd": pytorch_optimizers(
        pytorch_optimizer.ScheduleFreeSGD,
        coupled={"weight_decay": STRENGTH},
        decoupled={"weight_decay": STRENGTH},
        on_complex=True,
    ),
    "scion": pytorch_optimizers(SCIONInFloat64, options={"momentum": 0.1}),
    "sgd": torchs(torch.optim.SGD, options={"momentum": 0.9}, ours={"momentum": 0.9}),
    "shampoo": pytorch_optimizers(
        pytorch_optimizer.Shampoo,
        ours={
            "betas": (0.0, 0.0),
            "eps": 1e-6,
            "accumulate": True,
            "grafting": "none",
            "precondition_frequency": 1,
            "precondition_1d": True,
        },
    ),
    "signum": pytorch_optimizers(pytorch_optimizer.SignSGD),
    "soap": pytorch_optimizers(
        SOAPInFloat64,
        coupled=None,
        decoupled={"weight_decay": STRENGTH},
        because="it has no decay in the gradient",
    ),
    "sophia": pytorch_optimizers(
        SophiaWithoutCurvature,
        options={"p": 1.0, "betas": (0.9, 0.95)},
        because="with a curvature the two are compared in test_sophia.py",
    ),
    "stable_adamw": pytorch_optimizers(pytorch_optimizer.StableAdamW, on_complex=True),
    "yogi": pytorch_optimizers(
        pytorch_optimizer.Yogi, because="its moments of complex parameters are complex"
    ),
}
