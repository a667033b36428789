"""A file that is carried away says what it is, where it comes from, under which licence, and which paper it follows.

A chapter says in the first lines of its docstring what it is called, what it is about in one sentence, and which papers it
follows. These lines are YAML. The standard library does not read YAML, and the chapters use little of it: keys with values on one
line, and a list of papers. `papers` reads that much.

The version is that of the installed package. In a folder from which nothing was installed there is none.
"""

from __future__ import annotations

import importlib.metadata
import re
import textwrap
from collections.abc import Iterator, Sequence

from labml_nn_optim.export.modules import Module
from labml_nn_optim.registry import entry

__all__ = ["WIDTH", "head", "papers", "summary", "title"]

WIDTH = 100
PROJECT = "labml-nn-optim"
LICENCE = "MIT, Copyright (c) 2026 The labml-nn-optim authors"
REPOSITORY = re.compile(r"(?:repository|source), *(\S+)", re.IGNORECASE)
LINKS = {"arxiv": "https://arxiv.org/abs/{}", "doi": "https://doi.org/{}", "url": "{}"}


def title(module: Module) -> str:
    """Return the title of a chapter, or the path of its file if it has none."""
    return entry(_front_matter(module), "title") or module.path


def summary(module: Module) -> str:
    """Return the sentence that says what a chapter is about; empty if it has none."""
    return entry(_front_matter(module), "summary")


def papers(module: Module) -> list[str]:
    """Return the papers of a chapter, each with its authors, title, year and address."""
    block = re.search(r"^paper:\n((?:[ ].*\n)+)", _front_matter(module), re.MULTILINE)
    found: list[dict[str, str]] = []
    for line in block[1].splitlines() if block else ():
        field = re.fullmatch(r"( +(?:- )?)(\w+): *(.*)", line)
        if field is None:
            continue
        if "-" in field[1] or not found:
            found.append({})
        found[-1][field[2]] = _plain(field[3])
    return [_paper(each) for each in found]


def head(modules: Sequence[Module], command: str, needs_torch: bool) -> list[str]:
    """Return the comment at the head of a file.

    - `modules`: the chapters that it is about
    - `command`: what has made it
    - `needs_torch`: whether it needs more than Python
    """
    titles = ", ".join(title(module) for module in modules)
    requirement = "torch and nothing else" if needs_torch else "Python and nothing else"
    paths = ", ".join(module.path for module in modules)
    texts = [
        f"{titles}, in one file that needs {requirement}.",
        "",
        f"Origin: {PROJECT} {_version()}, {paths}{_repository()}",
        f"Made by: python -m labml_nn_optim {command}",
        f"Licence: {LICENCE}",
        "SPDX-License-Identifier: MIT",
        *(f"Paper: {paper}" for module in modules for paper in papers(module)),
    ]
    return [line for text in texts for line in comment(text)]


def comment(text: str) -> list[str]:
    """Return `text` as lines of a comment."""
    lines = textwrap.wrap(text, WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    return [f"# {line}" for line in lines] or ["#"]


def _front_matter(module: Module) -> str:
    found = re.match(r"\s*---\n(.*?\n)---\n", module.docstring, re.DOTALL)
    return found[1] if found else ""


def _plain(value: str) -> str:
    return value[1:-1] if value[:1] in ("'", '"') and value[-1:] == value[:1] else value


def _paper(fields: dict[str, str]) -> str:
    links: Iterator[str] = (LINKS[key].format(fields[key]) for key in LINKS if key in fields)
    authors = fields.get("authors", "").strip("[]").replace(", others", " et al.")
    return f"{authors}. {fields.get('title')}. {fields.get('year')}. {next(links, '')}".strip()


def _version() -> str:
    try:
        return importlib.metadata.version(PROJECT)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


def _repository() -> str:
    """Return the address of the repository, if the package names one."""
    try:
        urls = importlib.metadata.metadata(PROJECT).get_all("Project-URL") or []
    except importlib.metadata.PackageNotFoundError:
        return ""
    found = filter(None, map(REPOSITORY.fullmatch, urls))
    return "".join(f", {each[1]}" for each in found)
