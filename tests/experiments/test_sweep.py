import dataclasses
import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import experiments.sweep
from experiments.cli import run_command
from experiments.jobs import Job, Processes
from experiments.optimizers import choose_optimizer
from experiments.records import load, load_all, save
from experiments.schedules import choose_schedules
from experiments.sweep import (
    MOST_EXTENSIONS,
    Run,
    Sweep,
    best,
    grid_around,
    index_of,
    main,
    rate_at,
    rates_to_try,
    run_all,
    table,
)
from experiments.sweep_cli import Conditions
from tests.experiments.examples import make_record

ROOT = Path(__file__).parents[2]
SEARCHES = ROOT / "experiments" / "results" / "mnist" / "sweep"
GRID = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)


def test_the_grid_has_ones_and_threes_times_powers_of_ten():
    assert [rate_at(index) for index in range(-5, 3)] == [
        *(0.003, 0.01, 0.03, 0.1, 0.3),
        *(1.0, 3.0, 10.0),
    ]


@given(st.integers(-40, 20))
def test_a_point_of_the_grid_is_its_own_nearest_point(index):
    assert index_of(rate_at(index)) == index


@pytest.mark.parametrize(
    ("lr", "grid"),
    [
        (1e-3, GRID),
        (3e-3, (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)),
        (2e-3, (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)),
        (1.0, (0.1, 0.3, 1.0, 3.0, 10.0)),
    ],
)
def test_the_grid_is_centred_on_the_point_nearest_to_the_default(lr, grid):
    assert grid_around(lr) == grid


def search(loss, first=GRID):
    """Search with a function of the rate, and return the rates in the order they were tried."""
    losses = {}
    while rates := rates_to_try(first, losses):
        losses.update({lr: loss(lr) for lr in rates})
    return losses


def distance_to(optimum):
    return lambda lr: abs(math.log(lr / optimum))


def test_a_best_rate_inside_the_grid_ends_the_search():
    losses = search(distance_to(3e-3))
    assert tuple(losses) == GRID
    assert best(losses) == 3e-3


@pytest.mark.parametrize(
    ("optimum", "added"),
    [(1e-2, [3e-2]), (0.1, [3e-2, 0.1, 0.3]), (1e-5, [3e-5, 1e-5, 3e-6]), (1e-4, [3e-5])],
)
def test_a_best_rate_on_the_edge_extends_the_grid_until_both_sides_are_seen(optimum, added):
    losses = search(distance_to(optimum))
    assert list(losses)[len(GRID) :] == added
    assert best(losses) == optimum


@pytest.mark.parametrize("optimum", [1e9, 1e-30])
def test_the_grid_is_extended_four_times_at_most(optimum):
    assert len(search(distance_to(optimum))) == len(GRID) + MOST_EXTENSIONS


def test_a_rate_that_is_not_tried_yet_keeps_the_grid_from_growing():
    assert rates_to_try(GRID, {1e-2: 0.1, 1e-4: 0.5, 3e-4: 0.4}) == (1e-3, 3e-3)


def test_diverged_runs_count_as_infinite_and_push_the_search_to_smaller_rates():
    losses = search(lambda lr: math.inf if lr > 1e-5 else distance_to(1e-5)(lr))
    assert best(losses) == 1e-5
    assert best({0.1: math.inf, 0.3: math.inf}) == 0.1


@given(
    st.lists(
        st.floats(1e-6, 10).map(lambda lr: float(f"{lr:.6g}")), min_size=3, max_size=6, unique=True
    ),
    st.floats(1e-9, 1e4),
)
def test_any_grid_grows_outwards_only(rates, optimum):
    losses = search(distance_to(optimum), tuple(sorted(rates)))
    low, high = min(rates), max(rates)
    for lr in list(losses)[len(rates) :]:
        assert lr < low or lr > high
        low, high = min(low, lr), max(high, lr)


@pytest.fixture
def conditions(tmp_path):
    return Conditions(
        data="digits",
        epochs=0.2,
        seeds=(0, 1),
        search_epochs=0.1,
        rates=(1e-3, 3e-3, 1e-2),
        schedules=choose_schedules("linear", [], None, []),
        dtype="float32",
        settings=("betas=0.9,0.99",),
        places=("--device", "cpu", "--threads", "1"),
        out=tmp_path / "out",
    )


