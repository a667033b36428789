import dataclasses
import re
import shlex
from xml.etree import ElementTree

import pytest

from experiments import committed, run_figures
from experiments.catalog import CATALOG
from experiments.cli import Options, configuration_of, experiment_command
from experiments.records import load, save
from tests.experiments.examples import make_cifar_record, make_record

SVG = "{http://www.w3.org/2000/svg}"


def save_search(folder, optimizer, losses, **changes):
    """Save the runs of a search: losses by learning rate, None for a run that diverged."""
    for lr, loss in losses.items():
        changes = {"epochs": 1.0, "data": "mnist-held-out"} | changes
        save(make_record(optimizer=optimizer, lr=lr, value=loss, **changes), folder / "sweep")


def figure(name, anchor):
    (found,) = [f for f in run_figures.optimizer_figures(name) if f.anchor == anchor]
    ElementTree.fromstring(f"<body>{found.html}</body>")
    return found


def table(html):
    """Return the cells of the table's rows, without its head."""
    rows = ElementTree.fromstring(f"<body>{html}</body>").findall(".//tbody/tr")
    return [["".join(cell.itertext()) for cell in row] for row in rows]


def chart(html):
    (panel,) = ElementTree.fromstring(f"<body>{html}</body>").findall(f".//{SVG}svg")
    return panel


def test_an_optimizer_shows_its_runs_beside_adamw_and_sgd(results):
    for optimizer in ("adam", "adamw", "radam", "sgd"):
        for seed in (0, 1):
            save(make_record(optimizer=optimizer, seed=seed), results)
    shown = figure("radam", "curves")
    assert shown.title == "Runs on MNIST"
    assert [row[:3] for row in table(shown.html)] == [
        ["radam", "0.001", "2"],
        ["adamw", "0.001", "2"],
        ["sgd", "0.001", "2"],
    ]
    assert "seeds 0, 1;" in shown.html


def test_the_captions_say_that_all_runs_were_computed_in_bfloat16(results):
    said = "128 a step, computed in bfloat16 where that is safe, "
    for optimizer in ("radam", "adamw"):
        save(make_record(optimizer=optimizer, dtype="mixed", batch_size=128), results)
        save_search(results, optimizer, {0.01: 0.5}, dtype="mixed", batch_size=128)
    assert said in figure("radam", "curves").html
    assert said in figure("radam", "sensitivity").html
    save(make_record(optimizer="adamw", batch_size=128, seed=1), results)
    save_search(results, "adamw", {0.1: 0.5}, batch_size=128)
    assert "bfloat16" not in figure("radam", "curves").html
    assert "bfloat16" not in figure("radam", "sensitivity").html


def test_the_caption_names_every_machine_that_runs_were_made_on(results):
    one, other = make_record(optimizer="radam"), make_record(optimizer="radam", seed=1)
    other.environment["processor"] = "another"
    for record in (one, other):
        save(record, results)
    said = "torch 2.14.1, one thread of some; torch 2.14.1, one thread of another."
    assert said in figure("radam", "curves").html


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("adamw", ["adamw", "sgd", "adam"]),
        ("sgd", ["sgd", "adamw"]),
        ("adam", ["adam", "adamw", "sgd"]),
    ],
)
def test_a_base_line_is_not_shown_beside_itself(results, name, shown):
    for optimizer in ("adam", "adamw", "radam", "sgd"):
        save(make_record(optimizer=optimizer), results)
    assert [row[0] for row in table(figure(name, "curves").html)] == shown


def test_base_lines_under_other_conditions_are_left_out():
    own = make_record(optimizer="radam")
    others = [
        make_record(optimizer="adamw", epochs=1.0),
        make_record(optimizer="adamw", data="digits"),
        make_record(optimizer="sgd", batch_size=32),
    ]
    assert run_figures.runs_to_compare([*others, own], "radam") == [own]


