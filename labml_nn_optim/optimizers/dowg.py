r"""
---
title: DoWG
summary: DoWG is DoG with every squared gradient weighted by the square of the distance at its time, so that what came early counts less.
paper:
  title: "DoWG Unleashed: An Efficient Universal Parameter-Free Gradient Descent Method"
  authors: Ahmed Khaled, Konstantin Mishchenko, Chi Jin
  year: 2023
  arxiv: "2305.16284"
  venue: NeurIPS
chapter: "5.7"
needs: [optimizers/dog]
symbols:
  \theta: param
  \theta_0: p0
  g: grad
  \bar r: r_bar
  v: grad_sum
verified_against:
  implementation: the paper's algorithm, written out in the tests
  difference: 1e-15 over 100 noisy steps in float64
---

# The update rule
"""

from __future__ import annotations

import math

from labml_nn_optim.optimizers.dog import DoG

__all__ = ["DoWG"]


class DoWG(DoG):
    r"""DoG with weights in its sum of squared gradients.

    Arguments, state and errors are those of [DoG](dog.py#DoG). Here `eps` is $\varepsilon$, added to the first
    squared gradient.

    Khaled, Mishchenko and Jin (2023).
    """

    def grad_sum(self, r_bar: float, squares: float, last: float | None) -> float:
        r"""Return $v_t = v_{t-1} + \bar r_t^2 \lVert g_t \rVert^2$, or $v_1$ if there is no last one."""
        if last is None:
            last = r_bar**2 * float(self.param_groups[0]["eps"])
        return last + r_bar**2 * squares

    def rate(self, r_bar: float, total: float) -> float:
        r"""Return $\eta_t = \bar r_t^2 / \sqrt{v_t}$."""
        return r_bar**2 / math.sqrt(total)
