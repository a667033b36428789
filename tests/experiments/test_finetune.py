import json
import re
import statistics
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

from experiments import finetune
from experiments.cli import run_command
from experiments.data import load_digits
from experiments.drawing import to_svg
from experiments.finetune import (
    DECAY_LRS,
    DECAYS,
    LRS,
    VARIANTS,
    WEIGHT_DECAYS,
    Bench,
    Samples,
    Variant,
    fine_tune,
    main,
    settings,
    start,
    unseen,
)
from experiments.finetune_results import (
    FOLDER,
    NO_DECAY,
    best,
    decay_panel,
    find,
    gains,
    panels,
    quartiles,
    rate_panel,
    values,
)
from experiments.grids import Grid, load_all, save
from experiments.line_charts import line_chart
from experiments.mnist import Model
from experiments.records import RecordError
from experiments.training import Plan
from labml_nn_optim.decays import WeightDecayToStart
from labml_nn_optim.param_groups import param_groups
from tests.experiments.examples import assert_refused

BY_NAME = {variant.name: variant for variant in VARIANTS}


@pytest.fixture(scope="module")
def digits():
    return load_digits()


@pytest.fixture
def pretrained():
    torch.manual_seed(0)
    return Model()


def difference(model, other):
    """Return the largest change of each layer."""
    pairs = zip(model.named_parameters(), other.parameters(), strict=True)
    found = {}
    for (name, one), two in pairs:
        layer = name.partition(".")[0]
        found[layer] = max(found.get(layer, 0.0), (one - two).abs().max().item())
    return found


def moved(variant, pretrained, few, lr, steps=1):
    """Return by how much a fine-tuning moves each layer."""
    model, before = (start(variant, pretrained, 3) for _ in range(2))
    fine_tune(model, variant, lr, few, Plan(len(few), len(few), steps, 3))
    return difference(model, before)


@pytest.fixture
def few(digits):
    return Samples(digits.train_images[:20], digits.train_labels[:20])


def test_what_is_drawn_is_divided_into_images_to_train_on_to_choose_by_and_to_test_with():
    samples = Samples(torch.arange(90.0).view(90, 1, 1, 1), torch.arange(90))
    parts = samples.split(10, 3)
    assert [len(part) for part in parts] == [10, 20, 60]
    assert sorted(torch.cat([part.labels for part in parts]).tolist()) == list(range(90))
    for part in parts:
        assert torch.equal(part.images.flatten(), part.labels.float())
    assert torch.equal(samples.split(10, 3)[0].labels, parts[0].labels)
    assert not torch.equal(samples.split(10, 4)[0].labels, parts[0].labels)


def test_a_network_of_mnist_is_shown_all_digits_and_one_of_the_digits_those_it_has_not_seen(
    digits, small_data
):
    assert len(unseen(small_data, "digits")) == 1797
    rest = unseen(digits, "digits")
    assert torch.equal(rest.images, digits.test_images)
    assert torch.equal(rest.labels, digits.test_labels)


def test_the_inverted_digits_are_white_where_the_digits_are_black(digits):
    plain, inverted = (unseen(digits, target).images for target in ("digits", "inverted"))
    assert torch.equal(inverted, -plain)


def test_a_fine_tuning_starts_with_the_trained_layers_and_a_new_head(pretrained):
    found = difference(start(Variant("any"), pretrained, 0), pretrained)
    assert [found[layer] for layer in ("conv1", "conv2", "hidden")] == [0, 0, 0]
    # The network of seed 0 began with the head of seed 0, so that one would not be new.
    assert found["output"] > 0.01


def test_from_scratch_only_the_head_is_the_same_as_with_trained_layers(pretrained):
    found = difference(
        start(BY_NAME["from scratch"], pretrained, 5), start(BY_NAME["one rate"], pretrained, 5)
    )
    assert found.pop("output") == 0
    assert min(found.values()) > 0.01


