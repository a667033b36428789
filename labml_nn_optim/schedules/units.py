r"""
---
title: Updates, epochs, tokens
summary: Lengths come in epochs, samples, tokens and fractions; a schedule counts updates, and one place converts.
chapter: "9.14"
needs: [schedules/base]
symbols:
  T: total_steps
---

# (prose to come)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from labml_nn_optim.checks import require_choice, require_count, require_flag, require_number

__all__ = ["RunLength"]


@dataclass(frozen=True)
class RunLength:
    """How long a run is, in every unit.

    - `total_steps`: $T$, the updates of the whole run
    - `samples_per_update`, `tokens_per_update`, `updates_per_epoch`: what is known of these

    Raises `TypeError` or `ValueError` for what is no whole number above 0.
    """

    total_steps: int
    samples_per_update: int | None = None
    tokens_per_update: int | None = None
    updates_per_epoch: int | None = None

    def __post_init__(self) -> None:
        for name in ("total_steps", "samples_per_update", "tokens_per_update", "updates_per_epoch"):
            value = getattr(self, name)
            if value is not None or name == "total_steps":
                require_count(name, value, minimum=1)

    @classmethod
    def of_epochs(
        cls, epochs: float, samples: int, batch_size: int, *, drop_last: bool = False
    ) -> RunLength:
        """Return the length of a run of `epochs` over `samples` in batches of `batch_size`.

        - `drop_last`: whether a last batch that is not full is left out, as by torch's `DataLoader`
        """
        require_number("epochs", epochs, above=0.0)
        require_count("samples", samples, minimum=1)
        require_count("batch_size", batch_size, minimum=1)
        require_flag("drop_last", drop_last)
        updates = samples // batch_size if drop_last else math.ceil(samples / batch_size)
        if updates == 0:
            raise ValueError(f"batch_size must be at most samples, {samples}, got {batch_size}")
        total_steps = max(1, round(epochs * updates))
        return cls(total_steps, samples_per_update=batch_size, updates_per_epoch=updates)

    def steps(self, amount: float, unit: str) -> int:
        """Return how many updates an `amount` of a `unit` is, to the nearest.

        - `unit`: `"updates"`, `"epochs"`, `"samples"`, `"tokens"` or `"fraction"`, that of the run

        Raises `ValueError` for a unit that this run does not know.
        """
        require_number("amount", amount)
        updates_in = {
            "updates": 1.0,
            "epochs": self.updates_per_epoch,
            "samples": 1 / self.samples_per_update if self.samples_per_update else None,
            "tokens": 1 / self.tokens_per_update if self.tokens_per_update else None,
            "fraction": self.total_steps,
        }
        require_choice("unit", unit, updates_in)
        factor = updates_in[unit]
        if factor is None:
            raise ValueError(f"unit must be one whose size the run knows, got {unit!r}")
        return round(amount * factor)
