import itertools
import math
import re
import subprocess
import sys
from pathlib import Path
from statistics import fmean, median

import pytest

from experiments import (
    committed,
    comparison,
    comparison_cli,
    comparison_figure,
    comparison_results,
    pages,
)
from experiments.cli import run_command
from experiments.comparison import (
    apart,
    chance_apart,
    chance_outside,
    expected_best,
    paired_spread,
    pairs_that_change_order,
    ranking,
    standard_error,
)
from experiments.comparison_report import report
from experiments.records import save
from experiments.result_rows import best_rate
from experiments.run_figures import accuracy
from experiments.sweep import rate_at
from tests.experiments.examples import assert_refused, make_record
from tests.experiments.test_pages import chapter
from tests.experiments.test_result_rows import search

ROOT = Path(__file__).parents[2]
TEXT = " ".join(Path(comparison.__file__).read_text().replace("\n#", "\n").split())


def save_search(results, optimizer, losses, **changes):
    for run in search(losses, optimizer=optimizer, **changes):
        save(run, results / committed.SEARCHES)


def save_runs(results, optimizer, accuracies):
    for seed, value in enumerate(accuracies):
        save(make_record(optimizer=optimizer, value=value, seed=seed), results)


def printed(results, capsys):
    assert run_command(comparison_cli.main, ["--folder", str(results)]) == 0
    return capsys.readouterr().out.splitlines()


def test_the_least_value_stands_first():
    assert ranking({"a": 2.0, "b": 1.0, "c": math.inf}) == ["b", "a", "c"]


def test_a_pair_changes_order_if_each_is_lower_once():
    one = {"a": 1.0, "b": 2.0, "c": 3.0}
    assert pairs_that_change_order(one, {"a": 5.0, "b": 4.0, "c": 6.0}) == [("a", "b")]
    assert pairs_that_change_order(one, one) == []
    assert pairs_that_change_order(one, {"b": 5.0, "c": 4.0, "d": 1.0}) == [("b", "c")]


def test_equal_values_and_two_failures_are_in_no_order():
    assert pairs_that_change_order({"a": 1.0, "b": 1.0}, {"a": 2.0, "b": 1.0}) == []
    assert pairs_that_change_order({"a": math.inf, "b": math.inf}, {"a": 2.0, "b": 1.0}) == []


def test_near_ties_are_left_out_if_a_factor_is_asked_for():
    one, other = {"a": 1.0, "b": 1.2}, {"a": 1.05, "b": 1.0}
    assert pairs_that_change_order(one, other, 1.04) == [("a", "b")]
    assert pairs_that_change_order(one, other, 1.1) == []
    assert pairs_that_change_order(other, one, 1.1) == []


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_the_chance_to_fall_outside_is_that_over_all_orders(seeds):
    orders = list(itertools.permutations(range(seeds + 1)))
    outside = [not min(first) < last < max(first) for *first, last in orders]
    assert chance_outside(seeds) == sum(outside) / len(orders)


@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_the_chance_of_ranges_apart_is_that_over_all_choices(seeds):
    everything = set(range(2 * seeds))
    choices = list(itertools.combinations(everything, seeds))
    found = [apart(one, list(everything - set(one))) for one in choices]
    assert chance_apart(seeds) == pytest.approx(sum(found) / len(choices))


def test_ranges_that_touch_are_not_apart():
    assert not apart([1.0, 2.0], [2.0, 3.0])
    assert apart([1.0, 2.0], [2.1, 3.0])
    assert apart([2.1, 3.0], [1.0, 2.0])


def test_luck_that_two_optimizers_share_cancels_in_their_differences():
    assert paired_spread([1.0, 2.0, 4.0], [11.0, 12.0, 14.0]) == 0
    assert paired_spread([1.0, 2.0, 3.0], [3.0, 2.0, 1.0]) == pytest.approx(math.sqrt(2))
    assert paired_spread([1.0, 2.0, 3.0, 4.0], [1.0, 0.0, 0.0, 1.0]) == pytest.approx(1)
    assert paired_spread([1.0, 1.0], [2.0, 2.0]) == 1


