"""What prose points at: other pages, their anchors, pictures, definitions."""

from collections.abc import Iterable
from urllib.parse import unquote

from site_gen.bibliography import paper_list
from site_gen.chapters import Chapter
from site_gen.contents import contents
from site_gen.course import Course
from site_gen.errors import SiteError, shown
from site_gen.lexicon import Explained, Marks
from site_gen.map import chapter_map
from site_gen.pictures import picture_size
from site_gen.prose import Picture
from site_gen.usage import identifier_index

LISTINGS = {
    "contents": contents,
    "map": chapter_map,
    "papers": paper_list,
    "identifiers": identifier_index,
}


class PageReferences:
    """What the prose of one block points at, seen from its page (see `prose.References`).

    `marks` are the links to explanations on that page; without them none are made.
    """

    def __init__(
        self, course: Course, chapter: Chapter, scope: str = "", marks: Marks | None = None
    ) -> None:
        self.course = course
        self.chapter = chapter
        self.scope = scope
        self.marks = marks

    def link(self, target: str, line: int) -> str:
        """Return the address for `target`: an address of another site, a page, or an anchor."""
        if "://" in target or target.startswith("mailto:"):
            return target
        path, _, anchor = target.partition("#")
        page = self.course.find(path, self.chapter) if path else self.chapter
        if page is None:
            asset = self._asset(path)
            if asset and not anchor:
                return self.course.relative(asset, self.chapter)
            raise SiteError(self.chapter.path, line, f"broken link: there is no page {path!r}")
        if anchor and anchor not in page.anchors:
            message = f"broken link: {shown(page.path)} has no anchor {anchor!r}"
            raise SiteError(self.chapter.path, line, message)
        return self.course.address(page, anchor, self.chapter)

    def image(self, target: str, line: int) -> Picture:
        """Return the address of a picture that lies beside the source, and its size."""
        if "://" in target or target.startswith("//"):
            message = f"picture {target!r}: pictures must lie beside the source"
            raise SiteError(self.chapter.path, line, message)
        path, mark, fragment = target.partition("#")
        asset = self._asset(path)
        if asset is None:
            raise SiteError(self.chapter.path, line, f"there is no picture {target!r}")
        address = self.course.relative(asset, self.chapter) + mark + fragment
        return Picture(address, picture_size(self.course.assets[asset]))

    def definition(self, name: str) -> str | None:
        """Return the address of the definition of `name`, unless the block is that definition."""
        place = self.course.definition(name)
        if place is None or place == (self.chapter, self.scope):
            return None
        return self.course.address(*place, self.chapter)

    def listing(self, name: str, line: int) -> str:
        """Return a list of chapters or papers."""
        return LISTINGS[name](self.course, self.chapter, PageReferences(self.course, self.chapter))

    def terms(self, text: str) -> Iterable[tuple[str, str | None]]:
        """Return `text` in pieces, each with the address of what explains it."""
        if self.marks is None:
            return [(text, None)]
        return [(piece, self._explanation(found)) for piece, found in self.marks.terms(text)]

    def symbol(self, tex: str) -> str | None:
        """Return the address of what explains a formula that is one symbol."""
        return self._explanation(self.marks.symbol(tex)) if self.marks else None

    def has_card(self, target: str) -> bool:
        """Whether a link leads to a paper, or to an entry of a glossary or table of notation."""
        path, _, anchor = target.partition("#")
        if "://" in target or not anchor:
            return target in self.course.lexicon.papers
        page = self.course.find(path, self.chapter) if path else self.chapter
        return page is not None and self.course.lexicon.at(page, anchor)

    def _explanation(self, found: Explained | None) -> str | None:
        if found is None:
            return None
        return self.course.address(found.page, found.entry.anchor, self.chapter)

    def _asset(self, path: str) -> str | None:
        file = self.chapter.path.parent / unquote(path)
        return None if file.suffix == ".md" else self.course.asset(file)