def test_each_seed_has_a_head_of_its_own(pretrained):
    assert (
        difference(*(start(Variant("any"), pretrained, seed) for seed in (1, 2)))["output"] > 0.01
    )


# The first step of Adam moves every parameter that has a gradient by the learning rate.
@pytest.mark.parametrize(
    ("name", "scales"),
    [
        ("from scratch", (1, 1, 1, 1)),
        ("one rate", (1, 1, 1, 1)),
        ("head only", (0, 0, 0, 1)),
        ("head x 10", (1, 1, 1, 10)),
        ("layer decay 0.75", (0.75**3, 0.75**2, 0.75, 1)),
        ("layer decay 0.5", (0.125, 0.25, 0.5, 1)),
        ("layer decay 0.25", (0.25**3, 0.25**2, 0.25, 1)),
    ],
)
def test_the_rules_scale_the_step_of_each_layer(name, scales, pretrained, few):
    found = moved(BY_NAME[name], pretrained, few, lr=0.01)
    assert list(found.values()) == pytest.approx([0.01 * scale for scale in scales], rel=2e-3)


def test_every_variant_is_named_once_and_has_its_scales_tested():
    assert len(BY_NAME) == len(VARIANTS) == 7


def test_the_rate_falls_in_the_same_proportion_for_all_groups(pretrained, few, monkeypatch):
    seen = []

    class Watched(finetune.AdamW):
        def step(self, *arguments, **options):
            seen.append([group["lr"] for group in self.param_groups])
            return super().step(*arguments, **options)

    monkeypatch.setattr(finetune, "AdamW", Watched)
    moved(BY_NAME["layer decay 0.5"], pretrained, few, lr=0.008, steps=4)
    factors = [rates[-1] / 0.008 for rates in seen]
    assert factors == pytest.approx([1, 0.75, 0.5, 0.25])
    for rates in seen:
        assert rates == pytest.approx([rates[-1] * scale for scale in (0.125, 0.25, 0.5, 1)])


@pytest.mark.parametrize(
    ("name", "decayed", "kind"),
    [
        ("backbone to zero", {"conv1", "conv2", "hidden"}, float),
        ("backbone to its start", {"conv1", "conv2", "hidden"}, WeightDecayToStart),
        ("everything", {"conv1", "conv2", "hidden", "output"}, float),
    ],
)
def test_a_decay_is_for_weights_and_biases_of_the_layers_that_it_names(name, decayed, kind):
    groups = param_groups(Model(), [DECAYS[name](3.0)], lr=0.1, weight_decay=0.0)
    found = {param: group["weight_decay"] for group in groups for param in group["param_names"]}
    for param, decay in found.items():
        if param.partition(".")[0] in decayed:
            assert isinstance(decay, kind)
            assert getattr(decay, "weight_decay", decay) == 3
        else:
            assert decay == 0
    assert len(found) == 8


def test_all_but_biases_decays_the_weights():
    groups = param_groups(Model(), [DECAYS["all but biases"](3.0)], lr=0.1, weight_decay=0.0)
    found = {param: group["weight_decay"] for group in groups for param in group["param_names"]}
    assert {param for param, decay in found.items() if decay == 3} == {
        f"{layer}.weight" for layer in ("conv1", "conv2", "hidden", "output")
    }


def test_a_strong_decay_to_the_start_keeps_the_layers_where_they_were(pretrained, few):
    free, held = (
        moved(variant, pretrained, few, lr=0.003, steps=30)
        for variant in (Variant("any"), Variant("held", (DECAYS["backbone to its start"](300.0),)))
    )
    assert all(held[layer] < free[layer] / 2 for layer in ("conv1", "conv2", "hidden"))
    assert held["output"] > free["output"] / 2


def test_the_study_of_rates_runs_every_variant_at_every_rate():
    assert [(variant.name, *rest) for variant, *rest in settings("rates")] == [
        (name, lr, 0.0) for name in BY_NAME for lr in LRS
    ]


