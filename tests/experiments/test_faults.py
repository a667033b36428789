import contextlib
import itertools
import json
import os
import pickle
import random
import re
import shutil
import signal
import subprocess
import time
import unittest.mock
from types import SimpleNamespace

import pytest
import torch
from labml.internal.tracker.writers import file

from experiments import pages
from experiments.checkpoints import Checkpoints
from experiments.data import CIFAR_FILES, CIFAR_FOLDER
from experiments.records import RecordError, load, load_all, save
from experiments.tracking import tracking
from labml_nn_optim import Adam
from tests.experiments import saving_often
from tests.experiments.examples import make_record
from tests.forked import Forked

DIGITS = ("--data", "digits", "--no-curves")


def run_experiment(name, arguments):
    """Run an experiment's command on one thread, with a checkpoint after every step."""
    return saving_often.run_experiment(name, ["--threads", "1", *map(str, arguments)])


class Started:
    """A process that was started, and what it has printed so far."""

    def __init__(self, process):
        self.process = process

    @property
    def text(self):
        return self.process.output.read_text() + self.process.errors.read_text()

    def wait_until(self, condition):
        for _ in range(20_000):
            if condition():
                return
            assert self.process.poll() is None, self.text
            time.sleep(0.005)
        pytest.fail(f"nothing within 100 seconds: {self.text}")

    def send(self, number):
        self.process.send_signal(number)

    def end(self):
        """Wait for the end; gives the exit status and the lines."""
        status = self.process.wait(100)
        assert "Traceback" not in self.text, self.text
        return status, self.text.splitlines()


@pytest.fixture
def start():
    """Start a function in a process of its own."""
    started = []

    def begin(function, *arguments):
        process = Forked(function, *arguments)
        started.append(process)
        return Started(process)

    yield begin
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def start_digits(start):
    """Start a run on the digits that writes a checkpoint after every step."""

    def begin(out, *arguments):
        return start(run_experiment, "mnist", [*DIGITS, "--out", out, *arguments])

    return begin


