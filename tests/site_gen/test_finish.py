"""What a built site has beyond its pages: policy, previews, feed, list for programs, zip."""

import base64
import hashlib
import re
import subprocess
import sys
import zipfile
from xml.etree import ElementTree

import pytest

from site_gen.config import read_settings
from site_gen.errors import SiteError
from site_gen.finish import finish
from site_gen.repository import Repository
from site_gen.security import policy, script_hashes

ADDRESS = "https://example.org/course"


def meta(html: str) -> str:
    found = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', html)
    assert found
    return found[1].replace("&#x27;", "'")


def test_only_code_within_the_page_needs_a_hash():
    html = (
        "<script>a()</script><script src='b.js'></script><script type=application/json>{}</script>"
    )
    digest = base64.b64encode(hashlib.sha256(b"a()").digest()).decode()
    assert script_hashes(html) == {f"'sha256-{digest}'"}
    assert script_hashes("<script type=module>a()</script>") == script_hashes(html)


def test_a_policy_lets_nothing_in_but_the_site_and_the_given_hashes():
    text = policy({"'sha256-b'", "'sha256-a'"})
    assert "script-src 'self' 'sha256-a' 'sha256-b';" in text
    assert "unsafe" not in text
    assert "frame-ancestors" not in text
    assert "frame-ancestors 'none'" in policy([], header=True)


def test_every_page_carries_the_policy_before_any_script_and_the_hosts_file_has_it_too(course):
    course.build()
    pages = list((course.root / "site").rglob("*.html"))
    assert pages
    for path in pages:
        html = path.read_text()
        allowed = meta(html)
        assert html.index("Content-Security-Policy") < html.index("<script")
        assert script_hashes(html) <= set(re.split(r"[; ]+", allowed))
    headers = (course.root / "site/_headers").read_text()
    assert f"Content-Security-Policy: {allowed}; frame-ancestors 'none'\n" in headers


def test_a_page_that_speaks_of_the_policy_has_one_too(course):
    course.write("docs/hosts.md", "# Hosts\n\nSend `Content-Security-Policy`.\n")
    course.settings(require_front_matter=False)
    course.build()
    assert meta((course.root / "site/hosts/index.html").read_text())


def test_nothing_on_a_page_has_a_style_of_its_own(course):
    course.write("rules/table.py", '"""\n# Table\n\n| a | b |\n|--:|:-:|\n| 1 | 2 |\n"""\n')
    course.settings(require_front_matter=False)
    course.generate()
    assert '<td class="lit-right">1</td>' in course.page("table")
    assert '<td class="lit-center">2</td>' in course.page("table")
    assert " style=" not in course.page("table")


def test_the_switches_of_the_theme_have_no_attribute_that_is_not_theirs(course):
    course.build()
    html = (course.root / "site/index.html").read_text()
    switches = re.findall(r'<input[^>]*type="?checkbox"?[^>]*>', html)
    assert len(switches) >= 2
    assert not any("autocomplete" in switch for switch in switches)


def test_finishing_twice_changes_nothing(course):
    course.build()
    before = {path: path.read_bytes() for path in (course.root / "site").rglob("*.html")}
    finish(course.root / "site", read_settings(course.config))
    assert {path: path.read_bytes() for path in before} == before


def test_what_another_program_has_built_is_completed_by_a_command(course, tmp_path):
    site = tmp_path / "other"
    site.mkdir()
    link = '<link rel="canonical" href="/page.html">'
    page = f'<html><head><meta charset="utf-8">{link}<title>T</title></head><script>a()</script>'
    (site / "page.html").write_text(page)
    command = [sys.executable, "-m", "site_gen", "finish", str(site), "--config", course.config]
    subprocess.run(command, check=True, capture_output=True)
    html = (site / "page.html").read_text()
    assert script_hashes(html) <= set(re.split(r"[; ]+", meta(html)))
    assert "canonical" not in html
    assert "Content-Security-Policy" in (site / "_headers").read_text()


def with_address(course, **settings) -> None:
    text = course.config.read_text().replace("site_name:", f"site_url: {ADDRESS}/\nsite_name:")
    course.config.write_text(text)
    course.settings(**settings)


def test_a_site_with_an_address_has_canonical_links_previews_and_a_sitemap(course):
    with_address(course, picture="assets/card.png")
    course.build()
    html = (course.root / "site/momentum/index.html").read_text()
    assert f'<link rel="canonical" href="{ADDRESS}/momentum/">' in html
    assert f'<meta property="og:url" content="{ADDRESS}/momentum/">' in html
    assert f'<meta property="og:image" content="{ADDRESS}/assets/card.png">' in html
    assert '<meta property="og:title" content="Momentum' in html
    assert '<meta property="og:description" content="' in html
    assert f"<loc>{ADDRESS}/momentum/</loc>" in (course.root / "site/sitemap.xml").read_text()


