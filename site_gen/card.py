"""The card at the head of a page: what a chapter says of itself, and what plugins add."""

from markupsafe import Markup

from site_gen.chapters import Chapter
from site_gen.course import Course
from site_gen.errors import SiteError
from site_gen.mathml import MathError, to_mathml
from site_gen.plugins import Fact, Plugin, blaming, check_html


def card(chapter: Chapter, course: Course, plugins: tuple[Plugin, ...]) -> list[Fact]:
    """Return the lines of the card."""
    front = chapter.front_matter
    facts = [Fact("Paper", _paper(paper.title, paper.year, paper.link)) for paper in front.papers]
    if front.needs:
        links = (_chapter_link(need.value, course, chapter) for need in front.needs)
        facts.append(Fact("Read first", Markup(", ").join(links)))
    if front.symbols:
        facts.append(Fact("Symbols", _symbols(chapter)))
    for plugin in plugins:
        with blaming(plugin, chapter):
            facts += plugin.facts(chapter)
    if front.verified_against:
        verified = front.verified_against
        value = Markup("<code>{}</code>, largest difference {}").format(
            verified.implementation, verified.difference
        )
        facts.append(Fact("Verified against", value))
    if chapter.source:
        facts.append(Fact("Source", _source_link(chapter, course)))
    for fact in facts:
        check_html(fact.value, chapter)
    return facts


def _paper(title: str, year: int, link: str) -> Markup:
    return Markup('<a href="{}">{}</a> ({})').format(link, title, year)


def _chapter_link(name: str, course: Course, chapter: Chapter) -> Markup:
    other = course.chapters[name]
    return Markup('<a href="{}">{}</a>').format(course.address(other, "", chapter), other.title)


def _symbols(chapter: Chapter) -> Markup:
    items = []
    for symbol in chapter.front_matter.symbols:
        try:
            formula = Markup(to_mathml(symbol.tex, display=False))
        except MathError as error:
            message = f"symbol {symbol.tex!r} does not parse: {error}"
            raise SiteError(chapter.path, symbol.line, message) from None
        items.append(Markup("<span>{} <code>{}</code></span>").format(formula, symbol.identifier))
    return Markup(" ").join(items)


def _source_link(chapter: Chapter, course: Course) -> Markup:
    root, url = course.settings.root, course.settings.source_url
    path = chapter.path.relative_to(root) if chapter.path.is_relative_to(root) else chapter.path
    if url:
        return Markup('<a href="{}">{}</a>').format(f"{url}/{path.as_posix()}", path.as_posix())
    address = course.relative(course.asset(chapter.path) or "", chapter)
    return Markup('<a href="{}" download>{}</a>').format(address, path.as_posix())
