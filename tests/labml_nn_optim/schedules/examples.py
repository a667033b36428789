"""What the tests of schedules share."""

from __future__ import annotations

from labml_nn_optim.schedules import ScheduleBase


def values(
    schedule: ScheduleBase, total_steps: int | None = None, count: int | None = None
) -> list[float]:
    """The values at steps 0, 1, ...: `count` of them, or those of the run."""
    steps = range(total_steps or 0) if count is None else range(count)
    return [schedule.get_value(step, total_steps) for step in steps]