@pytest.mark.parametrize(("one", "other"), [([1.0, 2.0], [1.0]), ([1.0], [2.0]), ([], [])])
def test_a_paired_spread_needs_the_same_seeds_and_two_of_them(one, other):
    with pytest.raises(ValueError, match=f"of one length, 2 or more, got {len(one)} and"):
        paired_spread(one, other)


def test_the_standard_error_is_that_over_all_sets_of_images():
    share, images = 0.75, 4
    variance = sum(
        math.comb(images, right)
        * share**right
        * (1 - share) ** (images - right)
        * (right / images - share) ** 2
        for right in range(images + 1)
    )
    assert standard_error(share, images) == pytest.approx(math.sqrt(variance))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: chance_outside(0), "seeds must be at least 1, got 0"),
        (lambda: chance_apart(0), "seeds must be at least 1, got 0"),
        (lambda: expected_best(0), "candidates must be at least 1, got 0"),
        (lambda: standard_error(0.5, 0), "images must be at least 1, got 0"),
        (lambda: standard_error(99.4, 100), "accuracy must be from 0 to 1, got 99.4"),
        (lambda: pairs_that_change_order({}, {}, 0.9), "factor must be at least 1, got 0.9"),
        (lambda: pairs_that_change_order({}, {}, math.nan), "factor must be at least 1, got nan"),
    ],
)
def test_a_number_that_makes_no_sense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [(1, 0.0), (2, 1 / math.sqrt(math.pi)), (3, 1.5 / math.sqrt(math.pi))],
)
def test_the_best_of_few_stands_where_the_integral_says(candidates, expected):
    assert expected_best(candidates) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("optimizer", "options", "point"),
    [
        ("adam", {}, 0.001),
        ("nadam", {}, 0.003),
        ("sgd", {"momentum": 0.9}, 0.001),
        ("adam_warmup", {"warmup": 200}, 0.001),
        ("adam", {"betas": [0.9, 0.99]}, 0.001),
    ],
)
def test_the_default_rate_is_found_on_the_grid(optimizer, options, point):
    run = make_record(optimizer=optimizer, options=options, lr=0.3)
    assert comparison_results.default_point(run) == point


def test_default_and_best_losses_are_those_of_the_search(results):
    save_search(results, "adam", {0.001: 0.3, 0.003: 0.2})
    save_search(results, "sgd", {0.01: 0.5, 0.1: None})
    found = comparison_results.searches(results)
    assert comparison_results.default_losses(found) == {"adam": 0.3}
    assert comparison_results.best_losses(found) == {"adam": 0.2, "sgd": 0.5}


def test_what_was_searched_under_other_conditions_is_left_out(results):
    save_search(results, "adam", {0.001: 0.3, 0.003: 0.2})
    save_search(results, "noam", {0.001: 0.3}, schedule="constant")
    assert list(comparison_results.searches(results)) == ["adam"]


def test_a_rate_is_one_for_all_if_more_than_half_tried_it(results):
    save_search(results, "adam", {0.001: 0.3, 0.003: 0.2})
    save_search(results, "radam", {0.001: 0.4, 0.01: 0.1})
    found = comparison_results.at_one_rate(comparison_results.searches(results))
    assert found == {0.001: {"adam": 0.3, "radam": 0.4}}


def test_values_are_those_of_the_seeds_that_all_have(results):
    save_runs(results, "adam", [0.1, 0.2, 0.3])
    save_runs(results, "radam", [0.4, 0.5])
    finals = comparison_results.runs(results)
    values = comparison_results.by_seed(finals, lambda run: run.final["test_loss"])
    assert values == {"adam": [0.1, 0.2], "radam": [0.4, 0.5]}


def test_a_value_that_is_not_finite_takes_its_optimizer_out():
    finals = {"adam": [make_record()], "radam": [make_record(value=math.inf)]}
    values = comparison_results.by_seed(finals, lambda run: run.final["test_loss"])
    assert values == {"adam": [0.25]}
    assert comparison_results.by_seed({}, lambda run: 0.0) == {}


