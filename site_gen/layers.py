"""Drawing a graph from left to right: columns, the order in each of them, and places.

The usual way for layered graphs (Sugiyama's): an edge over several columns gets a bend in each
that it passes, the order in the columns is improved by the mean place of the neighbours until the
crossings are fewest, and then everything moves as close to its neighbours as its size allows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

SWEEPS = 6
Point = tuple[float, float]


@dataclass(frozen=True)
class Drawing:
    """Where the nodes' left upper corners are, and the points that each edge runs through.

    An edge, (from, to), runs level through a column and bends between columns.
    """

    places: Mapping[str, Point]
    edges: Mapping[tuple[str, str], tuple[Point, ...]]
    width: float
    height: float


@dataclass(frozen=True)
class Sizes:
    """Lengths: of all nodes across, between columns, and between nodes in a column."""

    width: float
    column_gap: float
    row_gap: float


Bend = tuple[str, str, int]
Item = str | Bend


def draw(
    columns: Mapping[str, int],
    edges: Sequence[tuple[str, str]],
    heights: Mapping[str, float],
    sizes: Sizes,
) -> Drawing:
    """Lay out the nodes of `columns` (their columns, from 0), joined by `edges` to the right.

    Nodes start in the order in which `columns` has them. Raises ValueError for an edge that does
    not lead to the right.
    """
    for start, end in edges:
        if columns[start] >= columns[end]:
            raise ValueError(f"edge {start!r} to {end!r} must lead to a later column")
    chains = {edge: _chain(edge, columns) for edge in edges}
    rows: list[list[Item]] = [[] for _ in range(max(columns.values(), default=-1) + 1)]
    for name, column in columns.items():
        rows[column].append(name)
    for edge in edges:
        for bend in chains[edge][1:-1]:
            rows[columns[edge[0]] + chains[edge].index(bend)].append(bend)
    links = [link for chain in chains.values() for link in pairwise(chain)]
    rows = _ordered(rows, links)
    tall = {item: heights[item] if isinstance(item, str) else 0.0 for row in rows for item in row}
    middles = _middles(rows, links, tall, sizes.row_gap)
    step = sizes.width + sizes.column_gap
    places = {
        name: (column * step, middles[name] - heights[name] / 2) for name, column in columns.items()
    }
    height = max((middles[item] + tall[item] / 2 for item in tall), default=0)
    return Drawing(
        places,
        {edge: _points(chains[edge], columns, middles, sizes) for edge in edges},
        max(len(rows) * step - sizes.column_gap, 0),
        height,
    )


def _chain(edge: tuple[str, str], columns: Mapping[str, int]) -> tuple[Item, ...]:
    start, end = edge
    between = range(columns[start] + 1, columns[end])
    return (start, *((start, end, column) for column in between), end)


def _ordered(rows: list[list[Item]], links: Sequence[tuple[Item, Item]]) -> list[list[Item]]:
    before, after = _neighbours(links)
    best, fewest = rows, _crossings(rows, before)
    for _ in range(SWEEPS):
        rows = _sweep(rows, before)
        rows = _sweep(rows[::-1], after)[::-1]
        crossings = _crossings(rows, before)
        if crossings < fewest:
            best, fewest = rows, crossings
    return best


def _sweep(rows: list[list[Item]], behind: Mapping[Item, list[Item]]) -> list[list[Item]]:
    """Sort each column by the mean places of its items' neighbours in the column before."""
    swept: list[list[Item]] = []
    for row in rows:
        places = {item: float(index) for index, item in enumerate(swept[-1] if swept else [])}
        means = {}
        for index, item in enumerate(row):
            near = [places[other] for other in behind.get(item, ()) if other in places]
            means[item] = sum(near) / len(near) if near else float(index)
        swept.append(sorted(row, key=means.__getitem__))
    return swept


def _crossings(rows: Sequence[Sequence[Item]], before: Mapping[Item, list[Item]]) -> int:
    count = 0
    for left, right in pairwise(rows):
        places = {item: index for index, item in enumerate(left)}
        ends = [sorted(places[other] for other in before.get(item, ())) for item in right]
        flat = [place for places_of_one in ends for place in places_of_one]
        count += sum(1 for i, place in enumerate(flat) for other in flat[i + 1 :] if other < place)
    return count


def _middles(
    rows: Sequence[Sequence[Item]],
    links: Sequence[tuple[Item, Item]],
    tall: Mapping[Item, float],
    gap: float,
) -> dict[Item, float]:
    """Return the height of the middle of each item, the topmost item touching 0."""
    before, after = _neighbours(links)
    middles: dict[Item, float] = {}
    for row in rows:
        middles |= _spread(row, [0.0] * len(row), tall, gap)
    for _ in range(SWEEPS):
        for order, sides in ((rows, (before,)), (rows[::-1], (after,)), (rows, (before, after))):
            for row in order:
                wanted = []
                for item in row:
                    near = [middles[other] for side in sides for other in side.get(item, ())]
                    wanted.append(sum(near) / len(near) if near else middles[item])
                middles |= _spread(row, wanted, tall, gap)
    top = min((middles[item] - tall[item] / 2 for item in middles), default=0)
    return {item: middle - top for item, middle in middles.items()}


def _spread(
    row: Sequence[Item], wanted: Sequence[float], tall: Mapping[Item, float], gap: float
) -> dict[Item, float]:
    """Return places as close to those wanted as order and sizes allow, by least squares.

    With the distances that must lie between them taken off, that is a regression that never falls:
    neighbours that would are pooled, and share their mean.
    """
    offsets = [0.0]
    for item, other in pairwise(row):
        offsets.append(offsets[-1] + (tall[item] + tall[other]) / 2 + gap)
    pools: list[tuple[float, int]] = []
    for want, offset in zip(wanted, offsets, strict=False):
        total, count = want - offset, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            other_total, other_count = pools.pop()
            total, count = total + other_total, count + other_count
        pools.append((total, count))
    means = [total / count for total, count in pools for _ in range(count)]
    return {item: mean + offset for item, mean, offset in zip(row, means, offsets, strict=False)}


def _points(
    chain: Sequence[Item],
    columns: Mapping[str, int],
    middles: Mapping[Item, float],
    sizes: Sizes,
) -> tuple[Point, ...]:
    step = sizes.width + sizes.column_gap
    first = columns[str(chain[0])]
    points = []
    for index, item in enumerate(chain):
        left = (first + index) * step
        if index:
            points.append((left, middles[item]))
        if index < len(chain) - 1:
            points.append((left + sizes.width, middles[item]))
    return tuple(points)


def _neighbours(
    links: Iterable[tuple[Item, Item]],
) -> tuple[dict[Item, list[Item]], dict[Item, list[Item]]]:
    before: dict[Item, list[Item]] = {}
    after: dict[Item, list[Item]] = {}
    for start, end in links:
        before.setdefault(end, []).append(start)
        after.setdefault(start, []).append(end)
    return before, after
