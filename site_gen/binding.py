"""Printed pages bound into one PDF: bookmarks, and links that lead within the document."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pypdf import PdfReader, PdfWriter
from pypdf.generic import (
    ArrayObject,
    BooleanObject,
    DictionaryObject,
    FloatObject,
    IndirectObject,
    NameObject,
    NullObject,
    TextStringObject,
)

from site_gen.chapters import Chapter
from site_gen.config import Settings
from site_gen.course import LANDING, Course


@dataclass(frozen=True)
class Place:
    """Where a link leads: a page, counted from 0 in the whole, and a corner on it in points."""

    page: int
    left: float
    top: float


@dataclass(frozen=True)
class Printed:
    """A chapter as a PDF of its own. `first` is its first page, counted from 0 in the whole."""

    chapter: Chapter
    file: Path
    first: int
    pages: int
    top: Place
    anchors: Mapping[str, Place] = field(repr=False)


def read_print(chapter: Chapter, file: Path, first: int) -> Printed:
    """Note where the anchors of the printed chapter are."""
    reader = PdfReader(file)
    numbers = {
        page.indirect_reference.idnum: first + index
        for index, page in enumerate(reader.pages)
        if page.indirect_reference
    }
    anchors: dict[str, Place] = {}
    for name, place in reader.named_destinations.items():
        if isinstance(place.page, IndirectObject) and place.page.idnum in numbers:
            left, top = float(place.left or 0), float(place.top or 0)
            anchors[unquote(name.removeprefix("/"))] = Place(numbers[place.page.idnum], left, top)
    top_of_page = Place(first, 0, float(reader.pages[0].mediabox.top))
    return Printed(chapter, file, first, len(reader.pages), top_of_page, anchors)


def bind(prints: Iterable[Printed], course: Course, url: str) -> PdfWriter:
    """Bind the chapters, which were printed from the site at `url`, into one document."""
    prints = tuple(prints)
    writer = PdfWriter()
    for printed in prints:
        for page in PdfReader(printed.file).pages:
            writer.add_page(page)
    _Links(writer, prints, course, url).lead_within()
    _add_bookmarks(writer, prints, course)
    _describe(writer, course.settings)
    return writer


class _Links:
    """Turns links to pages of the site into links within the document."""

    def __init__(
        self, writer: PdfWriter, prints: Iterable[Printed], course: Course, url: str
    ) -> None:
        self.writer = writer
        self.url = url
        self.site_url = course.settings.site_url
        self.by_path = {_plain(course.path(printed.chapter)): printed for printed in prints}

    def lead_within(self) -> None:
        """Lead the links on all pages; those that lead nowhere go."""
        for printed in self.by_path.values():
            for number in range(printed.first, printed.first + printed.pages):
                page = self.writer.pages[number]
                links = [link.get_object() for link in page.get("/Annots", [])]
                kept = [link for link in links if self._lead(link, printed)]
                if links:
                    page[NameObject("/Annots")] = ArrayObject(kept)

    def _lead(self, link: DictionaryObject, printed: Printed) -> bool:
        """Lead a link on a page of `printed` to its place; say whether there is one."""
        if "/Dest" in link:
            anchor = unquote(str(link["/Dest"]).removeprefix("/"))
            self._go_to(link, printed.anchors.get(anchor, printed.top))
            return True
        action = link.get("/A", DictionaryObject()).get_object()
        address = str(action.get("/URI", ""))
        if not address.startswith(self.url):
            return True
        path, _, fragment = address.removeprefix(self.url).partition("#")
        target = self.by_path.get(_plain(path))
        if target:
            self._go_to(link, target.anchors.get(unquote(fragment), target.top))
        elif self.site_url:
            address = self.site_url + address.removeprefix(self.url)
            action[NameObject("/URI")] = TextStringObject(address)
        # A file beside the pages can be reached only where the site has an address.
        return bool(target or self.site_url)

    def _go_to(self, link: DictionaryObject, place: Place) -> None:
        page = self.writer.pages[place.page].indirect_reference or NullObject()
        corner = [FloatObject(place.left), FloatObject(place.top), NullObject()]
        link.pop("/Dest", None)
        link[NameObject("/A")] = DictionaryObject(
            {
                NameObject("/S"): NameObject("/GoTo"),
                NameObject("/D"): ArrayObject([page, NameObject("/XYZ"), *corner]),
            }
        )


def _plain(path: str) -> str:
    """Return one of the two ways to write the address of a folder's page."""
    return path.removesuffix("index.html") if path.split("/")[-1] == "index.html" else path


def _add_bookmarks(writer: PdfWriter, prints: Iterable[Printed], course: Course) -> None:
    """Add the landing page, and each part with its chapters."""
    pages = {printed.chapter.name: printed.first for printed in prints}
    if LANDING in pages:
        title = course.chapters[LANDING].title
        writer.add_outline_item(title=title, page_number=pages[LANDING])
    for part in course.parts:
        first = pages[part.chapters[0].name]
        entry = writer.add_outline_item(title=part.label, page_number=first, is_open=False)
        for chapter in part.chapters:
            title, first = course.label(chapter), pages[chapter.name]
            writer.add_outline_item(title=title, page_number=first, parent=entry)


def _describe(writer: PdfWriter, settings: Settings) -> None:
    """Set the title and language of the document, and what a reader shows of it first."""
    theme: Any = settings.options.get("theme")
    language = str(theme.get("language", "en")) if isinstance(theme, Mapping) else "en"
    writer.add_metadata({"/Title": str(settings.options.get("site_name", ""))})
    writer.page_mode = "/UseOutlines"
    root = writer.root_object
    root[NameObject("/Lang")] = TextStringObject(language)
    shows_title = {NameObject("/DisplayDocTitle"): BooleanObject(True)}
    root[NameObject("/ViewerPreferences")] = DictionaryObject(shows_title)
