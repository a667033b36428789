import json
import re
import signal
import time
from pathlib import Path
from statistics import median

import pytest
import torch
from torch.nn import functional

from experiments import mnist as chapter
from experiments import runner
from experiments.cli import run_command
from experiments.committed import HALF, IN_HALF, SEARCHES
from experiments.data import ROOT_VARIABLE
from experiments.mnist import Model, main
from experiments.optimizers import choose_optimizer
from experiments.records import load, load_all
from experiments.run_figures import accuracy
from experiments.sensitivity import best, losses_by_rate
from experiments.sweep import index_of, rate_at
from labml_nn_optim import optimizer_names
from labml_nn_optim.registry import summary

RESULTS = Path(__file__).parents[2] / "experiments" / "results" / "mnist"
TEXT = " ".join(chapter.__doc__.split())


@pytest.fixture
def mnist(tmp_path, capfd):
    """Run the command in this process, on the digits; gives status, output and errors."""

    def run(*arguments, out=tmp_path / "out"):
        status = run_command(main, ["--threads", "1", "--out", str(out), *map(str, arguments)])
        output = capfd.readouterr()
        return status, output.out, output.err

    return run


def without_times(folder):
    (path,) = folder.glob("*.json")
    fields = json.loads(path.read_text())
    times = fields.pop("times")
    assert set(times) == {"started", "duration_seconds", "samples_per_second"}
    return path.name, path.read_text().partition('"times"')[0], fields


def test_the_model_is_the_network_of_431080_parameters():
    model = Model()
    shapes = [tuple(parameter.shape) for parameter in model.parameters()]
    assert shapes == [
        *[(20, 1, 5, 5), (20,), (50, 20, 5, 5), (50,)],
        *[(500, 800), (500,), (10, 500), (10,)],
    ]
    assert sum(parameter.numel() for parameter in model.parameters()) == 431_080
    images = torch.randn(2, 1, 28, 28)
    x = functional.max_pool2d(model.conv1(images).clamp_min(0), 2)
    x = functional.max_pool2d(model.conv2(x).clamp_min(0), 2)
    expected = model.output(model.hidden(x.flatten(1)).clamp_min(0))
    assert torch.allclose(model(images), expected, atol=1e-6)


def test_in_bfloat16_parameters_are_rounded_and_the_record_says_so(mnist, tmp_path):
    status, _, _ = mnist("--data", "digits", "--epochs", 0.2, "--dtype", "bfloat16")
    assert status == 0
    (record,) = load_all(tmp_path / "out")
    assert record.configuration["dtype"] == "bfloat16"
    saved = next((tmp_path / "out").glob("*/*.pt"))
    state = torch.load(saved, weights_only=True)["state"]
    assert {value.dtype for value in state["model"].values()} == {torch.bfloat16}
    assert {value["exp_avg"].dtype for value in state["optimizer"]["state"].values()} == {
        torch.float32
    }


def test_a_record_is_told_of_where_its_curves_cannot_be_written(mnist, tmp_path):
    settings = ["--data", "digits", "--epochs", "0.1"]
    mnist(*settings, "--no-curves")
    (path,) = (tmp_path / "out").glob("*.json")
    path.with_suffix(".svg").mkdir()
    status, out, err = mnist(*settings)
    assert status == 0
    assert f"record {path}" in out
    assert "curves" not in out
    assert (
        f"the curves cannot be drawn: [Errno 21] Is a directory: '{path.with_suffix('.svg')}'"
        in err
    )


