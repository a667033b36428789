"""The short run at the end of a notebook: a program, cut into prose and code.

A chapter has a program of its own in the folder `programs`, under its name, or shares one with its kind. A shared one is written for one class; for
another chapter the line that makes the object is exchanged. Optimizers get the learning rate of the committed
runs, if there are some.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from experiments.library import LIBRARY
from experiments.run_figures import first_run
from labml_nn_optim.registry import get_optimizer
from site_gen.sections import Source, parse, read

PROGRAMS = Path(__file__).parent / "programs"
DIGITS = f"{__package__}.programs.digits"
TITLE = "## A short run"

WARMUP = 20
"""Steps of warm-up in a run of 225: those of the committed runs are nearly as long as that."""

SCHEDULES = {
    "cycles": "CyclicSchedule(base_value=0.001, max_value=0.01, steps_up=40)",
    "decay": "ExponentialSchedule(start_value=0.01, factor=0.1, steps=100)",
    "infinite": "InfiniteSchedule(\n"
    "    max_value=0.01, constant_value=0.003, warmup_steps=20, cooldown_steps=40, decay_percent=0.2\n)",
    "power": "InverseSqrtSchedule(max_value=0.01, warmup_steps=20)",
    "progress": "CosineDecreasingSchedule(max_value=0.01)",
    "ramp": 'RampSchedule(0.01, 0.001, shape="rex")',
    "values": "InterpolationSchedule(steps=[0, 20, 180, 224], values=[0.001, 0.01, 0.01, 0.0])",
    "warmup": "LinearWarmupCosineDecaySchedule(max_value=0.01, warmup_steps=20)",
    "wsd": "WSDSchedule(max_value=0.01, warmup_steps=20, decay_percent=0.3)",
}


@dataclass(frozen=True)
class Shared:
    """A program that is written for one class of a kind of chapters.

    * `made`: what makes its object, and is exchanged
    * `module`: the module of the class
    """

    file: str
    made: str
    name: str
    module: str


SHARED = {
    "optimizers": Shared(
        "optimizer.py", "Adam(model.parameters(), lr=0.003)", '"Adam"', "optimizers.adam"
    ),
    "schedules": Shared("schedule.py", SCHEDULES["wsd"], "", "schedules.wsd"),
}


def run_of(chapter: str, module: str) -> list[tuple[str, bool]]:
    """Return the cells of the run of a chapter, each with whether it is code.

    * `chapter`: its name, such as `optimizers/adam`
    * `module`: the dotted name of its module
    """
    own = PROGRAMS / f"{chapter}.py"
    kind, _, name = chapter.rpartition("/")
    if own.is_file():
        text = read(own)
    elif kind in SHARED:
        text = _exchanged(SHARED[kind], name, module)
    else:
        raise LookupError(f"{chapter} has no program for a run: {own} is missing")
    cells = list(_cells(text, own, module))
    if DIGITS in text:
        file = PROGRAMS / "digits.py"
        cells = [*_cells(read(file), file, module), *cells]
    first, is_code = cells[0]
    assert not is_code
    return [(f"{TITLE}\n\n{first}", False), *cells[1:]]


def _exchanged(shared: Shared, name: str, module: str) -> str:
    """Return a shared program, made for another class."""
    text = read(PROGRAMS / shared.file)
    assert shared.made in text
    if shared.name:
        made, label = _optimizer(name)
        text = text.replace(shared.name, f'"{label}"')
    else:
        made = SCHEDULES[name]
    return text.replace(shared.made, made).replace(f"{LIBRARY}.{shared.module}", module)


def _optimizer(name: str) -> tuple[str, str]:
    """Return the expression that makes an optimizer for the run, and the name of its class."""
    kind = get_optimizer(name).__name__
    run = first_run(name)
    if run is None:
        raise LookupError(f"{name} has no committed run that a learning rate could be taken from")
    options = dict(run.configuration["options"])
    if "warmup" in options:
        options["warmup"] = WARMUP
    given = {"lr": run.configuration["lr"]} | {
        key: tuple(value) if isinstance(value, list) else value for key, value in options.items()
    }
    arguments = ", ".join(f"{key}={value!r}" for key, value in given.items())
    return f"{kind}(model.parameters(), {arguments})", kind


def _cells(text: str, path: Path, module: str) -> Iterator[tuple[str, bool]]:
    """Yield the prose and the code of a program, without imports of what stands above in the notebook."""
    source = _parsed(text, path)
    numbered = enumerate(source.lines, 1)
    foreign = set(_foreign_imports(text, module))
    lines = {number: line for number, line in numbered if number not in foreign}
    begin = 1
    for section in source.sections:
        if section.scope or not section.prose:
            continue
        (prose,) = section.prose
        yield from _code(lines, range(begin, prose.first))
        yield prose.text, False
        begin = prose.last + 1
    yield from _code(lines, range(begin, len(source.lines) + 1))


# The programs stay the same for all chapters, and digits.py stands in most of them.
@lru_cache(maxsize=256)
def _parsed(text: str, path: Path) -> Source:
    return parse(text, path)


def _code(lines: Mapping[int, str], numbers: range) -> Iterator[tuple[str, bool]]:
    """Yield a cell with those lines of some numbers that are there, if there are any but empty ones."""
    text = "\n".join(lines[number] for number in numbers if number in lines).strip("\n")
    # Where imports were left out, the gaps around them meet.
    text = re.sub(r"\A((?:(?:import|from) .*\n)+)\n{2,}(?!def |class |@)", r"\1\n", text)
    if text:
        yield text, True


def _foreign_imports(text: str, module: str) -> Iterator[int]:
    """Yield the lines that import from the chapter itself or from another program."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.ImportFrom) and node.module in (module, DIGITS):
            yield from range(node.lineno, (node.end_lineno or 0) + 1)
