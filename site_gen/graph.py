"""The graph of what to read first: its cycles, its shortest form, and what builds on what."""

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter


def reading_order(needs: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Return all names so that each stands after those that it needs.

    `needs` maps every name to the names to read first. Raises CycleError (a ValueError) whose
    second argument is the cycle.
    """
    return tuple(TopologicalSorter(needs).static_order())


def find_cycle(needs: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Return names that need each other in a circle, the first one again at the end, or none."""
    try:
        reading_order(needs)
    except CycleError as error:
        return tuple(error.args[1])
    return ()


def direct(needs: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """Return the graph without the edges that a longer way says already, in the order given.

    That is its transitive reduction; the graph must have no cycles.
    """
    behind: dict[str, set[str]] = {}
    for name in reading_order(needs):
        wanted = set(needs[name])
        behind[name] = wanted.union(*(behind[other] for other in wanted))
    return {
        name: tuple(
            other
            for other in dict.fromkeys(wanted)
            if not any(other in behind[third] for third in wanted)
        )
        for name, wanted in needs.items()
    }


def reverse(needs: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """Return for every name those that need it, in the order of `needs`."""
    builds: dict[str, list[str]] = {name: [] for name in needs}
    for name, wanted in needs.items():
        for other in wanted:
            builds[other].append(name)
    return {name: tuple(others) for name, others in builds.items()}