def test_a_run_leaves_a_record_and_the_curves_and_tells_where(mnist, tmp_path):
    status, out, err = mnist("--data", "digits", "--optimizer", "RAdam", "--epochs", 1)
    assert status == 0
    (record,) = load_all(tmp_path / "out")
    assert record.optimizer == "radam"
    assert record.configuration == {
        "experiment": "mnist",
        "model": "cnn",
        "optimizer": "radam",
        "data": "digits",
        "lr": 1e-3,
        "schedule": "linear",
        "schedule_options": {},
        "wd_schedule": None,
        "wd_schedule_options": {},
        "epochs": 1.0,
        "batch_size": 64,
        "seed": 0,
        "dtype": "float32",
        "options": {},
        "rules": [],
    }
    assert record.data["name"] == "digits"
    assert record.environment["threads"] == 1
    assert record.final["step"] == 23
    assert record.curves["train"]["step"] == list(range(1, 24))
    assert record.curves["test"]["step"] == [23]
    assert len(record.curves["test_subset"]["step"]) == 8
    assert record.final["test_accuracy"] == record.curves["test"]["accuracy"][-1]
    assert f"test accuracy {record.final['test_accuracy']:.2%} on digits" in out
    for suffix in (".json", ".svg", ".png"):
        assert str(record.path.with_suffix(suffix)) in out
        assert record.path.with_suffix(suffix).stat().st_size > 1000
    assert "epoch 1: train loss" in err
    assert "samples/s" in err
    assert "\x1b" not in out + err


def test_training_on_the_digits_learns_them(mnist, tmp_path):
    mnist("--data", "digits", "--epochs", 4, "--batch-size", 32)
    (record,) = load_all(tmp_path / "out")
    assert record.final["test_accuracy"] > 0.85
    assert record.final["train_loss"] < 0.5


def test_the_same_seed_twice_gives_the_same_bytes_apart_from_the_times(mnist, tmp_path):
    for folder in ("a", "b"):
        mnist("--data", "digits", "--epochs", 0.5, "--seed", 7, out=tmp_path / folder)
    mnist("--data", "digits", "--epochs", 0.5, "--seed", 8, out=tmp_path / "c")
    a, b, c = (without_times(tmp_path / folder) for folder in "abc")
    assert a == b
    assert a[0] != c[0]
    assert a[2]["curves"]["train"]["loss"] != c[2]["curves"]["train"]["loss"]


def test_arguments_of_the_optimizer_reach_it_and_the_record(mnist, tmp_path):
    settings = ["--set", "betas=0.5,0.9", "--set", "eps=1e-7", "--lr", 0.01]
    mnist("--data", "digits", "--epochs", 0.1, "--schedule", "constant", *settings)
    (record,) = load_all(tmp_path / "out")
    assert record.configuration["options"] == {"betas": [0.5, 0.9], "eps": 1e-7}
    assert record.curves["train"]["lr"] == [0.01, 0.01]
    # With beta1 = 0.5 the second step differs from that of the default, the first does not.
    mnist("--data", "digits", "--epochs", 0.1, "--lr", 0.01, "--schedule", "constant", out=tmp_path)
    (default,) = load_all(tmp_path)
    ours, theirs = (r.curves["train"]["update_norm"] for r in (record, default))
    assert ours[0] == pytest.approx(theirs[0], rel=1e-2)
    assert ours[1] != pytest.approx(theirs[1], rel=1e-2)


def test_schedules_reach_the_run_the_record_and_the_checkpoint(mnist, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "CHECKPOINT_SECONDS", 0.0)
    arguments = ["--data", "digits", "--epochs", 1, "--optimizer", "adamw", "--lr", 0.01]
    rate = ["--schedule", "wsd", "--schedule-set", "tail=1-sqrt,decay_percent=0.3,warmup_steps=4"]
    decay = ["--wd-schedule", "linear", "--wd-schedule-set", "exclude_last=False"]
    assert mnist(*arguments, *rate, *decay)[0] == 0
    (record,) = load_all(tmp_path / "out")
    assert record.configuration["schedule"] == "wsd"
    assert record.configuration["schedule_options"] == {
        "tail": "1-sqrt",
        "decay_percent": 0.3,
        "warmup_steps": 4,
    }
    assert record.configuration["wd_schedule"] == "linear"
    assert record.configuration["wd_schedule_options"] == {"exclude_last": False}
    rates = record.curves["train"]["lr"]
    assert rates[:4] == [pytest.approx(0.01 * step / 5) for step in (1, 2, 3, 4)]
    assert rates[4:17] == [0.01] * 13
    assert rates[17] == pytest.approx(0.01 * (1 - (1 / 7) ** 0.5), rel=1e-5)
    saved = max((tmp_path / "out").glob("*/*.pt"))
    state = torch.load(saved, weights_only=True)["state"]
    assert [scheduler["last_epoch"] for scheduler in state["schedulers"]] == [23, 23]
    assert state["optimizer"]["param_groups"][0]["weight_decay"] == 0
    # Without its last checkpoint the run goes on from the one before.
    saved.unlink()
    first = without_times(tmp_path / "out")
    _, _, err = mnist(*arguments, *rate, *decay, "--resume")
    assert "going on after step 22 of 23" in err
    assert without_times(tmp_path / "out") == first


