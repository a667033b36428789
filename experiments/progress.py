"""What a person sees while a run goes on: a bar on a terminal, and a line after every epoch."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from types import TracebackType

from tqdm import tqdm

from experiments.training import Plan


class Progress:
    """Shows loss, accuracy and samples per second; writes to standard error.

    Where standard error is no terminal there is no bar, and only the lines are written.
    """

    def __init__(self, plan: Plan, name: str, done: int) -> None:
        self.plan = plan
        self.loss: float | None = None
        self.accuracy: float | None = None
        self.first_sample = plan.samples_after(done)
        self.start = time.perf_counter()
        self.bar = tqdm(
            desc=name,
            total=plan.samples_after(plan.total_steps),
            initial=self.first_sample,
            unit=" samples",
            unit_scale=True,
            mininterval=0.5,
            dynamic_ncols=True,
            leave=False,
            disable=None,
        )

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.close()

    def step(self, step: int) -> None:
        """Move the bar to `step`."""
        self.bar.update(self.plan.samples_after(step) - self.bar.n)

    def show(self, table: str, row: Mapping[str, float]) -> None:
        """Show the newest row of one of the history's tables."""
        if table == "train":
            self.loss = row["loss"]
        else:
            self.accuracy = row["accuracy"]
        accuracy = "" if self.accuracy is None else f", accuracy {self.accuracy:.2%}"
        self.bar.set_postfix_str(f"loss {self.loss:.4f}{accuracy}", refresh=False)
        if table == "test":
            self._write_line(int(row["step"]), row)

    def _write_line(self, step: int, row: Mapping[str, float]) -> None:
        seen = self.plan.samples_after(step) - self.first_sample
        rate = seen / (time.perf_counter() - self.start)
        tqdm.write(
            f"epoch {step / self.plan.steps_per_epoch:.4g}: train loss {self.loss:.4f}, "
            f"test loss {row['loss']:.4f}, test accuracy {row['accuracy']:.2%}, "
            f"{rate:,.0f} samples/s",
            file=sys.stderr,
        )
