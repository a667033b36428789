"""A search that learns from what it has tried: the tree-structured Parzen estimator of Optuna.

It sorts the points that were tried into good and bad ones, estimates the density of each kind, and
tries next where good ones are dense and bad ones are not (Bergstra et al. 2011, *Algorithms for
hyper-parameter optimization*).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from experiments.search_space import Point, Range, Space

DIGITS = 3
"""How many significant digits a number has that the search proposes."""

DECADES = 2
"""Without a range of learning rates it reaches so many powers of ten to both sides of the default."""

WORST = 1e9
"""What the estimator is told of a run that diverged: it takes no infinity."""


@dataclass(frozen=True)
class TunedSearch:
    """The search over a space, as a function of what was tried.

    * `lr`: the optimizer's own learning rate
    """

    space: Space
    lr: float

    def next(self, losses: Mapping[Point, float], pending: Collection[Point]) -> list[Point]:
        """Return the next point; none when as many as wanted are tried or on their way."""
        tried = len(losses) + len(pending)
        if tried >= (self.space.trials or 0):
            return []
        # The random numbers follow from how many were tried, so that a search can go on later.
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=tried))
        for point, loss in losses.items():
            study.add_trial(
                optuna.create_trial(
                    params=self._parameters(point),
                    distributions=self._distributions,
                    value=loss if math.isfinite(loss) else WORST,
                )
            )
        proposed = study.ask(self._distributions).params
        return [self._point(proposed)]

    @property
    def _rates(self) -> Range:
        rates = self.space.rates or Range(self.lr / 10**DECADES, self.lr * 10**DECADES)
        return Range(min(rates), max(rates)) if isinstance(rates, tuple) else rates

    @property
    def _distributions(self) -> dict[str, BaseDistribution]:
        return {
            name: FloatDistribution(values.low, values.high, log=True)
            if isinstance(values, Range)
            else CategoricalDistribution(range(len(values)))
            for name, values in {"lr": self._rates, **self.space.varied}.items()
        }

    def _parameters(self, point: Point) -> dict[str, Any]:
        """Return a point as the estimator has it: what is chosen from a list is its place there."""
        parameters: dict[str, Any] = {"lr": point.lr}
        for name, value in point.options:
            values = self.space.varied[name]
            parameters[name] = value if isinstance(values, Range) else values.index(value)
        return parameters

    def _point(self, parameters: Mapping[str, Any]) -> Point:
        options = []
        for name, values in self.space.varied.items():
            chosen = parameters[name]
            is_range = isinstance(values, Range)
            options.append((name, _short(chosen, values) if is_range else values[chosen]))
        return Point(_short(parameters["lr"], self._rates), tuple(options))


def _short(value: float, within: Range) -> float:
    return min(max(float(f"{value:.{DIGITS}g}"), within.low), within.high)
