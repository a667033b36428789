"""Charts drawn by other processes."""

import os
import signal
import subprocess
import sys

import pytest

from experiments.drawing import to_svg, to_svgs


def chart(title: str) -> dict:
    return {"title": title, "data": {"values": [{"x": 1}]}, "mark": "point"}


def test_charts_come_back_in_their_order_and_as_drawn_here():
    charts = [chart(title) for title in "abc"]
    assert to_svgs(charts) == [to_svg(each) for each in charts]


def test_what_is_wrong_with_a_chart_is_raised_where_it_was_asked_for():
    with pytest.raises(ValueError, match="Vega-Lite to SVG conversion failed"):
        to_svgs([chart("a"), {"mark": "nothing"}])


@pytest.mark.slow
def test_ctrl_c_ends_the_processes_without_a_word_of_their_own():
    program = (
        "import signal\n"
        "from experiments.drawing import to_svgs\n"
        "if __name__ == '__main__':\n"
        # A shell in the background starts its programs with this signal ignored.
        "    signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "    to_svgs([{'mark': 'point'}])\n"
        "    try:\n"
        "        print('drawn', flush=True)\n"
        "        signal.pause()\n"
        "    except KeyboardInterrupt:\n"
        "        pass\n"
    )
    command = [sys.executable, "-c", program]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as run:
        assert run.stdout.readline() == "drawn\n"
        os.killpg(run.pid, signal.SIGINT)
        assert run.communicate(timeout=60) == ("", "")
