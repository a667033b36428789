"""What differs between the kinds of chapters: where they stand, where they are listed, what is left to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from labml_nn_optim.skeleton.entries import Entry, Import, ImportedName, Item, by_kind

__all__ = ["KINDS", "NAME", "STEM", "Kind"]

# The names in the skeletons, and in the texts below.
NAME, STEM = "NewRule", "new_rule"

LIBRARY = "labml_nn_optim/__init__.py"
SCHEDULES = "labml_nn_optim/schedules/__init__.py"
LISTED = "labml_nn_optim.schedules"

Entries = Mapping[str, Sequence[Entry]]


@dataclass(frozen=True)
class Kind:
    """A kind of chapter.

    - `folder`: where its files lie, in the library and in the tests
    - `part`: the part of the course that a new one joins
    - `class_name`: that of the skeleton
    - `exports`: the file whose `__all__` has the class
    - `entries`: the lines to add to each file, for the name of a file and that of a class
    - `left`: what a person has to do, in order
    """

    folder: str
    part: str
    class_name: str
    exports: str
    entries: Callable[[str, str], Entries]
    left: tuple[str, ...]


def _optimizer(stem: str, name: str) -> Entries:
    oracle = (
        f'"{stem}": Public(\n'
        '    functools.partial(torch.optim.SGD, momentum=0.9), coupled={"weight_decay": STRENGTH}\n'
        "),"
    )
    hint = f'"{stem}": "Set `momentum` to 0: what is left is gradient descent.",'
    return {
        LIBRARY: [
            Import(f"labml_nn_optim.optimizers.{stem}", name, again=True),
            Item("__all__", f'"{name}",', name, by_kind),
        ],
        "tests/labml_nn_optim/public.py": [Item("PUBLIC", oracle, stem)],
        "tests/labml_nn_optim/test_parity.py": [Item("WITHOUT_TRAJECTORY", f'"{stem}",', stem)],
        "tests/labml_nn_optim/test_state_memory.py": [Item("STATE", f'"{stem}": FULL,', stem)],
        "experiments/playground/hints.py": [Item("HINTS", hint, stem)],
    }


def _schedule(stem: str, name: str) -> Entries:
    kind = f"{name}Schedule"
    return {
        SCHEDULES: [
            Import(f"{LISTED}.{stem}", kind),
            Item("__all__", f'"{kind}",', kind, by_kind),
        ],
        "labml_nn_optim/schedules/config.py": [
            ImportedName(LISTED, stem),
            Item("FAMILIES", f"{stem},"),
        ],
        "tests/labml_nn_optim/schedules/test_config.py": [
            ImportedName(LISTED, kind),
            Item("EVERY", f"{kind}(1.0, half_life=3.0),"),
        ],
    }


WRITE = "replace the rule, the head and the text; each place says what belongs there."

KINDS = {
    "optimizer": Kind(
        "optimizers",
        "1",
        NAME,
        LIBRARY,
        _optimizer,
        (
            f"labml_nn_optim/optimizers/{STEM}.py: {WRITE}",
            f"tests/labml_nn_optim/optimizers/test_{STEM}.py: a test for each claim of the text.",
            f"tests/labml_nn_optim/public.py, PUBLIC: the public implementation of your rule in place of "
            f"torch.optim.SGD; then .venv/bin/python -m pytest tests/labml_nn_optim/test_parity.py -k {STEM}",
            f"tests/labml_nn_optim/test_state_memory.py, STATE: the bytes that {NAME} stores.",
            "experiments/playground/hints.py, HINTS: what to try in the playground, with a test in "
            "tests/experiments/playground/test_hints.py.",
            "experiments/speed_ways.py, PEERS: a package that has the rule, if timm or pytorch_optimizer does.",
            "The records of the runs: .venv/bin/python -m experiments.committed_runs --list, and without "
            "--list it makes them.",
            f"make site, and read the page: site/optimizers/{STEM}.html",
            "make test",
        ),
    ),
    "schedule": Kind(
        "schedules",
        "9",
        f"{NAME}Schedule",
        SCHEDULES,
        _schedule,
        (
            f"labml_nn_optim/schedules/{STEM}.py: {WRITE}",
            f"tests/labml_nn_optim/schedules/test_{STEM}.py: a test for each claim of the text, and one "
            "beside a public implementation.",
            f"tests/labml_nn_optim/schedules/test_config.py, EVERY: {NAME}Schedule with your arguments.",
            f"tests/labml_nn_optim/schedules/test_properties.py: how to draw the arguments of "
            f"{NAME}Schedule (BUILDS), between which values it stays (bounds), whether it ends (ENDLESS).",
            f"experiments/schedule_plots.py, PLOTS: a chart of schedules.{STEM}, and a row in "
            "docs_src/schedule_gallery.md.",
            f"make site, and read the page: site/schedules/{STEM}.html",
            "make test",
        ),
    ),
}