def test_looking_gains_what_the_best_look_is_above_the_last():
    run = make_record(points=3)
    run.curves["test_subset"]["accuracy"] = [0.5, None, 0.75]
    assert comparison_results.gain_of_looking(run) == 0
    run.curves["test_subset"]["accuracy"] = [0.5, 0.9, 0.75]
    assert comparison_results.gain_of_looking(run) == pytest.approx(15)


def test_the_command_prints_what_a_folder_of_records_says(results, capsys):
    save_search(results, "adam", {0.001: 0.3, 0.003: 0.2})
    save_search(results, "radam", {0.001: 0.4, 0.003: 0.1})
    for name, accuracies in {"adam": [0.5, 0.7, 0.6], "radam": [0.8, 0.9, 0.65]}.items():
        save_runs(results, name, accuracies)
    lines = printed(results, capsys)
    assert lines[0] == "held-out loss of 2 optimizers, 4 runs"
    assert [line.split()[0] for line in lines[2:4]] == ["radam", "adam"]
    assert "1 of 1 pairs change order from default to best rates, 1 by a factor of 1.1" in lines
    assert "at 0.001: adam; radam" in lines
    assert "1 of 1 pairs overlap" in lines
    assert [line for line in lines if line.startswith("radam")][1].split() == (
        ["radam", "80.00", "65.00", "to", "90.00"]
    )


def test_one_seed_is_enough_for_all_that_needs_no_spread(results, capsys):
    for name, value in {"adam": 0.5, "radam": 0.6}.items():
        save_search(results, name, {0.001: value})
        save_runs(results, name, [value])
    lines = printed(results, capsys)
    assert "0 of 1 pairs overlap" in lines
    assert not any("paired" in line for line in lines)


def test_searches_alone_are_compared_without_final_runs(results, capsys):
    save_search(results, "adam", {0.003: 0.2})
    lines = printed(results, capsys)
    assert lines[2].split() == ["adam", "0.001", "-", "0.003", "0.2000", "1"]
    assert not any("test accuracy" in line for line in lines)


def test_the_command_runs_as_a_program(results):
    save_search(results, "adam", {0.001: 0.3})
    command = [sys.executable, "-m", "experiments.comparison", "--folder", str(results)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("held-out loss of 1 optimizers, 1 runs\n")


def test_a_folder_without_a_search_is_one_line(tmp_path, capfd):
    assert run_command(comparison_cli.main, ["--folder", str(tmp_path)]) == 1
    assert capfd.readouterr().err == f"error: {tmp_path / 'sweep'}: has no record of a search\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--experiment", "imagenet"], "mnist"), (["--folder", "no/such"], "does not exist")],
)
def test_a_wrong_argument_is_one_line(arguments, message, capfd):
    assert_refused(comparison_cli.main, arguments, message, capfd)


def test_the_chart_has_a_line_for_each_optimizer_and_says_how_it_moves(results):
    names = ("adam", "radam", "nadam", "adamw", "amsgrad")
    for place, name in enumerate(names):
        point = comparison_results.default_point(make_record(optimizer=name))
        lower = rate_at(-20)
        save_search(results, name, {point: 0.1 + place / 10, lower: 0.55 - place / 10})
    (figure,) = pages.Plugin().figures(chapter("experiments.comparison"))
    assert (figure.title, figure.anchor) == (
        "From default to best learning rates on MNIST",
        "rankings",
    )
    readings = re.findall(r"<title>(\w+: place .*?)</title>", figure.html)
    assert readings == [
        "adam: place 1, then 1",
        "radam: place 2, then 3",
        "nadam: place 3, then 5",
        "adamw: place 4, then 4",
        "amsgrad: place 5, then 2",
    ]
    assert "4 of 10 pairs of optimizers change their order." in figure.html
    assert 'href="results.html#mnist"' in figure.html