def test_the_study_of_schedules_runs_every_schedule_of_the_backbone_at_every_rate():
    assert [(variant.name, *rest) for variant, *rest in settings("schedules")] == [
        (variant.name, lr, 0.0) for variant in finetune.SCHEDULED for lr in LRS
    ]


@pytest.mark.parametrize(
    ("name", "backbone"),
    [
        ("together", [1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]),
        ("waits a third", [0, 0, 1, 3 / 4, 2 / 4, 1 / 4]),
        ("waits two thirds", [0, 0, 0, 0, 1, 1 / 2]),
    ],
)
def test_the_backbone_has_a_schedule_of_its_own_and_the_head_falls_from_the_start(name, backbone):
    (variant,) = (each for each in finetune.SCHEDULED if each.name == name)
    optimizer = finetune.AdamW(param_groups(Model(), variant.rules, lr=0.5))
    schedulers = finetune.make_schedulers(optimizer, variant, total_steps=6)
    seen = []
    for _ in range(6):
        seen.append(
            {
                param: group["lr"]
                for group in optimizer.param_groups
                for param in group["param_names"]
            }
        )
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    falling = [1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]
    assert [rates["output.bias"] for rates in seen] == pytest.approx([0.5 * x for x in falling])
    assert [rates["conv1.weight"] for rates in seen] == pytest.approx([0.5 * x for x in backbone])


def test_the_study_of_decays_runs_every_decay_at_three_rates_and_once_none():
    found = [(variant.name, *rest) for variant, *rest in settings("decays")]
    assert len(found) == len(set(found)) == len(DECAY_LRS) * (1 + len(DECAYS) * len(WEIGHT_DECAYS))
    assert [decay for name, _, decay in found if name == NO_DECAY] == [0.0] * 3


def test_a_row_has_the_accuracy_on_three_kinds_of_images(pretrained, digits, monkeypatch):
    pool, known = unseen(digits, "inverted"), Samples(digits.train_images, digits.train_labels)
    tuned = start(BY_NAME["one rate"], pretrained, 7)
    few, held_out, test = pool.split(20, 7)
    fine_tune(tuned, BY_NAME["one rate"], 0.001, few, Plan(20, 10, 3 / 2, 7))
    bench = Bench(pretrained, pool, known, images=20, steps=3)
    assert bench.row(BY_NAME["one rate"], 0.001, 0.0, 7) == {
        "variant": "one rate",
        "lr": 0.001,
        "weight_decay": 0.0,
        "seed": 7,
        "accuracy": test.accuracy(tuned),
        "held_out": held_out.accuracy(tuned),
        "kept": known.accuracy(tuned),
    }


def without_seconds(path):
    fields = json.loads(path.read_text())
    del fields["seconds"]
    return fields


@pytest.mark.parametrize("study", ["rates", "decays"])
def test_the_command_leaves_the_same_rows_each_time_and_a_chart(
    study, tmp_path, capfd, monkeypatch
):
    monkeypatch.setattr(finetune, "LRS", (0.001, 0.003))
    monkeypatch.setattr(finetune, "DECAY_LRS", (0.003,))
    monkeypatch.setattr(finetune, "WEIGHT_DECAYS", (1.0, 3.0))
    folders = [tmp_path / "a", tmp_path / "b"]
    small = ["--data", "digits", "--epochs", "0.2", "--steps", "2", "--images", "20"]
    for folder in folders:
        arguments = [*small, "--study", study, "--seeds", "3,", "--out", str(folder)]
        assert run_command(main, arguments) == 0
    out = capfd.readouterr().out
    (first,), (second,) = (list(folder.glob("*.json")) for folder in folders)
    assert first.name == second.name
    assert without_seconds(first) == without_seconds(second)
    (grid,) = load_all(folders[0])
    assert grid.configuration["study"] == study
    assert grid.data["name"] == "digits"
    assert len(grid.rows) == (14 if study == "rates" else 9)
    assert out.count("accuracy ") == 2 * (1 + len(grid.rows))
    ElementTree.fromstring(first.with_suffix(".svg").read_text())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--images", "181", "--data", "digits"], "--images 181: at most 180 can be had"),
        (["--images", "0"], "0 is not in the range x>=1"),
        (["--steps", "0"], "0 is not in the range x>=1"),
        (["--study", "all"], "'all' is not one of 'rates', 'decays'"),
        (["--target", "letters"], "'letters' is not one of 'digits', 'inverted'"),
        (["--data", "digits-held-out"], "is not one of 'auto', 'mnist', 'digits'"),
    ],
)
def test_bad_arguments_give_one_line(arguments, message, capfd):
    assert_refused(main, arguments, message, capfd)


