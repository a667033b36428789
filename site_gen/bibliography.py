"""All papers of the course: who cites them, the list of them, and one file to download."""

from collections.abc import Iterator
from html import escape

from site_gen.bibtex import bibtex
from site_gen.chapters import Chapter
from site_gen.course import Course
from site_gen.front_matter import Paper
from site_gen.prose import References, link_targets

FILE = "references.bib"


def papers(course: Course) -> list[Paper]:
    """Return every paper once, sorted by the last name of its first author, year and title."""
    found: dict[str, Paper] = {}
    for chapter in course.chapters.values():
        for paper in chapter.front_matter.papers:
            found.setdefault(paper.link, paper)
    return sorted(found.values(), key=_order)


def cited_by(course: Course) -> dict[str, list[Chapter]]:
    """Return the chapters that cite a paper, by its address: as their own, or by a link in prose.

    A page that lists all papers does not count.
    """
    known = course.lexicon.papers
    found: dict[str, list[Chapter]] = {address: [] for address in known}
    unplaced = [chapter for chapter in course.chapters.values() if not chapter.front_matter.place]
    for chapter in (*course.reading_order, *unplaced):
        if not chapter.lists_papers:
            for address in dict.fromkeys(_citations(chapter)):
                if address in known:
                    found[address].append(chapter)
    return found


def bibtex_file(course: Course) -> str:
    """Return the BibTeX entries of all papers."""
    keys = course.paper_keys
    return "\n\n".join(bibtex(paper, keys[paper.link]) for paper in papers(course)) + "\n"


def paper_list(course: Course, seen_from: Chapter, references: References) -> str:
    """Return the HTML of the list of papers, for the page `seen_from`."""
    citing = cited_by(course)
    items = [_item(paper, citing[paper.link], course, seen_from) for paper in papers(course)]
    file = escape(course.relative(FILE, seen_from))
    return (
        f'<p><a href="{file}" download>{FILE}</a>: all {len(items)} of them as BibTeX.</p>\n'
        f'<ol class="lit-papers">{"".join(items)}</ol>\n'
    )


def _item(paper: Paper, citing: list[Chapter], course: Course, seen_from: Chapter) -> str:
    key = course.paper_keys[paper.link]
    venue = f"{escape(paper.venue)}, " if paper.venue else ""
    links = ", ".join(
        f'<a href="{escape(course.address(chapter, "", seen_from))}">'
        f"{escape(course.label(chapter))}</a>"
        for chapter in citing
    )
    cited = f'<p class="lit-cited">Cited in {links}</p>' if citing else ""
    entry = escape(bibtex(paper, key))
    return (
        f'<li id="{key}"><p>{escape(paper.by)}. <cite>{escape(paper.title)}</cite>. '
        f'{venue}{paper.year}. <a href="{escape(paper.link)}">{escape(paper.where)}</a></p>'
        f"{cited}<details><summary>BibTeX</summary>"
        f'<div class="highlight"><pre><code>{entry}</code></pre></div></details></li>\n'
    )


def _citations(chapter: Chapter) -> Iterator[str]:
    yield from (paper.link for paper in chapter.front_matter.papers)
    for block in chapter.blocks:
        for piece in block.prose:
            yield from link_targets(piece)


def _order(paper: Paper) -> tuple[str, int, str]:
    return paper.authors[0].split()[-1].lower(), paper.year, paper.title
