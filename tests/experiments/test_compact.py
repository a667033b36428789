import itertools
import math
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.compact import FLAT, compact
from experiments.polylines import simplified

POINT = st.tuples(st.floats(0, 340), st.floats(0, 240))


def shortened(name: str, value: str) -> str:
    root = ElementTree.fromstring(f'<svg><g {name}="{value}"/></svg>')
    compact(root)
    return root[0].get(name)


def test_a_straight_line_needs_two_points():
    assert simplified([(x, 2.0 * x) for x in range(9)], 1.0) == [(0, 0), (8, 16)]
    corner = [(0.0, 0.0), (5.0, 0.1), (10.0, 0.0), (10.0, 10.0)]
    assert simplified(corner, 1.0) == [(0, 0), (10, 0), (10, 10)]


@given(st.lists(POINT, min_size=2, max_size=20), st.floats(5, 40))
def test_what_is_left_out_lies_near_to_what_is_drawn(line, flat):
    found = simplified(line, flat)
    assert (found[0], found[-1]) == (line[0], line[-1])
    # A hundred points of each piece, of which none is longer than 420.
    drawn = [
        (a + share / 100 * (c - a), b + share / 100 * (d - b))
        for (a, b), (c, d) in itertools.pairwise(found)
        for share in range(101)
    ]
    for point in line:
        assert min(math.dist(point, place) for place in drawn) <= flat + 2.1


def test_a_line_keeps_its_corners_and_its_gaps():
    drawn = "M0,0L1,1.001L2,2L2.96,2ZM5,0L6.0444,-0.01L7,0"
    assert shortened("d", drawn) == "M0,0L2,2 3,2ZM5,0L7,0"


def test_a_curve_keeps_all_its_points():
    bend = "M" + "L".join(f"{x},{(x - 50) ** 2 / 10}" for x in range(0, 101, 10))
    corners = shortened("d", bend).replace("L", " ").split(" ")
    assert len(corners) == 11
    assert FLAT < 1


@pytest.mark.parametrize(
    ("value", "short"),
    [
        ("translate(57.142857142857146,-0.01)", "translate(57.1,0)"),
        ("translate(0.5,240.5)", "translate(0.5,240.5)"),
        ("rotate(-90) translate(1e-7,12)", "rotate(-90) translate(0,12)"),
    ],
)
def test_places_are_tenths(value, short):
    assert shortened("transform", value) == short


def test_other_shapes_are_rounded_only():
    circle = "M2.3457,0A2.3457,2.3457,0,1,1,-2.3457,0A2.3457,2.3457,0,1,1,2.3457,0"
    assert shortened("d", circle) == "M2.3,0A2.3,2.3,0,1,1,-2.3,0A2.3,2.3,0,1,1,2.3,0"
