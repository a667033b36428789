"""The course as a whole: every chapter, its place, its address, and what can be linked to."""

import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from site_gen.bibtex import keys
from site_gen.chapters import Chapter
from site_gen.config import Settings
from site_gen.errors import SiteError, shown
from site_gen.graph import direct, find_cycle, reverse
from site_gen.lexicon import Lexicon
from site_gen.resolution import Resolution

LANDING = "index"


@dataclass(frozen=True)
class Part:
    """Chapters that belong together. `number` is None for pages outside the parts."""

    number: int | None
    title: str
    chapters: tuple[Chapter, ...]

    @property
    def label(self) -> str:
        """The title with its number."""
        return self.title if self.number is None else f"{self.number} · {self.title}"

    @property
    def anchor(self) -> str:
        """The anchor of the part in a list of contents."""
        return "contents-more" if self.number is None else f"contents-part-{self.number}"


class Course:
    """All chapters, in reading order. Raises SiteError for what does not fit together."""

    def __init__(self, chapters: Iterable[Chapter], settings: Settings) -> None:
        self.settings = settings
        self.chapters: dict[str, Chapter] = {}
        for chapter in chapters:
            other = self.chapters.get(chapter.name)
            if other:
                message = f"page {chapter.name!r} is already made from {shown(other.path)}"
                raise SiteError(chapter.path, 1, message)
            self.chapters[chapter.name] = chapter
        self.assets: dict[str, Path] = {}
        self.by_path = {chapter.path.resolve(): chapter for chapter in self.chapters.values()}
        self._found: dict[tuple[Path, str], Chapter | None] = {}
        self.resolution = Resolution(self.chapters, settings)
        self.parts = tuple(self._parts())
        self._check_needs()

    def address(self, target: Chapter, anchor: str, seen_from: Chapter) -> str:
        """Return the relative address of an anchor (`""` for the page itself)."""
        fragment = f"#{anchor}" if anchor else ""
        if target is seen_from and anchor:
            return fragment
        return self.relative(self._page(target.name), seen_from) + fragment

    def path(self, target: Chapter) -> str:
        """Return the path of a page from the root of the site."""
        return self._page(target.name)

    def relative(self, path: str, seen_from: Chapter) -> str:
        """Return the address of `path`, relative to the root of the site, as seen from a page."""
        folder = posixpath.dirname(self._page(seen_from.name) + "x")
        # Of paths without a root the system would be asked, thousands of times, where it is.
        relative = posixpath.relpath(f"/{path}", f"/{folder}")
        return f"{relative}/" if not path or path.endswith("/") else relative

    def find(self, path: str, seen_from: Chapter) -> Chapter | None:
        """Find a page by its source file, seen from another, or by its name or root path.

        `adam.html` beside the source is the page of `adam.py`, and `index.html` of `__init__.py`.
        """
        key = (seen_from.path.parent, path)
        if key not in self._found:
            self._found[key] = self._find(path, seen_from)
        return self._found[key]

    def _find(self, path: str, seen_from: Chapter) -> Chapter | None:
        file = (seen_from.path.parent / unquote(path)).resolve()
        name = unquote(path).strip("/").removesuffix(".py").removesuffix(".md")
        if file.suffix != ".html":
            return self.by_path.get(file) or self.chapters.get(name)
        stem = "__init__" if file.stem == LANDING else file.stem
        pages = (file.with_name(f"{stem}.py"), file.with_suffix(".md"))
        return next((self.by_path[page] for page in pages if page in self.by_path), None)

    def definition(self, name: str) -> tuple[Chapter, str] | None:
        """Return the page and anchor of what `name` names, if it names one thing only."""
        return self._definitions.get(name.removesuffix("()"))

    def asset(self, file: Path) -> str | None:
        """Take a file that lies in a source folder into the site; return its path there."""
        file = file.resolve()
        folders = [(source.path, source.under) for source in self.settings.sources]
        if self.settings.docs:
            folders.append((self.settings.docs, ""))
        for folder, under in folders:
            root = folder if folder.is_dir() else folder.parent
            if file.is_file() and file.is_relative_to(root.resolve()):
                relative = file.relative_to(root.resolve()).as_posix()
                path = posixpath.join(under, relative)
                self.assets[path] = file
                return path
        return None

    def bring(self, files: Mapping[str, Path], chapter: Chapter) -> None:
        """Take any files into the site, at paths from its root, for a page that links to them.

        Raises SiteError for a path out of the site, one that is taken, and a file that is not there.
        """
        for path, file in files.items():
            self._bring(path, file, chapter)

    def _bring(self, path: str, file: Path, chapter: Chapter) -> None:
        if self.assets.get(path) == file:
            # Many pages may bring the same file, and to look at it takes longer than all else here.
            return
        if path != posixpath.normpath(path) or path.startswith(("/", "..")) or "\\" in path:
            message = f"file {path!r}: must be a path from the root of the site"
            raise SiteError(chapter.path, 1, message)
        if path.endswith((".md", ".html")):
            raise SiteError(chapter.path, 1, f"file {path!r}: pages are made from chapters")
        if not file.is_file():
            raise SiteError(chapter.path, 1, f"file {path!r}: there is no {shown(file)}")
        self.take({path: file.resolve()}, chapter)

    def take(self, files: Mapping[str, Path], chapter: Chapter) -> None:
        """Take files that were looked at before into the site, for a page. Raises SiteError for a taken path."""
        for path, file in files.items():
            if self.assets.setdefault(path, file) != file:
                message = f"file {path!r}: is already {shown(self.assets[path])}"
                raise SiteError(chapter.path, 1, message)

    def place(self, chapter: Chapter) -> str | None:
        """Return the number of a chapter as its readers see it, such as `2.4`."""
        place = chapter.front_matter.place
        return f"{place[0]}.{place[1]}" if place else None

    def part(self, chapter: Chapter) -> Part | None:
        """Return the numbered part that a chapter belongs to."""
        place = chapter.front_matter.place
        return next((part for part in self.parts if place and part.number == place[0]), None)

    def label(self, chapter: Chapter) -> str:
        """Return the title of a chapter, with its number where it has one."""
        place = self.place(chapter)
        return f"{place} {chapter.title}" if place else chapter.title

    @cached_property
    def reading_order(self) -> tuple[Chapter, ...]:
        """The numbered chapters, from the first to the last."""
        return tuple(
            chapter for part in self.parts if part.number is not None for chapter in part.chapters
        )

    def neighbours(self, chapter: Chapter) -> tuple[Chapter | None, Chapter | None]:
        """Return the chapters before and after a numbered one; none for the others."""
        order = self.reading_order
        if not chapter.front_matter.place:
            return None, None
        index = order.index(chapter)
        return order[index - 1] if index else None, next(iter(order[index + 1 :]), None)

    @cached_property
    def needs(self) -> dict[str, tuple[str, ...]]:
        """The names of the chapters to read first, without those that these need themselves."""
        return direct(self._all_needs)

    @cached_property
    def builds(self) -> dict[str, tuple[str, ...]]:
        """The names of the chapters that build on a chapter directly, in reading order."""
        placed = [chapter.name for chapter in self.reading_order]
        ordered = dict.fromkeys([*placed, *self.needs])
        return reverse({name: self.needs[name] for name in ordered})

    @cached_property
    def lexicon(self) -> Lexicon:
        """The terms, symbols and papers that the course explains."""
        return Lexicon(self.chapters.values(), self.find)

    @cached_property
    def paper_keys(self) -> dict[str, str]:
        """The BibTeX keys of all papers, by their addresses."""
        chapters = self.chapters.values()
        return keys(paper for chapter in chapters for paper in chapter.front_matter.papers)

    def navigation(self) -> list[Any]:
        """Return the value of MkDocs' `nav`. Its templates take titles for HTML."""
        items: list[Any] = []
        if LANDING in self.chapters:
            items.append({escape(self.chapters[LANDING].title): f"{LANDING}.md"})
        for part in self.parts:
            pages = [{escape(self.label(item)): f"{item.name}.md"} for item in part.chapters]
            items += pages if part.number is None else [{escape(part.label): pages}]
        return items

    def _page(self, name: str) -> str:
        """Return the path of a page in the site; with directory addresses it ends in a slash."""
        if not self.settings.directory_urls:
            return f"{name}.html"
        folder = name.removesuffix(LANDING) if name.split("/")[-1] == LANDING else f"{name}/"
        return folder

    def _parts(self) -> Iterator[Part]:
        placed: dict[int, dict[int, Chapter]] = {}
        for chapter in self.chapters.values():
            if chapter.front_matter.place:
                self._put(chapter, placed)
        for number in sorted(placed):
            positions = placed[number]
            title = self.settings.parts[number]
            yield Part(number, title, tuple(positions[key] for key in sorted(positions)))
        rest = [
            chapter
            for chapter in self.chapters.values()
            if not chapter.front_matter.place and chapter.name != LANDING
        ]
        if rest:
            yield Part(None, "More" if placed else "Pages", tuple(rest))

    def _put(self, chapter: Chapter, placed: dict[int, dict[int, Chapter]]) -> None:
        line = chapter.front_matter.line("chapter")
        number, position = chapter.front_matter.place or (0, 0)
        if number not in self.settings.parts:
            message = f"there is no part {number}; add it to 'parts' in {self.settings.file.name}"
            raise SiteError(chapter.path, line, message)
        other = placed.setdefault(number, {}).setdefault(position, chapter)
        if other is not chapter:
            message = f"chapter {number}.{position} is already {shown(other.path)}"
            raise SiteError(chapter.path, line, message)

    @property
    def _all_needs(self) -> dict[str, list[str]]:
        return {
            name: [need.value for need in chapter.front_matter.needs]
            for name, chapter in self.chapters.items()
        }

    def _check_needs(self) -> None:
        for chapter in self.chapters.values():
            for need in chapter.front_matter.needs:
                if need.value not in self.chapters:
                    message = f"'needs' names {need.value!r}, which is no chapter"
                    raise SiteError(chapter.path, need.line, message)
        if cycle := find_cycle(self._all_needs):
            chapter = self.chapters[cycle[0]]
            message = f"'needs' goes round in a circle: {', '.join(reversed(cycle))}"
            raise SiteError(chapter.path, chapter.front_matter.line("needs"), message)

    @cached_property
    def _definitions(self) -> dict[str, tuple[Chapter, str]]:
        """What inline code may name: qualified names, classes, and functions of several words."""
        found: dict[str, tuple[Chapter, str]] = {}
        counts: Counter[str] = Counter()
        for chapter in self.chapters.values():
            definitions = chapter.source.definitions if chapter.source else ()
            for name in {item.qualified_name for item in definitions}:
                if name in chapter.anchors and ("." in name or name[0].isupper() or "_" in name):
                    found[name] = (chapter, name)
                    counts[name] += 1
        return {name: place for name, place in found.items() if counts[name] == 1}
