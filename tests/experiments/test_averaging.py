import copy
import dataclasses
import json
import re
import statistics
from xml.etree import ElementTree

import pytest
import torch
from torch import nn

from experiments import averaging
from experiments.averaging import AVERAGES, Average, compare, main
from experiments.averaging_results import FOLDER, LAST, NAMES, load_all, panels, save
from experiments.cli import run_command
from experiments.configuration import Configuration
from experiments.drawing import to_svg
from experiments.line_charts import line_chart
from experiments.optimizers import choose_optimizer
from experiments.records import RecordError
from experiments.runner import Run, Task
from experiments.training import Plan, evaluate
from tests.experiments.examples import assert_refused

CPU = torch.device("cpu")


def make_model():
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 3))


@pytest.fixture
def make_run(small_data, tmp_path):
    """Make a run of 27 steps on the small data."""

    def make(**changes):
        values = {"lr": 0.02, "schedule": "constant", "epochs": 3.0, "batch_size": 7, "seed": 4}
        choice = choose_optimizer("adam", 0.02, ())
        configuration = Configuration("averaging", "cnn", choice.name, "small", **values | changes)
        return Run(Task(configuration, make_model, choice, small_data, CPU, tmp_path))

    return make


def weights_after_each_step(run):
    return [copy.deepcopy(run.model.state_dict()) for _ in run.steps()]


def loss_of(run, weights):
    model = make_model()
    model.load_state_dict(weights)
    losses, correct = evaluate(model, run.task.data.test_images, run.task.data.test_labels)
    return losses.mean().item(), correct.mean().item()


def mean(weights, factors):
    """Return the sum of weights times factors, key by key."""
    return {
        key: sum(factor * one[key] for factor, one in zip(factors, weights, strict=True))
        for key in weights[0]
    }


def test_an_exponential_average_takes_every_step():
    plan = Plan(60, 7, 3.0, 0)
    assert all(Average(0.99).takes(step, plan) for step in range(1, plan.total_steps + 1))


def test_the_equal_average_takes_every_tenth_step_from_a_third_of_the_run_on():
    plan = Plan(60_000, 64, 3.0, 0)
    taken = [step for step in range(1, plan.total_steps + 1) if Average().takes(step, plan)]
    assert plan.total_steps == 3 * 938
    assert taken == list(range(938, 2815, 10))


def test_the_equal_average_of_a_run_of_one_step_is_that_step():
    assert Average().takes(1, Plan(60, 60, 1.0, 0))


@pytest.mark.parametrize("schedule", ["constant", "linear"])
def test_every_average_is_that_of_the_weights_of_the_run(make_run, schedule):
    run = make_run(schedule=schedule)
    found = compare(make_run(schedule=schedule))
    weights = weights_after_each_step(run)
    assert len(weights) == 27
    for name, average in AVERAGES.items():
        if average.decay is None:
            taken = [weights[step - 1] for step in (9, 19)]
            factors = [1 / 2, 1 / 2]
        else:
            # The first weights are copied, and so they have no factor of 1 - beta.
            taken, beta = weights, average.decay
            factors = [beta**26, *((1 - beta) * beta ** (27 - step) for step in range(2, 28))]
        loss, accuracy = loss_of(run, mean(taken, factors))
        final = found.final(name)
        assert (final["step"], final["accuracy"]) == (27, accuracy)
        assert final["loss"] == pytest.approx(loss, rel=1e-5)


def test_the_run_is_the_same_as_without_averages(make_run):
    run = make_run()
    weights_after_each_step(run)
    looks = compare(make_run()).curves[LAST]
    assert looks["test"] == run.history.curves["test"].columns
    assert looks["test_subset"] == run.history.curves["test_subset"].columns


def test_nothing_is_seen_of_an_average_before_it_has_begun(make_run):
    curves = compare(make_run()).curves
    steps = curves[LAST]["test_subset"]["step"]
    assert min(steps) < 9
    assert curves["swa"]["test_subset"]["step"] == [step for step in steps if step >= 9]
    assert all(curves[name]["test_subset"]["step"] == steps for name in AVERAGES if name != "swa")


