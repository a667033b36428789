import math
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from experiments import pages, plots
from experiments.plots import PLOTS
from labml_nn_optim import RAdam, optimizer_names

EXPERIMENTS = ("counterexample", "averaging", "finetune", "widths", "recipes")
PARTS = {
    "layer_decay": "param_groups",
    "depth": "param_groups",
    "rules": "param_groups",
    "no_decay": "param_groups",
    "start": "decays",
    "width": "param_groups",
    "cautious": "decays",
    "l1": "decays",
    "weight_decay": "",
}
PROSE = ("tags",)
DOTTED = ("experiments.decay",)
SVG = "{http://www.w3.org/2000/svg}"


def lines(plot, panel=0):
    return {(line.label, line.kind): dict(line.points) for line in plot.panels[panel].lines}


def test_every_plot_belongs_to_a_chapter():
    assert set(PLOTS) <= {*optimizer_names(), *EXPERIMENTS, *PARTS, *PROSE, *DOTTED}


@pytest.mark.parametrize("name", PLOTS)
def test_a_chapter_shows_its_plots_with_a_caption_as_well_formed_html(name):
    part = ".".join(filter(None, ("labml_nn_optim", PARTS.get(name, "optimizers"))))
    folder = "experiments" if name in EXPERIMENTS else part
    figures = list(plots.figures(name if name in (*PROSE, *DOTTED) else f"{folder}.{name}"))
    assert len(figures) == len(PLOTS[name])
    for figure in figures:
        body = ElementTree.fromstring(f"<body>{figure.html}</body>")
        assert body.findall(f".//{SVG}svg")
        assert body.find(".//p[@class='curve-conditions']") is not None
    assert len({figure.anchor for figure in figures}) == len(figures)


@pytest.mark.parametrize("name", ["counterexample", "averaging", "tags", "width", "no_decay", "l1"])
def test_a_plot_of_results_brings_the_files_that_it_was_drawn_from(name):
    for plot in (make() for make in PLOTS[name]):
        figure = plots.draw(plot)
        assert all(path.is_file() for path in plot.records)
        assert {path for path in figure.files.values() if path.suffix == ".json"} == {*plot.records}
        assert bool(plot.records) == ("<code>python -m" in plot.caption)


def test_other_chapters_have_none():
    for module in ("labml_nn_optim.base", "experiments.mnist", "labml_nn_optim.optimizers.adam"):
        assert list(plots.figures(module)) == []
    assert list(plots.figures("groups")) == []


def test_a_chapter_of_prose_shows_the_plots_of_its_name():
    prose = SimpleNamespace(module=None, name="averaging", text="")
    program = SimpleNamespace(module="experiments.averaging", name="experiments/averaging", text="")
    plugin = pages.Plugin()
    (figure,) = plugin.figures(prose)
    assert [figure] == list(plugin.figures(program))
    assert figure.anchor == "averages"


def test_two_chapters_of_one_name_have_their_own_plots():
    anchors = [figure.anchor for figure in plots.figures("experiments.decay")]
    assert anchors == ["decay-losses", "decay-norms", "decay-zeros", "decay-rates"]
    assert list(plots.figures("labml_nn_optim.schedules.decay")) == []


def test_a_plot_comes_before_the_runs_on_the_page():
    chapter = SimpleNamespace(module="labml_nn_optim.optimizers.radam", text="")
    assert next(iter(pages.Plugin().figures(chapter))).anchor == "rectification"


def test_an_unchanged_chart_is_drawn_once(monkeypatch):
    calls = []
    draw = plots.to_page_svg
    monkeypatch.setattr(plots, "to_page_svg", lambda *a, **k: calls.append(1) or draw(*a, **k))
    plots._drawn.cache_clear()
    for _ in range(2):
        list(plots.figures("labml_nn_optim.optimizers.radam"))
    assert len(calls) == 1


def test_the_rectification_is_the_librarys_and_missing_where_the_library_has_none():
    drawn = lines(plots.rectification())
    assert list(drawn) == [(f"β₂ = {beta2}", "") for beta2 in ("0.9", "0.99", "0.999", "0.9999")]
    for (label, _), points in drawn.items():
        beta2 = float(label.split()[-1])
        for step, value in points.items():
            expected = RAdam.calc_rectification_term(beta2, step)
            assert math.isnan(value) if expected is None else value == expected
        assert max(points) == 100_000
        assert math.isnan(points[1])


def test_a_change_of_the_library_changes_the_plot(monkeypatch):
    monkeypatch.setattr(RAdam, "calc_rectification_term", staticmethod(lambda beta2, step: 0.25))
    assert set(lines(plots.rectification())["β₂ = 0.9", ""].values()) == {0.25}


def test_noam_rises_to_its_warm_up_and_falls_like_one_over_the_root():
    drawn = lines(plots.noam_rates())
    assert len(drawn) == 4
    for (label, _), points in drawn.items():
        width, warmup = (int(part.split()[-1]) for part in label.split(","))
        assert max(points, key=points.__getitem__) == warmup
        assert points[warmup] == pytest.approx((width * warmup) ** -0.5, rel=1e-12)
        assert points[20_000] == pytest.approx((width * 20_000) ** -0.5, rel=1e-12)
        assert points[100] == pytest.approx(points[warmup] * 100 / warmup, rel=1e-12)


def test_the_cosine_starts_at_the_end_of_the_warm_up_and_stays_at_a_tenth():
    for (label, _), points in lines(plots.cosine_factor()).items():
        warmup = int(label.split()[-1])
        assert points[max(1, warmup)] == pytest.approx(1, abs=1e-6)
        assert [points[step] for step in (10_000, 12_000, 14_000)] == pytest.approx([0.1] * 3)


def test_the_bounds_meet_at_the_final_rate_and_the_faster_ones_sooner():
    drawn = lines(plots.bounds())
    assert list(drawn) == [
        *(("upper bound", "γ = 0.001"), ("lower bound", "γ = 0.001")),
        *(("upper bound", "γ = 0.01"), ("lower bound", "γ = 0.01")),
    ]
    for (label, kind), points in drawn.items():
        gamma = float(kind.split()[-1])
        assert points[1_000_000] == pytest.approx(0.1, rel=0.002)
        expected = 1 + 1 / gamma if label == "upper bound" else 1 - 1 / (gamma + 1)
        assert points[1] == pytest.approx(0.1 * expected, rel=1e-12)
