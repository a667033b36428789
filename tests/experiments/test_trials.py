"""Sweeps as real processes on Ray, and what happens to them when something is killed."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest.mock
from pathlib import Path

import pytest
from ray import tune

from experiments import runner, sweep, trials
from experiments.cli import run_command
from experiments.configuration import Configuration
from experiments.records import load, load_all
from experiments.trial import Order, carry_out
from tests.forked import Forked, start_module

ROOT = Path(__file__).parents[2]
PATIENCE = 180

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc"),
]

# Ray lets the processes of trials wait for all others of the machine, among them other tests.
URGENT = {"RAY_worker_niceness": "0"}
# Without a search: some runs at one rate.
QUICK = ["--data", "digits", "--lr", "3e-3", "--epochs", "1"]


def save_often(config):
    """Make a run as the sweep would, with a checkpoint after every step."""
    runner.CHECKPOINT_SECONDS = 0.0
    carry_out(config["order"], tune.report)


def sweep_that_saves_often(words):
    with unittest.mock.patch.object(trials, "_trial", save_often):
        return run_command(sweep.main, words)


@pytest.fixture
def start(tmp_path):
    """Start `python -m experiments.sweep` as a process of its own, in the folder `out`.

    One that is to be stopped half-way saves often.
    """
    started = []

    def start(*arguments, saves_often=False):
        words = [str(word) for word in (*arguments, "--out", tmp_path / "out")]
        if saves_often:
            process = Forked(sweep_that_saves_often, words, environment=URGENT)
        else:
            process = start_module("experiments.sweep", *words, environment=URGENT)
        started.append(process)
        return process

    yield start
    for process in started:
        for pid in [process.pid, *descendants(process.pid)]:
            kill(pid)
        process.wait()


@pytest.fixture
def finish(start):
    """Run a sweep to its end; gives status, output and errors."""

    def run(*arguments):
        process = start(*arguments)
        out, err = process.communicate(timeout=PATIENCE)
        return process.returncode, out, err

    return run


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The address of a Ray cluster of one machine, for sweeps that start none of their own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Names of sockets must be short.
    folder = Path(f"/tmp/r-{port}")
    process = subprocess.Popen(
        [
            Path(sys.executable).with_name("ray"),
            "start",
            "--head",
            "--block",
            f"--port={port}",
            "--node-ip-address=127.0.0.1",
            "--num-cpus=4",
            "--include-dashboard=false",
            f"--temp-dir={folder}",
            "--object-store-memory=100000000",
            "--disable-usage-stats",
        ],
        cwd=ROOT,
        env=os.environ | URGENT | {"HOME": str(tmp_path_factory.mktemp("home"))},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert any("Ray runtime started" in line for line in process.stdout)
    yield f"127.0.0.1:{port}"
    family = descendants(process.pid)
    process.terminate()
    process.communicate()
    for pid in family:
        kill(pid)
    shutil.rmtree(folder, ignore_errors=True)


def parents():
    """Return the parent of every process."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            found[int(path.parent.name)] = int(fields[1])
    return found


def descendants(pid):
    """Return the processes that a process has started, and those that these have started."""
    family, of = {pid}, parents()
    while more := {child for child, parent in of.items() if parent in family} - family:
        family |= more
    return family - {pid}


def trials_of(process):
    """Return the processes that train for a sweep."""
    return [pid for pid in descendants(process.pid) if b"ImplicitFunc" in command_of(pid)]


