"""Where a notebook leads to: pages of the site, the repository, Colab. Each is there only if `mkdocs.yml` says where."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

from site_gen.chapters import Chapter
from site_gen.course import Course
from site_gen.links import PageReferences
from site_gen.repository import Repository

PACKAGE = "labml-nn-optim"
BRANCH = "notebooks"
"""The branch that the workflow puts notebooks on, for Colab to open them there."""

COLAB = "https://colab.research.google.com/github"


@dataclass(frozen=True)
class Links:
    """What notebooks can point at."""

    course: Course

    def address(self, target: str, chapter: Chapter) -> str | None:
        """Return the whole address of what a link in a chapter names; None if the site has no address."""
        found = PageReferences(self.course, chapter).link(target, 1)
        if "://" in found or found.startswith("mailto:"):
            return found
        page = self.page(chapter)
        return urljoin(page, found) if page else None

    def page(self, chapter: Chapter) -> str | None:
        """Return the whole address of a chapter's page, if the site has one."""
        url = self.course.settings.site_url
        return f"{url}{self.course.path(chapter)}" if url else None

    def origin(self, chapter: Chapter) -> str:
        """Return a sentence that says where a chapter stands."""
        name = self.course.settings.options["site_name"]
        page = self.page(chapter)
        place = self.course.place(chapter)
        part = f"Chapter {place}" if place else "A chapter"
        where = f", with its charts on [its page]({page})" if page else ""
        return f"{part} of *{name}*{where}."

    @property
    def requirement(self) -> str:
        """What pip installs: the package as it is in the repository, if there is one, or else by its name."""
        repository = self.course.settings.repository
        if repository is None:
            return PACKAGE
        return f"git+{repository.url}@{repository.branch}"


def colab(repository: Repository | None, path: str) -> str | None:
    """Return the address at which Colab opens a notebook; None for one that is not on GitHub.

    * `path`: that of the notebook in the branch
    """
    if repository is None or urlsplit(repository.url).netloc not in (
        "github.com",
        "www.github.com",
    ):
        return None
    project = urlsplit(repository.url).path.strip("/").removesuffix(".git")
    return f"{COLAB}/{project}/blob/{BRANCH}/{quote(path)}"
