import dataclasses
import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import experiments.sweep
from experiments.arms import make_arms, parse_rule_sets, parse_schedules
from experiments.catalog import CATALOG
from experiments.cli import run_command
from experiments.curves import group_by_rate
from experiments.optimizers import choose_optimizer
from experiments.records import dumps, load, load_all
from experiments.search_space import Point, Range, Space
from experiments.sensitivity import best, held_out_loss, losses_by_rate
from experiments.sweep import (
    MOST_EXTENSIONS,
    GridSearch,
    grid_around,
    index_of,
    main,
    rate_at,
    rates_to_try,
    search_for,
)
from experiments.sweep_plan import Conditions, Sweep
from experiments.sweep_report import table
from experiments.trials import FIRST_LOOK
from tests.experiments.examples import make_record

ROOT = Path(__file__).parents[2]
SEARCHES = ROOT / "experiments" / "results" / "mnist" / "sweep"
GRID = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)


def test_the_grid_has_ones_and_threes_times_powers_of_ten():
    assert [rate_at(index) for index in range(-5, 3)] == [
        *(0.003, 0.01, 0.03, 0.1, 0.3),
        *(1.0, 3.0, 10.0),
    ]


@given(st.integers(-40, 20))
def test_a_point_of_the_grid_is_its_own_nearest_point(index):
    assert index_of(rate_at(index)) == index


@pytest.mark.parametrize(
    ("lr", "grid"),
    [
        (1e-3, GRID),
        (3e-3, (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)),
        (2e-3, (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)),
        (1.0, (0.1, 0.3, 1.0, 3.0, 10.0)),
    ],
)
def test_the_grid_is_centred_on_the_point_nearest_to_the_default(lr, grid):
    assert grid_around(lr) == grid


def search(loss, first=GRID):
    """Search with a function of the rate, and return the rates in the order they were tried."""
    losses = {}
    while rates := rates_to_try(first, losses):
        losses.update({lr: loss(lr) for lr in rates})
    return losses


def distance_to(optimum):
    return lambda lr: abs(math.log(lr / optimum))


def test_a_best_rate_inside_the_grid_ends_the_search():
    losses = search(distance_to(3e-3))
    assert tuple(losses) == GRID
    assert best(losses) == 3e-3


@pytest.mark.parametrize(
    ("optimum", "added"),
    [(1e-2, [3e-2]), (0.1, [3e-2, 0.1, 0.3]), (1e-5, [3e-5, 1e-5, 3e-6]), (1e-4, [3e-5])],
)
def test_a_best_rate_on_the_edge_extends_the_grid_until_both_sides_are_seen(optimum, added):
    losses = search(distance_to(optimum))
    assert list(losses)[len(GRID) :] == added
    assert best(losses) == optimum


@pytest.mark.parametrize("optimum", [1e9, 1e-30])
def test_the_grid_is_extended_four_times_at_most(optimum):
    assert len(search(distance_to(optimum))) == len(GRID) + MOST_EXTENSIONS


def test_a_rate_that_is_not_tried_yet_keeps_the_grid_from_growing():
    assert rates_to_try(GRID, {1e-2: 0.1, 1e-4: 0.5, 3e-4: 0.4}) == (1e-3, 3e-3)


def test_diverged_runs_count_as_infinite_and_push_the_search_to_smaller_rates():
    losses = search(lambda lr: math.inf if lr > 1e-5 else distance_to(1e-5)(lr))
    assert best(losses) == 1e-5
    assert best({0.1: math.inf, 0.3: math.inf}) == 0.1


@given(
    st.lists(
        st.floats(1e-6, 10).map(lambda lr: float(f"{lr:.6g}")), min_size=3, max_size=6, unique=True
    ),
    st.floats(1e-9, 1e4),
)
def test_any_grid_grows_outwards_only(rates, optimum):
    losses = search(distance_to(optimum), tuple(sorted(rates)))
    low, high = min(rates), max(rates)
    for lr in list(losses)[len(rates) :]:
        assert lr < low or lr > high
        low, high = min(low, lr), max(high, lr)


