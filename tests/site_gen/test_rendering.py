"""Pages that copies of the process render, side by side."""

import os
import shutil
import signal
import subprocess
import sys

import pytest

from site_gen.build import generate
from site_gen.config import read_settings
from site_gen.errors import SiteError
from site_gen.plugins import PluginError
from site_gen.rendering import cores

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux copies processes safely"
)

PLUGIN = (
    "from pathlib import Path\n"
    "from markupsafe import Markup\n"
    "from site_gen.plugins import Fact\n"
    "class Plugin:\n"
    "    def facts(self, chapter):\n"
    "{}"
    "        return []\n"
    "    def figures(self, chapter): return []\n"
    "    def assets(self): return []\n"
)


@pytest.fixture
def modules(package):
    """A package of thirty modules, each of which links to the one before it and has a picture."""
    package.config.write_text(f"{package.config.read_text()}strict: true\n")
    package.write("package/dot.svg", '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>')
    for number in range(30):
        package.write(
            f"package/part_{number:02}.py",
            f'"""# Part {number}\n\nAfter `part_{max(0, number - 1):02}`. ![A dot](dot.svg)\n"""\n\n\n'
            f"def use_{number}():\n    return {number}\n",
        )
    return package


def plugin(modules, name: str, *lines: str) -> None:
    """Add a plugin; plugins are loaded once by their names, so each has one of its own."""
    modules.write(f"{name}.py", PLUGIN.format("".join(f"        {line}\n" for line in lines)))
    modules.settings(plugins=[f"{name}:Plugin"])


def generated(modules, processes: int) -> dict[str, bytes]:
    settings = read_settings(modules.config)
    generate(settings, processes=processes)
    folder = settings.pages
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_copies_make_the_pages_and_bring_the_files_that_one_process_does(modules):
    alone = generated(modules, 1)
    shutil.rmtree(modules.root / "build")
    assert generated(modules, 3) == alone
    assert {"package/part_29.md", "package/dot.svg"} <= alone.keys()


def test_the_error_of_the_first_bad_chapter_is_raised_as_it_is(modules):
    for number in (25, 7):
        modules.write(
            f"package/part_{number:02}.py", f'"""# Part\n\n![Gone](gone_{number}.svg)\n"""\n'
        )
    with pytest.raises(SiteError, match=r"gone_7\.svg") as caught:
        generated(modules, 2)
    assert (caught.value.path.name, caught.value.line) == ("part_07.py", 3)


def test_what_goes_wrong_in_a_plugin_of_a_copy_is_told_with_the_chapter(modules):
    plugin(modules, "failing", "if chapter.name == 'package/part_11': raise KeyError('no')")
    with pytest.raises(PluginError, match=r"part_11\.py:1: plugin failing: KeyError: 'no'"):
        generated(modules, 2)


def test_two_copies_cannot_bring_different_files_to_one_place(modules):
    plugin(
        modules,
        "greedy",
        "import time",
        "pair = {'package/part_00', 'package/part_01'}",
        "if chapter.name in pair:",
        "    folder = Path(__file__).parent",
        "    own = folder / Path(chapter.name).name",
        "    own.write_text('x')",
        "    (other,) = pair - {chapter.name}",
        # Each waits for the other, so no copy renders both.
        "    end = time.monotonic() + 60",
        "    while not (folder / Path(other).name).exists() and time.monotonic() < end:",
        "        time.sleep(0.01)",
        "    return [Fact('File', Markup('<a href=\"x.txt\">x</a>'), {'x.txt': own})]",
    )
    with pytest.raises(SiteError, match=r"file 'x\.txt': is already "):
        generated(modules, 2)


@pytest.mark.slow
@pytest.mark.skipif(cores() < 2, reason="one core makes no copies")
def test_ctrl_c_ends_a_build_and_its_copies_without_a_traceback(modules):
    # One write for a line, as both copies ask at once.
    plugin(modules, "slow", "import os, time", r"os.write(1, b'asked\n')", "time.sleep(0.5)")
    command = [sys.executable, "-m", "site_gen", "build", "--config", str(modules.config)]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        # A shell in the background starts its programs with this signal ignored.
        [sys.executable, "-c", IGNORING_NOTHING, *command],
        stdout=pipe,
        stderr=pipe,
        text=True,
        start_new_session=True,
    ) as build:
        assert build.stdout.readline() == "asked\n"
        os.killpg(build.pid, signal.SIGINT)
        _, errors = build.communicate(timeout=60)
    assert build.returncode == 1
    assert errors.strip() == "Aborted!"
    with pytest.raises(ProcessLookupError):
        os.killpg(build.pid, 0)


IGNORING_NOTHING = (
    "import os, signal, sys\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "os.execv(sys.argv[1], sys.argv[1:])\n"
)
