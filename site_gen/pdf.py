"""The whole course as one PDF: Chromium prints each page of the built site, and then they are bound.

A page is printed on its own and then closed, so that a long course needs no more of the browser than
its longest page.
"""

import json
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import click
from playwright.sync_api import Browser, sync_playwright
from playwright.sync_api import Error as BrowserError

from site_gen.binding import Printed, bind, read_print
from site_gen.browser import ARGUMENTS, VARIABLE, find_chromium, serving
from site_gen.build import BuildError, read_chapters
from site_gen.chapters import Chapter
from site_gen.config import Settings
from site_gen.course import LANDING, Course
from site_gen.errors import shown

Paper = Literal["A4", "Letter"]
# A page takes a second or two, and on a machine that is busy much longer.
PATIENCE_MS = 300_000

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
        writer = bind(prints, course, url)
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
    context.set_default_timeout(PATIENCE_MS)
    first = 0
    for index, chapter in enumerate(chapters):
        file = folder / f"{index}.pdf"
        page = context.new_page()
        page.goto(url + course.path(chapter))
        page.add_style_tag(content=_foot(course.label(chapter), first))
        page.evaluate(PREPARE)
        page.pdf(path=file, format=paper, prefer_css_page_size=True, print_background=True)
        page.close()
        printed = read_print(chapter, file, first)
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