def make_grid(rows, **changes):
    configuration = {"study": "rates", "target": "digits", "images": 50} | changes
    names = ("variant", "lr", "weight_decay", "seed", "accuracy", "held_out", "kept")
    return Grid(
        experiment="finetune",
        configuration=configuration,
        data={"name": "small", "sha256": "0" * 64},
        environment={
            "device": "cpu",
            "labml_nn_optim": "0.1.0",
            "processor": "some",
            "python": "3.11.7",
            "threads": 1,
            "torch": "2.14.1",
        },
        seconds=1.0,
        rows=[dict(zip(names, row, strict=True)) for row in rows],
    )


@pytest.fixture
def rates():
    return make_grid(
        [
            ("a", 0.1, 0.0, 1, 0.9, 0.5, 0.1),
            ("a", 0.1, 0.0, 0, 0.8, 0.5, 0.2),
            ("a", 0.01, 0.0, 0, 0.7, 0.6, 0.3),
            ("a", 0.01, 0.0, 1, 0.6, 0.8, 0.4),
            ("b", 0.1, 0.0, 0, 0.5, 0.4, 0.5),
            ("b", 0.1, 0.0, 1, 0.7, 0.4, 0.5),
        ]
    )


def test_values_are_in_percent_and_in_the_order_of_the_seeds(rates):
    assert values(rates, "a", 0.1) == [80, 90]
    assert values(rates, "a", 0.01, column="kept") == [30, 40]


def test_gains_are_taken_seed_by_seed(rates):
    assert gains(values(rates, "a", 0.1), values(rates, "b", 0.1)) == pytest.approx([30, 20])


def test_the_best_rate_is_chosen_by_the_held_out_images(rates):
    assert best(rates, "a") == (0.01, 0.0)


def test_quartiles_lie_among_the_values():
    assert quartiles([5.0, 1.0, 4.0, 2.0, 3.0]) == (2.0, 3.0, 4.0)
    assert quartiles([7.0]) == (7.0, 7.0, 7.0)


def test_a_grid_is_found_by_study_target_and_images(rates, tmp_path):
    save(rates, tmp_path)
    save(make_grid([("a", 0.1, 0.0, 0, 1.0, 1.0, 1.0)], images=20), tmp_path)
    assert len(find("rates", "digits", 50, tmp_path).rows) == 6
    with pytest.raises(RecordError, match=re.escape(f"{tmp_path}: has no grid of")):
        find("rates", "inverted", 50, tmp_path)


def near(pairs):
    """Return pairs without the last digits."""
    return [(round(one, 9), round(other, 9)) for one, other in pairs]


def test_the_chart_of_rates_has_medians_with_quartiles_over_the_rates(rates):
    panel = rate_panel(rates, ["a", "b"])
    first, second = panel.lines
    assert (first.label, second.label) == ("a", "b")
    assert near(first.points) == [(0.01, 65), (0.1, 85)]
    assert near(first.band) == [(62.5, 67.5), (82.5, 87.5)]
    assert near(second.points) == [(0.1, 60)]
    assert panel.x_title == "learning rate"
    assert panels(rates) == [panel]
    ElementTree.fromstring(to_svg(line_chart([panel])))


