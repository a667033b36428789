import itertools
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.curves import (
    DRAWN_POINTS,
    MOST_READINGS,
    PALETTE,
    group_by_rate,
    group_by_seed,
    learning_curves,
    log_ticks,
    seed_bands,
    thinned,
    to_page_svg,
)
from experiments.drawing import to_png, to_svg
from tests.experiments.examples import make_record
from tests.site_gen.modules import ROOT

SVG = "{http://www.w3.org/2000/svg}"


def draw(records, **words):
    words = {"title": "Adam on MNIST", "description": "It learns."} | words
    return to_page_svg(learning_curves(records), **words)


def panels(page):
    return ElementTree.fromstring(page).findall(f"{SVG}svg")


@pytest.fixture(scope="module")
def records():
    return [
        make_record(points=250, value=value, seed=seed, optimizer=optimizer)
        for optimizer, value in (("radam", 0.5), ("adam", 0.25))
        for seed, value in ((0, value), (1, value / 2), (2, value * 1.5))
    ]


@pytest.fixture(scope="module")
def page(records):
    return draw(records)


def test_seeds_of_one_configuration_are_one_line_in_the_order_of_appearance(records):
    groups = group_by_seed(records)
    assert list(groups) == ["radam", "adam"]
    assert [record.seed for record in groups["adam"]] == [0, 1, 2]


def test_configurations_of_one_optimizer_are_told_apart_by_what_differs():
    runs = [make_record(), make_record(lr=0.01), make_record(optimizer="radam", seed=3)]
    assert list(group_by_seed(runs)) == ["adam, lr 0.001", "adam, lr 0.01", "radam"]
    assert list(group_by_rate(runs)) == ["adam", "radam"]


def test_options_that_were_set_belong_to_the_label():
    runs = [make_record(options={"betas": (0.5, 0.9)}), make_record(options={"eps": 1e-7})]
    assert list(group_by_seed(runs)) == ["adam, betas [0.5, 0.9]", "adam, eps 1e-07"]


def test_the_band_reaches_from_the_least_to_the_greatest_seed_around_the_median():
    runs = [[(1, 0.5)], [(1, 0.1)], [(1, 0.2)]]
    assert seed_bands(runs) == [{"step": 1, "median": 0.2, "low": 0.1, "high": 0.5}]


def test_a_null_of_one_seed_leaves_the_others():
    runs = [[(1, None), (2, None)], [(1, 0.5), (2, None)]]
    assert [(band["step"], band["median"]) for band in seed_bands(runs)] == [(1, 0.5)]


@given(st.integers(1, 300))
def test_the_drawn_training_loss_has_few_points_each_the_mean_since_the_one_before(count):
    points = [(10 * index, float(index)) for index in range(1, count + 1)]
    drawn = thinned(points)
    assert len(drawn) <= DRAWN_POINTS
    assert drawn[0] == points[0]
    assert drawn[-1][0] == points[-1][0]
    steps = [0, *(step for step, _ in drawn)]
    for (before, step), (_, value) in zip(itertools.pairwise(steps), drawn, strict=True):
        # The mean of consecutive indices is that of the first and the last.
        assert value == pytest.approx((before / 10 + 1 + step / 10) / 2)


def test_a_mean_over_a_diverged_point_is_not_drawn():
    assert thinned([(1, None)] * 3) == [(1, None)] * 3
    assert all(value is None for _, value in thinned([(1, 0.5), (2, None)] * 150)[-20:])


@pytest.mark.parametrize("value", [None, 0.0])
def test_a_run_without_a_drawable_loss_still_has_a_chart(value):
    assert len(panels(draw([make_record(value=value)]))) == 2


def test_a_log_axis_has_ticks_at_ones_twos_and_fives_within_the_values():
    assert log_ticks([0.03, 0.7]) == [0.05, 0.1, 0.2, 0.5]
    assert log_ticks([1.0, 5.0, 2.5]) == [1.0, 2.0, 5.0]
    assert log_ticks([0.3, 0.31]) == []
    assert log_ticks([]) == []


def test_no_record_is_an_error():
    with pytest.raises(ValueError, match="at least one record"):
        learning_curves([])


def test_the_loss_has_a_log_axis(records):
    loss, accuracy = learning_curves(records)["hconcat"]
    assert loss["layer"][1]["encoding"]["y"]["scale"]["type"] == "log"
    assert "type" not in accuracy["layer"][1]["encoding"]["y"]["scale"]