@pytest.fixture
def small_disk(tmp_path):
    """A file system of four megabytes: two checkpoints of SGD, and not a third."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root can mount a small file system")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk):
    """Leave no free byte, and return the file to remove in order to have them back."""
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as stream:
        while True:
            stream.write(bytes(4096))
    return filler


def steps(out):
    return {path.name for path in out.rglob("step-*.pt")}


def hidden(out):
    """Return the temporary files that a write leaves if it is not finished."""
    return [path for path in out.rglob(".*") if path.is_file() and path.name != ".labml.yaml"]


def without_times(folder, name=None):
    (path,) = folder.glob(name or "*.json")
    fields = json.loads(path.read_text())
    fields.pop("times")
    return path.name, fields


def errors(lines):
    return [line for line in lines if line.startswith("error: ")]


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_with_the_same_record(start_digits, tmp_path):
    arguments = ["--epochs", 3]
    broken, straight = tmp_path / "broken", tmp_path / "straight"

    def killed(moment):
        process = start_digits(broken, *arguments, "--resume")
        before = steps(broken)
        process.wait_until(lambda: steps(broken) - before)
        moment(process)
        process.send(signal.SIGKILL)
        status, _ = process.end()
        assert status == -signal.SIGKILL

    def during_a_write(process):
        process.wait_until(lambda: hidden(broken))

    def a_little_later(process):
        time.sleep(random.uniform(0, 0.1))

    unfinished = 0
    for moment in [during_a_write, a_little_later] * 3:
        killed(moment)
        unfinished += len(hidden(broken))
        assert not load_all(broken)
    assert unfinished
    status, lines = start_digits(broken, *arguments, "--resume").end()
    assert status == 0
    assert any(re.search(r"going on after step \d+ of 69", line) for line in lines)
    assert not any("cannot be used" in line for line in lines)
    start_digits(straight, *arguments).end()
    assert without_times(broken) == without_times(straight)
    assert not hidden(broken)


@pytest.mark.slow
def test_on_a_full_disk_what_was_finished_stays_and_the_next_start_goes_on(
    start_digits, small_disk, tmp_path
):
    out, straight = small_disk / "out", tmp_path / "straight"
    arguments = ["--optimizer", "sgd", "--epochs", 1]
    process = start_digits(out, *arguments)
    process.wait_until(lambda: steps(out))
    process.send(signal.SIGTERM)
    assert process.end()[0] == 128 + signal.SIGTERM
    earlier = save(make_record(), out)
    filler = fill(small_disk)
    before = {path: path.read_bytes() for path in [earlier, *out.rglob("step-*.pt")]}

    status, lines = start_digits(out, *arguments, "--resume").end()
    assert status == 1
    (error,) = errors(lines)
    assert "No space left on device" in error
    assert re.search(rf"'{out}/sgd-[0-9a-f]+\.json'", error)
    (told,) = [line for line in lines if "a checkpoint cannot be written" in line]
    assert "No space left on device" in told
    (log,) = [line for line in lines if "labml" in line]
    assert log.startswith("note: labml cannot log this run (")
    assert {path: path.read_bytes() for path in before} == before
    assert load_all(out) == [make_record()]
    assert steps(out) == {path.name for path in before if path.suffix == ".pt"}
    assert not hidden(out)

    filler.unlink()
    status, lines = start_digits(out, *arguments, "--resume").end()
    assert status == 0
    assert any(re.search(r"going on after step \d+ of 23", line) for line in lines)
    assert earlier.read_bytes() == before[earlier]
    start_digits(straight, *arguments).end()
    assert without_times(out, "sgd-*.json") == without_times(straight)


@pytest.mark.slow
def test_a_run_that_could_write_no_checkpoint_says_so_when_it_is_stopped(start_digits, small_disk):
    out = small_disk / "out"
    out.mkdir()
    fill(small_disk)
    process = start_digits(out, "--epochs", 20)
    process.wait_until(lambda: "a checkpoint cannot be written" in process.text)
    process.send(signal.SIGINT)
    status, lines = process.end()
    assert status == 128 + signal.SIGINT
    assert re.fullmatch(r"error: stopped after step \d+; there is no checkpoint;.*", lines[-1])
    assert not hidden(out)


def log_while_the_disk_fills_up(disk, rows):
    # Without a limit of its own labml writes every row, and the first one starts its thread.
    file.FREQUENCY = 0
    told = []
    with tracking(disk, "adam-1", {}, told.append) as log:
        log(1, "train", {"loss": 0.5})
        while not any(path.read_text() for path in disk.rglob("log.jsonl")):
            time.sleep(0.01)
        fill(disk)
        for step in range(2, 2 + rows):
            log(step, "train", {"loss": 0.5, "step": step})
    print(*told, sep="\n")


# Without further rows all that cannot be written is how the run has ended.
@pytest.mark.parametrize("rows", [0, 5000])
def test_a_log_on_a_disk_that_fills_up_ends_with_one_note(start, small_disk, rows):
    status, lines = start(log_while_the_disk_fills_up, small_disk, rows).end()
    assert status == 0
    assert lines == ["labml cannot log this run ([Errno 28] No space left on device)"]


# A step over all images takes so long that a second signal can come before its end.
LONG_STEPS = ("--batch-size", 1437, "--epochs", 90, "--resume")


def assert_ended_by_ctrl_c(status, text, out):
    """Assert that a run ended as it should after Ctrl-C, and return its last line."""
    assert status == 130
    assert "Traceback" not in text
    (error,) = errors(text.splitlines())
    (folder,) = out.glob("adam-*")
    checkpoints = Checkpoints(folder, folder.name)
    state, problems = checkpoints.load_newest()
    assert problems == []
    assert state["history"]["step"] == checkpoints.steps()[0]
    assert not hidden(out)
    return error


def run_with_a_slow_step(arguments):
    """Run an experiment whose third step takes a minute, and says when it begins."""
    step, count = Adam.step, itertools.count(1)

    def slow_at_the_third(optimizer, closure=None):
        if next(count) == 3:
            print("the third step", flush=True)
            time.sleep(60)
        return step(optimizer, closure)

    with unittest.mock.patch.object(Adam, "step", slow_at_the_third):
        return run_experiment("mnist", arguments)


def test_a_second_ctrl_c_does_not_wait_for_the_step_and_leaves_whole_checkpoints(start, tmp_path):
    out = tmp_path / "out"
    process = start(run_with_a_slow_step, [*DIGITS, "--out", out, "--epochs", 1])
    process.wait_until(lambda: "the third step" in process.text)
    process.send(signal.SIGINT)
    # Two signals that come before Python looks are one.
    time.sleep(1)
    process.send(signal.SIGINT)
    status, _ = process.end()
    assert assert_ended_by_ctrl_c(status, process.text, out) == "error: interrupted"


@pytest.mark.slow
def test_ctrl_c_twice_ends_the_whole_command_without_a_traceback(start_mnist, tmp_path):
    out = tmp_path / "out"
    process = start_mnist(*DIGITS, "--out", out, *LONG_STEPS)
    while not steps(out):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, text = process.communicate(timeout=100)
    assert_ended_by_ctrl_c(process.returncode, text, out)


class Trap:
    """What makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.slow
