r"""---
title: The counter-example, run
summary: >-
  Three million steps of Adam and AMSGrad on the problem that AMSGrad was made for: Adam ends at the
  wrong place, and AMSGrad's regret vanishes only if the step size does.
paper:
  title: On the Convergence of Adam and Beyond
  authors: Sashank J. Reddi, Satyen Kale, Sanjiv Kumar
  year: 2018
  arxiv: "1904.09237"
  venue: ICLR
chapter: "12.5"
needs: [optimizers/amsgrad]
symbols:
  x: x
  g: gradient
  m: m
  v: v
  \bar v: largest
  \alpha: lr
  \beta_1: beta1
  \beta_2: beta2
  \varepsilon: EPS
  t: step
---

Here is where the walks stand after three million steps. The best place is $x = -1$, and a walk that
learns the problem has an average regret that goes to 0.

| optimizer | step size | $x$ | average regret |
|---|---|---|---:|
| Adam | $0.5 / \sqrt t$ | 0.998 to 1 | 0.215 |
| AMSGrad | $0.5 / \sqrt t$ | $-1$ to $-0.998$ | 0.019 |
| Adam | 0.01 | 0.943 to 1 | 0.498 |
| AMSGrad | 0.01 | $-1$ to $-0.946$ | 0.332 |

The problem is the one with which [AMSGrad](../labml_nn_optim/optimizers/amsgrad.py) begins: $x$ in
$[-1, 1]$, a gradient of 1010 in the steps 1, 102, 203, ... and of $-10$ in all others. That chapter
says why Adam goes the wrong way. This one walks until nothing changes any more; the charts at the end of
the page show how.

Three of the four numbers in the last column will not go to 0, however long we wait.

## Adam stays at the wrong end

At $x = 1$ a round of 101 steps costs $1010 - 100 \cdot 10 = 10$, and at $x = -1$ it earns 10. Who
stands still at the wrong end has a regret of $20 / 101 = 0.198$ a step. To that Adam falls with a
step size that falls. With $\alpha = 0.01$ it pays another 0.3, because it does not stand still.

## AMSGrad saws

With $\alpha = 0.01$ AMSGrad finds the right end and stays there. Its mean place is $-0.978$. Standing still
there would cost 0.002 a step. AMSGrad pays 0.329 in every round from then on, 150 times as much.

Look at one round. The large gradient throws $x$ to $-1$. The hundred small ones then push it back, to
$-0.946$, and there the next large gradient finds it. So 1010 is always multiplied with the worst place of
the round. What the mean place does not show is that $x$ and $g$ go together.

The saw has teeth of $5.4\, \alpha$, since both optimizers divide the gradient's size away. The regret of a
round is $32.9\, \alpha$ a step: 0.329 for $\alpha = 0.01$, 0.165 for 0.005, 0.033 for 0.001. A smaller
constant lowers the floor and takes longer to arrive. With $\alpha = 0.001$ the average is still at 0.039
after ten million steps. Only a step size that goes to 0 takes the floor away, and that is the setting of
the paper's theorem. There the average regret of the table falls as it should: 0.114 after $10^5$ steps, 0.034
after $10^6$, like $1 / \sqrt t$.

So the proof repairs what it says it repairs. It does not say that AMSGrad with the usual constant
step size has no regret, and on this very problem it has.

## When the order is random

Let the large gradient come with probability 0.01 instead, at any time. The mean gradient is 0.2, so $-1$ is still
the best place in the long run. With $0.5 / \sqrt t$ Adam ends between 0.971 and 1 with an average regret of 0.456,
and AMSGrad between $-1$ and $-0.956$ with 0.049. With $\alpha = 0.01$ neither settles: in the
last quarter million steps AMSGrad was anywhere from $-1$ to 0.49.
"""

from __future__ import annotations

import itertools
import math
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import click
import torch
from torch import nn

from experiments.cli import run_command
from experiments.counterexample_cli import Options, counterexample_command
from experiments.counterexample_results import Track, panels, save
from experiments.drawing import to_svg
from experiments.line_charts import line_chart, logarithmic_steps
from experiments.records import write_atomically
from labml_nn_optim import get_optimizer

LARGE, SMALL = 1010.0, -10.0
PERIOD = 101
RARE = 0.01
BETA1, EPS = 0.9, 1e-8
OPTIMIZERS = ("adam", "amsgrad")

# How many steps are compared with the library's, and how well they have to agree.
LIBRARY_STEPS = 10_000
TOLERANCE = 1e-12
POINTS = 160


def periodic(seed: int) -> Iterator[float]:
    """## The problem

    Yield the gradients one after the other: a large one first and then every 101 steps, small ones
    against it in between. `seed` decides nothing.
    """
    for step in itertools.count(1):
        yield LARGE if step % PERIOD == 1 else SMALL


