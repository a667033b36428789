"""The build folder with another generator than MkDocs."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from site_gen.security import script_hashes
from tests.commands import run

ZENSICAL = shutil.which("zensical", path=Path(sys.executable).parent)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        ZENSICAL is None and os.environ.get("CI") != "true",
        reason="zensical is not installed beside this Python",
    ),
]


def pages(site: Path) -> dict[str, str]:
    return {
        path.relative_to(site).as_posix(): path.read_text(encoding="utf-8")
        for path in site.rglob("*.html")
    }


def contents(html: str) -> str:
    """What the generator of this project has put on a page."""
    return html.partition('<div class="lit-page')[2].partition("</article>")[0].strip()


def test_zensical_makes_the_same_pages_of_the_same_folder(this_site):
    build = this_site.parent / "build"
    shutil.rmtree(build / "site")
    run(ZENSICAL, "build", "-f", build / "mkdocs.yml")
    run(sys.executable, "-m", "site_gen", "finish", build / "site")
    expected, built = pages(this_site), pages(build / "site")
    assert built.keys() == expected.keys()
    for name, html in built.items():
        assert contents(html) == contents(expected[name])
        policy = html.partition("Content-Security-Policy")[2].partition(">")[0]
        assert script_hashes(html)
        assert all(each.strip("'") in policy for each in script_hashes(html))
