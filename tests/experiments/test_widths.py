import dataclasses
import itertools
import json
import math
import statistics
from xml.etree import ElementTree

import pytest
import torch

from experiments import widths
from experiments.cli import run_command
from experiments.drawing import to_svg
from experiments.grids import Grid, load_all, save
from experiments.line_charts import line_chart
from experiments.records import RecordError
from experiments.widths import BATCH_SIZE, LRS, Setting, main, make_model, settings, train
from experiments.widths_results import (
    FOLDER,
    MUP,
    NAMES,
    STANDARD,
    best_lr,
    find,
    losses,
    median,
    panels,
    valley,
)
from labml_nn_optim.param_groups import width as width_chapter
from tests.experiments.examples import assert_refused

CPU = torch.device("cpu")


def start(parametrization, width, base_width=8, lr=0.01, seed=3):
    return Setting(parametrization, width, base_width, lr, seed).start(CPU)


def rates(optimizer):
    return {name: group["lr"] for group in optimizer.param_groups for name in group["param_names"]}


def test_the_rates_go_from_two_to_the_minus_13_in_octaves():
    assert (LRS[0], LRS[-1]) == (2**-13, 2**-4)
    assert {later / earlier for earlier, later in itertools.pairwise(LRS)} == {2}


def test_every_setting_is_run_with_every_seed_and_the_base_once():
    found = list(settings((8, 16, 32), (0, 4)))
    assert len(found) == len(set(found)) == (1 + 2 + 2) * len(LRS) * 2
    assert {(each.parametrization, each.width) for each in found} == {
        *((STANDARD, 8), (STANDARD, 16), (MUP, 16), (STANDARD, 32), (MUP, 32))
    }
    assert {each.base_width for each in found} == {8}


def test_the_standard_parametrization_is_torchs_start_with_one_rate():
    model, optimizer = start(STANDARD, 32)
    torch.manual_seed(3)
    plain = make_model(32)
    assert all(map(torch.equal, model.parameters(), plain.parameters()))
    assert set(rates(optimizer).values()) == {0.01}


def test_mup_starts_with_a_smaller_output_and_slows_what_has_a_wide_input():
    standard, _ = start(STANDARD, 32)
    model, optimizer = start(MUP, 32)
    factors = {"2.bias": 2, "4.weight": 0.5, "4.bias": 2}
    for (name, param), other in zip(model.named_parameters(), standard.parameters(), strict=True):
        torch.testing.assert_close(param, other * factors.get(name, 1))
    assert rates(optimizer) == {
        **dict.fromkeys(("0.weight", "0.bias", "2.bias", "4.bias"), 0.01),
        **dict.fromkeys(("2.weight", "4.weight"), 0.0025),
    }


def test_at_the_width_of_the_base_both_are_the_same():
    (one, first), (other, second) = start(STANDARD, 8), start(MUP, 8)
    assert all(map(torch.equal, one.parameters(), other.parameters()))
    assert rates(first) == rates(second)


def seen_by(monkeypatch):
    """Record the batch losses of a run as they are made."""
    made = []
    cross_entropy = widths.functional.cross_entropy

    def recorded(logits, labels):
        loss = cross_entropy(logits, labels)
        made.append(loss.item())
        return loss

    monkeypatch.setattr(widths.functional, "cross_entropy", recorded)
    return made


def test_the_loss_of_a_run_is_the_mean_of_its_last_fifth(monkeypatch):
    made = seen_by(monkeypatch)
    monkeypatch.setattr(widths, "BATCH_SIZE", 10)
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(100) % 10
    images = torch.randn(100, 784, generator=generator)
    images[torch.arange(100), labels] += 20
    loss = train(Setting(STANDARD, 32, 32, 0.01, 0), images, labels, 3.0)
    assert len(made) == 30
    assert loss == pytest.approx(statistics.mean(made[-6:]), rel=1e-6)
    assert loss < made[0] / 2


def make_grid(table, lrs=(0.25, 0.5, 1.0)):
    """A grid of the base 8 and the width 16; `table` has rows of losses over the rates."""
    rows = [
        {"parametrization": name, "width": width, "lr": lr, "seed": seed, "loss": loss + add}
        for (name, width), found in table.items()
        for lr, loss in zip(lrs, found, strict=True)
        for seed, add in ((2, 0.0), (0, 0.25), (1, -0.125))
    ]
    return Grid(
        experiment="widths",
        configuration={"base_width": 8, "widths": [8, 16], "lrs": list(lrs)},
        data={},
        environment={},
        seconds=1.0,
        rows=rows,
    )


@pytest.fixture
def grid():
    return make_grid(
        {
            (STANDARD, 8): (0.5, 0.25, 0.5),
            (STANDARD, 16): (0.25, 0.5, math.nan),
            (MUP, 16): (0.75, 0.25, 0.5),
        }
    )


def test_losses_are_in_the_order_of_the_seeds_and_infinite_where_a_run_has_diverged(grid):
    assert losses(grid, MUP, 16, 0.25) == [1.0, 0.625, 0.75]
    assert median(grid, MUP, 16, 0.25) == 0.75
    assert losses(grid, STANDARD, 16, 1.0) == [math.inf] * 3


def test_at_the_base_muP_has_the_losses_of_the_standard_parametrization(grid):
    assert losses(grid, MUP, 8, 0.5) == losses(grid, STANDARD, 8, 0.5) == [0.5, 0.125, 0.25]


def test_the_best_rate_has_the_least_median(grid):
    assert [best_lr(grid, name, 16) for name in NAMES] == [0.25, 0.5]


