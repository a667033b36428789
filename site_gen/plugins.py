"""How a course adds what is its own to the pages: facts, figures, scripts and styles."""

import importlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Protocol, runtime_checkable

from markupsafe import Markup

from site_gen.chapters import Chapter
from site_gen.course import Course
from site_gen.errors import SiteError, shown

UNSAFE_ELEMENT = re.compile(r"<\s*(script|iframe|object|embed|link|meta|base)\b", re.I)
EVENT_HANDLER = re.compile(r"<[^>]*\s(on\w+)\s*=", re.I)


@dataclass(frozen=True)
class Fact:
    """A line of the card. A `value` of type `Markup` is HTML, any other is text.

    `files` are copied to the site for the links of the HTML, as those of a `Figure`.
    """

    label: str
    value: str | Markup
    files: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """What stands below the sections: a heading, its anchor, and HTML without scripts.

    `files` are copied to the site for the links of the HTML: by their paths there, such as
    `results/run.json`, the files that they are copied from.
    """

    title: str
    anchor: str
    html: Markup
    files: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Additions:
    """What plugins add to a page: lines of its card, and figures below its sections."""

    facts: Sequence[Fact] = ()
    figures: Sequence[Figure] = ()


NOTHING = Additions()


@runtime_checkable
class Plugin(Protocol):
    """What a class named under `plugins` has to offer; it is made once, without arguments.

    A build may ask copies of the process about one chapter each, side by side: what a plugin keeps
    in memory, it keeps in one of them. While the site is served, a change of prose asks again about
    the pages that it renders, not about the others.
    """

    def facts(self, chapter: Chapter) -> Iterable[Fact]:
        """Return lines for the card of `chapter`."""

    def figures(self, chapter: Chapter) -> Iterable[Figure]:
        """Return what stands below the sections of `chapter`."""

    def assets(self) -> Iterable[Path]:
        """Return scripts (.js) and styles (.css) that every page loads.

        The styles become one file in `assets/site_gen`, to which addresses in them are relative.
        """


@runtime_checkable
class MakesFiles(Protocol):
    """What a plugin has to offer besides if it makes files out of all chapters together."""

    def files(self, course: Course) -> Mapping[str, Path]:
        """Return files for the site, by their paths there."""


class PluginError(Exception):
    """A plugin that cannot be loaded or used."""


def load_plugins(names: Sequence[str]) -> tuple[Plugin, ...]:
    """Import and make the plugins named as `package.module:Class`. Raises PluginError."""
    return tuple(_load(name) for name in names)


@contextmanager
def blaming(plugin: Plugin, chapter: Chapter | None = None) -> Iterator[None]:
    """Turn whatever goes wrong in a plugin into a PluginError that names it and the chapter, if any."""
    try:
        yield
    except Exception as error:
        name = type(plugin).__module__
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        place = f"{shown(chapter.path)}:1: " if chapter else ""
        raise PluginError(f"{place}plugin {name}: {what}") from error


def additions(chapter: Chapter, plugins: Sequence[Plugin]) -> Additions:
    """Return what the plugins add to the page of `chapter`. Raises PluginError."""
    facts: list[Fact] = []
    figures: list[Figure] = []
    for plugin in plugins:
        with blaming(plugin, chapter):
            facts += plugin.facts(chapter)
            figures += plugin.figures(chapter)
    return Additions(facts, figures)


def files_of_all(course: Course, plugins: Sequence[Plugin]) -> dict[str, Path]:
    """Return the files that plugins make out of all chapters together. Raises PluginError."""
    files: dict[str, Path] = {}
    for plugin in plugins:
        if isinstance(plugin, MakesFiles):
            with blaming(plugin):
                files |= plugin.files(course)
    return files


def check_html(html: str | Markup, chapter: Chapter) -> None:
    """Raise SiteError for HTML from a plugin that could run or fetch something."""
    if isinstance(html, Markup) and (
        found := UNSAFE_ELEMENT.search(html) or EVENT_HANDLER.search(html)
    ):
        message = f"a plugin must not put {found[1]!r} on the page; scripts are assets"
        raise SiteError(chapter.path, 1, message)


@lru_cache(maxsize=16)
def _load(name: str) -> Plugin:
    module, _, attribute = name.partition(":")
    try:
        plugin = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise PluginError(f"plugin {name!r} cannot be loaded: {error}") from error
    if not isinstance(plugin, Plugin):
        raise PluginError(f"plugin {name!r} needs the methods facts, figures and assets")
    return plugin
