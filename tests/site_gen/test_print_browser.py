"""Pages on paper, and the course as one PDF, by a real browser."""

import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
import yaml
from pypdf import PdfReader

from site_gen.build import BuildError, build
from site_gen.config import read_settings
from site_gen.pdf import write_pdf
from tests.site_gen.browsing import NEEDS_BROWSER, opened, serving
from tests.site_gen.conftest import FIXTURE
from tests.site_gen.modules import ROOT

# A4 and US letter without the margins of the style, in CSS pixels.
WIDTHS = (665, 687)
LIGHT = 200
DARK = 100
LONG_LINE = f"WORDS = {'0123456789' * 14!r}\n"

pytestmark = NEEDS_BROWSER


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """The fixture course in the look of this course, with a line of code wider than the paper."""
    folder = tmp_path_factory.mktemp("print") / "course"
    shutil.copytree(FIXTURE, folder)
    (folder / "docs/assets").mkdir()
    shutil.copy(ROOT / "docs_src/assets/site.css", folder / "docs/assets")
    with (folder / "rules/momentum.py").open("a") as momentum:
        momentum.write(f"{LONG_LINE}# A [part of the code](descent.py#descend) of another page.\n")
    options = yaml.safe_load((folder / "mkdocs.yml").read_text())
    options |= {"extra_css": ["assets/site.css"], "site_url": "https://course.example/"}
    (folder / "mkdocs.yml").write_text(yaml.safe_dump(options))
    settings = read_settings(folder / "mkdocs.yml")
    build(settings)
    return settings


@pytest.fixture(scope="module")
def site(settings) -> Iterator[str]:
    with serving(settings.site) as url:
        yield url


@pytest.fixture(scope="module")
def document(settings, tmp_path_factory) -> PdfReader:
    target = tmp_path_factory.mktemp("pdf") / "course.pdf"
    command = ["pdf", "--config", settings.file, "--to", target]
    printed = subprocess.run(
        [sys.executable, "-m", "site_gen", *command], cwd=ROOT, capture_output=True, text=True
    )
    assert printed.returncode == 0, printed.stderr
    reader = PdfReader(target)
    assert printed.stdout == f"The site is in {target}, on {len(reader.pages)} pages\n"
    return reader


CONTROLS = ".md-header, .md-footer, .md-sidebar, .headerlink, .lit-link, .lit-end, .lit-mark, button, input"

TOO_WIDE = """() => [...document.querySelectorAll(".md-content *")]
  .filter((e) => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map((e) => e.outerHTML.slice(0, 120))"""

NUMBERS = """() => [...document.querySelectorAll(".lit-code .lit-n")].map((number) => {
  const [box, code] = [number, number.closest("code")].map((e) => e.getBoundingClientRect());
  return [getComputedStyle(number, "::before").content, box.left >= code.left];
})"""

COLOURS = """() => [...document.querySelectorAll("body, .lit-code, .lit-prose p, h1, .lit-code code")]
  .map((e) => [getComputedStyle(e).backgroundColor, getComputedStyle(e).color])"""


@pytest.mark.parametrize("width", WIDTHS)
def test_only_what_is_to_be_read_is_printed_and_fits_the_paper(browser, site, width):
    with opened(browser, f"{site}momentum/", width) as page:
        assert page.locator(CONTROLS).locator("visible=true").count() > 0
        page.emulate_media(media="print")
        assert page.locator(CONTROLS).locator("visible=true").count() == 0
        assert page.locator("h1, .lit-code, math").locator("visible=true").count() > 5
        assert page.evaluate(TOO_WIDE) == []
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_wrapped_code_keeps_its_line_numbers(browser, site):
    with opened(browser, f"{site}momentum/", WIDTHS[0]) as page:
        page.emulate_media(media="print")
        numbers = page.evaluate(NUMBERS)
        code = page.locator(".lit-code pre", has_text="WORDS").bounding_box()
    assert len(numbers) > 20
    assert all(content == "attr(data-n)" or content.strip('"').isdigit() for content, _ in numbers)
    assert all(inside for _, inside in numbers)
    assert code["height"] > 20


@pytest.mark.parametrize("javascript", [True, False])
def test_solutions_are_printed_open_and_closed_again(browser, site, javascript):
    address = f"{site}momentum/"
    with opened(browser, address, java_script_enabled=javascript) as page:
        solution = page.locator(".lit-solution p")
        assert not solution.is_visible()
        page.emulate_media(media="print")
        assert solution.is_visible()
        assert solution.bounding_box()["height"] > 5
        page.emulate_media(media="screen")
        assert not solution.is_visible()