def command_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def kill(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def wait_for(condition, process=None):
    """Wait until a condition holds, and return what it returned."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        if process is not None:
            assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return value


def runs_in(out):
    """Return the runs that a sweep told of, without their numbers in the order."""
    return [line.partition("] ")[2] for line in out.splitlines() if line.startswith("[")]


def test_a_sweep_trains_for_real_and_given_again_does_only_what_is_missing(
    finish, cluster, tmp_path
):
    schedule = ["--schedule", "wsd:tail=1-sqrt,decay_percent=0.5", "--set", "betas=0.9,0.99"]
    arguments = ["--optimizers", "Adam", "--data", "digits", "--lr", "1e-4,3e-3,10", *schedule]
    arguments += ["--epochs", "0.5", "--jobs", "2"]
    status, out, err = finish(*arguments, "--seeds", "1")
    assert (status, err) == (0, "")
    assert len(runs_in(out)) == 4
    searched, (trained,) = load_all(tmp_path / "out" / "sweep"), load_all(tmp_path / "out")
    assert [r.configuration["lr"] for r in searched] == [1e-4, 3e-3, 10]
    assert trained.configuration == searched[0].configuration | {
        "data": "digits",
        "lr": 3e-3,
        "epochs": 0.5,
    }
    assert trained.configuration["options"] == {"betas": [0.9, 0.99]}
    assert trained.configuration["schedule"] == "wsd"
    assert trained.configuration["schedule_options"] == {"tail": "1-sqrt", "decay_percent": 0.5}
    assert trained.environment["threads"] == 1
    assert (searched[0].data["name"], trained.data["name"]) == ("digits-held-out", "digits")
    # What the first has begun on a Ray of its own, the second ends on a cluster that is there.
    status, again, err = finish(*arguments, "--seeds", "1,", "--address", cluster)
    assert (status, err) == (0, "")
    assert [run.partition(" seed")[0] for run in runs_in(again)] == ["adam lr 0.003"]
    assert [r.seed for r in load_all(tmp_path / "out")] == [0, 1]
    status, third, err = finish(*arguments, "--seeds", "2")
    assert (status, err) == (0, "")
    assert runs_in(third) == []
    assert third.splitlines()[1].split()[:2] == ["adam", "0.003"]


def test_a_trial_that_is_killed_goes_on_until_it_is_killed_too_often(
    start, finish, cluster, tmp_path
):
    long = [*QUICK, "--epochs", "3", "--seeds", "2"]
    process = start(*long, "--retries", "1", saves_often=True)
    checkpoint = wait_for(lambda: next((tmp_path / "out").glob("*/step-*.pt"), None), process)
    first = wait_for(lambda: trials_of(process), process)
    for pid in first:
        kill(pid)
    for pid in wait_for(lambda: set(trials_of(process)) - set(first), process):
        kill(pid)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    name = checkpoint.parent.name
    assert (
        f"note: the process of {name}.json was killed; it goes on from its last checkpoint" in err
    )
    assert "failed, its process was killed 2 times" in out
    assert "the same command does what is missing" in err
    assert len(load_all(tmp_path / "out")) == 1
    status, out, err = finish(*long, "--address", cluster)
    assert status == 0
    assert "going on after step" in err
    assert len(runs_in(out)) == 1
    broken = next(r for r in load_all(tmp_path / "out") if r.file_name.startswith(name))
    unbroken = make_again(broken, tmp_path / "again")
    assert (broken.configuration, broken.final) == (unbroken.configuration, unbroken.final)
    assert broken.curves == unbroken.curves


def make_again(record, folder):
    """Make the run of a record in one go, in this process."""
    order = Order(Configuration(**record.configuration), folder, folder, "cpu", 1)
    carry_out(order, lambda report: None)
    return load(order.path)


def test_a_sweep_that_is_killed_leaves_no_process_and_the_next_start_goes_on(
    start, finish, cluster, tmp_path
):
    runs = [*QUICK, "--seeds", "3"]
    process = start(*runs)
    finished = wait_for(lambda: list((tmp_path / "out").glob("*.json")), process)
    before = {path: path.read_bytes() for path in finished}
    family = descendants(process.pid)
    process.kill()
    process.wait()
    wait_for(lambda: not family & set(parents()))
    status, out, _ = finish(*runs, "--address", cluster)
    assert status == 0
    assert {path: path.read_bytes() for path in finished} == before
    assert len(runs_in(out)) == 3 - len(finished)


@pytest.mark.parametrize(
    ("numbers", "status"),
    [
        ([signal.SIGINT, signal.SIGINT], 130),
        ([signal.SIGTERM], 143),
    ],
)
def test_a_sweep_that_is_stopped_takes_its_processes_with_it(start, tmp_path, numbers, status):
    process = start(*QUICK, "--epochs", "40", "--seeds", "2", "--jobs", "2", saves_often=True)
    wait_for(lambda: next((tmp_path / "out").glob("*/step-*.pt"), None), process)
    family = descendants(process.pid)
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.5)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == status
    assert "Traceback" not in err
    wait_for(lambda: not family & set(parents()))
    assert list((tmp_path / "out").glob("*/step-*.pt"))


def test_two_sweeps_in_one_folder_make_each_run_once(start, cluster, tmp_path):
    out = tmp_path / "out"
    runs = ["--data", "digits", "--lr", "3e-4,3e-3,3e-2", "--epochs", "1", "--seeds", "2"]
    processes = [start(*runs, "--jobs", "2", "--address", cluster) for _ in range(2)]
    files = {}
    while any(process.poll() is None for process in processes):
        for path in out.rglob("*.json"):
            files.setdefault(path, set()).add(path.stat().st_ino)
        time.sleep(0.05)
    for process in processes:
        printed, err = process.communicate()
        assert process.returncode == 0, err
        assert [
            line for line in printed.splitlines() if line.startswith("adam") and "0.003" in line
        ]
    assert len(files) == 5
    assert {path: len(versions) for path, versions in files.items()} == dict.fromkeys(files, 1)


def test_early_stopping_gives_up_what_is_worse_at_the_same_step(finish, cluster, tmp_path):
    rates = ["--lr", "3e-4,3e-3,10", "--no-extend", "--data", "digits"]
    arguments = [*rates, "--search-epochs", "2", "--epochs", "0.5", "--seeds", "1"]
    arguments += ["--stop-early", "asha", "--jobs", "1", "--address", cluster]
    status, out, err = finish(*arguments)
    assert (status, err) == (0, "")
    given_up = re.search(r"adam lr 10 seed 0: given up after (\d+) % of its steps", out)
    assert int(given_up[1]) < 100
    assert [r.configuration["lr"] for r in load_all(tmp_path / "out" / "sweep")] == [3e-4, 3e-3]
    assert [r.configuration["lr"] for r in load_all(tmp_path / "out")] == [3e-3]
    status, again, _ = finish(*arguments)
    assert (status, runs_in(again)) == (0, [])
