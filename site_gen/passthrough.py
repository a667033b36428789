"""A Markdown extension that takes a page of ours as it is.

Python-Markdown looks at every tag of raw HTML, and MkDocs at all of them once more: most of the
time of a build, for a page in which neither has anything to change.
"""

from typing import Any

from markdown import Extension, Markdown
from markdown.preprocessors import Preprocessor

NAME = "site_gen.passthrough"
FIRST = '<div class="lit-page'
# After Markdown's clean-up of white space (30), before MkDocs' search for anchors (21).
PRIORITY = 25


class Passthrough(Extension):
    """Keeps a text that begins as our pages do away from Markdown."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 Python-Markdown calls it so
        """Register the preprocessor."""
        md.preprocessors.register(_Stash(md), NAME, PRIORITY)


class _Stash(Preprocessor):
    def run(self, lines: list[str]) -> list[str]:
        html = "\n".join(lines).strip("\n")
        return [self.md.htmlStash.store(html)] if html.startswith(FIRST) else lines


def makeExtension(**options: Any) -> Passthrough:  # noqa: N802 Python-Markdown calls it so
    """Return the extension; Python-Markdown calls this when it is named in `mkdocs.yml`."""
    return Passthrough(**options)
