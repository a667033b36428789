import itertools
import json
import math
import re
import statistics
from xml.etree import ElementTree

import pytest
import torch
from torch.nn import functional

from experiments import decay
from experiments.cli import run_command
from experiments.data import load_digits
from experiments.decay import (
    KINDS,
    Samples,
    Setting,
    main,
    settings,
    split,
    train,
    weight_sizes,
    with_wrong_labels,
)
from experiments.decay_cli import Options
from experiments.decay_results import (
    FOLDER,
    LAYERS,
    NAMES,
    NO_DECAY,
    accuracy_panel,
    best,
    find,
    gradient_size,
    loss_panel,
    middle,
    norm_panel,
    rate_panels,
    ratios,
    select,
    small_weights_panel,
    strengths,
)
from experiments.drawing import to_svg
from experiments.grids import Grid, load_all, save
from experiments.line_charts import line_chart
from experiments.mnist import Model
from experiments.optimizers import OptionError
from experiments.records import RecordError
from experiments.training import Plan, batches
from labml_nn_optim import Adam
from tests.experiments.examples import assert_refused


@pytest.fixture(scope="module")
def digits():
    return load_digits()


@pytest.fixture(scope="module")
def few(digits):
    return Samples(digits.train_images[:60], digits.train_labels[:60])


def options(**changes):
    values = {
        "kinds": ("coupled", "l1"),
        "lrs": (0.1, 0.2),
        "samples": 60,
        "wrong_labels": 0.0,
        "steps": 2,
        "seeds": (0, 1, 2),
        "data_choice": "digits",
        "data_root": None,
        "device": "cpu",
        "threads": 1,
        "out": None,
    }
    return Options(**values | changes)


def test_every_kind_is_run_with_all_its_strengths_rates_and_seeds_and_so_is_none():
    runs = list(settings(options()))
    assert len(set(runs)) == len(runs) == (1 + 6 + 6) * 2 * 3
    assert runs[:2] == [Setting(NO_DECAY, 0.0, 0.1, 0), Setting(NO_DECAY, 0.0, 0.1, 1)]
    assert {run.kind for run in runs} == {NO_DECAY, "coupled", "l1"}
    assert {run.weight_decay for run in runs if run.kind == "l1"} == set(KINDS["l1"].weight_decays)


def test_every_kind_has_a_name_and_strengths_in_half_powers_of_ten():
    assert list(KINDS) == list(NAMES)
    for kind in KINDS.values():
        for weaker, stronger in itertools.pairwise(kind.weight_decays):
            assert stronger / weaker == pytest.approx(10**0.5, rel=0.06)


def test_the_first_images_are_for_learning_and_the_last_ones_of_them_to_choose_by(digits):
    parts = split(digits, 100, 0.0)
    assert torch.equal(parts.train.images, digits.train_images[:100])
    assert torch.equal(parts.train.labels, digits.train_labels[:100])
    assert torch.equal(parts.held_out.images, digits.train_images[-239:])
    assert torch.equal(parts.held_out.labels, digits.train_labels[-239:])
    assert torch.equal(parts.test.images, digits.test_images)
    assert torch.equal(parts.test.labels, digits.test_labels)


def test_no_image_is_both_for_learning_and_to_choose_by(digits):
    assert len(split(digits, 1198, 0.0).train.labels) == 1198
    with pytest.raises(OptionError, match="--samples 1199: there are 1198 images"):
        split(digits, 1199, 0.0)


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_a_share_of_the_labels_is_wrong_and_always_the_same(share):
    labels = torch.arange(200) % 10
    found = with_wrong_labels(labels, share)
    assert (found != labels).sum() == 200 * share
    assert torch.equal(found, with_wrong_labels(labels, share))
    assert 0 <= found.min() <= found.max() <= 9
    assert torch.equal(labels, torch.arange(200) % 10)


def test_the_wrong_labels_are_all_digits():
    assert set(with_wrong_labels(torch.zeros(200, dtype=torch.long), 1.0).tolist()) == {
        *range(1, 10)
    }


def test_only_the_images_for_learning_get_wrong_labels(digits):
    parts, plain = split(digits, 100, 0.5), split(digits, 100, 0.0)
    assert (parts.train.labels != plain.train.labels).sum() == 50
    assert torch.equal(parts.held_out.labels, plain.held_out.labels)
    assert torch.equal(parts.test.labels, plain.test.labels)