def test_without_extensions_the_grid_is_all_that_is_tried():
    losses = {}
    while rates := rates_to_try(GRID, losses, most_extensions=0):
        losses.update({lr: distance_to(1.0)(lr) for lr in rates})
    assert tuple(losses) == GRID


def test_every_combination_of_varied_arguments_has_a_search_of_its_own():
    space = Space(varied={"eps": (1e-8, 1e-3), "amsgrad": (True,)})
    grid, losses = GridSearch(space, 1e-3), {}
    while points := grid.next(losses, ()):
        losses.update(
            {p: distance_to({1e-8: 3e-3, 1e-3: 1e-1}[p.options[0][1]])(p.lr) for p in points}
        )
    rates = {eps: [p.lr for p in losses if ("eps", eps) in p.options] for eps in (1e-8, 1e-3)}
    assert sorted(rates[1e-8]) == list(GRID)
    assert sorted(rates[1e-3]) == [*GRID, 3e-2, 0.1, 0.3]
    assert all(("amsgrad", True) in point.options for point in losses)


def test_a_range_is_a_grid_of_equal_factors():
    assert Range(1e-4, 1.0, 9).grid() == (
        *(1e-4, 0.000316228, 1e-3, 0.00316228, 0.01, 0.0316228, 0.1, 0.316228, 1.0),
    )
    assert GridSearch(Space(Range(0.01, 1.0, 3)), 7.0).next({}, ()) == [
        Point(0.01),
        Point(0.1),
        Point(1.0),
    ]


@pytest.fixture
def conditions(tmp_path):
    return Conditions(
        experiment=CATALOG["mnist"],
        model="cnn",
        data="digits",
        epochs=0.2,
        seeds=(0, 1),
        search_epochs=0.1,
        search_seeds=(0,),
        space=Space((1e-3, 3e-3, 1e-2)),
        out=tmp_path / "out",
    )


def make_sweep(conditions, name="adam", notice=lambda line: None):
    (arm,) = make_arms(
        [choose_optimizer(name, None, ["betas=0.9,0.99"])],
        parse_schedules(["linear"], None),
        parse_rule_sets(["none"], conditions.experiment, conditions.model, []),
    )
    return Sweep(arm, search_for(arm, conditions.space), conditions, notice)


def loss_of(configuration):
    """The loss of a run that is not made: the distance of its rate to 0.003, none from 1 on."""
    return None if configuration.lr >= 1 else 0.1 + abs(math.log10(configuration.lr / 0.003))


def record_of(configuration, loss=loss_of):
    value = loss(configuration)
    record = dataclasses.replace(
        make_record(value=value),
        optimizer=configuration.optimizer,
        configuration=configuration.to_dict(),
    )
    return dataclasses.replace(record, final=record.final | {"test_accuracy": value or 0.1})


def play(*sweeps, loss=loss_of, at_once=1):
    """Make all runs of some sweeps by their losses; returns the lines, and the runs in their order."""
    lines, made, waiting = [], [], []
    while True:
        waiting += [(sweep, run) for sweep in sweeps for run in sweep.due()]
        if not waiting:
            return lines, made
        for sweep, run in waiting[:at_once]:
            lines.append(sweep.finish(run, dumps(record_of(run.configuration, loss))))
            made.append(run)
        del waiting[:at_once]


def test_a_sweep_searches_first_and_then_trains_with_the_best_rate(conditions):
    sweep = make_sweep(conditions)
    play(sweep)
    assert [point.lr for point in sweep.losses] == [1e-3, 3e-3, 1e-2]
    searched, trained = load_all(conditions.out / "sweep"), load_all(conditions.out)
    assert [r.configuration["data"] for r in searched] == ["digits-held-out"] * 3
    assert [r.configuration["epochs"] for r in searched] == [0.1] * 3
    assert [r.configuration["batch_size"] for r in searched] == [64] * 3
    assert [r.seed for r in searched] == [0] * 3
    assert [(r.configuration["lr"], r.seed) for r in trained] == [(3e-3, 0), (3e-3, 1)]
    assert {r.configuration["data"] for r in trained} == {"digits"}
    assert {tuple(r.configuration["options"]["betas"]) for r in trained} == {(0.9, 0.99)}