def test_the_chart_of_decays_has_a_panel_for_each_rate_and_a_level_line_without_decay():
    rows = [(NO_DECAY, lr, 0.0, 0, lr, 0.0, 0.5) for lr in (0.1, 0.2)] + [
        ("a", lr, decay, 0, decay / 100, 0.0, 0.5) for lr in (0.2, 0.1) for decay in (1.0, 3.0)
    ]
    grid = make_grid(rows, study="decays")
    first, second = panels(grid)
    assert first.subtitle.startswith("learning rate 0.1,")
    assert second.subtitle.startswith("learning rate 0.2,")
    level, rising = second.lines
    assert near(level.points) == [(1, 20), (3, 20)]
    assert near(rising.points) == [(1, 1), (3, 3)]
    (kept,) = decay_panel(grid, ["a"], 0.1, "kept").lines
    assert kept.points == [(1, 50), (3, 50)]


@pytest.mark.parametrize(
    ("study", "target", "rows"),
    [
        ("rates", "digits", 420),
        ("rates", "inverted", 420),
        ("decays", "digits", 510),
        ("schedules", "digits", 240),
    ],
)
def test_the_committed_results_are_ten_seeds_of_every_setting(study, target, rows):
    grid = find(study, target, 50)
    assert {row["seed"] for row in grid.rows} == set(range(10))
    expected = [(variant.name, *rest) for variant, *rest in settings(study)]
    found = [(row["variant"], row["lr"], row["weight_decay"]) for row in grid.rows]
    assert found == [setting for setting in expected for _ in range(10)]
    assert len(found) == rows
    assert grid.data["name"] == "mnist"
    assert grid.configuration["steps"] == 100


def test_the_committed_files_have_the_names_that_the_command_gives_them():
    assert {path.name for path in FOLDER.glob("*.json")} == {
        grid.file_name for grid in load_all(FOLDER)
    }


def tables_of_the_chapter():
    """The cells of both tables of the chapter, a list for each row."""
    lines = (finetune.__doc__ or "").splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line[:2] == "| "]
    first = next(index for index, row in enumerate(rows) if row[1] == "decay of")
    return rows[1:first], rows[first + 1 :]


def expected_row(grid, variant):
    found = values(grid, variant, *best(grid, variant))
    low, median, high = quartiles(found)
    lr, _ = best(grid, variant)
    cells = [f"{lr:g}", f"{median:.1f}", f"{low:.1f} to {high:.1f}"]
    if variant == "one rate":
        return [*cells, "", ""]
    gained = gains(found, values(grid, "one rate", *best(grid, "one rate")))
    ahead = sum(gain > 0 for gain in gained)
    return [*cells, f"{statistics.median(gained):+.1f}", str(ahead)]


def test_the_first_table_of_the_chapter_has_each_rule_at_its_best_rate():
    first, _ = tables_of_the_chapter()
    expected = [
        [target, variant.name, *expected_row(find("rates", target, 50), variant.name)]
        for target in ("digits", "inverted")
        for variant in VARIANTS
    ]
    assert first == expected


def test_the_second_table_of_the_chapter_has_the_medians_under_decay():
    grid = find("decays", "digits", 50)
    expected = []
    for lr in (0.001, 0.01):
        for name in DECAYS:
            found = [values(grid, NO_DECAY, lr)]
            found += [values(grid, name, lr, decay) for decay in WEIGHT_DECAYS]
            expected.append(
                [f"{lr:g}", name, *(f"{statistics.median(each):.1f}" for each in found)]
            )
    assert tables_of_the_chapter()[1] == expected