def test_runs_of_another_network_are_no_base_line_and_the_network_is_named():
    def run(optimizer, model):
        record = make_record(optimizer=optimizer)
        return dataclasses.replace(record, configuration=record.configuration | {"model": model})

    own, like, unlike = run("radam", "cnn"), run("adamw", "cnn"), run("sgd", "fast")
    assert run_figures.runs_to_compare([unlike, like, own], "radam") == [own, like]
    shown = run_figures.comparison([own, like], run_figures.BY_OPTIMIZER, "mnist")
    assert "images of MNIST, network cnn, 64 a step" in shown.html


def test_other_schedules_may_be_compared_and_are_named(results):
    save(make_record(optimizer="noam", schedule="constant"), results)
    save(make_record(optimizer="adamw"), results)
    html = figure("noam", "curves").html
    assert [row[0] for row in table(html)] == ["noam", "adamw"]
    assert "learning rate constant for noam; linear for adamw" in html


def test_what_is_made_for_half_precision_is_shown_in_it_beside_adam(results):
    half = results / committed.HALF
    for optimizer in ("adam_fp16", "adam"):
        save(make_record(optimizer=optimizer, dtype="bfloat16"), half)
    save(make_record(optimizer="adam"), results)
    labels = [row[0] for row in table(figure("adam_fp16", "curves").html)]
    assert labels == ["adam_fp16", "adam, dtype bfloat16", "adam, dtype float32"]
    assert [row[0] for row in table(figure("adam", "curves").html)] == ["adam"]


def test_without_a_run_of_its_own_an_optimizer_shows_nothing(results):
    save(make_record(optimizer="adamw"), results)
    assert list(run_figures.optimizer_figures("radam")) == []
    assert list(run_figures.optimizer_figures("sgd")) == []


def test_the_accuracy_is_the_median_with_its_range(results):
    for seed, value in enumerate((0.99, 0.98, 0.995)):
        save(make_record(seed=seed, value=value), results)
    assert table(figure("adam", "curves").html) == [
        ["adam", "0.001", "3", "99.00 % (98.00 to 99.50)"]
    ]


def test_a_new_record_shows_without_a_restart(results):
    save(make_record(seed=0), results)
    assert table(figure("adam", "curves").html)[0][2] == "1"
    save(make_record(seed=1), results)
    assert table(figure("adam", "curves").html)[0][2] == "2"


def test_options_of_an_optimizer_are_told_by_their_names(results):
    save(make_record(optimizer="sgd", options={}), results)
    save(make_record(optimizer="sgd", options={"momentum": 0.9}), results)
    labels = [row[0] for row in table(figure("sgd", "curves").html)]
    assert sorted(labels) == ["sgd", "sgd, momentum 0.9"]


def test_only_rates_that_a_search_has_tried_are_said_to_be_chosen(results):
    save(make_record(optimizer="sgd", lr=0.1), results)
    save_search(results, "sgd", {0.1: 0.5}, options={"momentum": 0.9})
    assert "was chosen" not in figure("sgd", "curves").html
    save_search(results, "sgd", {0.1: 0.5})
    assert "Each learning rate was chosen on images held back" in figure("sgd", "curves").html


def test_the_search_is_drawn_beside_those_of_the_base_lines(results):
    save_search(results, "radam", {0.001: 0.3, 0.003: 0.1, 0.01: 0.2})
    save_search(results, "adamw", {0.0003: 0.4, 0.001: 0.09})
    save_search(results, "adam", {0.001: 0.05})
    save(make_record(optimizer="radam", lr=0.003), results)
    shown = figure("radam", "sensitivity")
    panel = chart(shown.html)
    titles = [title.text for title in panel.iter(f"{SVG}title")]
    assert titles[1:] == [
        "held-out loss at learning rate 0.0003\nadamw: 0.4",
        "held-out loss at learning rate 0.001\nradam: 0.3\nadamw: 0.09",
        "held-out loss at learning rate 0.003\nradam: 0.1",
        "held-out loss at learning rate 0.01\nradam: 0.2",
    ]
    texts = [text.text for text in panel.iter(f"{SVG}text")]
    assert "held-out loss after one epoch" in texts
    assert {"0.001", "0.01", "0.1", "0.2"} <= set(texts)
    assert "of the training images, which were held back" in shown.html
    assert "triangle" not in shown.html


