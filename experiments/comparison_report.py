"""What the records of a sweep say about its optimizers, as lines of text."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median, stdev

from experiments.comparison import (
    Values,
    apart,
    paired_spread,
    pairs_that_change_order,
    ranking,
    standard_error,
)
from experiments.comparison_results import (
    Groups,
    at_one_rate,
    best_losses,
    by_seed,
    default_losses,
    default_point,
    gain_of_looking,
)
from experiments.records import Record
from experiments.result_rows import NEAR, best_rate
from experiments.run_figures import accuracy
from experiments.sensitivity import held_out_loss

BySeed = Mapping[str, Sequence[float]]
"""Values of each optimizer, in the order of the seeds."""


def report(found: Groups, finals: Groups) -> Iterator[str]:
    """Yield the lines that the command prints.

    * `found`: the searches
    * `finals`: the runs at the rates that they chose
    """
    yield from _tuning(found)
    yield from _one_rate(found)
    accuracies = by_seed(finals, accuracy)
    if len(accuracies) > 1:
        losses = by_seed(finals, held_out_loss)
        everyone = [run for group in finals.values() for run in group]
        yield from _places(accuracies)
        yield from _ranges(accuracies, losses)
        yield from _pairing(accuracies, losses)
        yield from _images(accuracies, everyone[0].data["test_samples"])
        yield from _gains(accuracies, everyone)
        after = {label: median(values) for label, values in losses.items()}
        yield _turned(best_losses(found), after, "the search to the final losses")


def _tuning(found: Groups) -> Iterator[str]:
    default, best = default_losses(found), best_losses(found)
    count = sum(map(len, found.values()))
    yield f"held-out loss of {len(found)} optimizers, {count} runs"
    yield f"{'':30}  {'default':>7}  {'loss':>7}  {'best':>7}  {'loss':>7}  {'runs':>4}"
    for label in ranking(best):
        search = found[label]
        usual = f"{default[label]:7.4f}" if label in default else f"{'-':>7}"
        rates = f"{default_point(search[0]):>7g}  {usual}  {best_rate(search):>7g}"
        yield f"{label:30}  {rates}  {best[label]:7.4f}  {len(search):4}"
    clear = len(pairs_that_change_order(default, best, NEAR))
    yield f"{_turned(default, best, 'default to best rates')}, {clear} by a factor of {NEAR:g}"


def _one_rate(found: Groups) -> Iterator[str]:
    best = best_losses(found)
    for rate, losses in at_one_rate(found).items():
        yield f"at {rate:g}: {'; '.join(ranking(losses)[:3])}"
        yield "  " + _turned(losses, best, f"{rate:g} for all to best rates")


def _turned(one: Values, other: Values, change: str) -> str:
    turned = len(pairs_that_change_order(one, other))
    pairs = math.comb(len(one.keys() & other.keys()), 2)
    return f"{turned} of {pairs} pairs change order from {change}"


def _places(accuracies: BySeed) -> Iterator[str]:
    seeds = len(next(iter(accuracies.values())))
    yield f"test accuracy of {len(accuracies)} optimizers, {seeds} seeds, in %"
    for label in _by_accuracy(accuracies):
        values = accuracies[label]
        yield f"{label:30}  {median(values):6.2f}  {min(values):6.2f} to {max(values):6.2f}"


def _by_accuracy(accuracies: BySeed) -> list[str]:
    return ranking({label: -median(values) for label, values in accuracies.items()})


def _ranges(accuracies: BySeed, losses: BySeed) -> Iterator[str]:
    pairs = list(itertools.combinations(accuracies.values(), 2))
    yield f"{sum(not apart(*pair) for pair in pairs)} of {len(pairs)} pairs overlap"
    first, *others = (accuracies[label] for label in _by_accuracy(accuracies))
    reach = sum(not apart(first, values) for values in others)
    yield f"{reach} others reach into the range of the first"
    shares = [(max(values) - min(values)) / median(values) for values in losses.values()]
    yield f"range of the loss over the seeds, median: {median(shares):.0%}"


def _pairing(accuracies: BySeed, losses: BySeed) -> Iterator[str]:
    if len(next(iter(accuracies.values()))) < 2:
        return
    deviations = [stdev(values) for values in accuracies.values()]
    yield f"standard deviation over the seeds, median: {median(deviations):.2f}"
    yield f"paired spread of the accuracy: {_median_spread(accuracies):.2f}"
    yield f"paired spread of the loss: {_median_spread(losses):.2f}"


def _images(accuracies: BySeed, images: int) -> Iterator[str]:
    first = median(accuracies[_by_accuracy(accuracies)[0]])
    error = 100 * standard_error(first / 100, images)
    yield f"standard error of the first on {images:,} images: {error:.2f}"


def _gains(accuracies: BySeed, everyone: Sequence[Record]) -> Iterator[str]:
    gains = [max(values) - median(values) for values in accuracies.values()]
    yield f"best seed above the median one: {median(gains):.2f}"
    yield f"best look above the last one: {median(map(gain_of_looking, everyone)):.2f}"


def _median_spread(values: BySeed) -> float:
    pairs = itertools.combinations(values.values(), 2)
    return median(paired_spread(one, other) for one, other in pairs)
