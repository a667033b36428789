"""What prose points at: other pages, their anchors, pictures, definitions."""

from urllib.parse import unquote

from site_gen.chapters import Chapter
from site_gen.contents import contents
from site_gen.course import Course
from site_gen.errors import SiteError, shown


class PageReferences:
    """What the prose of one block points at, seen from its page (see `prose.References`)."""

    def __init__(self, course: Course, chapter: Chapter, scope: str = "") -> None:
        self.course = course
        self.chapter = chapter
        self.scope = scope

    def link(self, target: str, line: int) -> str:
        """Return the address for `target`: an address of another site, a page, or an anchor."""
        if "://" in target or target.startswith("mailto:"):
            return target
        path, _, anchor = target.partition("#")
        page = self._page(path) if path else self.chapter
        if page is None:
            asset = self._asset(path)
            if asset and not anchor:
                return self.course.relative(asset, self.chapter)
            raise SiteError(self.chapter.path, line, f"broken link: there is no page {path!r}")
        if anchor and anchor not in page.anchors:
            message = f"broken link: {shown(page.path)} has no anchor {anchor!r}"
            raise SiteError(self.chapter.path, line, message)
        return self.course.address(page, anchor, self.chapter)

    def image(self, target: str, line: int) -> str:
        """Return the address of a picture that lies beside the source."""
        if "://" in target or target.startswith("//"):
            message = f"picture {target!r}: pictures must lie beside the source"
            raise SiteError(self.chapter.path, line, message)
        asset = self._asset(target)
        if asset is None:
            raise SiteError(self.chapter.path, line, f"there is no picture {target!r}")
        return self.course.relative(asset, self.chapter)

    def definition(self, name: str) -> str | None:
        """Return the address of the definition of `name`, unless the block is that definition."""
        place = self.course.definition(name)
        if place is None or place == (self.chapter, self.scope):
            return None
        return self.course.address(*place, self.chapter)

    def listing(self, name: str, line: int) -> str:
        """Return the table of contents."""
        return contents(self.course, self.chapter, self)

    def _page(self, path: str) -> Chapter | None:
        """Find a page by its source file, seen from this one, or by its name or root path."""
        file = (self.chapter.path.parent / unquote(path)).resolve()
        name = unquote(path).strip("/").removesuffix(".py").removesuffix(".md")
        return self.course.by_path.get(file) or self.course.chapters.get(name)

    def _asset(self, path: str) -> str | None:
        file = self.chapter.path.parent / unquote(path)
        return None if file.suffix == ".md" else self.course.asset(file)
