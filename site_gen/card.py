"""The card at the head of a page: what a chapter says of itself, and what plugins add."""

from collections.abc import Sequence

from markupsafe import Markup

from site_gen.chapters import Chapter
from site_gen.course import Course
from site_gen.map import map_anchor
from site_gen.mathml import text_of, to_mathml
from site_gen.plugins import Fact, check_html

MOST_BUILDS = 5


def card(chapter: Chapter, course: Course, added: Sequence[Fact]) -> list[Fact]:
    """Return the lines of the card, with those that plugins have added."""
    front = chapter.front_matter
    papers = () if chapter.lists_papers else front.papers
    facts = [Fact("Paper", _paper(paper.title, paper.year, paper.link)) for paper in papers]
    if needs := course.needs[chapter.name]:
        links = (_chapter_link(name, course, chapter) for name in needs)
        facts.append(Fact("Read first", Markup(", ").join(links)))
    if course.builds[chapter.name]:
        facts.append(Fact("Builds on it", _builds(chapter, course)))
    if front.symbols:
        facts.append(Fact("Symbols", _symbols(chapter, course)))
    facts += added
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
        course.bring(fact.files, chapter)
    return facts


def _paper(title: str, year: int, link: str) -> Markup:
    return Markup('<a class="lit-cite" href="{}">{}</a> ({})').format(link, title, year)


def _chapter_link(name: str, course: Course, chapter: Chapter) -> Markup:
    other = course.chapters[name]
    return Markup('<a href="{}">{}</a>').format(course.address(other, "", chapter), other.title)


def _builds(chapter: Chapter, course: Course) -> Markup:
    """Return links to the chapters that build on one; the map shows those that are too many."""
    names = course.builds[chapter.name]
    shown = names if len(names) <= MOST_BUILDS + 1 else names[:MOST_BUILDS]
    links = Markup(", ").join(_chapter_link(name, course, chapter) for name in shown)
    more = len(names) - len(shown)
    if not more:
        return links
    part = course.part(chapter)
    page = next((other for other in course.chapters.values() if other.shows_map), None)
    if page is None:
        return Markup("{} and {} more").format(links, more)
    address = course.address(page, map_anchor(part) if part else "", chapter)
    return Markup('{} and <a href="{}">{} more</a>').format(links, address, more)


def _symbols(chapter: Chapter, course: Course) -> Markup:
    items = []
    for symbol in chapter.front_matter.symbols:
        formula = Markup(to_mathml(symbol.tex, display=False))
        found = course.lexicon.symbol(symbol.tex, chapter)
        if found:
            address = course.address(found.page, found.entry.anchor, chapter)
            link = '<a class="lit-term" href="{}" aria-label="{}">{}</a>'
            formula = Markup(link).format(address, text_of(formula), formula)
        items.append(
            Markup('<span data-sym="{0}">{1} <code data-sym="{0}">{0}</code></span>').format(
                symbol.identifier, formula
            )
        )
    return Markup(" ").join(items)


def _source_link(chapter: Chapter, course: Course) -> Markup:
    root, repository = course.settings.root, course.settings.repository
    path = chapter.path.relative_to(root) if chapter.path.is_relative_to(root) else chapter.path
    if repository:
        return Markup('<a href="{}">{}</a> · <a href="{}">report a mistake</a>').format(
            repository.source(path.as_posix()), path.as_posix(), repository.issue(path.as_posix())
        )
    address = course.relative(course.asset(chapter.path) or "", chapter)
    return Markup('<a href="{}" download>{}</a>').format(address, path.as_posix())
