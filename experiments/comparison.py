r"""---
title: A fair comparison
summary: >-
  Every learning rate has another winner: what was tuned, at what cost, over how many seeds, and how much of a
  ranking is luck.
chapter: "12.14"
needs: [experiments/mnist, experiments/sweep]
---

Train the [MNIST network](mnist.py) for one epoch, and look at the loss on images that were held back. Of the optimizers that were tried at a
learning rate these come first:

| learning rate | of | first | second | third |
|---|---|---|---|---|
| 0.001 | 39 | Kron | Scion | NorMuon |
| 0.003 | 38 | Muon | NorMuon | SOAP |
| 0.01 | 36 | Adam with warm-up | SOAP | LAMB |
| everyone's default | 45 | Kron | Scion | SOAP |
| everyone's best | 45 | Muon | NorMuon | Kron |

Every row is measured, and each answers another question. The first says who does well at small rates: for Kron and Scion 0.001 is the best, NorMuon
is better still at 0.003. The fourth says whose default happens to suit this network. The last, from [the search](sweep.py), says most about
the optimizers, and it too depends on how the search was made.

A comparison has to say what was tuned, at what cost, over how many seeds, and what its bands are. This page says it for the
[results](../docs_src/experiments/results.md), those of 45 optimizers on MNIST and on CIFAR-10, with functions for records of your own:

```sh
python -m experiments.comparison
python -m experiments.comparison --folder runs/mnist
```

The first command prints the measured numbers of this page.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Mapping, Sequence
from statistics import NormalDist, fmean, variance

Values = Mapping[str, float]
"""A value of each optimizer."""


def ranking(values: Values) -> list[str]:
    r"""## What was tuned

    Return the labels, that of the least value first.

    The learning rate, and nothing else: on MNIST for each of 45 optimizers three to eight runs of one epoch with one seed, 230
    in all. Only Scion's radius was chosen before, since with its default of 1 nothing is learned here. SGD's loss at its default of 0.001 is six times that at its best rate. For fourteen optimizers the point of
    the grid nearest to the default, which stands for it here, was the best. Four more that were searched are left out: they have schedules of their own.

    $\beta$ and $\varepsilon$ stayed where their authors had put them. Who has more to set may gain more from more
    runs, so a ranking holds for a budget [1]. With $\varepsilon$ tuned as well and no limit, Adam should never lose to momentum, which it then
    approximates; what explains published rankings best may be the space that was searched [2]. For whoever only wants a good
    network, to try several optimizers at their defaults worked about as well as to tune one [3].

    [1] Sivaprasad and others, *Optimizer Benchmarking Needs to Account for Hyperparameter Tuning*, 2020, arXiv:1910.11758.
    [2] Choi and others, *On Empirical Comparisons of Optimizers for Deep Learning*, 2019, arXiv:1910.05446.
    [3] Schmidt, Schneider, Hennig, *Descending through a Crowded Valley*, 2021, arXiv:2007.01547.
    """
    return sorted(values, key=values.__getitem__)


def pairs_that_change_order(
    one: Values, other: Values, factor: float = 1.0
) -> list[tuple[str, str]]:
    """## How many pairs turn around

    Return the pairs of labels of which the first has the lower value in `one`, and the second in `other`.

    * `factor`: how many times as large the higher value must be, both times; `ValueError` below 1

    Between default and best rates 285 of 990 pairs do on MNIST; the chart at the end shows them. The highest test loss of an optimizer's three
    seeds is 12 % above its lowest (median, after three epochs), so ask for a factor of 1.1 both times: 119 pairs are left.
    """
    _require("factor", factor)
    shared = [label for label in one if label in other]
    return [
        (a, b)
        for a, b in itertools.permutations(shared, 2)
        if one[a] * factor < one[b] and other[b] * factor < other[a]
    ]


def chance_outside(seeds: int) -> float:
    r"""## Three seeds, and a fourth

    Return the chance that one more run falls outside the range of `seeds` runs. Raises `ValueError` for less than one.

    The bands of the charts go from the worst to the best of three seeds, at each step. Of four seeds each is as likely as any
    other to be the worst, and as likely to be the best. So at any one step the fourth falls outside the band of the first
    three with a chance of $2/4$, less if there are ties, and one more after $n$ seeds with

    $$\frac{2}{n + 1}$$

    For one in twenty it takes 39 seeds. That a whole curve stays inside is rarer. The band says how far apart three runs were, not where the next will be.

    Why not mean and standard error? With three values the error itself is hardly known: the true mean lies within it in
    $1/\sqrt 3 = 58\,\%$ of cases instead of 68 %, if values are normally distributed; for 95 % it takes 4.3 standard errors, not two. The range assumes no
    distribution, only that the runs are independent, and both its ends are runs with a record.
    """
    _require("seeds", seeds)
    return 2 / (seeds + 1)


def _require(name: str, value: float) -> None:
    if not value >= 1:
        raise ValueError(f"{name} must be at least 1, got {value}")


def chance_apart(seeds: int) -> float:
    r"""## When two ranges do not overlap

    Return the chance that the ranges of two optimizers do not overlap although their runs are distributed alike.
    Raises `ValueError` for less than one seed.

    Of $2n$ runs the $n$ worst must then belong to one optimizer: 2 of $\binom{2n}{n}$ choices, 1 in 10 for three seeds.

    On MNIST the accuracies of 479 of the 990 pairs overlap, on CIFAR-10 those of 226. The other 511 and 764 are far more than the 99 to be
    expected of equals, so there are differences. Where? On MNIST Scion stands first with 99.45 %, and five others reach into its range. One is D-Adaptation, whose
    seeds have 99.05, 99.10 and 99.45 %. None of the 10 pairs of these five lie apart, where equals would have 1.0. That does not show that the six are equal,
    only that three seeds do not tell them apart.

    On CIFAR-10 three seeds are enough at the top: Muon and NorMuon lie apart from all 43 others, and not from each other.

    To be sure of a single pair among 990 takes more seeds: with three 99 pairs of equals lie apart, with five 7.9, with eight 0.15. And how many seeds does a
    difference $d$ take, if the seeds have a standard deviation of $s$? About $16\, s^2 / d^2$ for each of the two, to see it in four of five
    attempts and to see one that is not there in one of twenty (normal distribution). With $s = 0.05$ points, as here, 0.05 take 16 seeds, and 0.1 take
    four.
    """
    _require("seeds", seeds)
    return 2 / math.comb(2 * seeds, seeds)


def apart(one: Sequence[float], other: Sequence[float]) -> bool:
    """Return whether the ranges of two lists of values do not overlap."""
    return max(one) < min(other) or max(other) < min(one)


def paired_spread(one: Sequence[float], other: Sequence[float]) -> float:
    r"""## The same seed for both

    Return the standard deviation of the differences seed by seed, as a share of what it
    would be if the seeds had nothing to do with each other:

    $$\sqrt{\frac{\operatorname{Var}(a_i - b_i)}{\operatorname{Var}(a_i) + \operatorname{Var}(b_i)}}$$

    * `one`, `other`: values of two optimizers, in the order of the same seeds

    1 where neither varies. Raises `ValueError` for lists of different lengths, or of less than two values.

    The same seed gives the same first weights and the same order of images. If luck lies in these, it cancels in
    the difference. For the accuracy hardly any does: on MNIST the median over all pairs is 0.97. For the test loss it is 0.94, so 12 % of the
    variance cancel ($0.94^2 = 0.88$).
    """
    if len(one) != len(other) or len(one) < 2:
        counts = f"{len(one)} and {len(other)}"
        raise ValueError(f"one and other must be of one length, 2 or more, got {counts}")
    unpaired = variance(one) + variance(other)
    if unpaired == 0:
        return 1.0
    paired = variance([a - b for a, b in zip(one, other, strict=True)])
    return math.sqrt(paired / unpaired)


def standard_error(accuracy: float, images: int) -> float:
    r"""## Ten thousand images

    Return the standard error of an accuracy $p$, from 0 to 1, that was measured on $n$ images; raises
    `ValueError` for others:

    $$\sqrt{\frac{p\,(1 - p)}{n}}$$

    At 99.45 % it is 0.07 points, at the 80 % of CIFAR-10 it is 0.40. From seed to seed the standard deviation on MNIST is 0.05 points
    (median), on CIFAR-10 0.41. Seeds do not make the 0.07 smaller, because all of them are tested on the same images.

    The *difference* of two networks is surer than that. If $b$ images are right with the one alone and $c$ with the other alone, its standard error is about
    $\sqrt{b + c} / n$. The records do not keep which images these are.
    """
    if not 0 <= accuracy <= 1:
        raise ValueError(f"accuracy must be from 0 to 1, got {accuracy}")
    _require("images", images)
    return math.sqrt(accuracy * (1 - accuracy) / images)


def expected_best(candidates: int) -> float:
    """## The best of many

    Return how far the best of equal candidates stands above their mean, in standard deviations, for noise
    that is normally distributed. Raises `ValueError` for less than one.

    Whoever reports the best reports luck: 0.85 for the best of three, 1.16 of five, 1.95 of 24. In the records of
    MNIST the best seed is 0.04 points above the median one. The 24 looks of a run at 1000 test images are no equals, the later ones being better. Still the best
    of them is 0.10 points above the last (median), as much as lies between the first optimizer and the seventeenth. So the [search](sweep.py) chooses on other
    images, and what counts is the last step.
    """
    _require("candidates", candidates)
    parts = 20_000
    # The distribution function of the maximum is that of one candidate to their power.
    quantiles = (((part + 0.5) / parts) ** (1 / candidates) for part in range(parts))
    return fmean(map(NormalDist().inv_cdf, quantiles))


if __name__ == "__main__":
    from experiments.cli import run_command
    from experiments.comparison_cli import main

    sys.exit(run_command(main))

# ## What these records cannot show
#
# - *Length.* The search ranks after one epoch, the results after three. Between these two losses 330 of 990 pairs on MNIST change
#   order: Muon stays first, Adam with warm-up goes from the sixth place to the 31st. Not all of it is length. The results also have all images to
#   learn from, other images to judge by, and three seeds for one, and whoever came high in a ranking with one seed had some luck.
# - *Cost.* All runs have the same number of steps. Sophia makes one more pass in every ten for its curvature, and Muon multiplies matrices in
#   every step, which no chart over steps or epochs shows. AlgoPerf [4] measures the time to a given result on fixed hardware. The durations in these
#   records will not do, because a sweep may run several jobs side by side.
# - *Scale.* Small images, half a million weights, and batches of 64 and 128 say nothing about large batches, long runs, or language
#   models, nor about how much warm-up and weight decay those need. Over many tasks no optimizer clearly dominated [3].
#
# [4] Dahl and others, *Benchmarking Neural Network Training Algorithms*, 2023, arXiv:2306.07179.
#
# ## Exercises
#
# **1.** What do five seeds give instead of three?
#
# ::: solution
# A sixth falls outside with a chance of $2/6$, and the ranges of equals are apart with $2/252$, less than one in a hundred.
# :::
#
# **2.** Pairing brings the spread of the loss to 0.94. How would you find out whether that is luck?
#
# ::: solution
# Shuffle the values of each optimizer over the seeds. That keeps the values and unties the optimizers. See how often the
# median comes as low: never in 50 times.
#
# ```python
# import random
# from itertools import combinations
# from statistics import median
#
# from experiments.committed import folder
# from experiments.comparison import paired_spread
# from experiments.comparison_results import by_seed, runs
# from experiments.sensitivity import held_out_loss
#
#
# def spread(values):
#     return median(paired_spread(one, other) for one, other in combinations(values, 2))
#
#
# losses = list(by_seed(runs(folder("mnist")), held_out_loss).values())
# generator = random.Random(0)
# shuffled = [spread([generator.sample(values, 3) for values in losses]) for _ in range(50)]
# assert round(spread(losses), 2) == 0.94
# assert min(shuffled) > spread(losses)
# ```
# :::
#
# **3.** Suppose all 45 optimizers on MNIST were equal, with a standard deviation of 0.05 points from seed to seed. How far above the mean would the
# first of them stand?
#
# ::: solution
# The median of three has the standard deviation $0.05 \sqrt{1 - \sqrt 3 / \pi} = 0.033$, for normally distributed values. The best of
# 45 stands 2.21 of these above: 0.07 points. Scion stands 0.15 above the mean of the 43 that learn well, so they are not all equal. But the first and
# the sixth of 45 equals lie 0.04 apart, and so do the first and the sixth here: no more than luck.
# :::
