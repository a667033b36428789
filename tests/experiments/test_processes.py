"""Runs that several processes share, started by torchrun or as it starts them."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import time
from pathlib import Path

import pytest
import torch

from experiments import processes
from experiments.data import ROOT_VARIABLE
from tests.experiments import shared_batches
from tests.forked import start_module

ROOT = Path(__file__).parents[2]
OPTIONS = ["--data", "digits", "--threads", "1", "--no-curves"]
MNIST = ["experiments.mnist", *OPTIONS]
OFTEN = ["tests.experiments.saving_often", *OPTIONS]
LIMIT = 240


def torchrun(module, *words):
    """Start `torchrun` with two processes."""
    address = ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"]
    command = ["--nproc-per-node", "2", *address, "-m", module, *words]
    environment = {"PYTHONPATH": str(ROOT)}
    return start_module("torch.distributed.run", *command, environment=environment)


def start_two(module, *words):
    """Start two processes that are told of each other what torchrun tells its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    world = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return [
        start_module(module, *words, environment=world | {"RANK": rank, "LOCAL_RANK": rank})
        for rank in ("0", "1")
    ]


def finish(*started):
    """Wait for the end of processes; gives the status of each, all output and all errors."""
    try:
        ends = [process.communicate(LIMIT) for process in started]
    finally:
        for process in started:
            process.kill()
    output, errors = map("".join, zip(*ends, strict=True))
    return [process.returncode for process in started], output, errors


def done(*started):
    statuses, output, errors = finish(*started)
    assert set(statuses) == {0}, errors
    return output, errors


def record_in(folder):
    (path,) = folder.glob("*.json")
    return json.loads(path.read_text())


def assert_close(found, expected, relative):
    torch.testing.assert_close(
        torch.tensor(found, dtype=torch.float64),
        torch.tensor(expected, dtype=torch.float64),
        rtol=relative,
        atol=0,
    )


def own_lines(errors):
    """The lines that the experiment wrote: notes and errors, not those of torchrun."""
    return [line for line in errors.splitlines() if re.match(r"(note|error): ", line)]