def stochastic(seed: int) -> Iterator[float]:
    r"""Yield the large gradient with the probability 0.01, else the small one.

    The mean is $0.01 \cdot 1010 - 0.99 \cdot 10 = 0.2$, so $-1$ is the best place in the long run.
    """
    generator = random.Random(seed)
    while True:
        yield LARGE if generator.random() < RARE else SMALL


PROBLEMS: dict[str, Callable[[int], Iterator[float]]] = {
    "periodic": periodic,
    "stochastic": stochastic,
}


def constant(lr: float, step: int) -> float:
    r"""Return $\alpha$."""
    return lr


def falling(lr: float, step: int) -> float:
    r"""Return $\alpha / \sqrt t$."""
    return lr / math.sqrt(step)


SCHEDULES: dict[str, Callable[[float, int], float]] = {"constant": constant, "falling": falling}


@dataclass(frozen=True)
class Walk:
    """One optimizer on one problem.

    * `problem`, `schedule`: keys of `PROBLEMS` and `SCHEDULES`
    * `optimizer`: `adam` or `amsgrad`
    * `seed`: decides the random gradients
    """

    problem: str
    schedule: str
    optimizer: str
    lr: float
    beta2: float = 0.99
    seed: int = 0

    def gradients(self) -> Iterator[float]:
        """Return the gradients of all steps; they never end."""
        return PROBLEMS[self.problem](self.seed)

    def lr_at(self, step: int) -> float:
        r"""Return $\alpha_t$."""
        return SCHEDULES[self.schedule](self.lr, step)


Place = tuple[float, float]
"""Where $x$ is before a step, and the gradient of this step."""


def in_numbers(walk: Walk) -> Iterator[Place]:
    r"""## Both rules without tensors

    Yield the places of a walk that begins at 0 and never ends.

    A step of an optimizer of torch's form takes some 50 microseconds for a single number, and only
    a few of them are arithmetic. Three million steps of four walks would take ten minutes. Here
    they take twenty seconds. That both walks are the same is measured below. One step is

    $$x_{t+1} = x_t - \alpha_t\, \frac{m_t / (1 - \beta_1^t)}{\sqrt{\bar v_t / (1 - \beta_2^t)} + \varepsilon}$$

    with the largest $v$ so far for $\bar v_t$; Adam takes $v_t$ itself.
    """
    beta1, beta2 = BETA1, walk.beta2
    x = m = v = largest = 0.0
    for step, gradient in enumerate(walk.gradients(), 1):
        yield x, gradient
        m += (1 - beta1) * (gradient - m)
        v = beta2 * v + (1 - beta2) * gradient * gradient
        # The only difference between the two.
        largest = max(largest, v) if walk.optimizer == "amsgrad" else v
        ratio = m / (1 - beta1**step) / (math.sqrt(largest / (1 - beta2**step)) + EPS)
        x -= walk.lr_at(step) * ratio
        # The problem is posed between -1 and 1: a step that leads out ends at the edge.
        x = min(1.0, max(-1.0, x))


def with_library(walk: Walk) -> Iterator[Place]:
    """Yield the same places, walked by the optimizer of this library."""
    x = nn.Parameter(torch.zeros((), dtype=torch.float64))
    kind = get_optimizer(walk.optimizer)
    optimizer = kind([x], lr=walk.lr, betas=(BETA1, walk.beta2), eps=EPS, per_tensor=True)
    for step, gradient in enumerate(walk.gradients(), 1):
        yield x.item(), gradient
        optimizer.param_groups[0]["lr"] = walk.lr_at(step)
        x.grad = torch.full_like(x, gradient)
        optimizer.step()
        with torch.no_grad():
            x.clamp_(-1, 1)


def difference_from_library(walk: Walk, steps: int = LIBRARY_STEPS) -> float:
    """Return the largest distance between the two over the first steps."""
    pairs = zip(in_numbers(walk), with_library(walk), strict=False)
    return max(abs(ours - theirs) for (ours, _), (theirs, _) in itertools.islice(pairs, steps))


