import pytest

from experiments import committed, explore, run_figures, schedule_figures
from experiments.records import load_all, save
from tests.experiments.examples import make_cifar_record, make_record
from tests.experiments.test_run_figures import save_search, table

FAMILIES = schedule_figures.FAMILIES


@pytest.fixture
def results(tmp_path, monkeypatch):
    """The folder of the committed runs of schedules on MNIST, which starts empty."""
    monkeypatch.setattr(committed, "RESULTS", tmp_path)
    monkeypatch.setattr(explore, "MADE", tmp_path / "explore")
    folder = committed.folder("mnist", committed.SCHEDULES)
    folder.mkdir(parents=True)
    return folder


def save_run(results, schedule, lr=0.001, **changes):
    save(make_record(optimizer="adamw", schedule=schedule, lr=lr, **changes), results)


def rows(module):
    (figure,) = schedule_figures.schedule_figures(module)
    return [row[:3] for row in table(figure.html)]


def test_a_chapter_shows_its_schedules_beside_constant_and_cosine(results):
    for name in ("constant", "cosine", "linear", "polynomial", "rex"):
        save_run(results, name)
    save_run(results, "linear", lr=0.003, seed=1)
    assert rows("schedules.progress")[1:] == [
        ["polynomial", "0.001", "1"],
        ["constant", "0.001", "1"],
        ["cosine", "0.001", "1"],
    ]
    assert [row[0] for row in rows("schedules.ramp")] == ["rex", "constant", "cosine"]


def test_tails_are_lines_of_their_own_each_with_its_rate(results):
    save_run(results, "wsd", lr=0.003)
    for seed in (0, 1):
        save_run(results, "wsd", seed=seed, schedule_options={"tail": "linear"})
    save_run(results, "constant")
    save_run(results, "constant", wd_schedule="cosine")
    save_run(results, "constant", schedule_options={"value": 0.5})
    (figure,) = schedule_figures.schedule_figures("schedules.wsd")
    found = sorted(row[:3] for row in table(figure.html))
    assert found == [
        ["constant", "0.001", "1"],
        ["wsd", "0.003", "1"],
        ["wsd, tail linear", "0.001", "2"],
    ]
    assert figure.anchor == "curves"
    assert "wsd, tail linear: test accuracy 25.00 %" in figure.html


def test_the_caption_names_the_optimizer_and_says_that_the_rates_were_searched_for(results):
    save_run(results, "wsd")
    (figure,) = schedule_figures.schedule_figures("schedules.wsd")
    assert "64 a step, adamw, seeds 0;" in figure.html
    assert "was chosen" not in figure.html
    save_search(results, "adamw", {0.001: 0.5})
    (figure,) = schedule_figures.schedule_figures("schedules.wsd")
    assert "was chosen" not in figure.html
    save_search(results, "adamw", {0.001: 0.5}, schedule="wsd")
    (figure,) = schedule_figures.schedule_figures("schedules.wsd")
    assert "Each learning rate was chosen" in figure.html


def test_a_schedule_of_the_weight_decay_is_shown_beside_the_same_run_without_it(results):
    decay = {"options": {"weight_decay": 0.3}}
    save_run(results, "linear")
    save_run(results, "constant")
    save_run(results, "wsd", **decay)
    save_run(results, "linear", **decay)
    assert list(schedule_figures.schedule_figures("schedulers.scheduler")) == []
    save_run(results, "linear", wd_schedule="cosine", **decay)
    assert [row[0] for row in rows("schedulers.scheduler")] == [
        "linear, weight_decay 0.3, wd_schedule cosine",
        "linear, weight_decay 0.3",
    ]


def test_runs_with_another_weight_decay_are_not_among_those_of_a_schedule(results):
    save_run(results, "linear")
    save_run(results, "linear", options={"weight_decay": 0.3})
    save_run(results, "cosine", options={"weight_decay": 0.3})
    assert [row[0] for row in rows("schedules.progress")] == ["linear"]


def test_the_base_lines_alone_are_no_figure(results):
    save_run(results, "constant")
    save_run(results, "cosine")
    for module in (*FAMILIES, "schedules.values", "base"):
        assert list(schedule_figures.schedule_figures(module)) == []


def test_the_pages_of_the_optimizers_do_not_show_these_runs(results):
    save_run(results, "wsd")
    assert list(run_figures.optimizer_figures("adamw")) == []
    assert list(run_figures.experiment_figures("mnist")) == []


def test_schedules_on_cifar_stand_below_those_on_mnist(results):
    save_run(results, "wsd")
    cifar = committed.folder("cifar", committed.SCHEDULES)
    for name in ("wsd", "cosine"):
        save(make_cifar_record(optimizer="adamw", schedule=name), cifar)
    first, second = schedule_figures.schedule_figures("schedules.wsd")
    assert (first.title, first.anchor) == ("Runs on MNIST", "curves")
    assert (second.title, second.anchor) == ("Runs on CIFAR-10", "curves-cifar")
    assert [row[0] for row in table(second.html)] == ["wsd", "cosine"]
    assert len([name for name in second.files if name.startswith("results/")]) == 2


@pytest.mark.parametrize("experiment", committed.EXPERIMENTS)
def test_every_committed_line_has_one_learning_rate(experiment):
    records = load_all(committed.folder(experiment, committed.SCHEDULES))
    for label, runs in schedule_figures.group_by_schedule(records).items():
        assert len({run.configuration["lr"] for run in runs}) == 1, label
