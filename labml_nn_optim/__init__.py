"""An annotated course on optimization for deep learning: every file is a chapter.

`from labml_nn_optim import Adam` loads that chapter and what it stands on, no other.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from labml_nn_optim.registry import get_optimizer, optimizer_names

if TYPE_CHECKING:
    from labml_nn_optim.base import GenericAdaptiveOptimizer as GenericAdaptiveOptimizer
    from labml_nn_optim.configs import OptimizerConfigs as OptimizerConfigs
    from labml_nn_optim.decays.cautious import CautiousWeightDecay as CautiousWeightDecay
    from labml_nn_optim.decays.l1 import L1WeightDecay as L1WeightDecay
    from labml_nn_optim.decays.proximal import ProximalWeightDecay as ProximalWeightDecay
    from labml_nn_optim.decays.start import WeightDecayToStart as WeightDecayToStart
    from labml_nn_optim.lbfgs import LBFGS as LBFGS
    from labml_nn_optim.optimizers.ada_belief import AdaBelief as AdaBelief
    from labml_nn_optim.optimizers.ada_bound import AdaBound as AdaBound
    from labml_nn_optim.optimizers.adadelta import Adadelta as Adadelta
    from labml_nn_optim.optimizers.adafactor import Adafactor as Adafactor
    from labml_nn_optim.optimizers.adagrad import Adagrad as Adagrad
    from labml_nn_optim.optimizers.adam import Adam as Adam
    from labml_nn_optim.optimizers.adam_8bit import Adam8bit as Adam8bit
    from labml_nn_optim.optimizers.adam_fp16 import AdamFP16 as AdamFP16
    from labml_nn_optim.optimizers.adam_fp16 import GradScalerFP16 as GradScalerFP16
    from labml_nn_optim.optimizers.adam_mini import AdamMini as AdamMini
    from labml_nn_optim.optimizers.adam_warmup import AdamWarmup as AdamWarmup
    from labml_nn_optim.optimizers.adam_warmup_cosine_decay import (
        AdamWarmupCosineDecay as AdamWarmupCosineDecay,
    )
    from labml_nn_optim.optimizers.adamax import Adamax as Adamax
    from labml_nn_optim.optimizers.adamw import AdamW as AdamW
    from labml_nn_optim.optimizers.adan import Adan as Adan
    from labml_nn_optim.optimizers.ademamix import AdEMAMix as AdEMAMix
    from labml_nn_optim.optimizers.adopt import ADOPT as ADOPT
    from labml_nn_optim.optimizers.amsgrad import AMSGrad as AMSGrad
    from labml_nn_optim.optimizers.asgd import ASGD as ASGD
    from labml_nn_optim.optimizers.cautious_adamw import CautiousAdamW as CautiousAdamW
    from labml_nn_optim.optimizers.d_adapt_adam import DAdaptAdam as DAdaptAdam
    from labml_nn_optim.optimizers.dog import DoG as DoG
    from labml_nn_optim.optimizers.dowg import DoWG as DoWG
    from labml_nn_optim.optimizers.galore import GaLore as GaLore
    from labml_nn_optim.optimizers.grams import Grams as Grams
    from labml_nn_optim.optimizers.kron import Kron as Kron
    from labml_nn_optim.optimizers.lamb import LAMB as LAMB
    from labml_nn_optim.optimizers.laprop import LaProp as LaProp
    from labml_nn_optim.optimizers.lars import LARS as LARS
    from labml_nn_optim.optimizers.lion import Lion as Lion
    from labml_nn_optim.optimizers.mars import MARS as MARS
    from labml_nn_optim.optimizers.muon import Muon as Muon
    from labml_nn_optim.optimizers.nadam import NAdam as NAdam
    from labml_nn_optim.optimizers.nadamw import NAdamW as NAdamW
    from labml_nn_optim.optimizers.noam import Noam as Noam
    from labml_nn_optim.optimizers.normuon import NorMuon as NorMuon
    from labml_nn_optim.optimizers.novograd import NovoGrad as NovoGrad
    from labml_nn_optim.optimizers.prodigy import Prodigy as Prodigy
    from labml_nn_optim.optimizers.radam import RAdam as RAdam
    from labml_nn_optim.optimizers.rmsprop import RMSprop as RMSprop
    from labml_nn_optim.optimizers.rprop import Rprop as Rprop
    from labml_nn_optim.optimizers.schedule_free_adamw import (
        ScheduleFreeAdamW as ScheduleFreeAdamW,
    )
    from labml_nn_optim.optimizers.schedule_free_sgd import ScheduleFreeSGD as ScheduleFreeSGD
    from labml_nn_optim.optimizers.scion import Scion as Scion
    from labml_nn_optim.optimizers.sgd import SGD as SGD
    from labml_nn_optim.optimizers.shampoo import Shampoo as Shampoo
    from labml_nn_optim.optimizers.signum import Signum as Signum
    from labml_nn_optim.optimizers.soap import SOAP as SOAP
    from labml_nn_optim.optimizers.sophia import Sophia as Sophia
    from labml_nn_optim.optimizers.stable_adamw import StableAdamW as StableAdamW
    from labml_nn_optim.optimizers.yogi import Yogi as Yogi
    from labml_nn_optim.weight_decay import WeightDecay as WeightDecay
    from labml_nn_optim.wrappers.ema import EMA as EMA
    from labml_nn_optim.wrappers.lookahead import Lookahead as Lookahead
    from labml_nn_optim.wrappers.sam import SAM as SAM

__all__ = [
    "ADOPT",
    "ASGD",
    "EMA",
    "LAMB",
    "LARS",
    "LBFGS",
    "MARS",
    "SAM",
    "SGD",
    "SOAP",
    "AMSGrad",
    "AdEMAMix",
    "AdaBelief",
    "AdaBound",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "Adam8bit",
    "AdamFP16",
    "AdamMini",
    "AdamW",
    "AdamWarmup",
    "AdamWarmupCosineDecay",
    "Adamax",
    "Adan",
    "CautiousAdamW",
    "CautiousWeightDecay",
    "DAdaptAdam",
    "DoG",
    "DoWG",
    "GaLore",
    "GenericAdaptiveOptimizer",
    "GradScalerFP16",
    "Grams",
    "Kron",
    "L1WeightDecay",
    "LaProp",
    "Lion",
    "Lookahead",
    "Muon",
    "NAdam",
    "NAdamW",
    "Noam",
    "NorMuon",
    "NovoGrad",
    "OptimizerConfigs",
    "Prodigy",
    "ProximalWeightDecay",
    "RAdam",
    "RMSprop",
    "Rprop",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "Scion",
    "Shampoo",
    "Signum",
    "Sophia",
    "StableAdamW",
    "WeightDecay",
    "WeightDecayToStart",
    "Yogi",
    "get_optimizer",
    "optimizer_names",
]

# What is no optimizer, and the module it stands in.
_OTHERS = {
    "CautiousWeightDecay": "decays.cautious",
    "EMA": "wrappers.ema",
    "GenericAdaptiveOptimizer": "base",
    "GradScalerFP16": "optimizers.adam_fp16",
    "L1WeightDecay": "decays.l1",
    "LBFGS": "lbfgs",
    "Lookahead": "wrappers.lookahead",
    "OptimizerConfigs": "configs",
    "ProximalWeightDecay": "decays.proximal",
    "SAM": "wrappers.sam",
    "WeightDecay": "weight_decay",
    "WeightDecayToStart": "decays.start",
}


def __getattr__(name: str) -> Any:
    if name in _OTHERS:
        return getattr(importlib.import_module(f"{__name__}.{_OTHERS[name]}"), name)
    if name in __all__:
        return get_optimizer(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