def test_what_is_saved_is_loaded_again_in_the_order_of_schedules_and_seeds(make_run, tmp_path):
    made = [
        compare(make_run(schedule=schedule, seed=seed, epochs=1.0))
        for schedule in ("linear", "constant")
        for seed in (11, 2)
    ]
    paths = [save(comparison, tmp_path) for comparison in made]
    assert len(set(paths)) == 4
    loaded = load_all(tmp_path)
    assert [(found.schedule, found.configuration["seed"]) for found in loaded] == [
        *(("constant", 2), ("constant", 11)),
        *(("linear", 2), ("linear", 11)),
    ]
    by_name = {comparison.file_name: comparison for comparison in made}
    for found in loaded:
        loss = by_name[found.file_name].final("swa")["loss"]
        assert found.final("swa")["loss"] == float(f"{loss:.6g}")


def with_change(comparison, change):
    fields = copy.deepcopy(dataclasses.asdict(comparison))
    change(fields)
    return dataclasses.replace(comparison, **fields)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda fields: fields["curves"].pop(LAST), 'curves: "last" is a required property'),
        (lambda fields: fields["curves"]["swa"].pop("test"), 'curves.swa: "test" is a required'),
        (
            lambda fields: fields["curves"]["swa"]["test"]["loss"].append(0.5),
            "curves.swa.test: the columns are not equally long",
        ),
        (
            lambda fields: fields["curves"]["swa"]["test_subset"]["step"].reverse(),
            "curves.swa.test_subset: the steps do not increase",
        ),
        (lambda fields: fields["configuration"].pop("seed"), 'configuration: "seed" is a required'),
    ],
)
def test_what_is_no_comparison_is_neither_saved_nor_loaded(make_run, tmp_path, change, message):
    good = compare(make_run())
    with pytest.raises(RecordError, match=re.escape(message)):
        save(with_change(good, change), tmp_path)
    assert list(tmp_path.glob("*.json")) == []
    path = save(good, tmp_path)
    fields = json.loads(path.read_text())
    change(fields)
    path.write_text(json.dumps(fields))
    with pytest.raises(RecordError, match=re.escape(f"{path}: {message}")):
        load_all(tmp_path)


def test_a_file_that_is_no_json_is_told_by_name(tmp_path):
    (tmp_path / "constant-0.json").write_text("{")
    with pytest.raises(RecordError, match=r"constant-0\.json: is no JSON"):
        load_all(tmp_path)


def without_times(path):
    fields = json.loads(path.read_text())
    del fields["times"]
    return fields


def test_the_command_leaves_the_same_records_each_time_and_a_chart(tmp_path, capfd):
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        arguments = ["--data", "digits", "--epochs", "0.2", "--seeds", "3,1", "--out", str(folder)]
        assert run_command(main, arguments) == 0
    out = capfd.readouterr().out
    first, second = (sorted(folder.glob("*.json")) for folder in folders)
    assert [path.name for path in first] == [path.name for path in second]
    assert [path.name.partition("-")[0] for path in first] == ["constant"] * 2 + ["linear"] * 2
    assert list(map(without_times, first)) == list(map(without_times, second))
    assert (folders[0] / "averaging.svg").read_text().startswith("<svg")
    assert "constant, seed 3: test loss and accuracy last " in out
    assert {found.configuration["seed"] for found in load_all(folders[0])} == {1, 3}
    assert {found.data["name"] for found in load_all(folders[0])} == {"digits"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lr", "0"], "0.0 is not in the range x>0"),
        (["--lr", "inf"], "inf is not finite"),
        (["--epochs", "0"], "0.0 is not in the range x>0"),
        (["--seeds", "1,a"], "'1,a' is neither how many seeds nor a list of them"),
        (["--data", "cats"], "'cats' is not one of 'auto', 'mnist', 'digits'"),
        (["--threads", "0"], "0 is not in the range x>=1"),
    ],
)
def test_bad_arguments_give_one_line(arguments, message, capfd):
    assert_refused(main, arguments, message, capfd)