def brightness(colour: str) -> float:
    red, green, blue, *alpha = [
        float(part) for part in colour.partition("(")[2].rstrip(")").split(",")
    ]
    return (red + green + blue) / 3 if not alpha or alpha[0] else 255


def test_the_dark_scheme_prints_dark_ink_on_light_paper(browser, site):
    with opened(browser, f"{site}momentum/", scheme="dark") as page:
        assert brightness(page.evaluate(COLOURS)[0][0]) < DARK
        page.emulate_media(media="print", color_scheme="dark")
        colours = page.evaluate(COLOURS)
    assert len(colours) > 10
    for background, ink in colours:
        assert brightness(background) > LIGHT
        assert brightness(ink) < DARK


def titles(outline) -> list:
    return [titles(item) if isinstance(item, list) else item.title for item in outline]


def test_the_parts_and_chapters_are_bookmarks_in_reading_order(document):
    chapters = [["1.1 Gradient descent"], ["2.1 Momentum"]]
    expected = ["A course", "1 · Descent", chapters[0], "2 · Momentum", chapters[1]]
    assert titles(document.outline) == expected
    for item in (document.outline[2][0], document.outline[4][0]):
        text = document.pages[document.get_destination_page_number(item)].extract_text()
        assert item.title.partition(" ")[2] in text.splitlines()
    assert document.metadata.title == "A course"


def links(page) -> list:
    return [link.get_object()["/A"] for link in page.get("/Annots", [])]


def target(document, action) -> tuple[int, float]:
    page, kind, _, top, _ = action["/D"]
    assert kind == "/XYZ"
    return document.get_page_number(page.get_object()), float(top)


def first_page(document, title: str) -> int:
    return next(
        index
        for index, page in enumerate(document.pages)
        if title in page.extract_text().splitlines() and "Part " in page.extract_text()
    )


def test_links_between_pages_lead_within_the_document(document):
    contents = [target(document, action) for action in links(document.pages[0])]
    descent, momentum = first_page(document, "Gradient descent"), first_page(document, "Momentum")
    tops = [float(document.pages[0].mediabox.top)] * 2
    assert contents[-2:] == list(zip((descent, momentum), tops, strict=True))
    # To a method, and from momentum to a function: to their places, not to the heads of the pages.
    page, top = contents[1]
    assert page >= momentum
    assert "step" in document.pages[page].extract_text()
    assert top < tops[0] - 20
    actions = [action for page in document.pages[momentum:] for action in links(page)]
    places = [target(document, action) for action in actions if "/D" in action]
    assert any(page == descent and top < tops[0] - 100 for page, top in places)


def test_other_links_stay_and_none_leads_to_the_printing_machine(document):
    addresses = {
        str(action["/URI"]) for page in document.pages for action in links(page) if "/URI" in action
    }
    assert "https://doi.org/10.1016/0041-5553(64)90137-5" in addresses
    assert not [address for address in addresses if "127.0.0.1" in address]


def test_formulas_code_and_page_numbers_are_text(document):
    texts = [page.extract_text() for page in document.pages]
    text = "\n".join(texts)
    assert "𝜃𝑡 = 𝜃𝑡−1 − 𝛼𝑔𝑡" in text
    assert "self.velocity[index] *= self.beta" in text
    assert "gives 𝑡 = 6.6" in text
    for number, page in enumerate(texts, start=1):
        assert page.startswith(str(number))


@pytest.mark.parametrize("chromium", ["/no/such/chromium", "no-such-chromium"])
def test_a_missing_browser_is_told_in_one_line(course, monkeypatch, chromium):
    course.build()
    monkeypatch.setenv("CHROMIUM", chromium)
    message = "no Chromium found; name it in the environment variable CHROMIUM"
    with pytest.raises(BuildError, match=message):
        write_pdf(read_settings(course.config), course.root / "course.pdf")
    assert not (course.root / "course.pdf").exists()


def test_a_site_that_is_not_built_is_told_before_anything_is_printed(course):
    with pytest.raises(BuildError, match=r"index\.html is not there; build the site first"):
        write_pdf(read_settings(course.config), course.root / "course.pdf")


@pytest.mark.parametrize("package", ["playwright", "pypdf"])
def test_a_missing_package_is_told_in_one_line_with_the_extra_that_has_it(course, package):
    program = f"import sys; sys.modules[{package!r}] = None; from site_gen.cli import main; main()"
    command = [sys.executable, "-c", program, "pdf", "--config", course.config]
    failed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert failed.returncode == 1
    assert failed.stderr.startswith(package)
    assert failed.stderr.endswith("is not there; it comes with the extra 'pdf'\n")
    assert failed.stderr.count("\n") == 1
