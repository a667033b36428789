"""The whole course as one PDF: Chromium prints each page of the built site, and pypdf binds them.

Links between pages lead within the document. A page is printed on its own and then closed, so that a
long course needs no more of the browser than its longest page.
"""

import json
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

import click
from playwright.sync_api import Browser, sync_playwright
from playwright.sync_api import Error as BrowserError
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

from site_gen.browser import ARGUMENTS, VARIABLE, find_chromium, serving
from site_gen.build import BuildError, read_chapters
from site_gen.chapters import Chapter
from site_gen.config import Settings
from site_gen.course import LANDING, Course
from site_gen.errors import shown

Paper = Literal["A4", "Letter"]

# Chromium notes the places of those anchors only that a link on the same page leads to; a line number
# is a link to itself, of which there would be one for each line of the course.
PREPARE = """() => {
  for (const number of document.querySelectorAll("a.lit-n")) number.removeAttribute("href");
  for (const element of document.querySelectorAll(".lit-page [id]")) {
    const link = document.createElement("a");
    link.href = `#${encodeURIComponent(element.id)}`;
    document.body.append(link);
  }
  const pictures = [...document.images].map((image) => {
    image.loading = "eager";
    return image.decode().catch(() => null);
  });
  return Promise.all([document.fonts.ready, ...pictures]).then(() => null);
}"""


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


def write_pdf(settings: Settings, target: Path, paper: Paper = "A4") -> int:
    """Write the built site to the PDF file `target`; return the number of its pages.

    Raises SiteError, and BuildError for a site that is not built and where Chromium is missing.
    """
    course = Course(read_chapters(settings), settings)
    chapters = _order(course)
    for chapter in chapters:
        _check_built(settings, course.path(chapter))
    with tempfile.TemporaryDirectory(prefix="site_gen_") as folder, serving(settings.site) as url:
        with _browser() as browser:
            bar = click.progressbar(chapters, label="Printing", file=sys.stderr)
            with bar as waiting:
                prints = list(_print_all(browser, waiting, course, url, paper, Path(folder)))
        writer = _bind(prints)
        _lead_within(writer, prints, course, url)
        _add_bookmarks(writer, prints, course)
        _describe(writer, settings)
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_suffix(".part")
        writer.write(unfinished)
        unfinished.replace(target)
    return len(writer.pages)


def _order(course: Course) -> list[Chapter]:
    """Return the landing page, which holds the contents, the numbered parts, and the rest."""
    landing = [course.chapters[LANDING]] if LANDING in course.chapters else []
    return [*landing, *(chapter for part in course.parts for chapter in part.chapters)]


def _check_built(settings: Settings, path: str) -> None:
    file = settings.site / path
    file = file / "index.html" if path.endswith("/") or not path else file
    if not file.is_file():
        raise BuildError(f"{shown(file)} is not there; build the site first")


@contextmanager
def _browser() -> Iterator[Browser]:
    chromium = find_chromium()
    if chromium is None:
        raise BuildError(f"no Chromium found; name it in the environment variable {VARIABLE}")
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
            yield browser
            browser.close()
    except BrowserError as error:
        raise BuildError(f"{chromium}: {error.message.splitlines()[0]}") from None


def _print_all(
    browser: Browser,
    chapters: Iterable[Chapter],
    course: Course,
    url: str,
    paper: Paper,
    folder: Path,
) -> Iterator[Printed]:
    # The site's policy allows none of the styles that tell a page its number.
    context = browser.new_context(bypass_csp=True, color_scheme="light")
    first = 0
    for index, chapter in enumerate(chapters):
        file = folder / f"{index}.pdf"
        page = context.new_page()
        page.goto(url + course.path(chapter))
        page.add_style_tag(content=_foot(course.label(chapter), first))
        page.evaluate(PREPARE)
        page.pdf(path=file, format=paper, prefer_css_page_size=True, print_background=True)
        page.close()
        printed = _read(chapter, file, first)
        yield printed
        first += printed.pages
    context.close()


def _foot(label: str, pages_before: int) -> str:
    """Return the style that writes the label at the foot of each page, and counts on."""
    text = json.dumps(label, ensure_ascii=False)
    return (
        f"@page {{ @bottom-left {{ content: {text} }} }}"
        f" @media print {{ :root {{ counter-reset: page {pages_before} }} }}"
    )


def _read(chapter: Chapter, file: Path, first: int) -> Printed:
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


def _bind(prints: Iterable[Printed]) -> PdfWriter:
    writer = PdfWriter()
    for printed in prints:
        for page in PdfReader(printed.file).pages:
            writer.add_page(page)
    return writer


def _lead_within(writer: PdfWriter, prints: Iterable[Printed], course: Course, url: str) -> None:
    """Turn links to pages of the site into links within the document."""
    by_path = {_plain(course.path(printed.chapter)): printed for printed in prints}
    for printed in by_path.values():
        for number in range(printed.first, printed.first + printed.pages):
            page = writer.pages[number]
            links = [link.get_object() for link in page.get("/Annots", [])]
            kept = [
                link
                for link in links
                if _lead(link, printed, by_path, writer, url, course.settings)
            ]
            if links:
                page[NameObject("/Annots")] = ArrayObject(kept)


def _lead(
    link: DictionaryObject,
    printed: Printed,
    by_path: Mapping[str, Printed],
    writer: PdfWriter,
    url: str,
    settings: Settings,
) -> bool:
    """Lead one link to its place; say whether there is one."""
    if "/Dest" in link:
        anchor = unquote(str(link["/Dest"]).removeprefix("/"))
        _go_to(link, printed.anchors.get(anchor, printed.top), writer)
        return True
    action = link.get("/A", DictionaryObject()).get_object()
    address = str(action.get("/URI", ""))
    if not address.startswith(url):
        return True
    path, _, fragment = address.removeprefix(url).partition("#")
    target = by_path.get(_plain(path))
    if target:
        _go_to(link, target.anchors.get(unquote(fragment), target.top), writer)
    elif settings.site_url:
        address = settings.site_url + address.removeprefix(url)
        action[NameObject("/URI")] = TextStringObject(address)
    # A file beside the pages can be reached only where the site has an address.
    return bool(target or settings.site_url)


def _plain(path: str) -> str:
    """Return one of the two ways to write the address of a folder's page."""
    return path.removesuffix("index.html") if path.split("/")[-1] == "index.html" else path


def _go_to(link: DictionaryObject, place: Place, writer: PdfWriter) -> None:
    page = writer.pages[place.page].indirect_reference or NullObject()
    corner = [FloatObject(place.left), FloatObject(place.top), NullObject()]
    link.pop("/Dest", None)
    link[NameObject("/A")] = DictionaryObject(
        {
            NameObject("/S"): NameObject("/GoTo"),
            NameObject("/D"): ArrayObject([page, NameObject("/XYZ"), *corner]),
        }
    )


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
