"""Kinds of weight decay beside the plain one, one class a file."""

from __future__ import annotations

from labml_nn_optim.decays.cautious import CautiousWeightDecay
from labml_nn_optim.decays.l1 import L1WeightDecay
from labml_nn_optim.decays.proximal import ProximalWeightDecay
from labml_nn_optim.decays.start import WeightDecayToStart

__all__ = ["CautiousWeightDecay", "L1WeightDecay", "ProximalWeightDecay", "WeightDecayToStart"]
