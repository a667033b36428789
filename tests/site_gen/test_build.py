import filecmp
import gzip
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from jinja2 import Environment

from tests.site_gen.modules import ROOT

NOT_COMPARED = {"sitemap.xml", "sitemap.xml.gz"}


def run(course, *arguments: str, module="site_gen") -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=course.root,
        env=os.environ | {"PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in NOT_COMPARED
    }


def assert_one_line_error(result, message: str) -> None:
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr


class Addresses(HTMLParser):
    """Collects every address that a browser would fetch or follow, and all text."""

    def __init__(self, html: str):
        super().__init__()
        self.fetched, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        for name in ("src", "srcset", "poster"):
            self.fetched += filter(None, [attributes.get(name)])
        if tag == "link" and attributes.get("rel") in (
            "stylesheet",
            "icon",
            "preconnect",
            "preload",
        ):
            self.fetched.append(attributes["href"])

    def handle_data(self, data):
        self.text += data


def test_a_page_reaches_the_site_byte_for_byte(course):
    course.build()
    for name in ("momentum", "descent"):
        generated = (course.root / f"build/pages/{name}.md").read_text().partition("---\n\n")[2]
        assert generated.strip() in (course.root / f"site/{name}/index.html").read_text()


def test_plain_mkdocs_builds_the_same_site_through_the_hook(course):
    hook = {"hooks": [str(ROOT / "site_gen/mkdocs_hook.py")]}
    options = yaml.safe_load(course.config.read_text()) | hook
    course.config.write_text(yaml.safe_dump(options))
    course.build()
    result = run(course, "build", "--strict", "--site-dir", "by_mkdocs", module="mkdocs")
    assert result.returncode == 0, result.stderr
    assert files(course.root / "by_mkdocs") == files(course.root / "site")


def test_the_hook_tells_an_error_and_fails(course):
    hook = {"hooks": [str(ROOT / "site_gen/mkdocs_hook.py")]}
    options = yaml.safe_load(course.config.read_text()) | hook
    course.config.write_text(yaml.safe_dump(options))
    course.write("rules/descent.py", "def f(:\n")
    result = run(course, "build", module="mkdocs")
    assert result.returncode == 1
    assert "rules/descent.py:1: no valid Python" in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


def test_a_second_generation_rewrites_nothing(course):
    assert course.generate().changed
    times = {path: path.stat().st_mtime_ns for path in (course.root / "build").rglob("*")}
    assert not course.generate().changed
    assert times == {path: path.stat().st_mtime_ns for path in (course.root / "build").rglob("*")}


def test_a_change_rewrites_only_what_shows_it(course):
    course.generate()
    path = course.root / "rules/momentum.py"
    path.write_text(path.read_text().replace("crawls", "creeps"))
    index = "assets/site_gen/search_index.js"
    assert course.generate().changed == {"momentum.md", "momentum.py", index}


def test_the_templates_of_the_theme_are_compiled_once(course, monkeypatch):
    compiled = []

    def compile_template(self, source, name=None, *rest, make=Environment.compile, **options):
        compiled.append(name)
        return make(self, source, name, *rest, **options)

    monkeypatch.setattr(Environment, "compile", compile_template)
    course.build()
    assert "main.html" in compiled
    html = (course.root / "site/index.html").read_text()
    compiled.clear()
    course.build()
    assert compiled == []
    assert (course.root / "site/index.html").read_text() == html


def test_the_page_of_a_removed_chapter_goes(course):
    course.generate()
    (course.root / "rules/momentum.py").unlink()
    course.write("docs/index.md", "---\ntitle: A course\n---\n")
    assert "momentum.md" in course.generate().changed
    assert not (course.root / "build/pages/momentum.md").exists()


def test_a_build_twice_gives_the_same_bytes(course):
    course.build()
    first = files(course.root / "site")
    course.build()
    assert files(course.root / "site") == first


def test_no_page_asks_another_host_for_anything(course):
    course.build()
    for path in (course.root / "site").rglob("*.html"):
        found = Addresses(path.read_text())
        assert not [address for address in found.fetched if "//" in address]
    styles = (course.root / "site/assets/site_gen/styles.css").read_text()
    assert "//" not in re.sub(r"/\*.*?\*/", "", styles, flags=re.S)