def test_records_that_are_there_are_not_made_again(conditions):
    first = make_sweep(conditions)
    assert len(play(first)[1]) == 5
    paths = {path: path.stat().st_mtime_ns for path in conditions.out.rglob("*.json")}
    again = make_sweep(conditions)
    assert play(again) == ([], [])
    assert {path: path.stat().st_mtime_ns for path in conditions.out.rglob("*.json")} == paths
    assert table([again], 0.9) == table([first], 0.9)


def test_more_seeds_add_their_runs_only(conditions):
    play(make_sweep(conditions))
    more = dataclasses.replace(conditions, seeds=(0, 1, 2))
    _, made = play(make_sweep(more))
    assert [(run.configuration.lr, run.configuration.seed) for run in made] == [(3e-3, 2)]
    more = dataclasses.replace(more, search_seeds=(0, 1))
    _, made = play(make_sweep(more))
    assert {run.configuration.seed for run in made} == {1}
    assert sorted(run.configuration.lr for run in made) == [1e-3, 3e-3, 1e-2]


def test_a_damaged_record_is_told_of_and_made_again(conditions):
    play(make_sweep(conditions))
    searched = next((conditions.out / "sweep").glob("*.json"))
    searched.write_text("damaged")
    notices = []
    _, made = play(make_sweep(conditions, notice=notices.append))
    assert [run.path for run in made] == [searched]
    assert len(notices) == 1
    assert notices[0].startswith(
        f"the record {searched.name} is made again: {searched}: is no JSON"
    )
    assert load(searched).optimizer == "adam"


def test_a_run_that_fails_keeps_its_sweep_from_choosing_and_no_other_one(conditions):
    broken = make_sweep(conditions)
    whole = make_sweep(dataclasses.replace(conditions, space=Space((3e-4, 3e-3, 3e-2))), "yogi")
    *good, bad = broken.due()
    assert bad.configuration.lr == 1e-2
    assert broken.fail(bad, "no power") == "adam lr 0.01 seed 0: failed, no power"
    for run in good:
        broken.finish(run, dumps(record_of(run.configuration)))
    play(broken, whole)
    assert broken.failed == {bad.path: "no power"}
    assert broken.finals == []
    assert len(whole.finals) == 2
    assert "none" in table([broken], 0.9)
    second = make_sweep(conditions)
    assert len(play(second)[1]) == 3


def test_a_search_in_which_all_runs_diverge_trains_nothing(conditions):
    sweep = make_sweep(dataclasses.replace(conditions, space=Space((1e6, 3e6, 1e7))))
    lines, _ = play(sweep)
    assert len(sweep.losses) == 3 + MOST_EXTENSIONS
    assert sweep.chosen is None
    assert sweep.finals == []
    assert "diverged" in table([sweep], 0.9)
    assert lines[0] == "adam lr 1e+06 seed 0: diverged"


def test_the_loss_at_a_point_is_the_median_of_its_seeds(conditions):
    sweep = make_sweep(dataclasses.replace(conditions, search_seeds=(0, 1, 2)))

    def loss(configuration):
        return {0: 0.1, 1: 0.5, 2: None}[configuration.seed] if configuration.lr == 3e-3 else 0.6

    play(sweep, loss=loss)
    assert sweep.losses == {Point(1e-3): 0.6, Point(3e-3): 0.5, Point(1e-2): 0.6}
    assert sweep.chosen == Point(3e-3)


def test_varied_arguments_are_chosen_with_the_rate(conditions):
    space = Space((1e-3, 3e-3, 1e-2), varied={"eps": (1e-8, 1e-4)})
    sweep = make_sweep(dataclasses.replace(conditions, space=space))

    def loss(configuration):
        best = {1e-8: 1e-3, 1e-4: 3e-3}[configuration.options["eps"]]
        return abs(math.log10(configuration.lr / best)) + (best == 1e-3) + 0.1

    lines, _ = play(sweep, loss=loss)
    assert sweep.chosen == Point(3e-3, (("eps", 1e-4),))
    assert {r.configuration["options"]["eps"] for r in sweep.finals} == {1e-4}
    assert "adam lr 0.003 eps 0.0001 seed 1: test loss 0.1000, accuracy 10.00%" in lines
    assert "0.003 eps 0.0001: 0.1000" in table([sweep], 0.9)


