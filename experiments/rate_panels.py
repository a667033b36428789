"""Small multiples of the searches: the held-out loss over the learning rate, a panel an optimizer.

They are written as SVG by hand. All panels show the same axes, which stand on the page once, and each point is
a link to its record; a drawing library would write out the axes of each panel, at ten times the size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from experiments.committed import TO_ROOT, link, site_path
from experiments.records import Record
from experiments.result_rows import Row, best_rate, by_rate
from experiments.sensitivity import MARGIN, MOST_LOSS, losses_by_rate

WIDTH, HEIGHT = 170, 120
LEFT, RIGHT, TOP, BOTTOM = 26, 164, 8, 100
"""The size of a panel, and where its axes lie."""

PADDING = 10
"""The distance between the outermost rates and the sides."""

MOST_LABELS = 5
"""Of more learning rates than these only every second one is named."""

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Axes:
    """What all panels have in common: both axes are logarithmic.

    * `rates`: the least and the greatest learning rate
    * `losses`: the least and the greatest loss that is drawn as a point; above are triangles
    """

    rates: tuple[float, float]
    losses: tuple[float, float]

    def x(self, rate: float) -> float:
        """Return where a learning rate stands."""
        return _between(rate, *self.rates, LEFT + PADDING, RIGHT - PADDING)

    def y(self, loss: float) -> float:
        """Return where a loss stands; what is not drawn as a point stands at the upper edge."""
        return _between(loss, *self.losses, BOTTOM, TOP) if loss <= self.losses[1] else TOP


def axes_of(searches: Iterable[Sequence[Record]]) -> Axes:
    """Return axes that all runs of some searches fit in; there must be a run."""
    tables = [losses_by_rate(search) for search in searches]
    rates = [rate for table in tables for rate in table]
    learned = [loss for table in tables for loss in table.values() if loss <= MOST_LOSS]
    learned = learned or [MOST_LOSS]
    return Axes((min(rates), max(rates)), (min(learned) / MARGIN, max(learned) * MARGIN))


def panels(rows: Sequence[Row], name: str, parts: Sequence[int]) -> Markup:
    """Return the panels of rows that have a search each.

    * `name`: begins the identifier of the axes, which must be the only one on the page
    * `parts`: the number of each row's part in the course, which the filter looks for
    """
    axes = axes_of(row.search for row in rows)
    drawn = (_panel(row, axes, f"{name}-axes", part) for row, part in zip(rows, parts, strict=True))
    return Markup('<div class="rate-panels">{}{}</div>').format(
        _shared(axes, f"{name}-axes"), Markup("").join(drawn)
    )


def has_lost_runs(rows: Sequence[Row]) -> bool:
    """Return whether there is a triangle in any of the panels."""
    return any(loss > MOST_LOSS for row in rows for loss in losses_by_rate(row.search).values())


def _panel(row: Row, axes: Axes, shared: str, part: int) -> Markup:
    found = losses_by_rate(row.search)
    chosen = row.rate if row.rate in found else best_rate(row.search)
    spoken = ", ".join(f"{_loss(loss)} at {rate:g}" for rate, loss in found.items())
    ring = Markup('<circle class="rate-chosen" cx="{:.1f}" cy="{:.1f}" r="5"/>').format(
        axes.x(chosen), axes.y(found[chosen])
    )
    best = by_rate(row.search)[chosen][0]
    return Markup(
        '<div class="rate-panel" data-part="{}"><p><a href="../optimizers/{}.html">{}</a><br/>{}</p>'
        '<svg viewBox="0 0 {} {}" role="group" aria-label="{}">'
        '<use href="#{}"/>{}{}{}</svg></div>'
    ).format(
        part,
        row.optimizer,
        row.label,
        link(f"{_loss(found[chosen])} at {chosen:g}", best),
        *(WIDTH, HEIGHT, f"{row.label}: {spoken}"),
        *(shared, _line(found, axes), ring, Markup("").join(_points(row, axes))),
    )


def _line(found: dict[float, float], axes: Axes) -> Markup:
    places = (f"{axes.x(rate):.1f} {axes.y(loss):.1f}" for rate, loss in found.items())
    return Markup('<path class="rate-line" d="M{}"/>').format("L".join(places))


def _points(row: Row, axes: Axes) -> Iterator[Markup]:
    """Yield a mark for each rate: a dot, or a triangle at the upper edge."""
    found = losses_by_rate(row.search)
    for rate, runs in by_rate(row.search).items():
        x, y = axes.x(rate), axes.y(found[rate])
        if found[rate] > MOST_LOSS:
            mark = Markup('<path d="M{:.1f} {:.1f}l4 7h-8z"/>').format(x, y - 4)
        else:
            mark = Markup('<circle cx="{:.1f}" cy="{:.1f}" r="2.4"/>').format(x, y)
        mark = Markup("<title>{:g}: {}</title>{}").format(rate, _loss(found[rate]), mark)
        path = runs[0].path
        address = Markup(' href="{}"').format(TO_ROOT + site_path(path)) if path else ""
        yield Markup("<a{}>{}</a>").format(address, mark)


def _shared(axes: Axes, identifier: str) -> Markup:
    """Return the axes as a symbol that every panel uses."""
    lines, texts = [], []
    exponents = _exponents(axes.rates)
    for exponent in exponents:
        x = f"{axes.x(10.0**exponent):.1f}"
        lines.append(f"M{x} {TOP}V{BOTTOM}")
        if len(exponents) <= MOST_LABELS or exponent % 2 == 0:
            label = f"10{str(exponent).translate(SUPERSCRIPTS)}"
            texts.append(_text(x, HEIGHT - 8, "middle", label))
    for loss in _ticks(axes.losses):
        y = axes.y(loss)
        lines.append(f"M{LEFT} {y:.1f}H{RIGHT}")
        texts.append(_text(LEFT - 4, f"{y + 3:.1f}", "end", f"{loss:g}"))
    return Markup(
        '<svg class="rate-axes" aria-hidden="true">'
        '<symbol class="rate-scales" id="{}" viewBox="0 0 {} {}">'
        '<path d="{}"/>{}</symbol></svg>'
    ).format(identifier, WIDTH, HEIGHT, "".join(lines), Markup("").join(texts))


def _text(x: float | str, y: float | str, anchor: str, label: str) -> Markup:
    return Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(x, y, anchor, label)


def _exponents(ends: tuple[float, float]) -> range:
    """Return the exponents of the powers of ten between both ends."""
    low, high = (math.log10(end) for end in ends)
    return range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)


def _ticks(ends: tuple[float, float]) -> list[float]:
    """Return 1 and 3 times the powers of ten between both ends; if they are few, 1, 2 and 5 times."""
    low, high = ends
    for digits in ((1, 3), (1, 2, 5)):
        exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        values = (float(f"{digit}e{exponent}") for exponent in exponents for digit in digits)
        ticks = [value for value in values if low <= value <= high]
        if len(ticks) > 2:
            break
    return ticks


def _between(value: float, low: float, high: float, start: float, end: float) -> float:
    """Return the place of a value on a logarithmic axis; in the middle if all values are equal."""
    share = math.log(value / low) / math.log(high / low) if high > low else 0.5
    return start + share * (end - start)


def _loss(loss: float) -> str:
    return "diverged" if math.isinf(loss) else f"{loss:.3g}"