def test_titles_and_summaries_are_text_in_the_head_and_the_navigation(course):
    path = course.root / "rules/momentum.py"
    text = path.read_text().replace("title: Momentum", 'title: "A & <script>x</script>"')
    path.write_text(
        text.replace("summary: A running", "summary: '\"><script>x</script> A running", 1).replace(
            "where they do not.", "where they do not.'", 1
        )
    )
    course.build()
    for name in ("momentum", "descent"):
        html = (course.root / f"site/{name}/index.html").read_text()
        assert "<script>x" not in html
        assert "A & <script>x</script>" in Addresses(html).text


def test_a_chapter_stays_far_below_its_budget(course):
    course.build()
    html = (course.root / "site/momentum/index.html").read_bytes()
    assert len(gzip.compress(html)) < 60_000


def test_a_failed_build_leaves_the_site_as_it_was(course):
    course.build()
    before = files(course.root / "site")
    pages = files(course.root / "build/pages")
    course.write("rules/descent.py", '"""[x](gone.py)"""\n')
    result = run(course, "build")
    assert_one_line_error(result, "rules/descent.py:1: ")
    assert files(course.root / "site") == before
    assert files(course.root / "build/pages") == pages


def test_a_warning_of_mkdocs_in_strict_mode_leaves_the_site_as_it_was(course):
    course.build()
    before = files(course.root / "site")
    options = yaml.safe_load(course.config.read_text())
    course.config.write_text(yaml.safe_dump(options | {"no_such_option": 1}))
    result = run(course, "build")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert files(course.root / "site") == before


def test_a_folder_with_files_of_others_is_not_touched(course):
    course.write("build/pages/precious.txt", "mine")
    result = run(course, "generate")
    assert_one_line_error(result, "holds files that were not generated; choose another 'build'")
    assert filecmp.dircmp(course.root / "build/pages", course.root / "docs").left_list == [
        "precious.txt"
    ]


def test_a_folder_that_cannot_be_made_is_one_line(course):
    course.write("build", "a file where a folder should be")
    assert_one_line_error(run(course, "generate"), "build/pages: Not a directory")


def test_the_command_line_builds_and_says_where(course):
    result = run(course, "build")
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == f"The site is in {course.root / 'site'}"
    assert result.stderr == ""
    assert (course.root / "site/momentum/index.html").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("site_name: [", "mkdocs.yml:1: no valid YAML"),
        ("site_name: x\n", "mkdocs.yml:1: has no settings under 'extra: site_gen:'"),
        ("extra:\n  site_gen:\n    sorces: []\n", "mkdocs.yml:3: unknown key 'sorces' in site_gen"),
        (
            "extra:\n  site_gen:\n    sources:\n      - path: gone\n",
            "mkdocs.yml:4: 'path': there is no",
        ),
        (
            "extra:\n  site_gen:\n    sources:\n      - pth: gone\n",
            "mkdocs.yml:4: unknown key 'pth'",
        ),
        (
            "extra:\n  site_gen:\n    parts: {one: x}\n",
            "mkdocs.yml:3: the number of a part must be",
        ),
        ("extra:\n  site_gen:\n    require_front_matter: maybe\n", "mkdocs.yml:3: 'require_front_"),
        ("extra:\n  site_gen:\n    repository: ftp://x\n", "mkdocs.yml:3: 'repository' must start"),
        ("extra:\n  site_gen:\n    plugins: [gone:X]\n", "plugin 'gone:X' cannot be loaded"),
        (
            "extra:\n  site_gen:\n    plugins: ['pathlib:Path']\n",
            "needs the methods facts, figures",
        ),
    ],
)
def test_wrong_settings_are_one_line(course, text, message):
    course.config.write_text(text)
    assert_one_line_error(run(course, "generate"), message)


def test_a_missing_configuration_is_one_line(course):
    course.config.unlink()
    assert_one_line_error(run(course, "build"), "mkdocs.yml:1: no such file")


def test_a_plugin_of_the_course_is_imported_from_beside_its_configuration(course):
    course.write(
        "extras.py",
        "from pathlib import Path\n"
        "from site_gen.plugins import Fact\n"
        "class Plugin:\n"
        "    def facts(self, chapter): return [Fact('Lines', str(chapter.text.count('\\n')))]\n"
        "    def figures(self, chapter): return []\n"
        "    def assets(self): return [Path(__file__).parent / 'extra.css']\n",
    )
    course.write("extra.css", "p { color: red }\n")
    course.settings(plugins=["extras:Plugin"])
    result = run(course, "build")
    assert result.returncode == 0, result.stderr
    html = (course.root / "site/descent/index.html").read_text()
    lines = (course.root / "rules/descent.py").read_text().count("\n")
    assert f"<dt>Lines</dt><dd>{lines}</dd>" in html
    assert 'href="../assets/site_gen/styles.css"' in html
    assert "color: red" in (course.root / "site/assets/site_gen/styles.css").read_text()


