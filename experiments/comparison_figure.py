"""The figure of the comparison: the ranking at the default rates beside that at the best rates."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from markupsafe import Markup

from experiments.committed import EXPERIMENTS, SEARCHES, folder, records_in
from experiments.comparison import pairs_that_change_order, ranking
from experiments.comparison_results import Groups, best_losses, default_losses, searches
from experiments.curves import to_page_svg
from experiments.explore import chart_place
from experiments.run_figures import OF_ALL, anchor, caption, search_conditions
from experiments.slope_chart import slope_chart
from site_gen.plugins import Figure

FEWEST = 5
"""Fewer optimizers than these are no ranking."""

TITLE = "From default to best learning rates on {}"
LINK = '<a href="{}#{}">results</a>'


def comparison_figures() -> Iterator[Figure]:
    """Yield for each experiment the chart of both rankings, if enough optimizers were searched."""
    for experiment, name in EXPERIMENTS.items():
        if records_in(folder(experiment, SEARCHES)):
            yield from _figure(experiment, TITLE.format(name))


def _figure(experiment: str, title: str) -> Iterator[Figure]:
    found = searches(folder(experiment))
    default, best = default_losses(found), best_losses(found)
    if len(default) < FEWEST:
        return
    names = _names(found)
    before = {names[label]: default[label] for label in ranking(default)}
    after = {names[label]: best[label] for label in ranking(best) if label in default}
    chart = slope_chart(before, after, "held-out loss", "left: default rate, right: best rate")
    turned, pairs = len(pairs_that_change_order(before, after)), math.comb(len(before), 2)
    description = f"{turned} of {pairs} pairs of optimizers change their order."
    shown = [run for label in default for run in found[label]]
    html = Markup(to_page_svg(chart, title=title, description=description))
    place, files = chart_place(chart)
    html += place + search_conditions(shown, has_lost_runs=False)
    html += caption("The searches are among the {}.", Markup(LINK).format(OF_ALL, experiment))
    yield Figure(title, anchor("rankings", experiment), html, files)


def _names(found: Groups) -> dict[str, str]:
    """Return the name of each label's optimizer, and the label itself where others have the same."""
    names = {label: search[0].optimizer for label, search in found.items()}
    counts = Counter(names.values())
    return {label: name if counts[name] == 1 else label for label, name in names.items()}