def test_a_run_that_is_too_short_for_its_schedule_is_one_line(mnist):
    arguments = ["--schedule", "wsd", "--schedule-set", "warmup_steps=30"]
    status, _, err = mnist("--data", "digits", "--epochs", 0.1, *arguments)
    assert status == 2
    assert err == ("error: WSDSchedule: warmup_steps must be at most total_steps, 2, got 30\n")


def test_real_mnist_is_learned_within_a_twentieth_of_an_epoch(
    mnist, tmp_path, mnist_root, monkeypatch
):
    monkeypatch.setenv(ROOT_VARIABLE, str(mnist_root))
    status, _, err = mnist("--epochs", 0.05)
    (record,) = load_all(tmp_path / "out")
    assert status == 0
    assert "NOT MNIST" not in err
    assert record.data["name"] == "mnist"
    assert record.data["test_subset_samples"] == 1000
    assert record.final["test_accuracy"] > 0.8


def test_without_mnist_the_default_trains_on_the_digits_and_says_so_loudly(
    mnist, tmp_path, offline
):
    status, out, err = mnist("--data-root", tmp_path / "nothing", "--epochs", 0.1)
    assert status == 0
    assert "*  NOT MNIST." in err
    assert "on digits" in out
    (record,) = load_all(tmp_path / "out")
    assert record.configuration["data"] == record.data["name"] == "digits"


def test_mnist_itself_without_files_and_network_is_one_line_and_status_1(mnist, tmp_path, offline):
    status, _, err = mnist("--data", "mnist", "--data-root", tmp_path / "nothing")
    assert status == 1
    error = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(error) == 1
    assert "--data-root" in error[0]
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "nothing").exists()


