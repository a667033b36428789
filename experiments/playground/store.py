"""The files that the browser loads, kept in the build folder as long as the code is the same.

To trace an optimizer and to find its learning rates takes a tenth of a second, and there are many of them.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from experiments.code_versions import LIBRARY, ROOT, Part, Place
from experiments.playground.catalog import STEPS, Entry, make
from experiments.playground.contours import contours, rings
from experiments.playground.program import to_json
from experiments.playground.surfaces import SURFACES, Surface
from experiments.records import write_atomically

FOLDER = ROOT / "build" / "playground"
SHARED = "shared"


def entry(name: str) -> Entry:
    """Return an optimizer of the playground, traced if its code is not that of the file."""
    data = _kept(name, _version(name), lambda: make(name).to_data())
    return Entry.from_data(name, data)


def shared() -> Path:
    """Return the file that every playground needs: the surfaces, and the names of the optimizers."""
    return _shared(importlib.import_module(f"{LIBRARY}.registry").optimizer_names())


@lru_cache(maxsize=1)
def _shared(names: tuple[str, ...]) -> Path:
    registry = importlib.import_module(f"{LIBRARY}.registry")
    titles = [(name, registry.get_optimizer(name).__name__) for name in names]

    def data() -> dict[str, Any]:
        surfaces = [_surface_data(surface) for surface in SURFACES]
        return {"steps": STEPS, "surfaces": surfaces, "optimizers": titles}

    named = hashlib.sha256(repr(titles).encode()).hexdigest()[:10]
    _kept(SHARED, f"{_running()}-{named}", data)
    return file_of(SHARED)


def file_of(name: str) -> Path:
    """Return the script that hands out the data of that name."""
    return FOLDER / f"{name}.js"


def _surface_data(surface: Surface) -> dict[str, Any]:
    data = {
        "name": surface.name,
        "title": surface.title,
        "window": surface.window,
        "start": surface.start,
        "optima": surface.optima,
        "knobs": [[k.label, k.scale, k.low, k.high, k.value] for k in surface.knobs],
        "program": surface.encode(),
    }
    # Lines that turn with the bowl are circles, squeezed.
    return data | (
        {"rings": rings()} if surface.name == "bowl" else {"contours": contours(surface)}
    )


def _kept(name: str, version: str, make_data: Callable[[], Any]) -> Any:
    """Return the data in the file of that name, made anew if the file is of another version."""
    head, start = f"// {version}\n", f"(self.playground ??= {{}}).{name} = "
    file = file_of(name)
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    if not text.startswith(head):
        text = f"{head}{start}{to_json(make_data())};\n"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, text.encode())
    return json.loads(text.removeprefix(f"{head}{start}").removesuffix(";\n"))


def _version(name: str) -> str:
    return _code_version(name, importlib.import_module(f"{LIBRARY}.registry").get_optimizer(name))


# A class that was read anew is another class.
@lru_cache(maxsize=256)
def _code_version(name: str, kind: type[torch.optim.Optimizer]) -> str:
    start = Place(Path(*kind.__module__.split(".")).with_suffix(".py"), kind.__name__)
    return f"{Part(name, (start,), _library()).version()}-{_running()}"


@lru_cache(maxsize=1)
def _library() -> frozenset[Path]:
    return frozenset(path.relative_to(ROOT) for path in (ROOT / LIBRARY).rglob("*.py"))


@lru_cache(maxsize=1)
def _running() -> str:
    """Return a hash of what traces and runs."""
    texts = [file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py"))]
    return hashlib.sha256(b"".join([*texts, torch.__version__.encode()])).hexdigest()[:10]