def follow(walk: Walk, steps: int) -> Track:
    r"""## Regret

    Take so many steps, and return where the walk was and its average regret at up to 160 of them.

    The loss of step $t$ is $g_t\, x_t$, with the place before the step. Regret is what was lost
    beyond the best single place, chosen in hindsight:

    $$R_t = \sum_{s \le t} g_s x_s - \min_{|x| \le 1} x \sum_{s \le t} g_s
    = \sum_{s \le t} g_s x_s + \Big| \sum_{s \le t} g_s \Big|$$

    If $R_t / t$ goes to zero, the walk has learned as much as a place can tell. Between two points
    of the track, $x$ goes up and down many times. So a point holds the least, the mean and the
    greatest $x$ since the point before.
    """
    track = Track(asdict(walk) | {"beta1": BETA1})
    ends = iter(logarithmic_steps(1, steps, POINTS))
    end = next(ends)
    lost = total = mean = 0.0
    low, high, since = 1.0, -1.0, 0
    for step, (x, gradient) in enumerate(itertools.islice(in_numbers(walk), steps), 1):
        lost += gradient * x
        total += gradient
        low, high, since = min(low, x), max(high, x), since + 1
        mean += (x - mean) / since
        if step == end:
            track.append(step, mean, low, high, (lost + abs(total)) / step)
            low, high, since, end = 1.0, -1.0, 0, next(ends, 0)
    return track


def run(options: Options) -> None:
    """Walk as the command line says, compare, print and save."""
    options.out.mkdir(parents=True, exist_ok=True)
    rates = {"falling": options.falling, "constant": options.constant}
    tracks = []
    for (schedule, lr), optimizer in itertools.product(rates.items(), OPTIMIZERS):
        walk = Walk(options.problem, schedule, optimizer, lr, options.beta2, options.seed)
        difference = difference_from_library(walk, min(options.steps, LIBRARY_STEPS))
        if difference > TOLERANCE:
            raise click.ClickException(
                f"{optimizer} in plain numbers leaves the library's by {difference:.1e}"
            )
        track = follow(walk, options.steps)
        click.echo(describe(track, difference))
        click.echo(f"  track {save(track, options.out)}")
        tracks.append(track)
    path = options.out / f"{options.problem}.svg"
    write_atomically(path, to_svg(line_chart(panels(tracks))).encode())
    click.echo(f"chart {path}")


def describe(track: Track, difference: float) -> str:
    """Say where a walk has arrived."""
    form = "α" if track.walk["schedule"] == "constant" else "α/√t"
    return (
        f"{track.name}, {form} with α = {track.walk['lr']:g}: after {track.step[-1]:,} steps x between "
        f"{track.low[-1]:.4f} and {track.high[-1]:.4f}, average regret {track.regret[-1]:.4f}; "
        f"the library's optimizer differs by {difference:.0e} at most"
    )


main = counterexample_command(run)

if __name__ == "__main__":
    sys.exit(run_command(main))

# ## Running it
#
# ```
# python -m experiments.counterexample
# python -m experiments.counterexample --problem stochastic --seed 3
# python -m experiments.counterexample --constant 0.001 --steps 10000000
# ```
#
# Every walk takes its first 10,000 steps with the optimizer of the library, too. If the two are further
# apart than $10^{-12}$ anywhere, the command fails. They were never further apart than
# $2 \cdot 10^{-15}$.
#
# ## Exercises
#
# **1.** Someone runs AMSGrad with $\alpha = 0.01$, reads $x = -0.95$ at the end of the run, and
# concludes that it needs more steps. What would you look at?
#
# ::: solution
# At $x$ over one whole round. The run ended after many small gradients, at the upper end of the saw.
# A few steps after the next large gradient it would have ended at $-1$, and more steps
# repeat the same round.
# :::
#
# **2.** Show that a walk that repeats the same round pays a regret of
# $\frac{1}{101} \sum g_s (x_s + 1)$ a step, and that it would pay nothing if the large
# gradient came when $x = -1$ and $x$ moved only after it.
#
# ::: solution
# In a round $\sum g_s = 10 > 0$, so the best place is $-1$ with the loss $-\sum g_s$. Subtract it
# from $\sum g_s x_s$. In the second case the term of the large gradient is $1010 \cdot 0$, and
# those of the small ones are $-10\, (x_s + 1) \le 0$. Regret can be negative: a walk may beat every
# fixed place if it moves at the right times. This saw moves at the wrong ones.
# :::
#
# **3.** Halve the constant step size. Does the floor of AMSGrad's regret halve exactly?
#
# ::: solution
# Yes, up to rounding. $m$ and $v$ do not depend on $x$ here, so all steps are half as
# long, and the saw at the edge is half as high.
#
# ```python
# from itertools import islice
#
# from experiments.counterexample import Walk, in_numbers
#
#
# def floor(lr):
#     walk = Walk("periodic", "constant", "amsgrad", lr)
#     places = islice(in_numbers(walk), 2999 * 101, 3000 * 101)
#     return sum(gradient * (x + 1) for x, gradient in places) / 101
#
#
# assert abs(floor(0.02) - 2 * floor(0.01)) < 1e-9
# ```
# :::
