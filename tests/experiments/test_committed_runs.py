import dataclasses

import pytest

from experiments.catalog import CATALOG
from experiments.cli import run_command
from experiments.committed import IN_HALF, folder
from experiments.committed_runs import main, missing, requests, unknown_records
from experiments.grids import RESULTS
from experiments.records import load, save
from experiments.trial import carry_out
from labml_nn_optim.registry import optimizer_names
from tests.experiments.test_trial import make_order


@pytest.mark.parametrize("experiment", CATALOG)
def test_the_sweeps_ask_for_every_optimizer_once_for_each_folder(experiment):
    asked = [
        arm.choice.name
        for request in requests([experiment])
        if request.conditions.out == folder(experiment)
        for arm in request.arms
    ]
    assert sorted(asked) == sorted(set(optimizer_names()) - set(IN_HALF))


@pytest.mark.parametrize("experiment", CATALOG)
def test_no_committed_record_is_left_over(experiment):
    assert unknown_records([experiment]) == []


def test_what_is_missing_is_listed_and_nothing_is_made(results, capfd):
    (first, *_) = requests(["mnist"], ["--renew"])
    lines = missing(first)
    assert len(lines) == 5 * len(first.arms)
    assert f"yogi lr 0.01 seed 0: {results / 'sweep'}" in lines
    assert run_command(main, ["--experiment", "mnist", "--list"]) == 0
    assert f"yogi lr 0.01 seed 0: {results / 'sweep'}" in capfd.readouterr().out.splitlines()
    assert not list(results.rglob("*.json"))


@pytest.fixture
def yogi():
    """A committed record of a search: Yogi at a rate of 0.01."""
    found = [load(path) for path in (RESULTS / "mnist" / "sweep").glob("yogi-*.json")]
    return next(record for record in found if record.configuration["lr"] == 0.01)


def test_a_record_of_older_code_is_missing(results, yogi):
    line = f"yogi lr 0.01 seed 0: {results / 'sweep'}"
    save(yogi, results / "sweep")
    (request, *_) = requests(["mnist"], ["--renew"])
    assert line not in missing(request)
    older = dataclasses.replace(yogi, code=yogi.code | {"optimizer": "0" * 10})
    save(older, results / "sweep")
    assert line in missing(request)


def test_a_record_that_no_sweep_asks_for_is_told(results, yogi, capfd):
    path = save(yogi, results / "somewhere")
    assert run_command(main, ["--experiment", "mnist", "--list"]) == 0
    assert f"asked for by no sweep: {path}" in capfd.readouterr().out.splitlines()


@pytest.fixture
def made(tmp_path):
    """The record of a run on the digits that was made here."""
    order = make_order(tmp_path)
    carry_out(order, lambda report: None)
    return load(order.path)


def check(record, capfd):
    status = run_command(main, ["--check", "--record", str(record.path)])
    return status, capfd.readouterr().out


def test_a_run_that_is_made_again_agrees_with_its_record_to_the_last_digit(made, capfd):
    before = made.path.read_bytes()
    status, out = check(made, capfd)
    assert status == 0
    assert out.splitlines()[-1] == "they agree to the last digit"
    assert made.path.read_bytes() == before


def test_a_number_that_was_changed_is_found(made, capfd):
    made.curves["train"]["loss"][3] += 1e-4
    save(made, made.path.parent)
    status, out = check(made, capfd)
    assert status == 1
    assert out.splitlines()[-2:] == ["train.loss differs", "they disagree"]


def test_on_another_machine_the_last_digits_may_differ_and_the_first_may_not(made, capfd):
    made.environment["processor"] = "another"
    made.curves["train"]["loss"][0] *= 1 + 5e-4
    made.curves["train"]["loss"][3] *= 1.1
    save(made, made.path.parent)
    status, out = check(made, capfd)
    assert status == 0
    assert "another processor: " in out
    assert out.splitlines()[-1] == "they agree as far as another machine can"
    made.curves["train"]["loss"][0] *= 1.01
    save(made, made.path.parent)
    status, out = check(made, capfd)
    assert status == 1
    assert "the first training loss is" in out


def test_a_record_is_named_only_for_a_check(made, capfd):
    assert run_command(main, ["--record", str(made.path)]) == 2
    assert "--check" in capfd.readouterr().err