def test_damaged_files_are_an_error_even_where_the_digits_would_do(mnist, tmp_path, mnist_root):
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for path in (mnist_root / "MNIST" / "raw").glob("*.gz"):
        (raw / path.name).write_bytes(path.read_bytes()[:5000])
    status, _, err = mnist("--data-root", tmp_path / "data")
    assert status == 1
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--optimizer", "adm"], "adam"),
        (["--set", "beta=0.9"], "did you mean betas?"),
        (["--set", "eps=-1"], "eps must be"),
        (["--lr", "-1"], "lr must be"),
        (["--lr", "fast"], "'fast' is not a valid float"),
        (["--epochs", "0"], "'--epochs'"),
        (["--epochs", "nan"], "'--epochs'"),
        (["--epochs", "inf"], "'--epochs'"),
        (["--batch-size", "0"], "'--batch-size'"),
        (["--seed", "-1"], "'--seed'"),
        (["--threads", "0"], "'--threads'"),
        (["--data", "cifar"], "'auto', 'mnist', 'digits', 'mnist-held-out', 'digits-held-out'"),
        (["--schedule", "wds"], "--schedule wds: there is no such schedule; did you mean wsd?"),
        (["--schedule", "xyzzy"], "there are constant, linear, cosine"),
        (["--schedule-set", "tail=cosine"], "LinearDecreasingSchedule has no argument tail"),
        (["--wd-schedule", "cosine"], "--wd-schedule cosine: the weight decay of Adam is 0"),
        (["--wd-schedule-set", "power=2"], "name one with --wd-schedule"),
        (["--device", "tpu"], "'auto', 'cpu', 'cuda'"),
        (["--rate", "1"], "--rate"),
        (["extra"], "extra"),
    ],
)
def test_a_wrong_option_is_one_line_before_any_data_is_loaded(
    mnist, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.setattr("experiments.mnist.load_mnist", pytest.fail)
    monkeypatch.setattr("experiments.mnist.load_digits", pytest.fail)
    status, out, err = mnist(*arguments)
    assert status == 2
    assert out == ""
    assert message in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_one_line(mnist):
    status, _, err = mnist("--device", "cuda")
    assert status == 1
    assert err == "error: --device cuda: torch finds no CUDA device; use --device cpu\n"


def test_a_file_in_the_place_of_the_output_is_one_line_and_stays(mnist, tmp_path):
    (tmp_path / "file").write_text("mine")
    status, _, err = mnist("--data", "digits", out=tmp_path / "file")
    assert status == 2
    assert err.count("\n") == 1
    assert (tmp_path / "file").read_text() == "mine"


def test_an_output_folder_that_cannot_be_made_is_one_line_before_the_training(mnist, tmp_path):
    (tmp_path / "file").write_text("mine")
    status, _, err = mnist("--data", "digits", out=tmp_path / "file" / "below")
    assert status == 1
    assert err.count("\n") == 1
    assert str(tmp_path / "file") in err


def test_the_list_has_every_optimizer_with_its_summary(mnist):
    status, out, _ = mnist("--list")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()] == list(optimizer_names())
    assert all(summary(name) in out for name in optimizer_names())


def test_the_help_shows_the_defaults(mnist):
    status, out, _ = mnist("--help")
    assert status == 0
    for text in (
        "(adam, nadam for fast)",
        "(3, 1 for fast)",
        "(64, 128 for fast)",
        "compile=True",
        "betas=0.9,",
    ):
        assert text in " ".join(out.split())


def test_a_log_that_cannot_be_written_does_not_stop_the_run(mnist, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "labml").write_text("a file in the way")
    status, _, err = mnist("--data", "digits", "--epochs", 0.1)
    assert status == 0
    assert "note: labml cannot log this run" in err
    assert len(load_all(tmp_path / "out")) == 1


def test_labml_logs_what_the_record_holds(mnist, tmp_path):
    mnist("--data", "digits", "--epochs", 0.2)
    (record,) = load_all(tmp_path / "out")
    (log,) = (tmp_path / "out" / "labml").rglob("log.jsonl")
    logged = {}
    for line in log.read_text().splitlines():
        for name, points in json.loads(line)["track"].items():
            logged.setdefault(name, []).extend(points)
    for table, columns in record.curves.items():
        for name in columns.keys() - {"step"}:
            points = logged[f"{table}.{name}"]
            assert [step for step, _ in points] == columns["step"]
            assert [value for _, (value,) in points] == pytest.approx(columns[name], rel=1e-5)


def test_a_run_that_diverges_ends_with_a_record_and_a_note(mnist, tmp_path):
    status, _, err = mnist("--data", "digits", "--epochs", 0.5, "--lr", 1e30)
    assert status == 0
    assert "note: the run diverged" in err
    (record,) = load_all(tmp_path / "out")
    assert record.final["test_loss"] is None


def test_resume_of_a_finished_run_gives_its_record_again(mnist, tmp_path):
    mnist("--data", "digits", "--epochs", 0.5)
    first = without_times(tmp_path / "out")
    next((tmp_path / "out").glob("*.json")).unlink()
    status, _, err = mnist("--data", "digits", "--epochs", 0.5, "--resume")
    assert status == 0
    assert "going on after step 12 of 12" in err
    assert without_times(tmp_path / "out") == first