@pytest.mark.parametrize("at_once", [1, 3])
def test_a_tuned_search_tries_as_many_points_as_it_is_told_and_goes_on_from_its_records(
    conditions, at_once
):
    def sweep(trials):
        space = Space(Range(1e-5, 1.0), varied={"eps": Range(1e-8, 1e-2)}, trials=trials)
        return make_sweep(dataclasses.replace(conditions, space=space, seeds=(0,)))

    first = sweep(6)
    assert len(play(first, at_once=at_once)[1]) == 6 + 1
    again = sweep(6)
    assert play(again) == ([], [])
    assert again.losses == first.losses
    more = sweep(20)
    searched = [run for run in play(more, at_once=at_once)[1] if run.point]
    assert len(searched) == 14
    assert len(more.losses) == 20
    assert abs(math.log10(more.chosen.lr / 0.003)) < 1


def test_a_tuned_search_is_nearer_to_the_best_than_its_first_points(conditions):
    space = Space(Range(1e-6, 0.9), trials=30)
    sweep = make_sweep(dataclasses.replace(conditions, space=space))
    play(sweep)
    losses = list(sweep.losses.values())
    assert sorted(losses[10:])[10] < sorted(losses[:10])[5]
    assert all(1e-6 <= point.lr <= 0.9 for point in sweep.losses)


def test_a_run_that_was_given_up_is_not_made_again_while_runs_are_stopped_early(conditions):
    early = dataclasses.replace(conditions, early=True)
    sweep = make_sweep(early)
    runs = list(sweep.due())
    assert sweep.give_up(runs[0], 33.3) == "adam lr 0.001 seed 0: given up after 33 % of its steps"
    for run in runs[1:]:
        sweep.finish(run, dumps(record_of(run.configuration)))
    play(sweep)
    assert sweep.losses[Point(1e-3)] == math.inf
    assert play(make_sweep(early)) == ([], [])
    _, made = play(make_sweep(conditions))
    assert [run.configuration.lr for run in made] == [1e-3]


def test_a_record_from_another_machine_is_written_down_here(conditions):
    sweep = make_sweep(conditions)
    run = next(sweep.due())
    assert not run.path.exists()
    sweep.finish(run, dumps(record_of(run.configuration)))
    assert load(run.path).configuration == run.configuration.to_dict()


def test_the_table_has_every_rate_with_its_loss_the_accuracies_and_the_steps(conditions):
    sweep = make_sweep(conditions)
    play(sweep)
    head, row = table([sweep], 0.05).splitlines()
    expected = "adam 0.003 10.00 % (10.00 10.00) 1 0.001: 0.5771, 0.003: 0.1000, 0.01: 0.6229"
    assert " ".join(head.split()) == (
        "optimizer lr test accuracy, seeds steps to 5 % held-out loss by lr"
    )
    assert " ".join(row.split()) == expected
    assert " never " in table([sweep], 0.99)


def test_several_schedules_and_sets_of_rules_are_arms_of_their_own():
    experiment = CATALOG["mnist"]
    choices = [choose_optimizer("adamw", None, []), choose_optimizer("sgd", None, [])]
    schedules = parse_schedules(["cosine", "wsd:tail=1-sqrt,decay_percent=0.3"], None)
    rules = parse_rule_sets(["none", "built-in;output.*:lr_scale=2"], experiment, "cnn", choices)
    arms = make_arms(choices, schedules, rules)
    assert [arm.label for arm in arms][:4] == [
        "adamw, cosine, no rules",
        "adamw, cosine, built-in and output.*:lr_scale=2",
        "adamw, wsd tail 1-sqrt decay_percent 0.3, no rules",
        "adamw, wsd tail 1-sqrt decay_percent 0.3, built-in and output.*:lr_scale=2",
    ]
    assert len(arms) == 8
    assert arms[1].rules.texts == ("built-in", "output.*:lr_scale=2")


