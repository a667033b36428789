import dataclasses
from types import SimpleNamespace

from experiments import pages
from experiments.catalog import CATALOG
from experiments.committed import FAST, TEN_MINUTES, folder
from experiments.committed_runs import requests
from experiments.headlines import headline_figures
from experiments.records import save
from tests.experiments.examples import make_cifar_record, make_record
from tests.experiments.test_results_page import links, table

RECIPE = {
    **{"model": "fast", "optimizer": "nadam", "lr": 0.02, "schedule": "linear-to-zero"},
    **{"schedule_options": {"warmup_percent": 0.15}, "epochs": 1.0, "dtype": "mixed"},
}


def timed(record, seconds, **environment):
    return dataclasses.replace(
        record,
        times=record.times | {"duration_seconds": seconds},
        environment=record.environment | environment,
    )


def test_without_runs_in_their_folders_there_are_no_headlines(results):
    save(make_record(), results)
    assert list(headline_figures()) == []


def test_a_headline_says_what_ran_how_good_it_got_how_long_it_took_and_on_what(results):
    for seed, (value, seconds) in enumerate([(0.994, 15.2), (0.992, 14.1), (0.995, 19.3)]):
        save(timed(make_record(value=value, seed=seed, **RECIPE), seconds), results / FAST)
    (figure,) = headline_figures()
    assert table(figure.html) == [
        {
            "Data": "MNIST",
            "Network": "fast",
            "Optimizer": "nadam, 0.02, linear-to-zero (warmup_percent 0.15)",
            "Epochs": "1",
            "Runs": "3",
            "Test accuracy": "99.40 % (99.20 to 99.50)",
            "Time": "15.2 s (14.1 to 19.3)",
            "Hardware": "one thread of some",
        }
    ]


def test_each_experiment_has_a_row_and_what_it_links_to_is_brought(results):
    paths = [
        save(make_record(**RECIPE), results / FAST),
        save(make_cifar_record(epochs=36.0), results.parent / "cifar" / TEN_MINUTES),
    ]
    (figure,) = headline_figures()
    assert [(row["Data"], row["Epochs"]) for row in table(figure.html)] == [
        ("MNIST", "1"),
        ("CIFAR-10", "36"),
    ]
    assert list(figure.files.values()) == paths
    assert {link.removeprefix("../") for link in links(figure.html)} == set(figure.files)


def test_times_on_other_hardware_stand_in_a_row_of_their_own(results):
    for seed, threads in enumerate((1, 2, 1)):
        run = timed(make_record(seed=seed, **RECIPE), 10.0 + seed, threads=threads)
        save(run, results / FAST)
    (figure,) = headline_figures()
    assert sorted((row["Hardware"], row["Time"]) for row in table(figure.html)) == [
        ("2 threads of some", "11.0 s"),
        ("one thread of some", "11.0 s (10.0 to 12.0)"),
    ]


def test_the_headlines_stand_before_all_other_figures_of_the_page(results):
    save(make_record(), results)
    save(make_record(**RECIPE), results / FAST)
    page = SimpleNamespace(module=None, name="experiments/results", text="")
    assert [figure.anchor for figure in pages.Plugin().figures(page)] == ["headlines", "mnist"]


def test_the_runs_of_the_headlines_are_made_without_a_search_and_the_fast_one_by_its_recipe():
    asked = {request.conditions.out: request for request in requests(list(CATALOG))}
    fast = asked[folder("mnist", FAST)].conditions
    assert fast.space.given is not None
    assert len(fast.seeds) == 10
    recipe = CATALOG["mnist"].recipes[fast.model]
    assert (fast.epochs, fast.batch_size, fast.dtype, fast.space.given.lr) == (
        *(recipe.epochs, recipe.batch_size, recipe.dtype),
        recipe.lr,
    )
    long = asked[folder("cifar", TEN_MINUTES)]
    assert long.conditions.space.given is not None
    assert long.places.threads == 2