def make_sweep(conditions, name="adam"):
    return Sweep(choose_optimizer(name, None, conditions.settings), conditions)


@pytest.fixture
def quick_runs(monkeypatch, tmp_path):
    """Let a run be a real process that puts a record in place, or fails where the rate is in it.

    The value of the record is the distance of the rate to 0.003.
    """
    failing = set()

    def job(run, conditions):
        configuration = run.configuration
        log = run.path.with_suffix(".log")
        if configuration.lr in failing:
            code = "print('working'); print('error: no power'); raise SystemExit(3)"
            return Job((sys.executable, "-c", code), log)
        lr = configuration.lr
        value = None if lr >= 1 else 0.1 + abs(math.log10(lr / 0.003))
        record = make_record(value=value)
        record = dataclasses.replace(
            record, optimizer=configuration.optimizer, configuration=configuration.to_dict()
        )
        if value is None:
            record.final["test_accuracy"] = 0.1
        made = save(record, tmp_path / "made")
        return Job(("cp", str(made), str(run.path)), log)

    monkeypatch.setattr(Run, "job", job)
    return failing


def run_sweeps(*sweeps, places=2):
    with Processes(places) as processes:
        run_all(sweeps, processes)


def test_a_sweep_searches_first_and_then_trains_with_the_best_rate(conditions, quick_runs):
    sweep = make_sweep(conditions)
    run_sweeps(sweep)
    assert list(sweep.losses) == [1e-3, 3e-3, 1e-2]
    searched, trained = load_all(conditions.out / "sweep"), load_all(conditions.out)
    assert [r.configuration["data"] for r in searched] == ["digits-held-out"] * 3
    assert [r.configuration["epochs"] for r in searched] == [0.1] * 3
    assert [r.seed for r in searched] == [0] * 3
    assert [(r.configuration["lr"], r.seed) for r in trained] == [(3e-3, 0), (3e-3, 1)]
    assert {r.configuration["data"] for r in trained} == {"digits"}
    assert not list(conditions.out.rglob("*.log"))


def test_records_that_are_there_are_not_made_again(conditions, quick_runs, capsys):
    first = make_sweep(conditions)
    run_sweeps(first)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    paths = {path: path.stat().st_mtime_ns for path in conditions.out.rglob("*.json")}
    again = make_sweep(conditions)
    run_sweeps(again)
    assert capsys.readouterr().out == ""
    assert {path: path.stat().st_mtime_ns for path in conditions.out.rglob("*.json")} == paths
    assert table([again]) == table([first])
    searched = next((conditions.out / "sweep").glob("*.json"))
    searched.write_text("damaged")
    run_sweeps(make_sweep(conditions))
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert load(searched).optimizer == "adam"


def test_a_run_that_fails_is_told_and_the_others_go_on_and_the_next_time_it_is_made(
    conditions, quick_runs, capsys
):
    broken = make_sweep(conditions)
    whole = make_sweep(dataclasses.replace(conditions, rates=(3e-4, 3e-3, 3e-2)), "yogi")
    quick_runs.add(1e-2)
    run_sweeps(broken, whole)
    out = capsys.readouterr().out
    assert "adam lr 0.01 seed 0: failed, error: no power" in out
    assert len(broken.failed) == 1
    assert broken.finals == []
    assert len(whole.finals) == 2
    (log,) = conditions.out.rglob("*.log")
    assert log.read_text() == "working\nerror: no power\n"
    assert "none" in table([broken])
    quick_runs.clear()
    second = make_sweep(conditions)
    run_sweeps(second)
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert len(second.finals) == 2
    assert not list(conditions.out.rglob("*.log"))


def test_a_search_in_which_all_runs_diverge_trains_nothing(conditions, quick_runs, capsys):
    sweep = make_sweep(dataclasses.replace(conditions, rates=(1e6, 3e6, 1e7)))
    run_sweeps(sweep)
    assert len(sweep.losses) == 3 + MOST_EXTENSIONS
    assert sweep.finals == []
    assert "diverged" in table([sweep])
    assert "seed 0: diverged" in capsys.readouterr().out


