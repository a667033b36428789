"""Checkpoints: what a run needs in order to go on as if it had never stopped.

A checkpoint is written beside its place and then renamed, so that a kill at any moment leaves the
one before it. The newest two are kept: if the newest cannot be read, the older one can.
"""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import torch

from experiments.records import write_atomically

KEPT = 2


class Checkpoints:
    """The checkpoints of one run, in a folder of their own.

    * `folder`: made with the first checkpoint
    * `run`: name of the run; a checkpoint of another one is not loaded
    """

    def __init__(self, folder: Path, run: str) -> None:
        self.folder = folder
        self.run = run

    def steps(self) -> list[int]:
        """Return the steps of all checkpoints, the newest first."""
        matches = (re.fullmatch(r"step-(\d+)\.pt", path.name) for path in self.folder.glob("*.pt"))
        return sorted((int(match[1]) for match in matches if match), reverse=True)

    def newest(self) -> Path | None:
        """Return the newest checkpoint, which need not be a whole one."""
        steps = self.steps()
        return self.path(steps[0]) if steps else None

    def path(self, step: int) -> Path:
        """Return where the checkpoint of `step` lies."""
        return self.folder / f"step-{step:08}.pt"

    def save(self, step: int, state: dict[str, Any]) -> Path:
        """Write the checkpoint of `step`, and keep only it and the one before.

        * `state`: dictionaries, lists, strings, numbers and tensors

        Raises `OSError` if it cannot be written; those before it are then as they were.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._remove_unfinished()
        buffer = io.BytesIO()
        torch.save({"run": self.run, "step": step, "state": state}, buffer)
        write_atomically(self.path(step), buffer.getvalue())
        # Later steps are left over from a run that was given up, or they cannot be read.
        kept = [other for other in self.steps() if other <= step][:KEPT]
        for other in set(self.steps()) - set(kept):
            self.path(other).unlink(missing_ok=True)
        return self.path(step)

    def load_newest(self) -> tuple[dict[str, Any] | None, list[str]]:
        """Return the newest state that can be read, and a line about each that cannot."""
        problems: list[str] = []
        for step in self.steps():
            try:
                return self._load(step), problems
            except Exception as error:  # a damaged file makes torch raise almost anything
                reason = (str(error) or type(error).__name__).splitlines()[0]
                problems.append(f"{self.path(step)} cannot be used ({reason[:120]})")
        return None, problems

    def clear(self) -> None:
        """Remove all checkpoints."""
        for step in self.steps():
            self.path(step).unlink(missing_ok=True)

    def _remove_unfinished(self) -> None:
        """Remove what a process left that was killed while it wrote."""
        for path in self.folder.glob(".step-*.pt.*"):
            path.unlink(missing_ok=True)

    def _load(self, step: int) -> dict[str, Any]:
        # torch writes checksums into its archive, but does not compare them when it reads.
        with zipfile.ZipFile(self.path(step)) as archive:
            if damaged := archive.testzip():
                raise ValueError(f"{damaged} has a wrong checksum")
        content = torch.load(self.path(step), map_location="cpu", weights_only=True)
        if content["run"] != self.run or content["step"] != step:
            raise ValueError(f"it belongs to step {content['step']} of {content['run']}")
        state: dict[str, Any] = content["state"]
        return state