def test_resume_without_a_checkpoint_starts_at_the_first_step_and_says_so(mnist):
    status, _, err = mnist("--data", "digits", "--epochs", 0.1, "--resume")
    assert status == 0
    assert "there is no checkpoint" in err


def test_a_new_start_says_that_a_checkpoint_was_there(mnist):
    mnist("--data", "digits", "--epochs", 0.1)
    _, _, err = mnist("--data", "digits", "--epochs", 0.1)
    assert "starting anew; --resume would have gone on after step 2" in err


def test_resume_with_other_threads_warns_that_the_numbers_differ(mnist):
    mnist("--data", "digits", "--epochs", 0.1)
    _, _, err = mnist("--data", "digits", "--epochs", 0.1, "--resume", "--threads", 2)
    assert "made with threads 1, this run has 2" in err


def test_damaged_checkpoints_are_told_and_the_run_starts_again(mnist, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "CHECKPOINT_SECONDS", 0.0)
    mnist("--data", "digits", "--epochs", 0.5)
    first = without_times(tmp_path / "out")
    newest, older = sorted((tmp_path / "out").rglob("step-*.pt"), reverse=True)
    newest.write_bytes(b"damaged")
    status, _, err = mnist("--data", "digits", "--epochs", 0.5, "--resume")
    assert status == 0
    assert f"{newest} cannot be used" in err
    assert "going on after step 11 of 12" in err
    assert without_times(tmp_path / "out") == first
    newest.write_bytes(b"damaged")
    older.write_bytes(b"damaged")
    status, _, err = mnist("--data", "digits", "--epochs", 0.5, "--resume")
    assert "starting at step 1" in err
    assert without_times(tmp_path / "out") == first


def wait_for_checkpoint(process, folder):
    """Wait until a checkpoint is there that was not there before."""
    before = set(folder.rglob("step-*.pt"))
    for _ in range(2400):
        if set(folder.rglob("step-*.pt")) - before:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    pytest.fail("no checkpoint within 2 minutes")


@pytest.mark.slow
def test_a_run_that_is_stopped_and_killed_and_resumed_ends_with_the_same_record(
    start_mnist, mnist, tmp_path
):
    # Sophia has the most to go on with: its state follows from labels drawn at random, too.
    arguments = ["--data", "digits", "--epochs", 4, "--optimizer", "sophia"]
    broken = [*arguments, "--out", tmp_path / "broken", "--resume"]
    for number, status in [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)]:
        process = start_mnist(*broken)
        wait_for_checkpoint(process, tmp_path / "broken")
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        assert process.returncode == status
        assert "Traceback" not in err
        if number != signal.SIGKILL:
            assert "error: stopped after step" in err
            assert err.endswith("go on with the same command and --resume\n")
        assert not list((tmp_path / "broken").glob("*.json"))
    status, _, err = mnist(*broken)
    assert status == 0
    done = int(re.search(r"going on after step (\d+) of 92", err)[1])
    assert 69 <= done < 92
    mnist(*arguments, out=tmp_path / "straight")
    assert without_times(tmp_path / "broken") == without_times(tmp_path / "straight")


@pytest.fixture(scope="module")
def committed_runs():
    """The runs at the chosen rates by optimizer: the usual ones, and what is made for half precision."""
    return group_by_optimizer(load_all(RESULTS), load_all(RESULTS / HALF))


@pytest.fixture(scope="module")
def committed_searches():
    """The held-out losses over the rate by optimizer."""
    found = group_by_optimizer(load_all(RESULTS / SEARCHES), load_all(RESULTS / HALF / SEARCHES))
    return {name: losses_by_rate(runs) for name, runs in found.items()}


def group_by_optimizer(usual, half):
    groups = {}
    for run in [*usual, *(run for run in half if run.optimizer in IN_HALF)]:
        groups.setdefault(run.optimizer, []).append(run)
    return groups