def test_the_table_has_every_rate_with_its_loss_and_the_accuracies(conditions, quick_runs):
    sweep = make_sweep(conditions)
    run_sweeps(sweep)
    head, row = table([sweep]).splitlines()
    expected = "adam 0.003 10.00 % (10.00 10.00) 0.001: 0.5771, 0.003: 0.1000, 0.01: 0.6229"
    assert " ".join(head.split()) == "optimizer lr test accuracy, seeds held-out loss by lr"
    assert " ".join(row.split()) == expected


def test_so_many_processes_run_side_by_side_as_there_are_places(tmp_path):
    code = "import time; time.sleep(0.4)"
    jobs = [Job((sys.executable, "-c", code), tmp_path / str(index)) for index in range(3)]
    with Processes(2) as processes:
        processes.start(jobs[0])
        assert processes.free == 1
        processes.start(jobs[1])
        assert processes.free == 0
        ended = list(processes.wait())
        assert {status for _, status, _ in ended} == {0}
        while processes.busy:
            ended += processes.wait()
    assert {job for job, _, _ in ended} == set(jobs[:2])


def test_processes_end_when_the_context_ends(tmp_path):
    job = Job((sys.executable, "-c", "import time; time.sleep(60)"), tmp_path / "log")
    with Processes(1) as processes:
        processes.start(job)
        (process, _) = processes._running[job]
        assert process.poll() is None
    assert process.returncode == -signal.SIGTERM
    assert not job.log.exists()


@pytest.fixture
def sweep_command(tmp_path, capfd):
    """Run the command in this process; gives status, output and errors."""

    def run(*arguments):
        status = run_command(main, ["--out", str(tmp_path / "out"), *map(str, arguments)])
        output = capfd.readouterr()
        return status, output.out, output.err

    return run


