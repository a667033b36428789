"""Render the pages: one after the other, or side by side by copies of this process.

A copy has all that was read before it was made, so nothing needs to be sent to it. Only Linux makes
such copies safely, and only of a process without other threads; so the command line asks for them, and
`serve`, which goes on for days, does not.
"""

import gc
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextvars import ContextVar
from pathlib import Path

from site_gen.chapters import Chapter
from site_gen.course import Course
from site_gen.page import page
from site_gen.plugins import Plugin, additions

ENOUGH = 8
"""For fewer pages a copy is not worth the time that it takes to make it."""

_copied: ContextVar[tuple[Course, Sequence[Plugin]]] = ContextVar("_copied")


def cores() -> int:
    """Return how many copies of this process can work side by side; one where they are not safe."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1


def rendered(
    chapters: Sequence[Chapter], course: Course, plugins: Sequence[Plugin], processes: int
) -> dict[str, bytes]:
    """Return the Markdown of each chapter's page by its name, and bring its files into the course.

    * `processes`: how many render side by side at most

    Raises SiteError or PluginError: of several, the one of the first chapter.
    """
    processes = min(processes, len(chapters) // ENOUGH)
    if processes > 1:
        return dict(_by_copies(chapters, course, plugins, processes))
    return {chapter.name: _rendered(chapter, course, plugins) for chapter in chapters}


def _rendered(chapter: Chapter, course: Course, plugins: Sequence[Plugin]) -> bytes:
    return page(chapter, course, additions(chapter, plugins)).encode()


def _by_copies(
    chapters: Sequence[Chapter], course: Course, plugins: Sequence[Plugin], processes: int
) -> Iterator[tuple[str, bytes]]:
    context = multiprocessing.get_context("fork")
    # The collector would write to all objects, and what a copy writes to it has to copy first.
    gc.freeze()
    with ProcessPoolExecutor(processes, context, _start_copy, (course, plugins)) as copies:
        try:
            made = copies.map(_in_copy, [chapter.name for chapter in chapters])
            for chapter, (text, files) in zip(chapters, made, strict=True):
                course.take(files, chapter)
                yield chapter.name, text
        finally:
            copies.shutdown(wait=True, cancel_futures=True)
            gc.unfreeze()


def _start_copy(course: Course, plugins: Sequence[Plugin]) -> None:
    # Ctrl-C reaches all processes of a terminal; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _copied.set((course, plugins))


def _in_copy(name: str) -> tuple[bytes, dict[str, Path]]:
    """Return a page, and the files that no other page of this copy has brought."""
    course, plugins = _copied.get()
    before = set(course.assets)
    text = _rendered(course.chapters[name], course, plugins)
    return text, {path: file for path, file in course.assets.items() if path not in before}
