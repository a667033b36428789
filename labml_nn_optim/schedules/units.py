r"""
---
title: Updates, epochs, tokens
summary: Lengths come in epochs, samples, tokens and fractions; a schedule counts updates, and one place converts.
chapter: "9.14"
needs: [schedules/base]
symbols:
  T: total_steps
---

# Eight times the batch, and the run ends inside its warm-up

Three epochs of MNIST, 60 000 images, with 500 steps of warm-up and then a line to zero, peak 1. The script stays as it is
and moves to 8 devices with 64 images each, then also adds up the gradients of 4 batches. Hugging Face's
`linear` schedule, 5.24:

| images in an update | updates in an epoch | $T$ | 500 steps are | highest rate | mean rate |
|---|---:|---:|---:|---:|---:|
| 64 | 938 | 2814 | 18 % of the run | 1 | 0.5 |
| 256, as 4 batches of 64 | 235 | 705 | 71 % | 1 | 0.5 |
| 512, on 8 devices | 118 | 354 | 141 % | 0.71 | 0.35 |
| 2048, both | 30 | 90 | 556 % | 0.18 | 0.09 |

The last run never sees a fifth of the intended rate, and no error is raised. A
[WarmupDecaySchedule](warmup.py#WarmupDecaySchedule) refuses a warm-up that is longer than the run, but takes the second
row. Half an epoch of warm-up would be 469, 118, 59 and 15 updates: 17 % in every row.

## The rule

A schedule is asked once for every update, so $t$, $T$ and all lengths in it count updates. Everything else is converted
once, before the run. With $b$ samples in a batch on each of $d$ devices, $c$ batches added up, $L$ tokens in a
sample and $N$ samples in the data, an update takes $B = b\, c\, d$ samples, and

$$
\text{updates} = \frac{\text{batches}}{c} = \frac{\text{samples}}{B} = \frac{\text{tokens}}{B L}
= \text{epochs} \cdot \left\lceil \frac{N}{B} \right\rceil = \text{fraction} \cdot T
$$

Batches are those of one device. [RunLength](#RunLength) keeps $B$, $B L$ and $\lceil N / B \rceil$, and
rounds to the nearest update.

## Why any unit would do

What a schedule makes of $t$ is mostly a progress, such as $x = (t - W) / (T - W)$. Multiply $t$, $W$ and $T$ by the
same $k$, and $x$ is what it was:

$$s(k t, k T) \text{ with } k W \;=\; s(t, T) \text{ with } W$$

So the same schedule can count tokens: its lengths are tokens, and `scheduler.step(tokens)` tells how many have been seen.
If every update has equally many, the rates are those of counting updates. It pays when
they have not. Here batches grow from 16 384 to 65 536 tokens after 2 million, in a run of 10 million with
a million for the warm-up and a line to zero:

```python
optimizer = AdamW(model.parameters())
plan = WarmupDecaySchedule(3e-4, warmup_steps=1_000_000, tail="linear")
scheduler = Scheduler(optimizer, plan, total_steps=10_000_000)
tokens = 0
for batch in batches:
    train(batch)
    optimizer.step()
    tokens += batch.numel()
    scheduler.step(tokens)
```

There are 245 updates. The peak comes with the 62nd: after a tenth of the tokens, which is a quarter of the updates. After
5.5 million tokens the line is at half of the peak, whatever the batches were. The checkpoint holds the number of tokens,
so that a run can go on with batches of another size.

What does not scale:

- **The 1 in $(t + 1) / (W + 1)$** is one unit, an update or a token. In the example the first update has a millionth of
  the peak. Whoever minds calls `scheduler.step(tokens)` before the update, with its own batch counted in. Then the last
  update has the rate 0.
- **A factor for each step**, as in [ExponentialSchedule](decay.py#ExponentialSchedule), is a factor for each token.
- **The optimizer's own memory.** $\beta_2 = 0.999$ remembers about 1000 updates, whatever is in them.

## What should stay when the batch grows

A length can have two reasons. If it comes from the data, such as one pass over them before the rate falls, it keeps its
number of epochs or tokens. If it comes from the optimizer, it keeps its number of updates: a warm-up of
$2 / (1 - \beta_2)$ steps waits until Adam's second moment is settled ([Adam with warm-up](../optimizers/adam_warmup.py)),
and a larger batch does not make that sooner. With $\beta_2 = 0.999$ it would be 2000 updates, and the third run has
354. Then $\beta_2$ has to come down as well, or the run is too short for such batches.

The learning rate is no length. No conversion tells what it should be with another batch.

## Conventions

| | a step of the schedule is |
|---|---|
| torch, Cerebras, optax | what calls it: an update, if the loop does it right; torch calls the counter `last_epoch` |
| noether | an update; with `interval: epoch` the value changes once an epoch, at the count of updates |
| Hugging Face `Trainer` 5.24 | an update; a rest of fewer than $c$ batches at the end of an epoch makes one, too |
| Accelerate 1.15 | a batch of one device: every update makes as many steps as there are processes |
| timm 1.0.31 | an epoch, or an update with `t_in_epochs=False` |
| OLMo-core | an update or a token |
| Megatron-LM | what the caller adds; its own loop adds samples |
| here | an update, or what the caller gives to `step` |

A fraction has to be rounded, and 5 % of 2814 updates, 140.7, are 141 here, 141 in Hugging Face's warm-up, which rounds
up, and 140 in noether, $\lfloor 0.05 \cdot 2813 \rfloor$. Halves go to the even neighbour, as everywhere in Python: 5 % of
30 and of 50 updates are 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from labml_nn_optim.checks import require_choice, require_count, require_flag, require_number

__all__ = ["RunLength"]


@dataclass(frozen=True)
class RunLength:
    """How long a run is, in every unit.

    - `total_steps`: $T$, the updates of the whole run
    - `samples_per_update`, `tokens_per_update`, `updates_per_epoch`: what is known of these

    Raises `TypeError` or `ValueError` for what is no whole number above 0.
    """

    total_steps: int
    samples_per_update: int | None = None
    tokens_per_update: int | None = None
    updates_per_epoch: int | None = None

    def __post_init__(self) -> None:
        for name in ("total_steps", "samples_per_update", "tokens_per_update", "updates_per_epoch"):
            value = getattr(self, name)
            if value is not None or name == "total_steps":
                require_count(name, value, minimum=1)

    @classmethod
    def of_epochs(
        cls, epochs: float, samples: int, batch_size: int, *, drop_last: bool = False
    ) -> RunLength:
        """Return the length of a run of `epochs` over `samples` in batches of `batch_size`.

        - `drop_last`: whether a last batch that is not full is left out, as by torch's `DataLoader`

        Raises `ValueError` if that leaves no batch.
        """
        require_number("epochs", epochs, above=0.0)
        require_count("samples", samples, minimum=1)
        require_count("batch_size", batch_size, minimum=1)
        require_flag("drop_last", drop_last)
        updates = samples // batch_size if drop_last else math.ceil(samples / batch_size)
        if updates == 0:
            raise ValueError(f"batch_size must be at most samples, {samples}, got {batch_size}")
        total_steps = max(1, round(epochs * updates))
        return cls(total_steps, samples_per_update=batch_size, updates_per_epoch=updates)

    def steps(self, amount: float, unit: str) -> int:
        """Return how many updates an `amount` of a `unit` is, to the nearest.

        - `unit`: `"updates"`, `"epochs"`, `"samples"`, `"tokens"` or `"fraction"`, that of the run

        Raises `ValueError` for a unit that this run does not know.
        """
        require_number("amount", amount)
        updates_in = {
            "updates": 1.0,
            "epochs": self.updates_per_epoch,
            "samples": 1 / self.samples_per_update if self.samples_per_update else None,
            "tokens": 1 / self.tokens_per_update if self.tokens_per_update else None,
            "fraction": self.total_steps,
        }
        require_choice("unit", unit, updates_in)
        factor = updates_in[unit]
        if factor is None:
            raise ValueError(f"unit must be one whose size the run knows, got {unit!r}")
        return round(amount * factor)


# ## Choosing the numbers
#
# - Write lengths in the unit of their reason: epochs or tokens for what the data ask for, updates for what the
#   optimizer asks for, fractions for a plan that is to serve runs of any length.
# - Make one `RunLength` where the batches are made, and take every number of steps from it.
# - Count tokens if updates hold different numbers of them, or if the batch grows during the run. Otherwise updates
#   are simpler and the same.
#
# ## Traps
#
# - **Accelerate steps once for each process.** That is right if $T$ was counted in batches of the whole data on one
#   device, 2814 above: on 8 devices the line then ends in update 352 of 354. If $T$ is the 354 updates that
#   are made, the line is at 0 after 45 of them, and 309 do nothing. Hugging Face's cosine, which does not stop, comes
#   up again four times and ends at its peak. diffusers had this in its examples
#   ([3954](https://github.com/huggingface/diffusers/issues/3954)).
# - **A step for each batch, $T$ in updates.** With $c = 4$ and $T = 705$ the line is at 0 for the last three
#   quarters of the run.
# - **A step for each update, $T$ in batches.** The other way round: the run ends at 75 % of the peak.
# - **Samples are not quite epochs.** The last batch of an epoch is smaller. 180 000 images are 2812 updates of 64,
#   and three epochs of 60 000 are 2814.
# - **`drop_last` on several devices.** torch's `DistributedSampler` fills up to equal parts before the loader drops
#   the rest. 1000 samples on 3 devices are 334 each, so 167 batches of 2 and not $\lfloor 1000 / 6 \rfloor = 166$.
# - **Padding.** Decide whether it counts as tokens, and decide the same way for the plan and for the counter.
#
# ## Exercises
#
# **1.** ImageNet has 1 281 167 images. How many updates are 90 epochs and a warm-up of 5, with 1024 and with 4096 images
# in an update?
#
# ::: solution
# $\lceil N / B \rceil$ is 1252 and 313.
#
# ```python
# from labml_nn_optim.schedules import RunLength
#
# for batch_size, total, warmup in ((1024, 112_680, 6260), (4096, 28_170, 1565)):
#     run = RunLength.of_epochs(90, 1_281_167, batch_size)
#     assert (run.total_steps, run.steps(5, "epochs")) == (total, warmup)
# ```
# :::
#
# **2.** Count the same warm-up and cosine in updates and in tokens, 16 384 to an update. For which way to count the
# first update are the rates equal?
#
# ::: solution
# For $t / W$, which has no 1 in it. With $(t + 1) / (W + 1)$ they differ most in the first update, by a step of the warm-up.
#
# ```python
# from labml_nn_optim.schedules import RunLength, WarmupDecaySchedule
#
# run = RunLength(600, tokens_per_update=16_384)
# assert run.steps(50 * 16_384, "tokens") == 50
#
#
# def largest_difference(start):
#     updates = WarmupDecaySchedule(1.0, warmup_steps=50, warmup_start=start)
#     tokens = WarmupDecaySchedule(1.0, warmup_steps=50 * 16_384, warmup_start=start)
#     return max(
#         abs(updates.get_value(step, 600) - tokens.get_value(step * 16_384, 600 * 16_384))
#         for step in range(600)
#     )
#
#
# assert largest_difference("t/W") == 0
# assert 0.0196 < largest_difference("(t+1)/(W+1)") < 1 / 51
# ```
# :::
#
# **3.** Does the number of updates in an epoch depend on how $B$ is divided into devices and batches?
#
# ::: solution
# Not if nothing is dropped. With parts of $\lceil N / d \rceil$ samples, an update is missing until
# $n\, b \ge \lceil N / d \rceil$. As $n\, b$ is a whole number, that is the same as $n\, b \ge N / d$, so
# $n = \lceil N / (b d) \rceil$.
#
# ```python
# from itertools import product
# from math import ceil
#
# from labml_nn_optim.schedules import RunLength
#
# for samples, devices, batch in product(range(1, 60), range(1, 6), range(1, 6)):
#     run = RunLength.of_epochs(1, samples, devices * batch)
#     assert run.updates_per_epoch == ceil(ceil(samples / devices) / batch)
# ```
# :::
