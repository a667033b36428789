import math

import pytest

from experiments import committed, result_rows
from experiments.catalog import CATALOG
from experiments.curves import steps_to
from experiments.records import save
from experiments.sensitivity import losses_by_rate
from labml_nn_optim import optimizer_names
from tests.experiments.examples import make_cifar_record, make_record


def search(losses, seed=0, **changes):
    """The runs of a search: losses by learning rate, None for a run that diverged."""
    changes = {"epochs": 1.0, "data": "mnist-held-out", "seed": seed} | changes
    return [make_record(lr=lr, value=loss, **changes) for lr, loss in losses.items()]


def rows(name):
    return [row for row in result_rows.rows("mnist") if row.optimizer == name]


def test_every_optimizer_has_a_row_also_without_any_run(results):
    found = result_rows.rows("mnist")
    assert [row.label for row in found] == list(optimizer_names())
    assert not any(row.runs or row.search or row.rate for row in found)


def test_the_most_accurate_stands_first_and_what_has_not_run_last(results):
    for name, value in (("adam", 0.98), ("sgd", 0.99), ("radam", 0.1)):
        save(make_record(optimizer=name, value=value), results)
    names = [row.optimizer for row in result_rows.rows("mnist")]
    assert names[:3] == ["sgd", "adam", "radam"]
    assert len(names) == len(optimizer_names())


def test_a_row_has_the_search_that_its_rate_was_chosen_from(results):
    save(make_record(optimizer="sgd", options={"momentum": 0.9}, lr=0.1), results)
    for run in search({0.1: 0.3, 0.3: 0.2}, optimizer="sgd", options={"momentum": 0.9}):
        save(run, results / "sweep")
    for run in search({0.01: 0.5}, optimizer="sgd"):
        save(run, results / "sweep")
    (row,) = rows("sgd")
    assert row.label == "sgd, momentum 0.9"
    assert row.rate == 0.1
    assert list(result_rows.by_rate(row.search)) == [0.1, 0.3]


def test_a_search_without_final_runs_has_the_rate_that_it_found(results):
    for run in search({0.001: 0.3, 0.003: 0.2}):
        save(run, results / "sweep")
    (row,) = rows("adam")
    assert (row.runs, row.rate) == ([], 0.003)


def test_two_configurations_of_one_optimizer_are_two_rows(results):
    for momentum in (0.0, 0.9):
        save(make_record(optimizer="sgd", options={"momentum": momentum}), results)
    assert sorted(row.label for row in rows("sgd")) == ["sgd, momentum 0.0", "sgd, momentum 0.9"]


def test_what_is_made_for_half_precision_is_shown_in_it_and_nothing_else_is(results):
    for name in ("adam", "adam_fp16"):
        save(make_record(optimizer=name), results)
        save(make_record(optimizer=name, dtype="bfloat16"), results / "bfloat16")
    types = {
        name: [row.runs[0].configuration["dtype"] for row in rows(name)]
        for name in ("adam", "adam_fp16")
    }
    assert types == {"adam": ["float32"], "adam_fp16": ["bfloat16"]}


def test_runs_of_another_experiment_are_left_out(results):
    save(make_cifar_record(), results.parent / "cifar")
    assert rows("adam")[0].runs == []
    (row,) = [row for row in result_rows.rows("cifar") if row.runs]
    assert row.optimizer == "adam"


@pytest.mark.parametrize(
    ("losses", "good"),
    [
        ({0.001: 0.3, 0.003: 0.1, 0.01: 0.3}, [0.003]),
        ({0.001: 0.109, 0.003: 0.1, 0.01: 0.111}, [0.001, 0.003]),
        ({0.0001: 0.1, 0.001: 0.3, 0.003: 0.1, 0.01: 0.105}, [0.0001]),
        ({0.001: 0.3, 0.003: 0.101, 0.01: 0.1, 0.03: 0.102, 0.1: None}, [0.003, 0.01, 0.03]),
        ({0.001: None, 0.003: 12.0}, []),
        ({}, []),
    ],
)
def test_good_rates_are_near_the_best_and_have_no_gap(losses, good):
    assert result_rows.good_rates(search(losses)) == good


def test_a_rate_counts_with_the_median_of_its_seeds():
    runs = [
        *search({0.001: 0.1, 0.003: 0.2}),
        *search({0.001: 0.9, 0.003: 0.21}, seed=1),
        *search({0.001: None, 0.003: 0.22}, seed=2),
    ]
    assert losses_by_rate(runs) == {0.001: 0.9, 0.003: 0.21}
    assert result_rows.best_rate(runs) == 0.003


def test_the_steps_to_a_target_end_at_the_first_look_that_reaches_it():
    run = make_record(points=3, value=0.5)
    run.curves["test_subset"]["accuracy"] = [0.5, 0.9, 0.8]
    assert steps_to(run, 0.8) == 2
    assert steps_to(run, 0.9) == 2
    assert steps_to(run, 0.91) == math.inf


def test_a_look_that_saw_no_number_reaches_nothing():
    run = make_record(points=2)
    run.curves["test_subset"]["accuracy"] = [None, 0.9]
    assert steps_to(run, 0.5) == 2


def test_the_usual_conditions_are_the_most_frequent_ones():
    runs = [make_record(schedule="constant"), make_record(), make_record(seed=1)]
    assert result_rows.usual(runs) == runs[1:]
    assert result_rows.exceptions(runs[0], runs[1]) == {"schedule": "constant"}
    assert result_rows.exceptions(runs[2], runs[1]) == {}


def test_the_pages_show_every_experiment_of_the_catalog():
    assert list(CATALOG) == list(committed.EXPERIMENTS)
