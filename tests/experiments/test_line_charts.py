import math
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.curves import MOST_READINGS, to_page_svg
from experiments.drawing import to_svg
from experiments.line_charts import Line, Panel, line_chart, logarithmic_steps

SVG = "{http://www.w3.org/2000/svg}"


def draw(*panels):
    page = to_page_svg(line_chart(panels), title="A chart", description="Lines.")
    return ElementTree.fromstring(page).findall(f"{SVG}svg")


def texts(panel):
    return [element.text for element in panel.iter(f"{SVG}text")]


def readings(panel):
    strokes = panel.findall(f".//{SVG}line[@class='curve-reading']")
    return [stroke.findtext(f"{SVG}title") for stroke in strokes]


@given(st.integers(1, 50), st.integers(100, 10**7), st.integers(2, 200))
@settings(deadline=None)
def test_logarithmic_steps_reach_from_the_first_to_the_last_and_rise(first, last, count):
    steps = logarithmic_steps(first, last, count)
    assert (steps[0], steps[-1]) == (first, last)
    assert steps == sorted(set(steps))
    assert len(steps) <= count


def test_each_panel_has_its_title_subtitle_and_one_entry_of_the_legend_for_each_label():
    lines = [Line(label, [(1, 1.0), (10, 2.0)], kind=kind) for label in "ab" for kind in ("x", "y")]
    first, second = draw(Panel("up", "one", lines), Panel("down", "two", lines[:1]))
    assert {"up", "one"} <= set(texts(first))
    assert texts(first).count("a") == texts(first).count("b") == 1
    assert {"down", "two"} <= set(texts(second))
    assert "b" not in texts(second)


def test_the_second_kind_of_line_is_dashed():
    points = [(1, 1.0), (10, 2.0)]
    (panel,) = draw(Panel("y", "", [Line("a", points, kind="x"), Line("a", points, kind="z")]))
    dashes = [path.get("stroke-dasharray") for path in panel.iter(f"{SVG}path")]
    assert dashes.count("5,3") == 1


def test_what_is_dashed_in_a_panel_does_not_depend_on_the_panel_beside_it():
    points = [(1, 1.0), (10, 2.0)]
    plain = Panel("y", "", [Line("a", points)])
    two = Panel("y", "", [Line("a", points, kind="x"), Line("b", points, kind="z")])
    drawn = ElementTree.fromstring(to_svg(line_chart([plain, two])))
    lines = [path for path in drawn.iter(f"{SVG}path") if path.get("stroke-width") == "1.6"]
    assert [path.get("stroke-dasharray") == "5,3" for path in lines] == [False, False, True]


def test_logarithmic_axes_are_labelled_at_powers_of_ten():
    line = Line("a", [(1, 0.02), (2000, 30.0)])
    (panel,) = draw(Panel("y", "", [line], log_y=True))
    assert texts(panel)[:7] == ["1", "10", "100", "1k", "step", "0.1", "1"]


def test_a_linear_axis_begins_at_zero_and_has_even_labels():
    line = Line("a", [(0, 0.0), (4000, 30.0)])
    (panel,) = draw(Panel("y", "", [line], log_x=False))
    assert {"1k", "2k", "3k", "4k", "10", "20", "30"} <= set(texts(panel))


def test_what_is_not_a_number_is_neither_drawn_nor_read_out_and_keeps_its_place_on_the_axis():
    steps = logarithmic_steps(1, 1000, 20)
    line = Line("a", [(step, math.nan if step < 100 else 1.0) for step in steps])
    (panel,) = draw(Panel("y", "", [line]))
    assert "1" in texts(panel)
    assert (
        min(int(text.split("\n")[0].split()[-1].replace(",", "")) for text in readings(panel))
        >= 100
    )


def test_values_of_all_lines_can_be_read_at_few_places_the_last_step_among_them():
    lines = [
        Line("a", [(step, step / 3) for step in range(1, 501)]),
        Line("b", [(step, 2.0) for step in range(1, 501)], kind="x"),
    ]
    (panel,) = draw(Panel("speed", "", lines, digits=4))
    assert MOST_READINGS / 2 < len(readings(panel)) <= MOST_READINGS
    assert readings(panel)[-1] == "speed at step 500\na: 166.7\nb, x: 2"


def test_a_band_is_shaded_from_its_least_to_its_greatest_value():
    line = Line("a", [(1, 0.0), (10, 0.0)], band=[(-1.0, 1.0), (-2.0, 2.0)])
    plain = to_svg(line_chart([Panel("y", "", [Line("a", line.points)])]))
    banded = to_svg(line_chart([Panel("y", "", [line])]))
    assert "mark-area" not in plain
    assert "mark-area" in banded


@pytest.mark.parametrize("count", [1, 2, 9])
def test_the_same_panels_give_the_same_chart(count):
    panels = [Panel("y", "", [Line(str(n), [(1, n), (9, n)]) for n in range(count)])]
    assert to_svg(line_chart(panels)) == to_svg(line_chart(panels))


def test_the_x_axis_may_show_something_else_than_steps():
    line = Line("a", [(0.001, 1.0), (0.01, 2.0)])
    (panel,) = draw(Panel("y", "", [line], x_title="learning rate"))
    assert texts(panel)[:3] == ["0.001", "0.01", "learning rate"]
    assert readings(panel)[0] == "y at learning rate 0.001\na: 1"


def test_a_line_is_cut_off_where_the_range_of_the_y_axis_ends():
    line = Line("a", [(0, 10.0), (1, 90.0)], [(5.0, 20.0), (80.0, 95.0)])
    (panel,) = draw(Panel("y", "", [line], log_x=False, y_range=(60, 100)))
    labels = [text for text in texts(panel) if text.isdecimal()]
    assert {"60", "100"} <= set(labels)
    assert not {"20", "40"} & set(labels)
    assert panel.findall(f".//{SVG}clipPath")
    (whole,) = draw(Panel("y", "", [line], log_x=False))
    assert {"20", "40"} <= set(texts(whole))
    assert not whole.findall(f".//{SVG}clipPath")
