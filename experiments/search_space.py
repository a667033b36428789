"""What a sweep varies: learning rates, and arguments of the optimizer, as the command line gives them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from experiments.optimizers import OptionError, parse_value
from experiments.records import rounded

FEWEST_RATES = 3


class Point(NamedTuple):
    """What one run of a search has of its own: the learning rate, and the varied arguments by name."""

    lr: float
    options: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Range:
    """All numbers from `low` to `high`, as far apart as their ratio says.

    * `points`: how many of them a grid takes; None leaves it to a tuned search
    """

    low: float
    high: float
    points: int | None = None

    def grid(self) -> tuple[float, ...]:
        """Return the points of the grid, with as many digits as a record keeps."""
        count = self.points or 1
        ratio = (self.high / self.low) ** (1 / max(1, count - 1))
        return tuple(rounded(self.low * ratio**index) for index in range(count))


Values = Range | tuple[Any, ...]


@dataclass(frozen=True)
class Space:
    """What the search for one optimizer's best arguments may choose from.

    * `rates`: what the search begins with; None to centre it on the optimizer's own rate
    * `extends`: whether a grid grows where its best rate lies on the edge
    * `varied`: values of arguments of the optimizer, by name
    * `trials`: how many points a tuned search tries; None for a grid
    """

    rates: Values | None = None
    extends: bool = True
    varied: dict[str, Values] = field(default_factory=dict)
    trials: int | None = None

    @property
    def given(self) -> Point | None:
        """The only point, if there is no more than one; nothing is searched for then."""
        rates = self.rates
        if isinstance(rates, tuple) and len(rates) == 1 and not self.varied:
            return Point(rates[0])
        return None

    def combinations(self) -> list[tuple[tuple[str, Any], ...]]:
        """Return every combination of the varied arguments; one empty one if nothing is varied."""
        each = [
            [(name, value) for value in (values.grid() if isinstance(values, Range) else values)]
            for name, values in self.varied.items()
        ]
        return list(itertools.product(*each))


def parse_rates(text: str) -> Values:
    """Return the learning rates that `--lr` describes.

    They have the form `0.001`, `0.001,0.003,0.01`, `1e-4:1:9` or `1e-4:1`.

    Raises `OptionError`.
    """
    if ":" in text:
        return _range("--lr", text)
    rates = sorted({rounded(_number("--lr", text, part)) for part in text.split(",")})
    if not all(0 < rate < math.inf for rate in rates) or 1 < len(rates) < FEWEST_RATES:
        raise OptionError(
            f"--lr {text}: give one number above 0, at least {FEWEST_RATES} different ones, or LOW:HIGH:N"
        )
    return tuple(rates)


def parse_varied(texts: Sequence[str], names_of: Callable[[], Sequence[str]]) -> dict[str, Values]:
    """Return the values of arguments that `--vary` describes, by name; raises `OptionError`.

    * `texts`: each `NAME=VALUE;VALUE` or `NAME=LOW:HIGH:N`
    * `names_of`: returns the arguments that every optimizer of the sweep has
    """
    varied: dict[str, Values] = {}
    for text in texts:
        name, equals, values = (part.strip() for part in text.partition("="))
        given = f"--vary {text}"
        if not equals or not name or not values:
            raise OptionError(f"{given}: write NAME=VALUE;VALUE or NAME=LOW:HIGH:N")
        if name == "lr":
            raise OptionError(f"{given}: learning rates are given with --lr")
        if name in varied:
            raise OptionError(f"{given}: {name} is varied twice")
        if name not in names_of():
            raise OptionError(f"{given}: not every optimizer of the sweep has an argument {name}")
        varied[name] = (
            _range(given, values)
            if ":" in values
            else tuple(parse_value(given, value.strip()) for value in values.split(";"))
        )
    return varied


def _range(given: str, text: str) -> Range:
    """Return the range that `LOW:HIGH` or `LOW:HIGH:N` describes."""
    parts = text.split(":")
    if len(parts) not in (2, 3):
        raise OptionError(f"{given}: {text} is no range; write LOW:HIGH:N, such as 1e-4:1:9")
    low, high = (_number(given, text, part) for part in parts[:2])
    if not 0 < low < high < math.inf:
        raise OptionError(f"{given}: in {text} 0 < LOW < HIGH must hold")
    if len(parts) == 2:
        return Range(low, high)
    try:
        points = int(parts[2])
    except ValueError:
        points = 0
    if points < FEWEST_RATES:
        raise OptionError(f"{given}: in {text} N must be a whole number from {FEWEST_RATES} on")
    return Range(low, high, points)


def _number(given: str, text: str, part: str) -> float:
    try:
        return float(part)
    except ValueError:
        raise OptionError(f"{given}: {part.strip()!r} in {text} is no number") from None
