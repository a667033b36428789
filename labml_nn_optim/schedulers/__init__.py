"""Schedulers: objects that write a schedule into the parameter groups of an optimizer."""

from __future__ import annotations

from labml_nn_optim.schedulers.composite import (
)
from labml_nn_optim.schedulers.named import (
)
from labml_nn_optim.schedulers.scheduler import Scheduler

__all__ = [
    "Scheduler",
]
