"""Every exported file computes what the package does, bit by bit, where the package is not there."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch

from labml_nn_optim import optimizer_names, schedulers
from labml_nn_optim.export import Library, find, single_file
from labml_nn_optim.schedules import schedule_names
from tests.labml_nn_optim.export import trajectories
from tests.labml_nn_optim.export.cases import (
    CASES,
    OPTIMIZERS,
    SCHEDULERS,
    SCHEDULES,
    Case,
    package,
)

PACKAGES = Path(torch.__file__).parents[1]


def run_isolated(folder: Path, cases: list[Case]) -> list[str]:
    """The digests of `cases`, each from a file of its own, in one process without the package."""
    library, rows = Library(), []
    for number, (names, kind, expression) in enumerate(cases):
        file = folder / f"exported_{number}.py"
        file.write_text(single_file(library, [find(library, name) for name in names]), "utf-8")
        rows.append((str(file), kind, expression))
    listed = folder / "cases.json"
    listed.write_text(json.dumps(rows))
    program = [sys.executable, "-I", "-S", trajectories.__file__, str(PACKAGES), str(listed)]
    done = subprocess.run(program, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    found: list[str] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_every_export_gives_the_same_bits_without_the_package(tmp_path: Path) -> None:
    names = package()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = [trajectories.trajectory(kind, names, expression) for _, kind, expression in CASES]
    theirs = run_isolated(tmp_path, CASES)
    different = [case for case, one, other in zip(CASES, ours, theirs, strict=True) if one != other]
    assert different == []


def test_a_digest_tells_one_bit() -> None:
    value = torch.ones(3)
    names = {"value": value, "other": torch.nextafter(value, torch.tensor(2.0))}
    assert trajectories.trajectory("any", names, "value") == trajectories.trajectory(
        "any", names, "value.clone()"
    )
    assert trajectories.trajectory("any", names, "value") != trajectories.trajectory(
        "any", names, "other"
    )


def test_no_optimizer_schedule_or_scheduler_is_left_out() -> None:
    assert [case.names for case in OPTIMIZERS] == [(f"optimizers/{n}",) for n in optimizer_names()]
    assert {case.names[0] for case in SCHEDULES} == set(schedule_names())
    named = {name for case in SCHEDULERS for name in case.names}
    kinds = {name for name in schedulers.__all__ if name.endswith(("LR", "WD", "Restarts"))}
    assert kinds <= named
    assert {"Scheduler", "PlateauScheduler", "GreedyScheduler"} <= named
