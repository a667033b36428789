"""Sweeps as real processes on Ray, and what happens to them when something is killed."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.configuration import Configuration
from experiments.records import load, load_all
from experiments.trial import Order, carry_out

ROOT = Path(__file__).parents[2]
PATIENCE = 180

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc"),
]

# Without a search: some runs at one rate.
QUICK = ["--data", "digits", "--lr", "3e-3", "--epochs", "1"]


@pytest.fixture
def start(tmp_path):
    """Start `python -m experiments.sweep` as a process of its own, in the folder `out`."""
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "experiments.sweep",
                *map(str, arguments),
                "--out",
                str(tmp_path / "out"),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        for pid in [process.pid, *descendants(process.pid)]:
            kill(pid)
        process.communicate()


@pytest.fixture
def sweep(start):
    """Run a sweep to its end; gives status, output and errors."""

    def run(*arguments):
        process = start(*arguments)
        out, err = process.communicate(timeout=PATIENCE)
        return process.returncode, out, err

    return run


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


def test_a_sweep_trains_for_real_and_given_again_does_only_what_is_missing(sweep, tmp_path):
    schedule = ["--schedule", "wsd:tail=1-sqrt,decay_percent=0.5", "--set", "betas=0.9,0.99"]
    arguments = ["--optimizers", "Adam", "--data", "digits", "--lr", "1e-4,3e-3,10", *schedule]
    arguments += ["--epochs", "0.5", "--jobs", "2"]
    status, out, err = sweep(*arguments, "--seeds", "1")
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
    status, again, err = sweep(*arguments, "--seeds", "1,")
    assert (status, err) == (0, "")
    assert [run.partition(" seed")[0] for run in runs_in(again)] == ["adam lr 0.003"]
    assert [r.seed for r in load_all(tmp_path / "out")] == [0, 1]
    status, third, err = sweep(*arguments, "--seeds", "2")
    assert (status, err) == (0, "")
    assert runs_in(third) == []
    assert third.splitlines()[1].split()[:2] == ["adam", "0.003"]


def test_a_trial_that_is_killed_goes_on_until_it_is_killed_too_often(start, sweep, tmp_path):
    long = [*QUICK, "--epochs", "5", "--seeds", "2"]
    process = start(*long, "--retries", "1")
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
    status, out, err = sweep(*long)
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
    start, sweep, tmp_path
):
    runs = [*QUICK, "--epochs", "5", "--seeds", "3"]
    process = start(*runs)
    finished = wait_for(lambda: list((tmp_path / "out").glob("*.json")), process)
    before = {path: path.read_bytes() for path in finished}
    family = descendants(process.pid)
    process.kill()
    process.wait()
    wait_for(lambda: not family & set(parents()))
    status, out, _ = sweep(*runs)
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
    process = start(*QUICK, "--epochs", "40", "--seeds", "2", "--jobs", "2")
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


def test_two_sweeps_in_one_folder_make_each_run_once(start, tmp_path):
    out = tmp_path / "out"
    runs = ["--data", "digits", "--lr", "3e-4,3e-3,3e-2", "--epochs", "1", "--seeds", "2"]
    processes = [start(*runs, "--jobs", "2") for _ in range(2)]
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


def test_early_stopping_gives_up_what_is_worse_at_the_same_step(sweep, tmp_path):
    rates = ["--lr", "3e-4,3e-3,10", "--no-extend", "--data", "digits"]
    arguments = [*rates, "--search-epochs", "4", "--epochs", "1", "--seeds", "1"]
    status, out, err = sweep(*arguments, "--stop-early", "asha")
    assert (status, err) == (0, "")
    given_up = re.search(r"adam lr 10 seed 0: given up after (\d+) % of its steps", out)
    assert int(given_up[1]) < 100
    assert [r.configuration["lr"] for r in load_all(tmp_path / "out" / "sweep")] == [3e-4, 3e-3]
    assert [r.configuration["lr"] for r in load_all(tmp_path / "out")] == [3e-3]
    status, again, _ = sweep(*arguments, "--stop-early", "asha")
    assert (status, runs_in(again)) == (0, [])


@pytest.fixture
def cluster(tmp_path_factory):
    """The address of a Ray cluster of one machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("r")
    process = subprocess.Popen(
        [
            Path(sys.executable).with_name("ray"),
            "start",
            "--head",
            "--block",
            f"--port={port}",
            "--node-ip-address=127.0.0.1",
            "--num-cpus=2",
            "--include-dashboard=false",
            f"--temp-dir=/tmp/{folder.name}-{port}",
            "--object-store-memory=100000000",
            "--disable-usage-stats",
        ],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield f"127.0.0.1:{port}"
    family = descendants(process.pid)
    process.terminate()
    process.wait()
    for pid in family:
        kill(pid)


def test_a_sweep_runs_on_a_cluster_that_is_there(sweep, cluster, tmp_path):
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(cluster.split(":"), timeout=1).close()
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    time.sleep(2)
    status, out, err = sweep(*QUICK, "--seeds", "2", "--address", cluster)
    assert status == 0, err
    assert len(runs_in(out)) == 2
    assert len(load_all(tmp_path / "out")) == 2
