r"""
---
title: Warm-up, stable, decay
summary: The rate stays at its peak for most of the run and falls at the end, so that the end can be decided late.
chapter: "9.9"
needs: [schedules/warmup]
paper:
  title: Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations
  authors: Alexander Hägele, Elie Bakouch, Atli Kosson, Loubna Ben Allal, Leandro Von Werra, Martin Jaggi
  year: 2024
  arxiv: "2405.18392"
  venue: NeurIPS
symbols:
  t: step
  W: warmup
  D: decay
verified_against:
  implementation: values recorded from Hugging Face's warmup_stable_decay
  difference: 3e-9, where those are rounded
---

# Four lengths for little more than one run

How long should a network be trained? With a decay to zero each answer is a run of its own: a cosine for 2000 steps
says nothing about 4000. Half-way through the longer one its rate is high and its loss bad.

Keep the rate constant instead, and copy the weights now and then. From each copy a short decay branches off. On the problem of
[the chapter before](warmup.py), with $\alpha = 0.01$ and a decay over the last fifth:

| ends at | 1000 | 2000 | 4000 | 8000 | steps in all |
|---|---:|---:|---:|---:|---:|
| branches of one run | 0.00688 | 0.00387 | 0.00240 | 0.00177 | 9400 |
| cosines at the same rate | 0.01073 | 0.00538 | 0.00276 | 0.00147 | 15000 |
| lines, each at its best rate | 0.00524 | 0.00342 | 0.00217 | 0.00137 | 15000 |

At 4000 the constant run has 0.0029, and 0.0024 with the decay. The loss falls in the decay, within few steps, and nobody has to know
beforehand when. The branches are better than cosines at the same rate as long as the rate suits a constant one.

The price stands in the last row. Tuned for one length, with ten runs for each, a line is better, by 11 % at 4000 and by 29 % at 8000, where 0.01 is too
much for a constant rate.

## The rule

$$
s(t) = \begin{cases}
\text{warm-up to } s_\text{max} & t < W \\
s_\text{max} & W \le t < T - D \\
s_\text{end} + (s_\text{max} - s_\text{end})\; r\!\left( \dfrac{t - (T - D)}{D - e} \right) & t \ge T - D
\end{cases}
$$

$r$ is the `tail`, any [shape](ramp.py), such as $1 - \sqrt x$, `1-sqrt`. $e$ is 0, or 1 with `end="last"`, as in
[Warm-up and decay](warmup.py). The first step of the decay still has $s_\text{max}$.

## Why a short decay is enough

A constant rate does two things at once. It moves along directions of small curvature, where the way is long, and shakes in those of
large curvature. Let $h$ be the curvature of a direction: the shaking dies out within some $1 / (\alpha h)$ steps once the rate $\alpha$ falls, and the stiffer the
direction the sooner. What takes long is the way, and along it the constant rate is faster than any decay with the same peak. Wen et al. (2024, arXiv 2410.05192) picture it as a river in a
valley: a high rate travels down the river and bounces between the banks, and the decay brings it to the water.

How long should $D$ be? At 4000 steps, the best rate for each:

| $D / T$ | 0.05 | 0.1 | 0.2 | 0.4 | 1 |
|---|---:|---:|---:|---:|---:|
| `linear` | 0.00260 | 0.00254 | 0.00240 | 0.00229 | 0.00217 |
| `1-sqrt` | 0.00261 | 0.00256 | 0.00242 | 0.00234 | 0.00218 |
| `cosine` | 0.00264 | 0.00258 | 0.00251 | 0.00241 | 0.00233 |
| best $\alpha$ of `linear` | 0.007 | 0.007 | 0.01 | 0.01 | 0.02 |

The longer the better, here. The constant rate itself comes to 0.00266. For language models Hägele et al. (2024, arXiv 2405.18392) find that 20 %
reaches a well-tuned cosine, and that $1 - \sqrt x$ is the best tail. On these quadratics there is no difference between it and a
line.

## Conventions

| | warm-up | decay | tails |
|---|---|---|---|
| MiniCPM (Hu et al., 2024, arXiv 2404.06395), where the name is from | line | last tenth | exponential |
| Hugging Face `warmup_stable_decay` | $t / W$; line, cosine, 1-sqrt | $D$ steps, cosine by default | line, cosine, 1-sqrt |
| Megatron-LM | line | $D$ steps | line, cosine, [halving](ramp.py), 1-sqrt |
| torchtitan | $(t + 1) / W$ | one step longer, so that the last rate is above 0 | line, 1-sqrt, cosine |
| fairseq `tri_stage` | line from 0.01 of the peak | exponential to 0.01 of it | [tri-stage](#TriStageSchedule) |
| here | $(t + 1) / (W + 1)$ | last fifth | all of [them](ramp.py) |

Moonshot's Kimi K2 and DeepSeek-V3 hold their rate for most of the run, too, and come down along a cosine; DeepSeek-V3 holds its rate twice more after that.
"""

from __future__ import annotations

import math
from dataclasses import field

from labml_nn_optim.checks import require_number
from labml_nn_optim.schedules.warmup import WarmupDecaySchedule, length, require_length

__all__ = ["LateDecaySchedule", "TriStageSchedule", "WSDSchedule"]


