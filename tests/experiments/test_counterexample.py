import json
import re
from itertools import islice
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import counterexample
from experiments.cli import run_command
from experiments.counterexample import (
    OPTIMIZERS,
    PROBLEMS,
    SCHEDULES,
    Walk,
    difference_from_library,
    follow,
    in_numbers,
    main,
    stochastic,
)
from experiments.counterexample_results import FOLDER, load_all, panels
from experiments.drawing import to_svg
from experiments.line_charts import line_chart
from tests.experiments.examples import assert_refused

RATES = {"constant": 0.01, "falling": 0.5}


def committed(problem, schedule, optimizer):
    (track,) = [
        track
        for track in load_all(FOLDER, problem)
        if (track.walk["schedule"], track.walk["optimizer"]) == (schedule, optimizer)
    ]
    return track


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_plain_numbers_are_those_of_the_library(problem, schedule, optimizer):
    walk = Walk(problem, schedule, optimizer, RATES[schedule], seed=3)
    assert difference_from_library(walk, 10_000 if problem == "periodic" else 2_000) < 1e-12


def test_the_difference_tells_when_the_rules_are_not_the_same(monkeypatch):
    walk = Walk("periodic", "falling", "adam", 0.5)
    other = Walk("periodic", "falling", "amsgrad", 0.5)
    monkeypatch.setattr(counterexample, "with_library", lambda _: in_numbers(other))
    assert difference_from_library(walk, 2) < 1e-12 < difference_from_library(walk, 10)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_committed_tracks_are_what_the_walks_do(problem, schedule, optimizer):
    track = committed(problem, schedule, optimizer)
    walk = Walk(problem, schedule, optimizer, RATES[schedule])
    places = list(islice(in_numbers(walk), 30_000))
    before = 0
    for index, step in enumerate(track.step):
        if step > len(places):
            break
        since = [x for x, _ in places[before:step]]
        assert track.low[index] == pytest.approx(min(since), abs=1e-5)
        assert track.x[index] == pytest.approx(sum(since) / len(since), abs=1e-5)
        assert track.high[index] == pytest.approx(max(since), abs=1e-5)
        best = min(sum(gradient * end for _, gradient in places[:step]) for end in (-1, 1))
        lost = sum(gradient * x for x, gradient in places[:step]) - best
        assert track.regret[index] == pytest.approx(lost / step, rel=1e-4, abs=1e-5)
        before = step
    assert before > 25_000
    assert track.step[-1] == 3_000_000


def test_adam_ends_at_the_wrong_end_with_either_step_size():
    for schedule in SCHEDULES:
        assert committed("periodic", schedule, "adam").low[-1] > 0.94
    assert committed("periodic", "falling", "adam").regret[-1] == pytest.approx(0.215, abs=5e-4)
    assert committed("periodic", "constant", "adam").regret[-1] == pytest.approx(0.498, abs=5e-4)


def test_fault_16_the_regret_of_amsgrad_vanishes_with_a_falling_step_size_only():
    saw = committed("periodic", "constant", "amsgrad")
    assert (saw.low[-1], saw.high[-1]) == (-1.0, pytest.approx(-0.946, abs=5e-4))
    assert saw.regret[-1] == pytest.approx(0.332, abs=5e-4)
    rest = committed("periodic", "falling", "amsgrad")
    assert rest.high[-1] < -0.998
    assert rest.regret[-1] == pytest.approx(0.019, abs=5e-4)


def test_where_the_walks_end_when_the_order_is_random():
    adam, amsgrad = (committed("stochastic", "falling", name) for name in OPTIMIZERS)
    assert adam.low[-1] > 0.97
    assert amsgrad.high[-1] < -0.956
    assert adam.regret[-1] == pytest.approx(0.456, abs=5e-4)
    assert amsgrad.regret[-1] == pytest.approx(0.049, abs=5e-4)


def test_the_random_gradients_depend_on_the_seed_and_have_the_mean_0_2():
    first, again, other = (list(islice(stochastic(seed), 200_000)) for seed in (1, 1, 2))
    assert first == again != other
    # The standard deviation of the mean is 101 / sqrt(200,000) = 0.23.
    assert sum(first) / len(first) == pytest.approx(0.2, abs=0.7)
    assert set(first) == {1010.0, -10.0}


@given(st.integers(2, 4000))
@settings(deadline=None)
def test_a_track_ends_with_the_last_step_and_has_few_points(steps):
    track = follow(Walk("periodic", "constant", "amsgrad", 0.01), steps)
    assert track.step[-1] == steps
    assert track.step == sorted(set(track.step))
    assert len(track.step) <= counterexample.POINTS
    columns = zip(track.low, track.x, track.high, strict=True)
    assert all(-1 <= low <= x + 1e-6 <= high + 2e-6 <= 1 + 2e-6 for low, x, high in columns)


def test_the_command_leaves_the_same_tracks_each_time_and_a_chart(tmp_path, capfd):
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        assert run_command(main, ["--steps", "500", "--out", str(folder)]) == 0
    out = capfd.readouterr().out
    first, second = (sorted(folder.iterdir()) for folder in folders)
    assert [path.name for path in first] == [
        "periodic-constant-adam.json",
        "periodic-constant-amsgrad.json",
        "periodic-falling-adam.json",
        "periodic-falling-amsgrad.json",
        "periodic.svg",
    ]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert first[-1].read_text().startswith("<svg")
    assert "Adam, α/√t with α = 0.5: after 500 steps x between" in out
    track = json.loads(first[0].read_text())
    assert track["walk"]["lr"] == 0.01
    assert track["step"][-1] == 500


def test_a_walk_that_leaves_the_librarys_is_one_line_and_nothing_is_written(
    tmp_path, monkeypatch, capfd
):
    monkeypatch.setattr(counterexample, "difference_from_library", lambda walk, steps: 1e-9)
    assert run_command(main, ["--steps", "10", "--out", str(tmp_path)]) == 1
    assert capfd.readouterr().err == (
        "error: adam in plain numbers leaves the library's by 1.0e-09\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--problem", "hard"], "'hard' is not one of 'periodic', 'stochastic'"),
        (["--steps", "1"], "1 is not in the range x>=2"),
        (["--constant", "0"], "0.0 is not in the range x>0"),
        (["--falling", "nan"], "nan is not finite"),
        (["--beta2", "1"], "1.0 is not in the range 0<=x<1"),
        (["--seed", "-1"], "-1 is not in the range x>=0"),
    ],
)
def test_bad_arguments_give_one_line(arguments, message, capfd):
    assert_refused(main, arguments, message, capfd)


def test_the_chart_has_both_step_sizes_of_both_optimizers():
    root = ElementTree.fromstring(to_svg(line_chart(panels(load_all(FOLDER, "periodic")))))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    for text in ("Adam", "AMSGrad", "line: α = 0.5/√t, dashes: α = 0.01"):
        assert texts.count(text) == 2
    readings = [element.get("aria-label") or "" for element in root.iter()]
    last = "average regret at step 3,000,000\nAdam, falling: 0.215\nAMSGrad, falling: 0.0193"
    assert any(reading.startswith(last) for reading in readings)


def test_the_code_of_the_solutions_runs():
    text = Path(counterexample.__file__).read_text(encoding="utf-8")
    blocks = re.findall(r"^# ```python\n(.*?)^# ```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1
    for block in blocks:
        exec(compile(re.sub(r"^# ?", "", block, flags=re.MULTILINE), "solution", "exec"), {})