def test_a_run_is_adam_with_a_rate_that_falls_to_zero(few):
    model, _ = train(Setting(NO_DECAY, 0.0, 0.01, 3), few, steps=4)
    torch.manual_seed(3)
    other = Model()
    optimizer = Adam(other.parameters(), lr=0.01)
    for step, batch in batches(Plan(60, 50, 2.0, 3), 0, torch.device("cpu")):
        optimizer.param_groups[0]["lr"] = 0.01 * (5 - step) / 4
        optimizer.zero_grad()
        functional.cross_entropy(other(few.images[batch]), few.labels[batch]).backward()
        optimizer.step()
    for name, value in other.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], value, rtol=0, atol=1e-7)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != NO_DECAY])
def test_a_decay_of_zero_is_none(kind, few):
    model, _ = train(Setting(kind, 0.0, 0.01, 3), few, steps=2)
    plain, _ = train(Setting(NO_DECAY, 0.0, 0.01, 3), few, steps=2)
    for one, two in zip(model.parameters(), plain.parameters(), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != NO_DECAY])
def test_weights_are_decayed_and_biases_are_not(kind, few):
    # Decay in the gradient only turns the first step where it outweighs the gradient.
    model, _ = train(Setting(kind, 1.0, 0.01, 3), few, steps=1)
    plain, _ = train(Setting(NO_DECAY, 0.0, 0.01, 3), few, steps=1)
    for (name, one), two in zip(model.named_parameters(), plain.parameters(), strict=True):
        if name.endswith("bias"):
            assert torch.equal(one, two)
        else:
            assert one.norm() < two.norm()


def test_decoupled_decay_takes_its_share_of_the_start(few):
    torch.manual_seed(3)
    start = Model()
    model, _ = train(Setting("decoupled", 2.0, 0.01, 3), few, steps=1)
    plain, _ = train(Setting(NO_DECAY, 0.0, 0.01, 3), few, steps=1)
    for layer in LAYERS:
        first, one, two = (each.get_parameter(f"{layer}.weight") for each in (start, model, plain))
        torch.testing.assert_close(two - one, 0.02 * first, rtol=0, atol=1e-6)


def test_after_one_step_the_size_of_the_gradients_is_that_of_the_first_batch(few):
    model, optimizer = train(Setting(NO_DECAY, 0.0, 0.01, 3), few, steps=1)
    found = weight_sizes(model, optimizer, steps=1)
    torch.manual_seed(3)
    start = Model()
    (_, batch), *_ = batches(Plan(60, 50, 1.0, 3), 0, torch.device("cpu"))
    functional.cross_entropy(start(few.images[batch]), few.labels[batch]).backward()
    for layer in LAYERS:
        gradient = start.get_parameter(f"{layer}.weight").grad
        size = gradient.square().mean().sqrt().item()
        assert found[f"gradient_{layer}"] == pytest.approx(size, rel=1e-4)
        norm = model.get_parameter(f"{layer}.weight").norm().item()
        assert found[f"norm_{layer}"] == pytest.approx(norm, rel=1e-6)