def test_only_the_chosen_rate_has_a_ring(results):
    save_search(results, "radam", {0.001: 0.3, 0.003: 0.1, 0.01: 0.2})
    unmarked = figure("radam", "sensitivity").html
    save(make_record(optimizer="radam", lr=0.003), results)
    marked = figure("radam", "sensitivity").html
    rings = [re.findall(r'<path [^>]*stroke-width="1.8"', html) for html in (unmarked, marked)]
    assert [len(found) for found in rings] == [0, 1]


@pytest.mark.parametrize("lost", [None, 40.0])
def test_a_run_that_did_not_learn_stands_at_the_upper_edge_and_in_the_caption(results, lost):
    save_search(results, "radam", {0.001: 0.3, 0.003: 0.1, 0.1: lost})
    html = figure("radam", "sensitivity").html
    assert "A triangle at the upper edge is a run that diverged" in html
    reading = "diverged" if lost is None else "40"
    assert f"held-out loss at learning rate 0.1\nradam: {reading}" in html


def test_a_search_in_which_nothing_learned_still_has_a_chart(results):
    save_search(results, "radam", {0.001: None, 0.003: None})
    assert "radam: diverged" in figure("radam", "sensitivity").html


def test_the_command_repeats_the_first_run(results):
    assert run_figures.first_run("noam") is None
    for seed in (1, 0):
        changes = {"lr": 0.3, "schedule": "constant", "options": {"betas": [0.9, 0.99]}}
        record = make_record(optimizer="noam", seed=seed, **changes)
        save(record, results)
    first = run_figures.first_run("noam")
    assert first.seed == 0
    assert run_figures.command(first) == (
        "python -m experiments.mnist --optimizer noam --lr 0.3 --set betas=0.9,0.99 "
        "--schedule constant"
    )


def test_the_command_names_the_schedules_and_what_was_set_of_them():
    record = make_record(
        optimizer="adamw",
        schedule="wsd",
        schedule_options={"tail": "1-sqrt", "warmup_start": "(t+1)/W"},
        wd_schedule="step",
        wd_schedule_options={"steps": [0.5, 0.75]},
    )
    assert run_figures.command(record) == (
        "python -m experiments.mnist --optimizer adamw --lr 0.001 --schedule wsd "
        "--schedule-set tail=1-sqrt --schedule-set 'warmup_start=(t+1)/W' "
        "--wd-schedule step --wd-schedule-set steps=0.5,0.75"
    )


def test_the_command_leaves_out_what_the_recipe_of_the_network_takes_anyway():
    recipe = {
        **{"model": "fast", "optimizer": "nadam", "lr": 0.02, "schedule": "linear-to-zero"},
        **{"schedule_options": {"warmup_percent": 0.15}, "epochs": 1.0, "batch_size": 128},
    }
    start = "python -m experiments.mnist --model fast --optimizer nadam --lr 0.02"
    assert run_figures.command(make_record(**recipe, dtype="mixed")) == start
    other = recipe | {"schedule_options": {}, "rules": ["built-in", "output.*:lr_scale=3"]}
    assert run_figures.command(make_record(**other, seed=7)) == (
        f"{start} --schedule linear-to-zero --rule built-in --rule 'output.*:lr_scale=3' "
        "--dtype float32 --seed 7"
    )


def test_the_command_of_every_committed_record_leads_back_to_its_configuration():
    paths = [path for name in CATALOG for path in committed.folder(name).rglob("*.json")]
    assert paths
    for path in paths:
        run = load(path)
        experiment = CATALOG[run.experiment]
        python, _, module, *words = shlex.split(run_figures.command(run))
        assert (python, module) == ("python", f"experiments.{run.experiment}")
        said = experiment_command(experiment).make_context(module, words).params
        if said["data_choice"] == "auto":
            said["data_choice"] = experiment.data
        assert configuration_of(experiment, Options(**said)).to_dict() == run.configuration