@pytest.fixture
def sweep_command(tmp_path, capfd):
    """Run the command in this process; gives status, output and errors."""

    def run(*arguments):
        status = run_command(main, ["--out", str(tmp_path / "out"), *map(str, arguments)])
        output = capfd.readouterr()
        return status, output.out, output.err

    return run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--optimizers", "adm"], "adam"),
        (["--optimizers", "adam,adm"], "adam"),
        (["--set", "beta=0.9"], "did you mean betas?"),
        (["--set", "lr=0.1"], "--lr"),
        (["--lr", "0.1,0.2"], "at least 3"),
        (["--lr", "0.1,0.2,0.2"], "at least 3"),
        (["--lr", "0,0.1,0.2"], "above 0"),
        (["--lr", "0.1,0.2,inf"], "above 0"),
        (["--lr", "0.1,0.2,nan"], "above 0"),
        (["--lr", "a,b,c"], "'a' in a,b,c is no number"),
        (["--lr", "1:0.1:3"], "0 < LOW < HIGH"),
        (["--lr", "0.1:1:2"], "from 3 on"),
        (["--lr", "0.1:1:x"], "from 3 on"),
        (["--lr", "0.1:1:3:4"], "LOW:HIGH:N"),
        (["--lr", "0.1:1"], "--search"),
        (["--vary", "eps=1e-8:1"], "--search"),
        (["--vary", "eps"], "NAME=VALUE"),
        (["--vary", "lr=0.1;0.2"], "--lr"),
        (["--vary", "epps=0.1;0.2"], "epps"),
        (["--vary", "eps=a;b"], "a is no Python value"),
        (["--vary", "eps=1;2", "--vary", "eps=3;4"], "varied twice"),
        (["--optimizers", "adam,sgd", "--vary", "betas=0.9,0.99"], "not every optimizer"),
        (["--optimizers", "adam", "--vary", "eps=-1;1e-8"], "eps"),
        (["--schedule", "cosin"], "did you mean cosine?"),
        (["--schedule", "wsd:tial=cosine"], "did you mean tail?"),
        (["--wd-schedule", "cosine"], "the weight decay of Adam is 0"),
        (["--rules", "nothing.*:lr_scale=2"], "nothing.*"),
        (["--rules", "built-on"], "built-on"),
        (["--experiment", "imagenet"], "'mnist', 'cifar'"),
        (["--model", "big"], "cnn, fast"),
        (["--seeds", "-1"], "'-1'"),
        (["--seeds", "0"], "'0'"),
        (["--seeds", ""], "--seeds"),
        (["--search-seeds", "1,a"], "--search-seeds"),
        (["--epochs", "inf"], "--epochs"),
        (["--search-epochs", "0"], "--search-epochs"),
        (["--search", "0"], "--search"),
        (["--stop-early", "hyperband"], "asha"),
        (["--jobs", "0"], "--jobs"),
        (["--target", "98"], "--target"),
        (["--gpus-per-trial", "-1"], "--gpus-per-trial"),
        (["--retries", "-1"], "--retries"),
        (["--data", "auto-held-out"], "auto, mnist, digits"),
    ],
)
def test_a_wrong_option_is_one_line_before_anything_runs(
    sweep_command, tmp_path, arguments, message
):
    status, out, err = sweep_command(*arguments)
    assert status == 2
    assert out == ""
    assert message in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_help_shows_the_defaults(sweep_command):
    status, out, _ = sweep_command("--help")
    assert status == 0
    for text in (
        "[default: adam]",
        "[default: 3]",
        "(0.98 for mnist, 0.7 for cifar)",
        "(5 around the optimizer",
    ):
        assert text in " ".join(out.split())


def test_missing_data_is_one_line_before_anything_runs(sweep_command, tmp_path, offline):
    status, out, err = sweep_command("--data", "mnist", "--data-root", tmp_path / "nothing")
    assert (status, out) == (1, "")
    assert err.startswith("error: MNIST is not in")
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.fixture
def made_at_once(monkeypatch):
    """Let runs be made by their losses."""

    def run_all(sweeps, places):
        play(*sweeps)

    monkeypatch.setattr("experiments.trials.run_all", run_all)