def test_small_weights_and_zeros_are_shares_of_all_weights(few):
    model, optimizer = train(Setting(NO_DECAY, 0.0, 0.01, 3), few, steps=1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
        model.output.weight[:, :100] = 0.0
        model.output.weight[:, 100:300] = -0.0009
        model.output.weight[:, 300] = 0.0011
        model.output.bias.zero_()
    found = weight_sizes(model, optimizer, steps=1)
    weights = 431_080 - 580
    assert found["zero"] == pytest.approx(1000 / weights, rel=1e-5)
    assert found["small"] == pytest.approx(3000 / weights, rel=1e-5)


def make_row(kind, weight_decay, seed, lr=0.001, **values):
    columns = ("train_loss", "held_out_loss", "test_loss", "test_accuracy", "zero", "small")
    sizes = [f"{size}_{layer}" for layer in LAYERS for size in ("norm", "gradient")]
    given = {"kind": kind, "weight_decay": weight_decay, "lr": lr, "seed": seed}
    return dict.fromkeys((*columns, *sizes), 0.5) | given | values


def make_grid(rows, **changes):
    values = {"samples": 1000, "wrong_labels": 0.0, "lr": [0.001], "seeds": [0, 1, 2]}
    return Grid(
        experiment="decay",
        configuration=values | changes,
        data={"name": "mnist", "sha256": "0" * 64},
        environment={
            "device": "cpu",
            "labml_nn_optim": "0.1.0",
            "processor": "some",
            "python": "3.11.7",
            "threads": 1,
            "torch": "2.14.1",
        },
        seconds=1.0,
        rows=rows,
    )


@pytest.fixture
def grid():
    """Three seeds without decay and with two strengths of two kinds."""
    rows = [
        make_row(NO_DECAY, 0.0, seed, test_loss=0.2 + seed / 100, norm_hidden=2.0 + seed)
        for seed in (2, 0, 1)
    ]
    for kind, strength, held_out, test in (
        ("coupled", 0.1, 0.3, 0.1),
        ("coupled", 0.01, 0.2, 0.15),
        ("decoupled", 1.0, 0.3, 0.18),
        ("decoupled", 10.0, 0.2, 0.17),
    ):
        rows += [
            make_row(
                kind,
                strength,
                seed,
                held_out_loss=held_out,
                test_loss=test + seed / 100,
                test_accuracy=0.9 + seed / 100,
                norm_hidden=(2.0 + seed) / 4,
                norm_conv1=0.25 + seed / 10,
            )
            for seed in (0, 1, 2)
        ]
    return make_grid(rows)


def test_the_runs_of_a_kind_are_in_the_order_of_strengths_and_seeds(grid):
    found = [(row["weight_decay"], row["seed"]) for row in select(grid, "coupled")]
    assert found == [(0.01, 0), (0.01, 1), (0.01, 2), (0.1, 0), (0.1, 1), (0.1, 2)]
    assert len(select(grid, "coupled", weight_decay=0.1, lr=0.001)) == 3
    assert strengths(grid, "coupled") == [0.01, 0.1]


def test_the_best_strength_is_chosen_by_the_images_held_out_and_not_by_the_test(grid):
    assert best(grid, "coupled", 0.001) == 0.01
    assert best(grid, "coupled", 0.001, by="test_loss") == 0.1


def test_the_best_strength_by_accuracy_is_that_of_the_greatest():
    rows = [make_row("l1", decay, 0, test_accuracy=decay) for decay in (0.1, 0.3, 0.2)]
    assert best(make_grid(rows), "l1", 0.001, by="test_accuracy") == 0.3


def test_a_run_that_diverged_is_the_worst():
    rows = [make_row("l1", 1.0, seed, test_loss=loss) for seed, loss in enumerate((None, 0.1, 0.2))]
    assert middle(rows, "test_loss") == 0.2
    assert middle(rows[:1], "test_loss") == math.inf


def test_norms_are_compared_with_the_run_of_the_same_seed(grid):
    assert ratios(grid, "coupled", 0.01, 0.001, "hidden") == [0.25, 0.25, 0.25]


def near(pairs):
    """Return pairs without the last digits."""
    return [(round(one, 9), round(other, 9)) for one, other in pairs]


def test_the_chart_of_losses_has_medians_with_ranges_and_a_level_line_without_decay(grid):
    panel = loss_panel(grid, ["coupled", "decoupled"])
    level, coupled, decoupled = panel.lines
    assert [line.label for line in panel.lines] == ["no decay", "in the gradient", "decoupled"]
    assert near(level.points) == [(0.01, 0.21), (10, 0.21)]
    assert near(level.band) == [(0.2, 0.22)] * 2
    assert near(coupled.points) == [(0.01, 0.16), (0.1, 0.11)]
    assert near(coupled.band) == [(0.15, 0.17), (0.1, 0.12)]
    assert near(decoupled.points) == [(1, 0.19), (10, 0.18)]
    assert panel.x_title == "weight decay"
    assert panel.subtitle == "1,000 images, α = 0.001"
    assert panel.y_range == pytest.approx((0.9 * 0.11, 1.6 * 0.21))
    assert loss_panel(grid, ["decoupled"]).lines[0].points[0][0] == 1


def test_the_chart_of_errors_turns_accuracies_around(grid):
    level, coupled = accuracy_panel(grid, ["coupled"]).lines
    assert near(level.points) == [(0.01, 50), (0.1, 50)]
    assert near(coupled.points) == [(0.01, 9), (0.1, 9)]
    assert near(coupled.band) == [(8, 10)] * 2


def test_the_chart_of_norms_goes_from_small_gradients_to_large_ones(grid):
    sizes = {"hidden": 0.1, "conv2": 0.2, "conv1": 0.3, "output": 0.4}
    rows = [row | {f"gradient_{layer}": size for layer, size in sizes.items()} for row in grid.rows]
    panel = norm_panel(make_grid(rows), ["coupled"])
    (line,) = panel.lines
    assert line.label == "in the gradient, λ = 0.01"
    assert panel.subtitle == "from left to right: hidden, conv2, conv1, output"
    assert [size for size, _ in line.points] == [0.1, 0.2, 0.3, 0.4]
    assert near(line.points)[0] == (0.1, 0.25)
    assert near(line.points)[2] == (0.3, 0.7)
    assert near(line.band)[2] == (0.5, 0.9)


def test_the_chart_of_small_weights_has_dashes_for_zeros_where_there_are_any(grid):
    rows = [row | {"zero": 0.25 if row["kind"] == "decoupled" else 0.0} for row in grid.rows]
    panel = small_weights_panel(make_grid(rows), ["coupled", "decoupled"])
    assert [(line.label, line.kind) for line in panel.lines] == [
        *((name, "below 0.001") for name in ("no decay", "in the gradient", "decoupled")),
        ("decoupled", "exactly 0"),
    ]


def test_each_kind_has_a_panel_of_rates_with_a_line_for_each(grid):
    rows = [row | {"lr": lr, "test_loss": lr} for row in grid.rows for lr in (0.2, 0.1)]
    coupled, decoupled = rate_panels(make_grid(rows, lr=[0.2, 0.1]), ["coupled", "decoupled"])
    assert coupled.title == "in the gradient: test loss"
    assert decoupled.title == "decoupled: test loss"
    assert [line.label for line in coupled.lines] == ["α = 0.1", "α = 0.2"]
    assert near(coupled.lines[1].points) == [(0.01, 0.2), (0.1, 0.2)]
    assert coupled.subtitle == "1,000 images"


def test_every_chart_can_be_drawn(grid):
    kinds = ["coupled", "decoupled"]
    panels = [
        loss_panel(grid, kinds),
        accuracy_panel(grid, kinds),
        norm_panel(grid, kinds),
        small_weights_panel(grid, kinds),
        *rate_panels(grid, kinds),
    ]
    ElementTree.fromstring(to_svg(line_chart(panels)))


def test_a_grid_is_found_by_its_wrong_labels_and_by_how_many_rates_it_has(grid, tmp_path):
    save(grid, tmp_path)
    save(make_grid(grid.rows, wrong_labels=0.2), tmp_path)
    save(make_grid(grid.rows, lr=[0.1, 0.2]), tmp_path)
    assert find(folder=tmp_path).configuration["wrong_labels"] == 0
    assert find(0.2, folder=tmp_path).configuration["wrong_labels"] == 0.2
    assert find(rates=2, folder=tmp_path).configuration["lr"] == [0.1, 0.2]
    with pytest.raises(
        RecordError, match=re.escape(f"{tmp_path}: has 0 grids with a share of 0.5")
    ):
        find(0.5, folder=tmp_path)


def without_seconds(path):
    fields = json.loads(path.read_text())
    del fields["seconds"]
    return fields


def test_the_command_leaves_the_same_grid_each_time_and_a_chart(tmp_path, capfd):
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        arguments = ["--data", "digits", "--samples", "60", "--steps", "2", "--seeds", "3,1"]
        arguments += ["--kinds", "l1", "--wrong-labels", "0.1", "--out", str(folder)]
        assert run_command(main, arguments) == 0
    out = capfd.readouterr().out
    (first,), (second,) = (list(folder.glob("*.json")) for folder in folders)
    assert first.name == second.name
    assert without_seconds(first) == without_seconds(second)
    (grid,) = load_all(folders[0])
    assert len(grid.rows) == 2 * 7
    assert grid.configuration["kinds"] == {NO_DECAY: [0.0], "l1": list(KINDS["l1"].weight_decays)}
    assert (grid.data["train_samples"], grid.data["held_out_samples"]) == (60, 239)
    assert first.with_suffix(".svg").read_text().startswith("<svg")
    assert "L1 0.003, learning rate 0.001, seed 3: train loss " in out


def test_several_rates_have_no_chart_of_their_own(tmp_path):
    arguments = ["--data", "digits", "--samples", "10", "--steps", "1", "--seeds", "1"]
    arguments += ["--kinds", "coupled", "--lr", "0.001,0.01", "--out", str(tmp_path)]
    assert run_command(main, arguments) == 0
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]
    (grid,) = load_all(tmp_path)
    assert {row["lr"] for row in grid.rows} == {0.001, 0.01}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kinds", "coupled,l3"], "there is no 'l3'; there are coupled, decoupled, cautious, l1"),
        (["--kinds", "none"], "there is no 'none'"),
        (["--lr", "0.1,0"], "'0.1,0' is no list of numbers above 0"),
        (["--lr", "x"], "'x' is no list of numbers above 0"),
        (["--wrong-labels", "1.5"], "1.5 is not in the range 0<=x<=1"),
        (["--wrong-labels", "nan"], "nan is not finite"),
        (["--samples", "0"], "0 is not in the range x>=1"),
        (["--steps", "0"], "0 is not in the range x>=1"),
        (["--data", "cats"], "'cats' is not one of 'auto', 'mnist', 'digits'"),
    ],
)
def test_bad_arguments_give_one_line(arguments, message, capfd):
    assert_refused(main, arguments, message, capfd)