@pytest.fixture
def cifar_root():
    """The folder of the real CIFAR-10 files; a test that needs them is skipped without it."""
    for candidate in (os.environ.get(ROOT_VARIABLE), ROOT.parent / "shared" / "data"):
        if candidate and (Path(candidate) / "cifar-10-batches-py").is_dir():
            return candidate
    pytest.skip(f"CIFAR-10 is not at hand; set {ROOT_VARIABLE}")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What one process found, and what each of two."""
    folder = tmp_path_factory.mktemp("trained")
    done(start_module(shared_batches.__name__, folder))
    done(*start_two(shared_batches.__name__, folder))
    return [torch.load(folder / f"{name}.pt") for name in ("0-of-1", "0-of-2", "1-of-2")]


CASES = ["mnist cnn", "mnist fast", "cifar small", "cifar fast", "curvature"]


@pytest.mark.parametrize("case", CASES)
def test_two_processes_compute_what_one_does(trained, case):
    alone, first, _ = (found[case] for found in trained)
    # The losses are float32, whose last digit is 1.2e-7 of a number at most.
    for table, columns in alone["curves"].items():
        for name, column in columns.items():
            assert_close(first["curves"][table][name], column, 1e-6)
    assert list(first["state"]) == list(alone["state"])
    for name, tensor in alone["state"].items():
        # Each step of AdamW moves a parameter by 1e-3.
        torch.testing.assert_close(first["state"][name], tensor, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_both_processes_have_the_same_bits(trained, case):
    _, first, second = (found[case] for found in trained)
    assert first["curves"] == second["curves"]
    assert all(map(torch.equal, first["state"].values(), second["state"].values()))


def test_frozen_scales_stay_as_they_were(trained):
    for found in trained:
        scales = {n: t for n, t in found["cifar fast"]["state"].items() if "norm.weight" in n}
        assert len(scales) == 6
        assert all(torch.equal(scale, torch.ones_like(scale)) for scale in scales.values())


def test_torchrun_leaves_one_record_with_the_curves_of_one_process(tmp_path):
    options = [*MNIST, "--epochs", 0.5, "--out"]
    done(start_module(*options, tmp_path / "one"))
    output, errors = done(torchrun(*options, tmp_path / "two"))
    one, two = record_in(tmp_path / "one"), record_in(tmp_path / "two")
    assert (one["environment"]["processes"], two["environment"]["processes"]) == (1, 2)
    assert one["configuration"] == two["configuration"]
    assert_close(two["curves"]["train"]["loss"], one["curves"]["train"]["loss"], 1e-4)
    assert_close(two["curves"]["test"]["loss"], one["curves"]["test"]["loss"], 1e-4)
    assert [line.split()[0] for line in output.splitlines()] == ["test", "duration", "record"]
    assert errors.count("epoch 0.5") == 1
    assert len(list((tmp_path / "two" / "labml").glob("*/*/log.jsonl"))) == 1


@contextlib.contextmanager
def two_under_way(folder, *options):
    """Two processes that have written a checkpoint, as children of torchrun."""
    launcher = torchrun(*OFTEN, "--epochs", 3, "--out", folder, *options)
    limit = time.monotonic() + LIMIT
    while not list(folder.glob("*/step-*.pt")) and launcher.poll() is None:
        assert time.monotonic() < limit
        time.sleep(0.1)
    try:
        yield launcher
    finally:
        launcher.kill()


def workers_of(launcher):
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    return [int(child) for child in children]


def stop_after_a_while(folder, number):
    """Train with two processes, stop them by a signal, and return what they wrote as errors."""
    with two_under_way(folder) as launcher:
        launcher.send_signal(number)
        _, _, errors = finish(launcher)
    assert "experiments/" not in errors
    return own_lines(errors)


def test_ctrl_c_stops_all_processes_after_the_same_step(tmp_path):
    (line,) = stop_after_a_while(tmp_path, signal.SIGINT)
    assert re.match(r"error: stopped after step \d+; the checkpoint is .*--resume$", line)


def test_two_that_a_signal_stopped_go_on_together_or_one_goes_on_alone(tmp_path):
    folder, alone = tmp_path / "stopped", tmp_path / "alone"
    (line,) = stop_after_a_while(folder, signal.SIGTERM)
    assert re.match(r"error: stopped after step \d+; the checkpoint is .*--resume$", line)
    shutil.copytree(folder, alone)
    _, errors = done(*start_two(*MNIST, "--epochs", 3, "--out", folder, "--resume"))
    (line,) = own_lines(errors)
    assert re.match(r"note: going on after step \d+ of 69$", line)
    done(*start_two(*MNIST, "--epochs", 3, "--out", tmp_path / "straight"))
    assert record_in(folder)["curves"] == record_in(tmp_path / "straight")["curves"]
    _, errors = done(start_module(*MNIST, "--epochs", 3, "--out", alone, "--resume"))
    assert "note: the checkpoint was made with processes 2, this run has 1" in errors
    assert record_in(alone)["final"]["step"] == 69


def test_one_process_that_hears_a_signal_stops_the_other(tmp_path):
    with two_under_way(tmp_path) as launcher:
        os.kill(workers_of(launcher)[-1], signal.SIGTERM)
        statuses, _, errors = finish(launcher)
    assert statuses == [1]
    assert len(own_lines(errors)) == 1
    # torchrun tells how the processes have ended.
    assert set(re.findall(r"exitcode +: (-?\d+)", errors)) == {"143"}


def test_a_process_that_is_killed_ends_the_other_with_one_line(tmp_path):
    with two_under_way(tmp_path) as launcher:
        first, *_ = (
            worker
            for worker in workers_of(launcher)
            if b"\0RANK=1\0" in b"\0" + Path(f"/proc/{worker}/environ").read_bytes()
        )
        os.kill(first, signal.SIGKILL)
        statuses, _, errors = finish(launcher)
    assert statuses == [1]
    assert "experiments/" not in errors
    assert len(own_lines(errors)) <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--optimizer", "adamm"], "adamm"),
        (["--set", "betas=2,3"], "betas"),
        (["--batch-size", "0"], "--batch-size"),
    ],
)
def test_a_wrong_option_is_told_once(tmp_path, options, message):
    statuses, _, errors = finish(*start_two(*MNIST, "--out", tmp_path, *options))
    assert statuses == [2, 2]
    (line,) = own_lines(errors)
    assert message in line


def test_cifar_is_trained_by_two(tmp_path, cifar_root):
    # Adam's first steps have the sign of a gradient that may be nothing but rounding; SGD's do not.
    options = ["experiments.cifar", "--optimizer", "sgd", "--lr", "0.01", "--threads", "1"]
    options += ["--no-curves", "--epochs", "0.02", "--data-root", cifar_root, "--out"]
    done(start_module(*options, tmp_path / "one"))
    done(*start_two(*options, tmp_path / "two"))
    one, two = (record_in(tmp_path / name)["curves"]["train"] for name in ("one", "two"))
    assert_close(two["loss"][:2], one["loss"][:2], 1e-5)
    # From then on rounding grows, here and with another number of threads alike.
    assert_close(two["loss"][:4], one["loss"][:4], 2e-3)


def test_without_torchrun_a_world_of_one_changes_nothing():
    numbers = torch.arange(5.0)
    with processes.joined(torch.device("cpu")):
        assert (processes.size(), processes.rank(), processes.is_first()) == (1, 0, True)
        assert processes.share(numbers).tolist() == numbers.tolist()
        assert processes.whole(numbers, 5) is numbers
        processes.add_up([numbers])
        assert processes.largest(3) == 3
        assert processes.from_first(lambda: "found") == "found"
    assert numbers.tolist() == [0, 1, 2, 3, 4]