BRINGING = (
    "from pathlib import Path\n"
    "from markupsafe import Markup\n"
    "from site_gen.plugins import Figure\n"
    "class Plugin:\n"
    "    def facts(self, chapter): return []\n"
    "    def figures(self, chapter):\n"
    "        if chapter.name == 'descent':\n"
    "            html = Markup('<a href=\"../PATH\">run</a>')\n"
    "            files = {'PATH': Path(__file__).parent / 'kept/run.json'}\n"
    "            yield Figure('Runs', 'runs', html, files)\n"
    "    def assets(self): return []\n"
)


def test_a_file_that_a_figure_links_to_is_copied_and_goes_when_nothing_shows_it(course):
    course.write("extras.py", BRINGING.replace("PATH", "results/run.json"))
    course.write("kept/run.json", "{}\n")
    course.write("kept/hidden.json", "{}\n")
    course.settings(plugins=["extras:Plugin"])
    assert run(course, "build").returncode == 0
    copied = course.root / "site/results/run.json"
    assert copied.read_text() == "{}\n"
    assert not list((course.root / "site").rglob("hidden.json"))
    course.settings(plugins=[])
    assert run(course, "build").returncode == 0
    assert not copied.exists()


def test_a_file_of_a_figure_cannot_stand_in_for_one_of_the_course(course):
    course.write("extras.py", BRINGING.replace("PATH", "own.css"))
    course.write("kept/run.json", "{}\n")
    course.write("docs/own.css", "p { color: red }\n")
    course.settings(plugins=["extras:Plugin"])
    result = run(course, "generate")
    assert_one_line_error(result, "own.css: two files want this place in the site")
    assert "kept/run.json" in result.stderr


MAKING = (
    "from pathlib import Path\n"
    "class Plugin:\n"
    "    def facts(self, chapter): return []\n"
    "    def figures(self, chapter): return []\n"
    "    def assets(self): return []\n"
    "    def files(self, course):\n"
    "        made = Path(__file__).parent / 'made.txt'\n"
    "        made.write_text(' '.join(sorted(course.chapters)))\n"
    "        return {'lists/names.txt': made}\n"
)


def test_a_plugin_can_make_files_out_of_all_chapters(course):
    course.write("extras.py", MAKING)
    course.settings(plugins=["extras:Plugin"])
    result = run(course, "build")
    assert result.returncode == 0, result.stderr
    assert "descent" in (course.root / "site/lists/names.txt").read_text().split()


def test_a_plugin_that_fails_to_make_files_is_named_in_one_line(course):
    course.write("extras.py", MAKING.replace("sorted(course.chapters)", "1 / 0"))
    course.settings(plugins=["extras:Plugin"])
    result = run(course, "generate")
    assert_one_line_error(result, "plugin extras: ZeroDivisionError: division by zero")


def test_a_plugin_that_fails_is_named_in_one_line(course):
    course.write(
        "extras.py",
        "class Plugin:\n"
        "    def facts(self, chapter): return 1 / 0\n"
        "    def figures(self, chapter): return []\n"
        "    def assets(self): return []\n",
    )
    course.settings(plugins=["extras:Plugin"])
    assert_one_line_error(
        run(course, "generate"), "plugin extras: ZeroDivisionError: division by zero"
    )


def test_a_package_with_a_plain_configuration_gets_its_pages(package):
    package.build()
    html = (package.root / "site/package/tool/index.html").read_text()
    assert "Does it." in html
    assert 'data-n="3"' in html


def test_a_theme_folder_and_styles_of_the_course_stay_in_use(course):
    course.write("theme/partials/copyright.html", "<p>Made here</p>")
    course.write("docs/own.css", "p { color: red }\n")
    options = yaml.safe_load(course.config.read_text())
    options["theme"]["custom_dir"] = "theme"
    course.config.write_text(yaml.safe_dump(options | {"extra_css": ["own.css"]}))
    course.build()
    html = (course.root / "site/descent/index.html").read_text()
    assert "<p>Made here</p>" in html
    assert html.index("assets/site_gen/styles.css") < html.index("own.css")
