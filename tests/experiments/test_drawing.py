"""Charts drawn by other processes."""

import os
import signal
import subprocess
import sys
import time

import pytest

from experiments import drawing
from experiments.drawing import to_svg, to_svgs


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    """The folder in which charts are kept, empty."""
    monkeypatch.setattr(drawing, "KEPT", tmp_path / "charts")
    return tmp_path / "charts"


def chart(title: str) -> dict:
    return {"title": title, "data": {"values": [{"x": 1}]}, "mark": "point"}


def test_charts_come_back_in_their_order_and_as_drawn_here():
    charts = [chart(title) for title in "abc"]
    assert to_svgs(charts) == [to_svg(each) for each in charts]


def test_a_chart_that_was_drawn_is_not_drawn_again_and_another_is(kept):
    assert to_svgs([chart("a")]) == [to_svg(chart("a"))]
    (file,) = kept.iterdir()
    file.write_text("kept")
    assert to_svgs([chart("b"), chart("a")]) == [to_svg(chart("b")), "kept"]


def test_a_chart_that_nothing_asks_for_is_forgotten_and_one_that_is_asked_for_stays(kept):
    to_svgs([chart("old"), chart("new")])
    old, new = sorted(kept.iterdir(), key=lambda file: "new" in file.read_text())
    for file in (old, new):
        os.utime(file, (0, time.time() - (drawing.DAYS - 1) * 24 * 3600))
    to_svgs([chart("new")])
    os.utime(old, (0, time.time() - (drawing.DAYS + 1) * 24 * 3600))
    drawing._forget_old.cache_clear()
    to_svgs([chart("another")])
    assert new.exists()
    assert not old.exists()


def test_what_is_wrong_with_a_chart_is_raised_where_it_was_asked_for():
    with pytest.raises(ValueError, match="Vega-Lite to SVG conversion failed"):
        to_svgs([chart("a"), {"mark": "nothing"}])


@pytest.mark.slow
def test_ctrl_c_ends_the_processes_without_a_word_of_their_own(kept):
    program = (
        "import pathlib, signal, sys\n"
        "from experiments import drawing\n"
        "drawing.KEPT = pathlib.Path(sys.argv[1])\n"
        "if __name__ == '__main__':\n"
        # A shell in the background starts its programs with this signal ignored.
        "    signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "    drawing.to_svgs([{'mark': 'point'}])\n"
        "    try:\n"
        "        print('drawn', flush=True)\n"
        "        signal.pause()\n"
        "    except KeyboardInterrupt:\n"
        "        pass\n"
    )
    command = [sys.executable, "-c", program, str(kept)]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as run:
        assert run.stdout.readline() == "drawn\n"
        os.killpg(run.pid, signal.SIGINT)
        assert run.communicate(timeout=60) == ("", "")