# What the text says about the gains of one run over another: their median, and with how many seeds.
@pytest.mark.parametrize(
    ("one", "other", "median", "ahead"),
    [
        (("layer decay 0.25", 0.01), ("one rate", 0.01), 6.3, 10),
        (("layer decay 0.25", 0.03), ("one rate", 0.03), 74.6, 10),
        (("layer decay 0.25", 0.0003), ("one rate", 0.0003), -16.2, 0),
        (("layer decay 0.25", 0.001), ("one rate", 0.001), -1.7, 2),
        (("backbone to its start", 0.01, 30.0), (NO_DECAY, 0.01), 7.2, 10),
        (("backbone to its start", 0.01, 30.0), ("one rate", 0.001), 1.3, 8),
        (("backbone to its start", 0.01, 30.0), ("head only", 0.01), 0.7, 9),
        (("backbone to zero", 0.001, 30.0), (NO_DECAY, 0.001), -3.9, 0),
        (("backbone to zero", 0.01, 3.0), (NO_DECAY, 0.01), 2.7, 8),
        (("all but biases", 0.001, 30.0), ("everything", 0.001, 30.0), -0.3, 0),
    ],
)
def test_the_gains_of_the_text_are_those_of_the_results(one, other, median, ahead):
    rates, decays = find("rates", "digits", 50), find("decays", "digits", 50)
    named = {variant.name for variant in VARIANTS}
    gained = gains(*(values(rates if each[0] in named else decays, *each) for each in (one, other)))
    assert round(statistics.median(gained), 1) == median
    assert sum(gain > 0 for gain in gained) == ahead


def test_the_page_on_tags_has_the_medians_of_the_results():
    grid = find("schedules", "digits", 50)
    page = (Path(finetune.__file__).parents[1] / "docs_src" / "tags.md").read_text()
    names = {
        "learns with the head": "together",
        **{name: name for name in ("waits a third", "waits two thirds", "warms up for a half")},
    }
    for label, variant in names.items():
        medians = [values(grid, variant, lr) for lr in LRS[1:]]
        medians.append(values(grid, variant, 0.001, column="kept"))
        cells = " | ".join(f"{statistics.median(found):.1f}" for found in medians)
        assert f"| {label} | {cells} |" in page


def test_waiting_gains_nothing_at_the_best_rate_and_saves_the_largest():
    grid = find("schedules", "digits", 50)
    together = values(grid, "together", *best(grid, "together"))
    for variant, median in (
        ("waits a third", 0.04),
        ("waits two thirds", -0.57),
        ("warms up for a half", -0.76),
    ):
        gained = gains(values(grid, variant, *best(grid, variant)), together)
        assert statistics.median(gained) == pytest.approx(median, abs=0.01)
        assert 40 < statistics.median(values(grid, variant, 0.03)) < 68
    assert statistics.median(values(grid, "together", 0.03)) < 12


def test_decay_to_the_start_does_next_to_nothing_at_the_best_rate():
    grid = find("decays", "digits", 50)
    free = values(grid, NO_DECAY, 0.001)
    for decay in WEIGHT_DECAYS:
        gained = gains(values(grid, "backbone to its start", 0.001, decay), free)
        assert abs(statistics.median(gained)) < 0.2


def test_biases_make_no_more_than_four_tenths_of_a_point():
    grid = find("decays", "digits", 50)
    for lr in DECAY_LRS:
        for decay in WEIGHT_DECAYS:
            runs = (values(grid, name, lr, decay) for name in ("all but biases", "everything"))
            assert abs(statistics.median(gains(*runs))) < 0.45


@pytest.mark.parametrize(
    ("study", "setting", "kept"),
    [
        ("rates", ("one rate", 0.001), 59.0),
        ("rates", ("layer decay 0.25", 0.01), 66.5),
        ("rates", ("head only", 0.03), 72.2),
        ("decays", ("backbone to its start", 0.01, 30.0), 69.5),
        ("decays", ("backbone to zero", 0.01, 30.0), 24.1),
    ],
)
def test_the_text_says_what_is_kept_of_mnist(study, setting, kept):
    found = values(find(study, "digits", 50), *setting, column="kept")
    assert f"{statistics.median(found):.1f}" == f"{kept}"


def test_the_exercises_of_the_chapter_run():
    text = Path(finetune.__file__).read_text(encoding="utf-8")
    lines = [line.removeprefix("# ") if line != "#" else "" for line in text.splitlines()]
    blocks = re.findall(r"^```python\n(.*?)^```", "\n".join(lines), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        exec(compile(block, "exercise", "exec"), {})
