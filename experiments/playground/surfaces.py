"""The surfaces: known losses of two parameters, written once for the picture and for the browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

from experiments.playground.program import MOST_STEPS, Compiled, Encoded, compiled, encode
from experiments.playground.shims import MATH
from experiments.playground.symbols import Recorder, explore

cos, sin = MATH["cos"], MATH["sin"]

Point = tuple[float, float]


@dataclass(frozen=True)
class Knob:
    """A number that changes a surface, with a slider.

    * `scale`: `log` or `linear`
    """

    label: str
    value: float
    low: float
    high: float
    scale: str


@dataclass(frozen=True)
class Surface:
    """A loss of two parameters.

    * `window`: the least and the greatest x, and the least y; the picture is three quarters as high as wide
    * `loss`, `gradient`: of x, y and the knobs
    * `noise`: which of the knobs is the size of noise in the gradient, None without noise
    """

    name: str
    title: str
    loss: Callable[..., Any]
    gradient: Callable[..., tuple[Any, Any]]
    window: tuple[float, float, float]
    start: Point
    optima: tuple[Point, ...]
    knobs: tuple[Knob, ...] = ()
    noise: int | None = None

    def encode(self) -> Encoded:
        """Return as data what makes the loss and its gradient of x, y, two numbers of noise and the knobs."""

        def run(recorder: Recorder) -> tuple[list[Any], int]:
            x, y, *noise = (recorder.input(place) for place in range(4))
            knobs = [recorder.input(4 + place) for place in range(len(self.knobs))]
            gradient = self.gradient(x, y, *knobs)
            if self.noise is not None:
                size = knobs[self.noise]
                gradient = tuple(g + size * n for g, n in zip(gradient, noise, strict=True))
            return [self.loss(x, y, *knobs), *gradient], 0

        given = 4 + len(self.knobs)
        return encode([explore(run, given, {})], given)

    def compiled(self) -> Compiled:
        """Return the loss and its gradient as a function."""
        return _compiled(self.name)

    def usual(self) -> list[float]:
        """Return the values that the knobs start with."""
        return [knob.value for knob in self.knobs]


@lru_cache
def _compiled(name: str) -> Compiled:
    return compiled(next(each for each in SURFACES if each.name == name).encode())


def noise() -> Iterator[Point]:
    """Yield pairs of numbers that look random, with mean 0 and variance 1.

    They come from Park and Miller's generator (1988), which the browser computes as exactly as Python does.
    """
    state = 1
    while True:
        pair = []
        for _ in range(2):
            state = state * 16807 % 2147483647
            pair.append((state / 2147483647 - 0.5) * 12**0.5)
        yield pair[0], pair[1]


NOISE = tuple(islice(noise(), MOST_STEPS))
"""The noise of every step."""


# ## The losses
#
# $u$ and $v$ are the axes of the bowl.
def _turned(x: Any, y: Any, angle: Any) -> tuple[Any, Any, Any, Any]:
    radians = angle * 0.017453292519943295
    c, s = cos(radians), sin(radians)
    return c * x + s * y, c * y - s * x, c, s


def bowl(x: Any, y: Any, condition: Any, angle: Any) -> Any:
    r"""Return $\frac12 (u^2 + \kappa v^2)$."""
    u, v, _, _ = _turned(x, y, angle)
    return 0.5 * (u * u + condition * v * v)


def bowl_gradient(x: Any, y: Any, condition: Any, angle: Any) -> tuple[Any, Any]:
    """Return the gradient of `bowl`."""
    u, v, c, s = _turned(x, y, angle)
    return c * u - s * condition * v, s * u + c * condition * v


def rosenbrock(x: Any, y: Any) -> Any:
    r"""Return $(1 - x)^2 + 100\, (y - x^2)^2$, Rosenbrock (1960)."""
    a, b = 1 - x, y - x * x
    return a * a + 100 * b * b


def rosenbrock_gradient(x: Any, y: Any) -> tuple[Any, Any]:
    """Return the gradient of `rosenbrock`."""
    b = y - x * x
    return 2 * (x - 1) - 400 * x * b, 200 * b


def _beale(x: Any, y: Any) -> tuple[Any, Any, Any]:
    return 1.5 - x + x * y, 2.25 - x + x * y * y, 2.625 - x + x * y * y * y


def beale(x: Any, y: Any) -> Any:
    r"""Return $\sum_{i=1}^{3} (c_i - x + x y^i)^2$ with $c = 1.5, 2.25, 2.625$, Beale (1958)."""
    a, b, c = _beale(x, y)
    return a * a + b * b + c * c


def beale_gradient(x: Any, y: Any) -> tuple[Any, Any]:
    """Return the gradient of `beale`."""
    a, b, c = _beale(x, y)
    square = y * y
    return (
        2 * (a * (y - 1) + b * (square - 1) + c * (square * y - 1)),
        2 * x * (a + 2 * b * y + 3 * c * square),
    )


def saddle(x: Any, y: Any) -> Any:
    r"""Return $\frac12 x^2 - \frac12 y^2 + \frac14 y^4$: a saddle between two minima."""
    return 0.5 * (x * x - y * y) + 0.25 * y * y * y * y


def saddle_gradient(x: Any, y: Any) -> tuple[Any, Any]:
    """Return the gradient of `saddle`."""
    return 1 * x, y * y * y - y


def valley(x: Any, y: Any, noise: Any) -> Any:
    r"""Return $\frac1{20} x^2 + 2 \left(y - \frac25 \sin 2 x\right)^2$."""
    b = y - 0.4 * sin(2 * x)
    return 0.05 * x * x + 2 * b * b


def valley_gradient(x: Any, y: Any, noise: Any) -> tuple[Any, Any]:
    """Return the gradient of `valley`, without noise."""
    b = y - 0.4 * sin(2 * x)
    return 0.1 * x - 3.2 * b * cos(2 * x), 4 * b


SURFACES = (
    Surface(
        "bowl",
        "Quadratic bowl",
        bowl,
        bowl_gradient,
        (-2.0, 2.0, -1.5),
        (-1.7, 1.1),
        ((0.0, 0.0),),
        (
            Knob("condition number", 30.0, 1.0, 1000.0, "log"),
            Knob("angle in degrees", 0.0, 0.0, 90.0, "linear"),
        ),
    ),
    Surface(
        "rosenbrock",
        "Rosenbrock's valley",
        rosenbrock,
        rosenbrock_gradient,
        (-2.0, 2.0, -0.8),
        (-1.2, 1.0),
        ((1.0, 1.0),),
    ),
    Surface(
        "beale",
        "Beale's function",
        beale,
        beale_gradient,
        (-0.6, 4.2, -1.6),
        (0.5, 1.6),
        ((3.0, 0.5),),
    ),
    Surface(
        "saddle",
        "Saddle",
        saddle,
        saddle_gradient,
        (-2.0, 2.0, -1.5),
        (-1.6, 0.01),
        ((0.0, 1.0), (0.0, -1.0)),
    ),
    Surface(
        "valley",
        "Noisy valley",
        valley,
        valley_gradient,
        (-2.0, 2.0, -1.5),
        (-1.8, 0.9),
        ((0.0, 0.0),),
        (Knob("size of the noise", 0.5, 0.0, 3.0, "linear"),),
        noise=0,
    ),
)
"""All surfaces, the one first that every page begins with."""
