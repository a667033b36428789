"""The picture that stands on a page without JavaScript, and that the script takes over."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup

from experiments.playground.catalog import STEPS, Entry, loss_at, walk
from experiments.playground.contours import HEIGHT, WIDTH, rings
from experiments.playground.program import compiled
from experiments.playground.surfaces import SURFACES, Point, Surface

LEAST_PLAIN, LEAST_LONG = 1e-3, 1e5
"""From where to where numbers are written without a power of ten."""

FAR = 100_000
"""How far outside of the picture a path is still drawn, in its units."""

MARKERS = Markup(
    '<defs><marker id="playground-dot" markerUnits="userSpaceOnUse" markerWidth="10" markerHeight="10" '
    'refX="5" refY="5"><circle cx="5" cy="5" r="4.5"/></marker>'
    '<marker id="playground-ring" markerUnits="userSpaceOnUse" markerWidth="12" markerHeight="12" '
    'refX="6" refY="6"><circle cx="6" cy="6" r="4" stroke-width="2"/></marker></defs>'
)


def picture(entry: Entry) -> Markup:
    """Return the path of an optimizer on the first surface, with the values that its sliders start with."""
    surface = SURFACES[0]
    points = list(walk(compiled(entry.program), entry.values(0), surface, entry.state))
    x, y = to_picture(surface, surface.optima[0])
    condition, angle = surface.usual()
    turn = f"translate({x:g} {y:g}) rotate({-angle:g}) scale(1 {condition**-0.5:.4g})"
    circles = Markup("").join(Markup('<circle r="{:g}"/>').format(radius) for radius in rings())
    crosses = Markup("").join(
        Markup('<path d="M{:g} {:g}h18M{:g} {:g}v18"/>').format(x - 9, y, x, y - 9)
        for x, y in (to_picture(surface, optimum) for optimum in surface.optima)
    )
    start_x, start_y = to_picture(surface, surface.start)
    return Markup(
        '<svg class="playground-picture" viewBox="0 0 {} {}" role="img" aria-label="{}">{}'
        '<g class="playground-contours" transform="{}">{}</g>'
        '<path class="playground-path playground-path-2" marker-mid="url(#playground-ring)" d="M0 0"/>'
        '<path class="playground-path playground-path-1" marker-mid="url(#playground-dot)" d="{}"/>'
        '<g class="playground-optima">{}</g>'
        '<g class="playground-start" transform="translate({:g} {:g})"><circle r="12"/></g></svg>'
        '<p class="playground-still">{}</p>'
    ).format(
        *(WIDTH, HEIGHT, f"Contour lines of a bowl, and the path of {entry.title}", MARKERS),
        *(turn, circles, _line(surface, points), crosses, start_x, start_y),
        _summary(entry, surface, points),
    )


def to_picture(surface: Surface, point: Point) -> Point:
    """Return where a point of a surface is in the picture."""
    left, right, bottom = surface.window
    unit = WIDTH / (right - left)
    x, y = (point[0] - left) * unit, HEIGHT - (point[1] - bottom) * unit
    return round(x, 1), round(y, 1)


def _line(surface: Surface, points: Iterable[Point]) -> str:
    parts = []
    for point in points:
        if not all(map(math.isfinite, point)):
            break
        x, y = (min(FAR, max(-FAR, value)) for value in to_picture(surface, point))
        parts.append(f"{x:.5g} {y:.5g}")
    return "M" + "L".join(parts)


def _summary(entry: Entry, surface: Surface, points: Sequence[Point]) -> str:
    distance = min(math.dist(points[-1], optimum) for optimum in surface.optima)
    return (
        f"{entry.title} on a bowl with condition number {surface.usual()[0]:g}, α = {entry.rates[0]:g}: "
        f"loss {short(loss_at(surface, points[-1]))} after {STEPS} steps, "
        f"{short(distance)} from the optimum."
    )


def short(number: float) -> str:
    """Return a number with three digits, as the script writes it."""
    rounded = float(f"{number:.3g}")
    if rounded and not LEAST_PLAIN <= abs(rounded) < LEAST_LONG:
        digits, exponent = f"{rounded:e}".split("e")
        return f"{float(digits):g}e{int(exponent):+d}"
    return f"{rounded:g}"
