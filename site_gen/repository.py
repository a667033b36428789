"""Where the sources of a course can be read, and where a mistake can be told."""

from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

# What stands between the address of a repository and the branch of a file, by parts of the host.
FILES = {
    "gitlab": "-/blob",
    "codeberg": "src/branch",
    "gitea": "src/branch",
    "forgejo": "src/branch",
}
FILES_ELSEWHERE = "blob"
ISSUES = {"gitlab": "-/issues/new"}
ISSUES_ELSEWHERE = "issues/new"
TITLES = {"gitlab": "issue[title]"}


@dataclass(frozen=True)
class Repository:
    """A repository on GitHub, GitLab, Codeberg or a host that works like GitHub.

    `url` has no slash at its end. Nothing is fetched from there: these are addresses for links.
    """

    url: str
    branch: str = "main"

    def source(self, path: str) -> str:
        """Return the address of a file, whose `path` is relative to the repository."""
        return f"{self.url}/{self._of(FILES) or FILES_ELSEWHERE}/{self.branch}/{quote(path)}"

    def issue(self, path: str) -> str:
        """Return the address of an empty issue whose title names the file at `path`."""
        query = urlencode({self._of(TITLES) or "title": f"{path}: "})
        return f"{self.url}/{self._of(ISSUES) or ISSUES_ELSEWHERE}?{query}"

    def _of(self, choices: dict[str, str]) -> str | None:
        host = urlsplit(self.url).netloc
        return next((value for name, value in choices.items() if name in host), None)