def test_code_in_a_checkpoint_is_not_run_and_a_flipped_bit_is_seen(start_digits, tmp_path):
    out, straight, sprung = tmp_path / "out", tmp_path / "straight", tmp_path / "sprung"
    arguments = ["--epochs", 0.2]
    start_digits(straight, *arguments).end()
    shutil.copytree(straight, out)
    first = without_times(out)
    next(out.glob("*.json")).unlink()
    older, newest = sorted(out.rglob("step-*.pt"))
    content = bytearray(older.read_bytes())
    content[len(content) // 2] ^= 1
    older.write_bytes(content)
    run = older.parent.name
    torch.save({"run": run, "step": 5, "state": Trap(sprung)}, newest)
    bare = older.with_name("step-00000006.pt")
    bare.write_bytes(pickle.dumps({"run": run, "step": 6, "state": Trap(sprung)}))
    status, lines = start_digits(out, *arguments, "--resume").end()
    assert status == 0
    for path in (bare, newest, older):
        assert sum(f"{path} cannot be used" in line for line in lines) == 1
    assert any("starting at step 1" in line for line in lines)
    assert without_times(out) == first
    assert not sprung.exists()


@pytest.mark.slow
def test_a_checkpoint_of_another_version_is_told_and_the_run_starts_again(start_digits, tmp_path):
    out = tmp_path / "out"
    arguments = ["--epochs", 0.2]
    start_digits(out, *arguments).end()
    first = without_times(out)
    (folder,) = out.glob("adam-*/")
    checkpoints = Checkpoints(folder, folder.name)
    state, _ = checkpoints.load_newest()
    state["model"]["conv1.weight"] = state["model"]["conv1.weight"][:3]
    checkpoints.save(4, state)
    status, lines = start_digits(out, *arguments, "--resume").end()
    assert status == 0
    (told,) = [line for line in lines if "does not fit this run" in line]
    assert "starting at step 1" in told
    assert without_times(out) == first


@pytest.mark.slow
def test_a_run_that_diverges_goes_on_after_a_kill_and_its_record_has_null(start_digits, tmp_path):
    broken, straight = tmp_path / "broken", tmp_path / "straight"
    arguments = ["--lr", "1e30", "--epochs", 1]
    process = start_digits(broken, *arguments)
    process.wait_until(lambda: steps(broken))
    process.send(signal.SIGKILL)
    assert process.end()[0] == -signal.SIGKILL
    for out, resume in [(broken, ["--resume"]), (straight, [])]:
        status, lines = start_digits(out, *arguments, *resume).end()
        assert status == 0
        assert sum("the run diverged: the loss is not finite from" in line for line in lines) == 1
    name, fields = without_times(broken)
    assert (name, fields) == without_times(straight)
    assert fields["final"]["test_loss"] is None
    assert fields["curves"]["train"]["loss"][-1] is None


def test_a_half_written_record_is_refused_wherever_it_ends(tmp_path):
    path = save(make_record(), tmp_path)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 1, 61):
        path.write_bytes(whole[:length])
        with pytest.raises(RecordError) as caught:
            load(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"[" * 100_000, b"\xff\xfe", b'{"experiment": "mnist"'])
def test_a_page_names_the_damaged_record_among_others(results, content):
    save(make_record(), results)
    damaged = results / "sgd-0123456789.json"
    damaged.write_bytes(content)
    chapter = SimpleNamespace(module="labml_nn_optim.optimizers.adam", text="")
    with pytest.raises(RecordError, match=re.escape(f"{damaged}: ")):
        list(pages.Plugin().figures(chapter))


def test_a_run_replaces_its_own_damaged_record_and_leaves_another(start_digits, tmp_path):
    arguments = ["--epochs", 0.05]
    start_digits(tmp_path / "out", *arguments).end()
    first = without_times(tmp_path / "out")
    own, other = tmp_path / "out" / first[0], tmp_path / "out" / "sgd-0123456789.json"
    own.write_bytes(own.read_bytes()[:500])
    other.write_bytes(b"{")
    assert start_digits(tmp_path / "out", *arguments).end()[0] == 0
    assert other.read_bytes() == b"{"
    assert without_times(tmp_path / "out", first[0]) == first


def content_of(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_refused_before_training(process, data, out, message):
    before = content_of(data)
    status, lines = process.end()
    assert status == 1
    assert lines == [message]
    assert content_of(data) == before
    assert not out.exists()


def test_mnist_with_a_wrong_checksum_is_refused_and_nothing_is_written(start, tmp_path, mnist_root):
    data, out = tmp_path / "data", tmp_path / "out"
    shutil.copytree(mnist_root / "MNIST", data / "MNIST", copy_function=shutil.copyfile)
    raw = data / "MNIST" / "raw"
    raw.chmod(0o755)
    labels, images = (
        raw / f"t10k-{kind}.gz" for kind in ("labels-idx1-ubyte", "images-idx3-ubyte")
    )
    labels.write_bytes(images.read_bytes())
    process = start(run_experiment, "mnist", ["--data-root", data, "--out", out])
    message = f"error: {labels} has a wrong checksum; delete it to download it anew"
    assert_refused_before_training(process, data, out, message)


def test_pickles_in_the_place_of_cifar_are_refused_and_not_opened(start, tmp_path):
    data, out, sprung = tmp_path / "data", tmp_path / "out", tmp_path / "sprung"
    folder = data / CIFAR_FOLDER
    folder.mkdir(parents=True)
    for name in CIFAR_FILES:
        (folder / name).write_bytes(pickle.dumps(Trap(sprung)))
    process = start(run_experiment, "cifar", ["--data-root", data, "--out", out])
    message = f"error: {folder}/data_batch_1 has a wrong checksum; delete it to download it anew"
    assert_refused_before_training(process, data, out, message)
    assert not sprung.exists()