def test_a_site_without_an_address_has_no_half_of_one(course):
    course.build()
    html = (course.root / "site/momentum/index.html").read_text()
    assert "og:title" in html
    assert "og:url" not in html
    assert "og:image" not in html
    assert not (course.root / "site/sitemap.xml").exists()


CHANGES = "---\ntitle: Changes\n---\n\n## 2026-02-01: two `new` chapters\n\nOn *momentum*.\n\n"


def test_every_change_is_an_item_of_the_feed(course):
    course.write("docs/changes.md", CHANGES + "## 2026-01-31: the beginning\n\nOne.\n\nTwo.\n")
    with_address(course, changelog="changes")
    course.build()
    items = ElementTree.parse(course.root / "site/feed.xml").findall("channel/item")
    assert [item.findtext("title") for item in items] == [
        "2026-02-01: two new chapters",
        "2026-01-31: the beginning",
    ]
    assert items[0].findtext("description") == "On momentum."
    assert items[1].findtext("description") == "One. Two."
    assert items[1].findtext("pubDate") == "Sat, 31 Jan 2026 00:00:00 GMT"
    page, _, anchor = items[0].findtext("link").partition("#")
    assert page == f"{ADDRESS}/changes/"
    assert f'id="{anchor}"' in (course.root / "site/changes/index.html").read_text()
    html = (course.root / "site/momentum/index.html").read_text()
    assert '<link rel="alternate" type="application/rss+xml" href="../feed.xml">' in html


@pytest.mark.parametrize("heading", ["Soon", "2026-13-01: never", "12026-01-01"])
def test_a_change_without_a_day_stops_the_build(course, heading):
    course.write("docs/changes.md", CHANGES + f"## {heading}\n")
    with_address(course, changelog="changes")
    with pytest.raises(SiteError, match=r"changes.md:9: a change must begin with its day"):
        course.generate()


def test_a_changelog_that_is_no_page_stops_the_build(course):
    course.settings(changelog="gone")
    with pytest.raises(SiteError, match="'changelog': there is no page 'gone'"):
        course.generate()


def test_programs_that_read_get_every_chapter_with_summary_and_source(course):
    course.build()
    text = (course.root / "site/llms.txt").read_text()
    assert text.startswith("# ")
    lines = re.findall(r"^- \[(.*?)\]\((.*?)\)(?:: (.*))?$", text, re.M)
    assert {address for _, address, _ in lines} >= {"momentum/", "descent/"}
    notes = {address: notes for _, address, notes in lines}
    assert "([source](momentum.py))" in notes["momentum/"]
    assert (course.root / "site/momentum.py").is_file()


@pytest.mark.parametrize(
    ("url", "source", "issue"),
    [
        ("https://github.com/a/b", "/blob/main/x/y.py", "/issues/new?title=x%2Fy.py%3A+"),
        (
            "https://gitlab.com/a/b",
            "/-/blob/main/x/y.py",
            "/-/issues/new?issue%5Btitle%5D=x%2Fy.py%3A+",
        ),
        ("https://codeberg.org/a/b", "/src/branch/main/x/y.py", "/issues/new?title=x%2Fy.py%3A+"),
    ],
)
def test_a_page_links_to_its_source_and_to_an_issue_form(course, url, source, issue):
    repository = Repository(url)
    assert repository.source("x/y.py") == url + source
    assert repository.issue("x/y.py") == url + issue
    course.settings(repository=url)
    course.generate()
    html = course.page("momentum")
    assert f'href="{Repository(url).source("rules/momentum.py")}"' in html
    assert ">report a mistake</a>" in html
    assert not (course.root / "build/pages/momentum.py").exists()


def test_the_zip_holds_the_whole_site_and_is_the_same_every_time(course):
    course.build()
    command = [sys.executable, "-m", "site_gen", "zip", "--config", str(course.config), "--to"]
    first, second = course.root / "out/a.zip", course.root / "out/b.zip"
    for target in (first, second):
        subprocess.run([*command, str(target)], check=True)
    assert first.read_bytes() == second.read_bytes()
    site = course.root / "site"
    files = {f"site/{p.relative_to(site).as_posix()}" for p in site.rglob("*") if p.is_file()}
    assert set(zipfile.ZipFile(first).namelist()) == files


def test_there_is_no_zip_of_a_site_that_was_not_built(course):
    command = [sys.executable, "-m", "site_gen", "zip", "--config", str(course.config)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1
    assert "site is not there; build the site first" in result.stderr