def test_the_chart_has_all_weights_at_a_constant_rate_and_the_last_ones_at_a_falling_one(make_run):
    made = [compare(make_run(schedule=name)) for name in ("linear", "constant")]
    whole, enlarged = panels(made)
    labels = [(line.label, line.kind) for line in whole.lines]
    assert labels == [(name, "constant") for name in NAMES.values()] + [(NAMES[LAST], "linear")]
    assert all(line.band is None for line in whole.lines)
    assert {min(step for step, _ in line.points) for line in enlarged.lines} == {18}


def test_seeds_are_one_line_the_median_with_a_band(make_run):
    made = [compare(make_run(seed=seed)) for seed in (1, 2, 3)]
    whole, enlarged = panels(made)
    for panel in (whole, enlarged):
        (line,) = [line for line in panel.lines if line.label == NAMES["swa"]]
        final = [found.curves["swa"]["test_subset"]["loss"][-1] for found in made]
        assert line.points[-1] == (27, statistics.median(final))
        assert line.band[-1] == (min(final), max(final))
        assert len(line.band) == len(line.points)


def test_a_loss_that_is_missing_is_left_out_of_the_chart(make_run):
    good = compare(make_run())
    bad = with_change(
        good, lambda fields: fields["curves"][LAST]["test_subset"]["loss"].__setitem__(-1, None)
    )
    whole, _ = panels([bad])
    lengths = {line.label: len(line.points) for line in whole.lines}
    assert lengths[NAMES[LAST]] == lengths[NAMES["ema-0.99"]] - 1
    ElementTree.fromstring(to_svg(line_chart(panels([bad]))))


def test_runs_that_diverge_leave_records_and_no_chart(tmp_path, capfd):
    arguments = ["--data", "digits", "--epochs", "0.2", "--seeds", "1,", "--lr", "1e30"]
    assert run_command(main, [*arguments, "--out", str(tmp_path)]) == 0
    assert "note: no loss is finite: there is no chart" in capfd.readouterr().err
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".json"]
    for found in load_all(tmp_path):
        assert found.final(LAST)["loss"] is None


def committed(schedule):
    return [found for found in load_all(FOLDER) if found.schedule == schedule]


def test_the_committed_runs_are_three_seeds_of_both_schedules_on_mnist():
    for schedule in averaging.SCHEDULES:
        runs = committed(schedule)
        assert [run.configuration["seed"] for run in runs] == [0, 1, 2]
        assert {run.data["name"] for run in runs} == {"mnist"}
        assert {run.configuration["lr"] for run in runs} == {0.001}
        assert {run.final(LAST)["step"] for run in runs} == {2814}


def test_the_committed_files_have_the_names_that_the_command_gives_them():
    assert {path.name for path in FOLDER.glob("*.json")} == {
        found.file_name for found in load_all(FOLDER)
    }


def table_of_the_chapter():
    """The rows of the first table of the chapter, as text."""
    lines = (averaging.__doc__ or "").splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    return {tuple(row[:2]): row[2:] for row in rows[1:]}


def test_the_table_of_the_chapter_is_that_of_the_records():
    expected = {}
    for schedule in averaging.SCHEDULES:
        for weights, name in NAMES.items():
            finals = [run.final(weights) for run in committed(schedule)]
            losses = [final["loss"] for final in finals]
            accuracies = [100 * final["accuracy"] for final in finals]
            expected[schedule, name] = [
                f"{statistics.median(losses):.4f}",
                f"{min(losses):.4f} to {max(losses):.4f}",
                f"{statistics.median(accuracies):.2f} %",
            ]
    plain = {
        (schedule, name.replace("$", "").replace("\\beta", "β")): values
        for (schedule, name), values in table_of_the_chapter().items()
    }
    assert plain == expected