def test_the_chart_names_options_only_where_they_tell_two_lines_apart(results):
    for momentum in (0.0, 0.9):
        save_search(results, "sgd", {0.001: 0.1 + momentum}, options={"momentum": momentum})
    for name in ("adam", "radam"):
        save_search(results, name, {0.001: 0.3})
    save_search(results, "adam_warmup", {0.001: 0.4}, options={"warmup": 200})
    (figure,) = comparison_figure.comparison_figures()
    assert "sgd, momentum 0.9: place 5" in figure.html
    assert "adam_warmup: place 4" in figure.html


def test_few_optimizers_make_no_chart(results):
    assert list(comparison_figure.comparison_figures()) == []
    save_search(results, "adam", {0.001: 0.3})
    assert list(comparison_figure.comparison_figures()) == []


@pytest.fixture(scope="module")
def lines():
    """What the command prints of the committed records of MNIST."""
    place = committed.folder("mnist")
    return list(report(comparison_results.searches(place), comparison_results.runs(place)))


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            r"of (\d+) optimizers, (\d+) runs",
            "on MNIST for each of {} optimizers .*? with one seed, {} in all",
        ),
        (
            r"(\d+ of \d+ pairs) .* default to best rates, (\d+) by a factor of 1\.1",
            "best rates {} do on MNIST.*? both times: {} pairs are left",
        ),
        (r"(\d+) of (\d+) pairs overlap", "On MNIST the accuracies of {} of the {} pairs overlap"),
        (r"scion, scale 50 +(\S+)  +\S+ to", "Scion stands first with {} %"),
        (r"(5) others reach", "five others reach into its range.*not tell them apart"),
        (r"first on 10,000 images: (\S+)", "At 99.45 % it is {} points"),
        (r"over the seeds, median: (0\.\d+)", "the standard deviation on MNIST is {} points"),
        (
            r"spread of the accuracy: (\S+)",
            "on MNIST the median over all pairs is {}. For the test",
        ),
        (r"spread of the loss: (\S+)", "For the test loss it is {}, so"),
        (r"loss over the seeds, median: (\d+)%", "is {} % above its lowest"),
        (r"best seed above the median one: (\S+)", "the best seed is {} points above"),
        (r"best look above the last one: (\S+)", "is {} points above the last"),
        (
            r"(\d+ of \d+ pairs) .* final losses",
            "Between these two losses {} on MNIST change order",
        ),
    ],
)
def test_the_numbers_of_the_page_are_those_of_the_records(line, sentence, lines):
    found = next(match for text in lines if (match := re.search(line, text)))
    assert re.search(sentence.format(*map(re.escape, found.groups())), TEXT)


NAMES = {
    "muon": "Muon",
    "normuon": "NorMuon",
    "adam_warmup, warmup 200": "Adam with warm-up",
    "lamb": "LAMB",
    "kron": "Kron",
    "scion, scale 50": "Scion",
    "soap": "SOAP",
}


def test_the_winners_of_the_page_are_those_of_the_records():
    found = comparison_results.searches(committed.folder("mnist"))
    at = comparison_results.at_one_rate(found)
    tables = {str(rate): at[rate] for rate in (0.001, 0.003, 0.01)} | {
        "everyone's default": comparison_results.default_losses(found),
        "everyone's best": comparison_results.best_losses(found),
    }
    for head, values in tables.items():
        winners = " | ".join(NAMES[label] for label in ranking(values)[:3])
        assert f"| {head} | {len(values)} | {winners} |" in TEXT


def test_what_the_page_says_of_single_optimizers_is_so():
    place = committed.folder("mnist")
    found = comparison_results.searches(place)
    default, best = comparison_results.default_losses(found), comparison_results.best_losses(found)
    assert round(default["sgd, momentum 0.9"] / best["sgd, momentum 0.9"]) == 6
    assert sum(default[label] == best[label] for label in default) == 14
    assert sorted({len(points) for points in found.values()}) == [3, 5, 6, 7, 8]
    chosen = {label: best_rate(search) for label, search in found.items()}
    assert [chosen[label] for label in ("kron", "scion, scale 50", "normuon")] == [
        0.001,
        0.001,
        0.003,
    ]
    searched = ranking(best)
    assert (searched[0], searched.index("adam_warmup, warmup 200")) == ("muon", 5)
    losses = comparison_results.by_seed(
        comparison_results.runs(place), lambda run: run.final["test_loss"]
    )
    order = ranking({label: sorted(values)[1] for label, values in losses.items()})
    assert (order[0], order.index("adam_warmup, warmup 200")) == ("muon", 30)
    assert "Muon stays first, Adam with warm-up goes from the sixth place to the 31st" in TEXT