def test_options_of_a_schedule_are_told_where_runs_of_one_optimizer_differ_in_them(results):
    save(make_record(optimizer="adamw"), results)
    changes = {"schedule": "wsd", "schedule_options": {"tail": "linear"}}
    save(make_record(optimizer="adamw", **changes, wd_schedule="cosine"), results)
    save(make_record(optimizer="sgd", **changes), results)
    html = figure("adamw", "curves").html
    assert sorted(row[0] for row in table(html)) == [
        "adamw, schedule linear",
        "adamw, schedule wsd, tail linear, wd_schedule cosine",
        "sgd",
    ]
    assert "linear for adamw; wsd (tail linear) and weight decay cosine for adamw;" in html
    assert "wsd (tail linear) for sgd" in html


def test_the_experiment_shows_the_curves_of_a_few_and_leads_to_the_numbers_of_all(results):
    for optimizer, value in (("adamw", 0.99), ("radam", 0.98), ("sgd", 0.995)):
        save(make_record(optimizer=optimizer, value=value), results)
    (curves,) = run_figures.experiment_figures("mnist")
    assert "adamw" in curves.html
    assert "sgd" in curves.html
    assert "radam" not in curves.html
    assert '<a href="results.html#mnist">results</a>' in curves.html


def test_the_experiment_shows_what_there_is_where_none_of_the_few_has_run(results):
    save(make_record(optimizer="radam"), results)
    (curves,) = run_figures.experiment_figures("mnist")
    assert "radam" in curves.html


def test_without_any_record_the_experiment_shows_nothing(results):
    save(make_record(), results)
    assert list(run_figures.experiment_figures("cifar")) == []


def test_runs_of_cifar_stand_below_those_of_mnist(results):
    cifar = results.parent / "cifar"
    save(make_record(), results)
    save_search(results, "adam", {0.001: 0.05})
    save(make_cifar_record(lr=0.01), cifar)
    save(make_cifar_record(lr=0.01, data="cifar-held-out", epochs=1.0), cifar / "sweep")
    figures = list(run_figures.optimizer_figures("adam"))
    assert [(found.title, found.anchor) for found in figures] == [
        ("Runs on MNIST", "curves"),
        ("The choice of the learning rate on MNIST", "sensitivity"),
        ("Runs on CIFAR-10", "curves-cifar"),
        ("The choice of the learning rate on CIFAR-10", "sensitivity-cifar"),
    ]
    assert "adam: 0.05 at 0.001" in figures[1].html
    assert "adam: 0.25 at 0.01" in figures[3].html


def test_an_optimizer_with_runs_on_cifar_only_shows_these(results):
    save(make_cifar_record(), results.parent / "cifar")
    assert [found.anchor for found in run_figures.optimizer_figures("adam")] == ["curves-cifar"]
    assert run_figures.command(run_figures.first_run("adam")).startswith(
        "python -m experiments.cifar --optimizer adam"
    )


def test_each_number_leads_to_its_record_and_only_what_is_shown_is_brought(results):
    values = {0: 0.99, 1: 0.98, 2: 0.995}
    paths = [save(make_record(seed=seed, value=value), results) for seed, value in values.items()]
    save(make_record(optimizer="radam"), results)
    shown = figure("adam", "curves")
    links = re.findall(r'<a href="\.\./([^"]*)">([^<]*)</a>', shown.html)
    assert links == [
        (f"results/mnist/{paths[0].name}", "99.00 %"),
        (f"results/mnist/{paths[1].name}", "98.00"),
        (f"results/mnist/{paths[2].name}", "99.50"),
    ]
    brought = {name: file for name, file in shown.files.items() if name.startswith("results/")}
    assert brought == {f"results/mnist/{path.name}": path for path in paths}


def test_the_median_of_two_leads_to_the_lower_one(results):
    low, high = (make_record(seed=seed, value=value) for seed, value in ((0, 0.98), (1, 0.99)))
    for run in (low, high):
        save(run, results)
    html = figure("adam", "curves").html
    assert f'{low.file_name}">98.50 %</a>' in html
