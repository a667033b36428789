import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from site_gen.layers import Sizes, draw

SIZES = Sizes(width=100, column_gap=20, row_gap=10)


@st.composite
def layered(draw_: st.DrawFn):
    """Nodes in columns, heights, and some of the edges that lead to the right."""
    counts = draw_(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    columns = {f"{c}{n}": c for c, count in enumerate(counts) for n in range(count)}
    possible = [(a, b) for a in columns for b in columns if columns[a] < columns[b]]
    edges = draw_(st.lists(st.sampled_from(possible), unique=True)) if possible else []
    heights = {name: draw_(st.sampled_from([20.0, 40.0])) for name in columns}
    return columns, edges, heights


@given(layered())
def test_boxes_do_not_overlap_and_lie_within_the_drawing(graph):
    columns, edges, heights = graph
    drawing = draw(columns, edges, heights, SIZES)
    for name, (x, y) in drawing.places.items():
        assert x == columns[name] * 120
        assert -0.01 <= y <= drawing.height - heights[name] + 0.01
        assert x + 100 <= drawing.width
    for one, other in itertools.combinations(columns, 2):
        if columns[one] == columns[other]:
            (_, top), (_, second) = drawing.places[one], drawing.places[other]
            upper, lower = (one, other) if top < second else (other, one)
            gap = drawing.places[lower][1] - drawing.places[upper][1] - heights[upper]
            assert gap >= 10 - 0.01


@given(layered())
def test_an_edge_goes_from_box_to_box_and_passes_none_between(graph):
    columns, edges, heights = graph
    drawing = draw(columns, edges, heights, SIZES)
    for (start, end), points in drawing.edges.items():
        for name, (x, y), side in ((start, points[0], 100), (end, points[-1], 0)):
            left, top = drawing.places[name]
            assert (x, y) == pytest.approx((left + side, top + heights[name] / 2))
        for x, y in points[1:-1]:
            for name, (left, top) in drawing.places.items():
                inside = left <= x <= left + 100 and top < y < top + heights[name]
                assert not inside
    assert set(drawing.edges) == set(edges)


def test_edges_that_would_cross_are_sorted_apart():
    columns = {"a": 0, "b": 0, "c": 1, "d": 1}
    drawing = draw(columns, [("a", "d"), ("b", "c")], dict.fromkeys(columns, 20.0), SIZES)
    heights = {name: y for name, (_, y) in drawing.places.items()}
    assert (heights["a"] < heights["b"]) == (heights["d"] < heights["c"])


def test_a_chain_is_drawn_as_a_line():
    drawing = draw(
        {"a": 0, "b": 1, "c": 2}, [("a", "b"), ("b", "c")], {"a": 20, "b": 40, "c": 20}, SIZES
    )
    middles = [points[0][1] for points in drawing.edges.values()]
    assert middles == [20, 20]
    assert drawing.height == 40


def test_an_edge_that_leads_back_is_refused():
    with pytest.raises(ValueError, match="edge 'b' to 'a' must lead to a later column"):
        draw({"a": 0, "b": 1}, [("b", "a")], {"a": 1, "b": 1}, SIZES)


def test_nothing_is_drawn_of_nothing():
    assert draw({}, [], {}, SIZES).height == 0