@pytest.mark.slow
def test_the_command_trains_for_real_and_a_second_time_has_nothing_to_do(sweep_command, tmp_path):
    arguments = ["--optimizer", "Adam", "--data", "digits", "--lrs", "1e-4,3e-3,10"]
    arguments += ["--schedule", "wsd", "--schedule-set", "tail=1-sqrt,decay_percent=0.5"]
    epochs = ["--search-epochs", 1, "--epochs", 0.5, "--seeds", "7", "--jobs", 2]
    status, out, err = sweep_command(*arguments, *epochs, "--set", "betas=0.9,0.99")
    assert (status, err) == (0, "")
    assert len(out.splitlines()) == 6
    searched, (trained,) = load_all(tmp_path / "out" / "sweep"), load_all(tmp_path / "out")
    assert [r.configuration["lr"] for r in searched] == [1e-4, 3e-3, 10]
    assert trained.configuration == searched[0].configuration | {
        "data": "digits",
        "lr": 3e-3,
        "epochs": 0.5,
        "seed": 7,
    }
    assert trained.configuration["options"] == {"betas": [0.9, 0.99]}
    assert trained.configuration["schedule"] == "wsd"
    assert trained.configuration["schedule_options"] == {"tail": "1-sqrt", "decay_percent": 0.5}
    assert trained.environment["threads"] == 1
    assert (searched[0].data["name"], trained.data["name"]) == ("digits-held-out", "digits")
    left = {path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*")}
    assert {path.suffix for path in left if path.name != ".labml.yaml"} <= {".json", ""}
    status, again, err = sweep_command(*arguments, *epochs, "--set", "betas=0.9,0.99")
    assert (status, err) == (0, "")
    assert again.splitlines() == out.splitlines()[-2:]


def processes_of(folder):
    """Return the command lines of all processes that name a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(folder) in command:
            found.append(command)
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="there is no /proc")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_sweep_that_is_stopped_takes_its_processes_with_it(tmp_path, number, status):
    command = [sys.executable, "-m", "experiments.sweep", "--optimizer", "adam"]
    command += ["--data", "digits", "--search-epochs", "500", "--jobs", "2"]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path / "out")],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 120
        while len(processes_of(tmp_path / "out")) < 3:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.2)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == status
    assert "Traceback" not in err
    assert processes_of(tmp_path / "out") == []
    assert not list((tmp_path / "out").rglob("*.json"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--all", "--optimizer", "adam"], "--optimizer"),
        (["--optimizer", "adm"], "adam"),
        (["--optimizer", "adam", "--set", "beta=0.9"], "did you mean betas?"),
        (["--optimizer", "adam", "--set", "lr=0.1"], "--lrs"),
        (["--optimizer", "adam", "--lrs", "0.1,0.2"], "at least 3"),
        (["--optimizer", "adam", "--lrs", "0.1,0.2,0.2"], "at least 3"),
        (["--optimizer", "adam", "--lrs", "0,0.1,0.2"], "above 0"),
        (["--optimizer", "adam", "--lrs", "0.1,0.2,inf"], "above 0"),
        (["--optimizer", "adam", "--lrs", "0.1,0.2,nan"], "above 0"),
        (["--optimizer", "adam", "--lrs", "a,b,c"], "'a,b,c'"),
        (["--optimizer", "adam", "--seeds", "-1"], "'-1'"),
        (["--optimizer", "adam", "--seeds", ""], "--seeds"),
        (["--optimizer", "adam", "--epochs", "inf"], "--epochs"),
        (["--optimizer", "adam", "--search-epochs", "0"], "--search-epochs"),
        (["--optimizer", "adam", "--jobs", "0"], "--jobs"),
        (["--optimizer", "adam", "--data", "auto"], "'mnist', 'digits'"),
    ],
)
def test_a_wrong_option_is_one_line_before_anything_runs(
    sweep_command, tmp_path, arguments, message
):
    status, out, err = sweep_command(*arguments)
    assert status == 2
    assert out == ""
    assert message in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_help_shows_the_defaults(sweep_command):
    status, out, _ = sweep_command("--help")
    assert status == 0
    for text in (
        "[default: (adam)]",
        "[default: 0,1,2]",
        "[default: 1;",
        "(5 around the optimizer",
    ):
        assert text in " ".join(out.split())


def test_without_a_name_adam_is_searched_for(sweep_command, quick_runs, tmp_path):
    status, _, _ = sweep_command("--data", "digits", "--seeds", "0")
    assert status == 0
    assert {r.optimizer for r in load_all(tmp_path / "out")} == {"adam"}


def test_missing_data_is_one_line_before_anything_runs(sweep_command, tmp_path, offline):
    status, out, err = sweep_command("--optimizer", "adam", "--data-root", tmp_path / "nothing")
    assert (status, out) == (1, "")
    assert err.startswith("error: MNIST is not in")
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_an_optimizer_whose_file_is_broken_does_not_keep_the_others_from_running(
    sweep_command, monkeypatch, quick_runs, tmp_path
):
    def choose(name, lr, settings):
        if name == "yogi":
            raise SyntaxError("'(' was never closed")
        return choose_optimizer(name, lr, settings)

    monkeypatch.setattr("experiments.sweep_cli.choose_optimizer", choose)
    names = ["--optimizer", "yogi", "--optimizer", "adam"]
    status, _, err = sweep_command(*names, "--data", "digits", "--seeds", "0")
    assert status == 1
    assert "yogi cannot be loaded: SyntaxError: '(' was never closed" in err
    assert "1 optimizers could not be loaded" in err
    assert len(load_all(tmp_path / "out")) == 1


@pytest.mark.parametrize("name", ["adam", "radam"])
def test_the_chapter_states_the_losses_of_the_committed_searches(name):
    records = [r for r in load_all(SEARCHES) if r.optimizer == name]
    if not records:
        pytest.skip(f"no search for {name} is committed")
    losses = {r.configuration["lr"]: r.final["test_loss"] for r in records}
    (row,) = re.findall(rf"^\| {name} \|(.*)\|$", experiments.sweep.__doc__, re.M | re.I)
    stated = [cell.strip() for cell in row.split("|")]
    texts = [f"{losses[lr]:.3f}" for lr in sorted(losses)]
    texts[sorted(losses).index(best(losses))] = f"**{losses[best(losses)]:.3f}**"
    assert [cell for cell in stated if cell] == texts