def test_the_chart_is_the_same_each_time(records, page):
    assert draw(records) == page
    assert to_svg(learning_curves(records)) == to_svg(learning_curves(records))


def test_the_files_are_a_whole_svg_and_a_png(records):
    spec = learning_curves(records)
    root = ElementTree.fromstring(to_svg(spec))
    assert root.tag == f"{SVG}svg"
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert {"loss", "test accuracy in %", "adam", "radam", "step"} <= set(texts)
    assert to_png(spec).startswith(b"\x89PNG\r\n")


def test_the_page_has_a_panel_for_loss_and_one_for_accuracy_each_with_a_legend(page):
    assert len(panels(page)) == 2
    for panel, name in zip(panels(page), ["loss", "test accuracy in %"], strict=True):
        texts = [element.text for element in panel.iter(f"{SVG}text")]
        assert name in texts
        assert texts.count("adam") == texts.count("radam") == 1


def test_a_panel_is_an_image_with_a_title_and_a_description(page):
    for panel in panels(page):
        assert panel.get("role") == "img"
        named = {element.get("id"): element for element in panel.iter() if element.get("id")}
        assert named[panel.get("aria-labelledby")].text == "Adam on MNIST"
        assert named[panel.get("aria-describedby")].text == "It learns."


def test_title_and_description_cannot_break_out_of_the_page(records):
    page = draw(records, title="<script>x</script>", description='"</svg><b>&')
    assert "<script" not in page
    assert "<b>" not in page
    (title, *_) = panels(page)[0]
    assert title.text == "<script>x</script>"


def test_identifiers_are_unique_on_a_page_with_several_charts(records, page):
    whole = page + draw(records, title="another") + draw(records[:3])
    identifiers = re.findall(r'\bid="([^"]+)"', whole)
    assert len(identifiers) == len(set(identifiers)) == 12
    references = re.findall(r"url\(#([^)]+)\)", whole)
    assert set(references) <= set(identifiers)


def test_colours_are_the_pages(page):
    colours = set(re.findall(r'(?:fill|stroke)="([^"]+)"', page))
    first, second = (f"var(--curve-{i + 1}, {PALETTE[i]})" for i in range(2))
    assert colours == {first, second, "currentColor", "none", "transparent"} & colours
    assert {first, second, "currentColor"} <= colours
    assert {"curve-1", "curve-2"} <= set(re.findall(r'class="([^"]+)"', page))


@pytest.mark.parametrize("scheme", ["default", "slate"])
def test_the_page_has_a_colour_for_each_line_that_is_seen_well(scheme):
    style = (ROOT / "docs_src/assets/site.css").read_text()
    (rules,) = re.findall(rf'\[data-md-color-scheme="{scheme}"\] {{(.*?)}}', style, re.S)
    colours = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", rules))
    lines = [colours[f"curve-{number + 1}"] for number in range(len(PALETTE))]
    assert len(set(lines)) == len(lines)
    for colour in lines:
        assert contrast(colour, colours["md-default-bg-color"]) >= 4.5


def contrast(one, other):
    """As the Web Content Accessibility Guidelines 2.2 define it."""
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour):
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(weight * p for weight, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_the_panel_fits_any_width_and_carries_no_font_style_or_script(page):
    for panel in panels(page):
        assert panel.get("width") == "100%"
        assert panel.get("height") is None
        assert re.fullmatch(r"0 0 \d+ \d+", panel.get("viewBox"))
    for unwanted in ("font-family", "style=", "<style", "<script", "http-equiv", "href"):
        assert unwanted not in page


def test_values_can_be_read_from_invisible_strokes(page):
    for panel, name, last in zip(panels(page), ("loss", "accuracy"), (250, 100), strict=True):
        readings = panel.findall(f".//{SVG}line[@class='curve-reading']")
        titles = [reading.findtext(f"{SVG}title") for reading in readings]
        assert MOST_READINGS / 2 < len(readings) <= MOST_READINGS
        assert all(reading.get("opacity") == "0" for reading in readings)
        assert titles[-1].startswith(f"{name} at step {last}\nradam, t")
        assert all("adam, test: " in title for title in titles[3:])
    assert "radam, train: 0.5" in page
    assert "adam, whole test set: 25.00 %" in page


def test_the_chart_of_a_page_is_small(page):
    assert len(page) < 60_000