def test_the_chapter_says_how_many_are_close(committed_runs):
    assert {len(runs) for runs in committed_runs.values()} == {3}
    percents = {name: sorted(map(accuracy, runs)) for name, runs in committed_runs.items()}
    assert f"Of the optimizers of this course {len(percents)} are run here" in TEXT
    ranked = sorted(percents, key=lambda name: -percents[name][1])
    close = ranked[:28]
    assert f"Twenty-eight of the {len(percents)} are close" in TEXT
    assert [f"{percents[name][1]:.2f}" for name in (close[0], close[-1])] == ["99.45", "99.31"]
    assert percents[ranked[28]][1] < 99.305
    beaten = [name for name in close if percents[name][-1] < percents["scion"][0]]
    assert (f"{percents['scion'][0]:.2f}", len(beaten)) == ("99.45", 22)
    assert percents["scion"][1] - percents["adam"][1] == pytest.approx(0.04)
    assert f"{percents['schedule_free_sgd'][1]:.2f}" == "99.36"
    assert f"{percents['soap'][1]:.2f}" == "99.41"
    assert "schedule_free_adamw" not in close
    first_epoch = {
        name: median(100 * run.curves["test"]["accuracy"][0] for run in runs)
        for name, runs in committed_runs.items()
    }
    best_starts = sorted(first_epoch, key=lambda name: -first_epoch[name])[:3]
    assert [f"{name} {first_epoch[name]:.2f}" for name in best_starts] == [
        "schedule_free_sgd 99.13",
        "soap 99.04",
        "schedule_free_adamw 99.03",
    ]


def test_the_chapter_says_who_fails_beyond_the_best_rate(committed_searches):
    learned = {name: losses for name, losses in committed_searches.items() if name != "rprop"}
    beyond = {
        name: [losses[rate] for rate in sorted(losses) if rate > best(losses)]
        for name, losses in learned.items()
    }
    cliffs = [name for name, losses in beyond.items() if losses[0] > 2]
    assert f"For {len(cliffs)} of the {len(committed_searches)} the next point" in TEXT
    never = {name for name, losses in learned.items() if max(losses.values()) < 2}
    warm = {"adam_warmup", "adam_warmup_cosine_decay", "noam"}
    warm |= {"schedule_free_adamw", "schedule_free_sgd"}
    soft = warm | {"radam", "ada_belief", "adopt"}
    by_matrix = {
        "muon",
        "normuon",
        "scion",
        "soap",
        "kron",
        "lars",
        "novograd",
        "adafactor",
        "adam_mini",
        "galore",
    }
    others = {"sophia", "lion", "mars", "grams"}
    assert (len(never), len(soft), len(warm)) == (24, 8, 5)
    assert never == soft | by_matrix | {"prodigy", "d_adapt_adam"} | others
    for name in others:
        assert len(beyond[name]) == 1


def test_the_chapter_says_what_a_default_costs(committed_searches):
    def cost(name):
        losses = committed_searches[name]
        return losses[rate_at(index_of(choose_optimizer(name, None, []).lr))] / min(losses.values())

    found = ("prodigy", "d_adapt_adam", "dog", "dowg")
    for name in ("signum", "yogi", "adadelta", "nadamw", "adam_8bit", *found):
        assert cost(name) == 1
        assert best(committed_searches[name]) == choose_optimizer(name, None, []).lr
    assert f"{cost('adam') - 1:.0%}" == "21%"
    assert all(2 < cost(name) < 3 for name in ("radam", "ada_belief", "adafactor", "sophia"))
    assert [round(cost(name)) for name in ("asgd", "lamb", "sgd")] == [5, 6, 6]
    assert committed_searches["rmsprop"][0.01] > 2


@pytest.mark.parametrize("path", sorted(RESULTS.rglob("*.json")), ids=lambda path: path.name)
def test_a_committed_record_is_valid_and_stands_under_its_own_name(path):
    record = load(path)
    assert path.name == record.file_name
    assert record.experiment == "mnist"
    assert record.data["name"] == ("mnist-held-out" if path.parent.name == "sweep" else "mnist")
    assert path.stat().st_size <= 30_000
