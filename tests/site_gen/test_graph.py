from hypothesis import given
from hypothesis import strategies as st

from site_gen.graph import direct, find_cycle, reading_order, reverse


@st.composite
def graphs(draw) -> dict[str, list[str]]:
    """A graph without cycles: each name needs some of the names before it."""
    names = [str(number) for number in range(draw(st.integers(0, 9)))]
    return {
        name: draw(st.lists(st.sampled_from(names[:index]), unique=True)) if index else []
        for index, name in enumerate(names)
    }


def reachable(needs, name) -> set[str]:
    return set(needs[name]).union(*(reachable(needs, other) for other in needs[name]))


@given(graphs())
def test_every_name_stands_after_what_it_needs(needs):
    order = reading_order(needs)
    assert sorted(order) == sorted(needs)
    assert all(order.index(other) < order.index(name) for name in needs for other in needs[name])


@given(graphs())
def test_the_short_graph_reaches_what_the_long_one_does_and_no_edge_can_go(needs):
    short = direct(needs)
    for name in needs:
        assert set(short[name]) <= set(needs[name])
        assert reachable(short, name) == reachable(needs, name)
        for other in short[name]:
            without = short | {name: [third for third in short[name] if third != other]}
            assert other not in reachable(without, name)


def test_the_short_graph_keeps_the_order_in_which_needs_are_written():
    needs = {"base": [], "sgd": ["base"], "adam": ["base"], "new": ["base", "sgd", "adam", "sgd"]}
    assert direct(needs)["new"] == ("sgd", "adam")


def test_reversed_edges_say_what_builds_on_a_name():
    assert reverse({"a": [], "b": ["a"], "c": ["a", "b"]}) == {
        "a": ("b", "c"),
        "b": ("c",),
        "c": (),
    }


def test_a_cycle_is_found_with_its_names():
    cycle = find_cycle({"a": ["c"], "b": ["a"], "c": ["b"], "d": []})
    assert cycle[0] == cycle[-1]
    assert set(cycle) == {"a", "b", "c"}
    assert find_cycle({"a": [], "b": ["a"]}) == ()