class LateDecaySchedule(WarmupDecaySchedule):
    """A warm-up, then what a subclass says, then a decay over the last steps of the run.

    - `decay_steps`, or `decay_percent`: the length of the decay in steps, or as a fraction of the run;
      none if neither is given
    """

    decay_steps: int | None = field(default=None, kw_only=True)
    decay_percent: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_length(self, "decay")
        total = (self.warmup_percent or 0) + (self.decay_percent or 0)
        if total > 1 + 1e-9:
            raise ValueError(
                f"warmup_percent and decay_percent must be at most 1 together, got {total!r}"
            )

    @property
    def needs_total_steps(self) -> bool:
        """Whether something ends with the run, or is a fraction of it."""
        lengths = (self.warmup_percent, self.decay_percent, self.decay_steps)
        return self._is_placed or any(each is not None for each in lengths)

    def _get_value(self, step: float, total_steps: float) -> float:
        steps = total_steps - self._warmup(total_steps)
        decay = self._decay(total_steps, steps)
        if 0 <= steps < decay:
            raise ValueError(
                f"decay_steps must be at most the {steps!r} steps after the warm-up, got {decay!r}"
            )
        return super()._get_value(step, total_steps)

    def _decay(self, total_steps: float, steps: float) -> float:
        """Return the length of the decay in a run that has `steps` after the warm-up."""
        decay = length(self, "decay", total_steps)
        if None in (self.warmup_percent, self.decay_percent):
            return decay
        # Both may have been rounded up.
        return min(decay, steps)

    def _get_value_after(self, step: float, steps: float, warmup: float) -> float:
        decay = self._decay(steps + warmup, steps)
        begun = step - (steps - decay) if decay else -math.inf
        value = self._get_value_before_decay(step - max(0, begun), steps, warmup)
        return self._fall(value, begun, decay) if begun > 0 else value

    def _get_value_before_decay(self, step: float, steps: float, warmup: float) -> float:
        """Return the value `step` steps after the warm-up, if there were no decay."""
        raise NotImplementedError(f"{type(self).__name__} has no _get_value_before_decay")


class WSDSchedule(LateDecaySchedule):
    """A warm-up, then `max_value`, then a decay over the last steps of the run.

    - `decay_percent`: 0.2 if no length of the decay is given
    """

    tail: str = field(default="1-sqrt", kw_only=True)

    def __post_init__(self) -> None:
        if self.decay_steps is None and self.decay_percent is None:
            object.__setattr__(self, "decay_percent", 0.2)
        super().__post_init__()

    def _get_value_before_decay(self, step: float, steps: float, warmup: float) -> float:
        return self.max_value


class TriStageSchedule(WSDSchedule):
    """From a hundredth up a line, hold, then down an exponential to a hundredth.

    - `start_value`, `end_value`: a hundredth of `max_value` if not given
    """

    start_value: float = field(default=None, kw_only=True)  # type: ignore[assignment]
    end_value: float = field(default=None, kw_only=True)  # type: ignore[assignment]
    tail: str = field(default="exponential", kw_only=True)

    def __post_init__(self) -> None:
        require_number("max_value", self.max_value)
        for name in ("start_value", "end_value"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, self.max_value / 100)
        super().__post_init__()


# ## Choosing
#
# - `decay_percent`: 0.2; more if you know the length, up to all of it.
# - `tail`: `linear` or `1-sqrt`. Not `cosine`.
# - `max_value`: about half of what a decay over the whole run would have.
# - `end_value`: 0.
#
# ## When not to use it
#
# The run has one length and it is fixed: a line to zero is better and no harder. You cannot keep checkpoints: then the branches
# cannot be made.
#
# ## Traps
#
# - **A run is judged before its decay.** Its loss is that of a high rate. To compare two settings, branch off a decay from both.
# - **Branches that are not branches.** The weights *and* the state of the optimizer must be copied. A decay from a fresh Adam begins with
#   its first steps.
# - **$W + D > T$** is an error, when a scheduler is made as well as later.
# - **The last rate is 0 with `end="last"`.** By default it is one step's worth above.
#
# ## What the experiment shows
#
# [The MNIST network](../../experiments/mnist.py), AdamW, three epochs, three seeds, a warm-up of 5 % and a decay over the last fifth. `1-sqrt`: 99.25, 99.30 and 99.44 %. `linear`:
# 99.26, 99.29 and 99.47 %. `cosine`: 99.18, 99.25 and 99.38 %. Tri-stage with a warm-up of a tenth and `decay_percent=0.5`: 99.40, 99.46 and 99.48 %. The cosine: 99.37 to 99.43 %,
# the constant rate: 98.52 to 98.98 %.
#
# As on the quadratics, most of the gain is in the short decay: the median loss on the test images is 0.041 without one, 0.023 with a
# fifth of the run, 0.018 with half of it. Tails cannot be told apart, and whether the step from 0.023 to 0.018 is the longer decay or three seeds is not
# known.
#
# ## Exercises
#
# **1.** A trunk with branches of a fifth that end at 1000, 2000, 4000 and 8000: how many steps are computed?
#
# ::: solution
# The trunk up to where the last branch begins, 6400, and the branches: $200 + 400 + 800 + 1600 = 3000$. Together 9400.
# :::
#
# **2.** Branch a decay off a run of your own, and check that the branch has the rates of a schedule that was planned so.
#
# ::: solution
# ```python
# from labml_nn_optim.schedules import WSDSchedule
#
# trunk = WSDSchedule(1, warmup_steps=10, decay_steps=0)
# branch = trunk.start_decay(at=80, steps=20, tail="1-sqrt")
# planned = WSDSchedule(1, warmup_steps=10, decay_steps=20, tail="1-sqrt")
# assert all(branch.get_value(t, 1000) == planned.get_value(t, 100) for t in range(100))
# ```
# :::
#
# **3.** Which part of the sum of rates does a decay over the last fifth cost, compared with no decay, for a line and for $1 - \sqrt x$?
#
# ::: solution
# The line has half of a fifth, so 10 % are lost. $1 - \sqrt x$ has a third of a fifth, and 13.3 % are lost.
# :::
