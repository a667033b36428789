"""What the first steps cost, as `experiments.speed_fresh` measures it; without the compiler, which takes seconds to import."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Compilation:
    """A compilation that began with an empty cache.

    * `seconds`: what the first two steps took
    * `graphs`: graphs compiled in these two
    * `graphs_later`: graphs compiled in five more steps, each with another learning rate
    """

    seconds: float
    graphs: int
    graphs_later: int


@dataclass(frozen=True)
class Fresh:
    """What was measured: the compilation, if a way is compiled, and bytes at the peak by way."""

    compilation: Compilation | None
    peaks: dict[str, int]