def test_without_a_name_adam_is_searched_for(sweep_command, made_at_once, tmp_path):
    status, out, _ = sweep_command("--data", "digits", "--seeds", "0,")
    assert status == 0
    assert {r.optimizer for r in load_all(tmp_path / "out")} == {"adam"}
    pictures = [
        tmp_path / "out" / f"sweep-{name}.svg" for name in ("sensitivity", "curves", "steps")
    ]
    assert all(str(path) in out and path.read_text().startswith("<svg") for path in pictures)


def test_an_optimizer_whose_file_is_broken_does_not_keep_the_others_from_running(
    sweep_command, monkeypatch, made_at_once, tmp_path
):
    def choose(name, lr, settings):
        if name == "yogi":
            raise SyntaxError("'(' was never closed")
        return choose_optimizer(name, lr, settings)

    monkeypatch.setattr("experiments.arms.choose_optimizer", choose)
    status, _, err = sweep_command("--optimizers", "yogi,adam", "--data", "digits", "--seeds", "1")
    assert status == 1
    assert "yogi cannot be loaded: SyntaxError: '(' was never closed" in err
    assert "1 optimizers could not be loaded" in err
    assert len(load_all(tmp_path / "out")) == 1


@pytest.mark.parametrize("name", ["adam", "radam"])
def test_the_chapter_states_the_losses_of_the_committed_searches(name):
    records = [r for r in load_all(SEARCHES) if r.optimizer == name]
    if not records:
        pytest.skip(f"no search for {name} is committed")
    losses = {r.configuration["lr"]: r.final["test_loss"] for r in records}
    (row,) = re.findall(rf"^\| {name} \|(.*)\|$", experiments.sweep.__doc__, re.M | re.I)
    stated = [cell.strip() for cell in row.split("|")]
    texts = [f"{losses[lr]:.3f}" for lr in sorted(losses)]
    texts[sorted(losses).index(best(losses))] = f"**{losses[best(losses)]:.3f}**"
    assert [cell for cell in stated if cell] == texts


def test_the_chapter_says_how_often_early_stopping_would_have_stopped_the_best():
    searches = group_by_rate(load_all(SEARCHES)).values()
    places = {runs[0].optimizer: place_at_the_first_look(runs) for runs in searches}
    assert len(searches) == len(places) == 49
    lost = {
        name: (place, len(losses))
        for name, (place, losses) in places.items()
        if place > math.ceil(len(losses) / 3)
    }
    assert lost == {"adafactor": (3, 6), "adam_warmup": (3, 6), "prodigy": (2, 3)}
    assert f"In {49 - len(lost)} of the 49 searches" in experiments.sweep.__doc__
    losses = places["adafactor"][1]
    assert 1 < losses[2] / losses[1] < 1.02


def place_at_the_first_look(search):
    """The place of the best run of a search after a quarter of the steps, and all losses there."""
    best = min(search, key=held_out_loss)
    steps = best.curves["test_subset"]["step"]
    look = next(i for i, step in enumerate(steps) if 100 * step >= FIRST_LOOK * best.final["step"])
    losses = {run.path: run.curves["test_subset"]["loss"][look] or math.inf for run in search}
    ranked = sorted(losses, key=losses.__getitem__)
    return ranked.index(best.path) + 1, [losses[path] for path in ranked]


def test_the_chapter_says_how_many_best_rates_lie_before_a_cliff():
    searches = list(group_by_rate(load_all(SEARCHES)).values())
    cliffs = 0
    for losses in map(losses_by_rate, searches):
        chosen = best(losses)
        beyond = [losses[rate] for rate in sorted(losses) if rate > chosen]
        cliffs += losses[chosen] < 1 and bool(beyond) and beyond[0] > 2
    assert f"For {cliffs} of {len(searches)} optimizers the best rate" in experiments.sweep.__doc__