def test_what_the_page_says_of_ranges_is_so():
    counts = {}
    for name in ("mnist", "cifar"):
        values = comparison_results.by_seed(
            comparison_results.runs(committed.folder(name)), accuracy
        )
        pairs = list(itertools.combinations(values.values(), 2))
        counts[name] = sum(apart(*pair) for pair in pairs), len(pairs)
        if name == "mnist":
            first = values.pop("scion, scale 50")
            near = {label for label, each in values.items() if not apart(first, each)}
            seeds = sorted(values["d_adapt_adam"])
            assert "d_adapt_adam" in near
            assert [f"{seed:.2f}" for seed in seeds] == ["99.05", "99.10", "99.45"]
            close = list(itertools.combinations((values[label] for label in near), 2))
            assert (len(near), sum(apart(*pair) for pair in close), len(close)) == (5, 0, 10)
        else:
            best = [values.pop(label) for label in ("muon", "normuon")]
            assert not apart(*best)
            assert all(min(each) > max(other) for each in best for other in values.values())
            assert f"apart from all {len(values)} others" in TEXT
    assert counts == {"mnist": (511, 990), "cifar": (764, 990)}
    assert "on CIFAR-10 those of 226. The other 511 and 764" in TEXT
    assert "those of 45 optimizers on MNIST and on CIFAR-10" in TEXT
    assert "None of the 10 pairs of these five lie apart, where equals would have 1.0." in TEXT
    assert f"{10 * chance_apart(3):.1f}" == "1.0"
    assert f"than the {990 * chance_apart(3):.0f} to be expected" in TEXT


@pytest.mark.parametrize(
    ("seeds", "number"), [(3, "three 99 pairs"), (5, "five 7.9"), (8, "eight 0.15")]
)
def test_pairs_of_equals_that_lie_apart(seeds, number):
    digits = number.split()[1]
    assert float(digits) == round(990 * chance_apart(seeds), len(digits.partition(".")[2]))
    assert f"with {number}" in TEXT


def test_the_distances_between_the_places_of_the_page_are_those_of_the_records():
    accuracies = comparison_results.by_seed(
        comparison_results.runs(committed.folder("mnist")), accuracy
    )
    middles = {label: median(values) for label, values in accuracies.items()}
    places = ranking({label: -middle for label, middle in middles.items()})
    assert places[0] == "scion, scale 50"
    assert f"{middles[places[0]] - middles[places[5]]:.2f}" == "0.04"
    assert f"{middles[places[0]] - middles[places[16]]:.2f}" == "0.10"
    learned = [middle for label, middle in middles.items() if label not in ("adagrad", "rprop")]
    assert f"Scion stands {middles[places[0]] - fmean(learned):.2f} above the mean" in TEXT
    assert f"the mean of the {len(learned)} that learn well" in TEXT


def test_the_computed_numbers_of_the_page_are_right():
    best = [f"{expected_best(count):.2f}" for count in (3, 5, 24, 45)]
    assert best == ["0.85", "1.16", "1.95", "2.21"]
    assert "{} for the best of three, {} of five, {} of 24".format(*best) in TEXT
    assert f"{best[-1]} of these above" in TEXT
    assert f"{100 * standard_error(0.8, 10_000):.2f}" == "0.40"
    assert chance_outside(39) == 1 / 20
    assert chance_apart(5) == 2 / 252


def test_the_code_of_the_solution_runs():
    text = Path(comparison.__file__).read_text()
    (block,) = re.findall(r"^# ```python\n(.*?)^# ```$", text, re.MULTILINE | re.DOTALL)
    exec(compile(re.sub(r"^# ?", "", block, flags=re.MULTILINE), "solution", "exec"), {})