def test_too_many_images_give_one_line_before_any_run(tmp_path, capfd):
    arguments = ["--data", "digits", "--samples", "5000", "--out", str(tmp_path / "new")]
    assert run_command(main, arguments) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "--samples 5000: there are 1198 images" in captured.err
    assert not (tmp_path / "new").exists()


def test_the_committed_grids_are_all_kinds_on_mnist():
    grids = load_all(FOLDER)
    assert {path.name for path in FOLDER.glob("*.json")} == {grid.file_name for grid in grids}
    assert len(grids) == 3
    for grid in grids:
        assert grid.data["name"] == "mnist"
        assert (grid.data["train_samples"], grid.data["held_out_samples"]) == (1000, 10_000)
        assert grid.configuration["steps"] == 400
        kinds = {name: list(kind.weight_decays) for name, kind in KINDS.items()}
        assert grid.configuration["kinds"] == kinds
        runs = itertools.product(grid.configuration["lr"], grid.configuration["seeds"])
        assert len(grid.rows) == 25 * len(list(runs))
    for grid in (find(), find(wrong_labels=0.2)):
        assert (grid.configuration["lr"], grid.configuration["seeds"]) == ([0.001], [0, 1, 2])
    grid = find(rates=3)
    assert grid.configuration["lr"] == [0.0003, 0.001, 0.003]
    assert grid.configuration["seeds"] == [0, 1]


