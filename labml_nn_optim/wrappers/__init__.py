"""Wrappers: something around the step of any optimizer, one class a file."""

from __future__ import annotations

from labml_nn_optim.wrappers.ema import EMA
from labml_nn_optim.wrappers.lookahead import Lookahead
from labml_nn_optim.wrappers.sam import SAM, frozen_statistics
from labml_nn_optim.wrappers.wrapper import Wrapper

__all__ = ["EMA", "SAM", "Lookahead", "Wrapper", "frozen_statistics"]