def test_the_valley_lies_at_the_lowest_point_of_a_parabola(grid):
    assert valley(grid, STANDARD, 8) == -1
    # Through (-2, 0.75), (-1, 0.25) and (0, 0.5): 0.375 (x + 5/6)^2 and a constant.
    assert valley(grid, MUP, 16) == pytest.approx(-5 / 6)
    assert valley(grid, STANDARD, 16) == -2


def test_a_valley_beside_a_rate_that_diverges_is_at_the_best_rate():
    grid = make_grid({(STANDARD, 8): (0.5, 0.25, math.inf)})
    assert valley(grid, STANDARD, 8) == -1


def test_the_chart_has_a_panel_for_each_parametrization_and_a_line_for_each_width(grid):
    standard, mup = panels(grid)
    assert [panel.subtitle for panel in (standard, mup)] == list(NAMES.values())
    for panel in (standard, mup):
        assert [line.label for line in panel.lines] == ["width 8", "width 16"]
        assert panel.x_title == "learning rate"
    assert standard.lines[0] == mup.lines[0]
    assert mup.lines[1].points == [(0.25, 0.75), (0.5, 0.25), (1.0, 0.5)]
    assert mup.lines[1].band[0] == (0.625, 1.0)
    assert [lr for lr, _ in standard.lines[1].points] == [0.25, 0.5]
    ElementTree.fromstring(to_svg(line_chart([standard, mup])))


def without_seconds(path):
    fields = json.loads(path.read_text())
    del fields["seconds"]
    return fields


def test_the_command_leaves_the_same_rows_each_time_and_a_chart(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(widths, "LRS", (0.001, 0.004))
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        arguments = ["--data", "digits", "--widths", "16,8", "--seeds", "3,", "--out", str(folder)]
        assert run_command(main, arguments) == 0
    out = capfd.readouterr().out
    (first,), (second,) = (list(folder.glob("*.json")) for folder in folders)
    assert first.name == second.name
    assert without_seconds(first) == without_seconds(second)
    (found,) = load_all(folders[0])
    assert found.configuration["widths"] == [8, 16]
    assert found.configuration["base_width"] == 8
    assert found.data["name"] == "digits"
    assert len(found.rows) == 6
    assert out.count("with the best rate") == 2 * 4
    ElementTree.fromstring(first.with_suffix(".svg").read_text())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--widths", "64"], "'64' is no list of two or more widths"),
        (["--widths", "64,64"], "'64,64' is no list of two or more widths"),
        (["--widths", "64,wide"], "'64,wide' is no list of two or more widths"),
        (["--widths", "0,64"], "'0,64' is no list of two or more widths"),
        (["--epochs", "0"], "0.0 is not in the range x>0"),
        (["--seeds", "a"], "'a' is neither how many seeds nor a list of them"),
        (["--data", "digits-held-out"], "is not one of 'auto', 'mnist', 'digits'"),
    ],
)
def test_bad_arguments_give_one_line(arguments, message, capfd):
    assert_refused(main, arguments, message, capfd)


def test_a_grid_is_found_by_its_base(tmp_path):
    environment = find(64).environment
    for base in (8, 4):
        configuration = {"base_width": base}
        save(
            Grid("widths", configuration, find(64).data, environment, 1.0, [{"width": base}]),
            tmp_path,
        )
    assert find(4, tmp_path).rows == [{"width": 4}]
    with pytest.raises(RecordError, match="has no grid with the base 16"):
        find(16, tmp_path)


@pytest.mark.parametrize(("base", "found"), [(64, [64, 128, 256, 512, 1024]), (256, [256, 1024])])
def test_the_committed_runs_are_three_seeds_of_every_setting_on_mnist(base, found):
    grid = find(base)
    assert grid.data["name"] == "mnist"
    assert grid.configuration["widths"] == found
    assert grid.configuration["batch_size"] == BATCH_SIZE
    assert grid.configuration["lrs"] == pytest.approx(LRS, rel=1e-5)
    exact = dataclasses.replace(grid, configuration=grid.configuration | {"lrs": list(LRS)})
    assert exact.file_name == grid.file_name
    assert (FOLDER / grid.file_name).is_file()
    for name, width, lr in itertools.product(NAMES, found, grid.configuration["lrs"]):
        assert len(losses(grid, name, width, lr)) == 3


def test_both_grids_have_the_same_losses_where_they_have_the_same_runs():
    for width, lr in itertools.product((256, 1024), find(64).configuration["lrs"]):
        assert losses(find(64), STANDARD, width, lr) == losses(find(256), STANDARD, width, lr)


def tables(text):
    """The rows of the tables of a chapter whose first column is a width, as numbers."""
    rows = []
    for line in text.splitlines():
        cells = [cell.strip(" $").replace("2^{", "").rstrip("}") for cell in line.split("|")[1:-1]]
        if len(cells) > 3 and cells[0].isdigit() and int(cells[0]) in (64, 128, 256, 512, 1024):
            rows.append(tuple(map(float, cells)))
    return rows


def expected_table(name):
    grid = find(64)
    base = best_lr(grid, STANDARD, 64)
    assert math.log2(base) == pytest.approx(-8, abs=1e-4)
    rows = []
    for width in grid.configuration["widths"]:
        best = median(grid, name, width, best_lr(grid, name, width))
        power, at_base = valley(grid, name, width), median(grid, name, width, base)
        rows.append((float(width), round(power, 1), round(best, 4), round(at_base, 4)))
    return rows


def test_the_tables_of_both_chapters_are_those_of_the_runs():
    assert tables(widths.__doc__) == [*expected_table(STANDARD), *expected_table(MUP)]
    assert tables(width_chapter.__doc__)[:5] == expected_table(STANDARD)