def tables_of_the_chapter():
    """Return the tables of the chapter, each a list of rows of text, without the heading."""
    parts = re.split(r"^\|[-:|]+\|$", decay.__doc__ or "", flags=re.MULTILINE)[1:]
    return [
        [line.strip("| ").split(" | ") for line in part.strip().split("\n\n")[0].splitlines()]
        for part in parts
    ]


def spread(numbers, digits):
    return f"{min(numbers):.{digits}f} to {max(numbers):.{digits}f}"


def test_the_table_of_losses_is_that_of_the_records():
    grid, expected = find(), []
    for kind, name in NAMES.items():
        strength = best(grid, kind, 0.001)
        rows = select(grid, kind, weight_decay=strength)
        numbers = [f"{middle(rows, f'{part}_loss'):.4f}" for part in ("train", "test")]
        losses = spread([row["test_loss"] for row in rows], 4)
        accuracy = f"{100 * middle(rows, 'test_accuracy'):.2f} %"
        expected.append([name, f"{strength:g}", *numbers, losses, accuracy])
    assert tables_of_the_chapter()[0] == expected


def test_the_table_of_layers_is_that_of_the_records():
    grid, expected = find(), []
    for layer in sorted(LAYERS, key=lambda layer: gradient_size(grid, 0.001, layer)):
        left = [
            statistics.median(ratios(grid, kind, best(grid, kind, 0.001), 0.001, layer))
            for kind in ("coupled", "decoupled")
        ]
        size = f"{gradient_size(grid, 0.001, layer):.4f}"
        expected.append([layer, size, *(f"{ratio:.2f}" for ratio in left)])
    assert tables_of_the_chapter()[1] == expected


def test_the_table_of_rates_is_that_of_the_records():
    grid, expected = find(rates=3), []
    for kind, name in NAMES.items():
        cells = []
        for lr in grid.configuration["lr"]:
            strength = best(grid, kind, lr)
            loss = middle(select(grid, kind, lr=lr, weight_decay=strength), "test_loss")
            cells.append(f"{loss:.4f}" if kind == NO_DECAY else f"{strength:g}: {loss:.4f}")
        expected.append([name, *cells])
    assert tables_of_the_chapter()[3] == expected


def test_the_table_of_wrong_labels_is_that_of_the_records():
    grid, expected = find(wrong_labels=0.2), []
    for kind, name in NAMES.items():
        strength = best(grid, kind, 0.001, by="held_out_accuracy")
        rows = select(grid, kind, weight_decay=strength)
        known = f"{100 * middle(rows, 'train_accuracy'):.1f} %"
        errors = [100 * (1 - row["test_accuracy"]) for row in rows]
        error = f"{statistics.median(errors):.2f} %"
        expected.append([name, f"{strength:g}", known, error, f"{spread(errors, 2)} %"])
    assert tables_of_the_chapter()[4] == expected
