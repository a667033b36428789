"""The section of a page that holds the playground."""

from __future__ import annotations

from markupsafe import Markup

from experiments.playground.catalog import KEEPS_RATE, RATES, STEPS
from experiments.playground.hints import hint
from experiments.playground.picture import picture
from experiments.playground.store import entry, file_of, shared
from experiments.playground.trace import AS_COLUMN
from site_gen.plugins import Figure

CAVEAT = Markup(
    "Two parameters show how a rule moves. They say little about networks, where gradients are noisy and "
    "directions number in the millions."
)
SOURCE = Markup(
    "The path is that of <code>step_param</code> and <code>scalars</code> themselves: what they compute was "
    "recorded when this page was made. "
)
COLUMN = Markup("x and y are a matrix of one column here, as the rule is one for matrices. ")
BEST_RATE = Markup(
    "On each surface <code>lr</code> starts where, of {} values, the mean loss of the first {} steps is the lowest."
).format(len(RATES), STEPS)


def playground_figure(name: str) -> Figure:
    """Return the playground of an optimizer, by the name of its file."""
    shown = entry(name)
    caption = SOURCE
    if name in AS_COLUMN:
        caption += COLUMN
    if name not in KEEPS_RATE:
        caption += BEST_RATE
    html = Markup(
        '<div class="playground" data-optimizer="{}"><p class="playground-hint">{} {}</p><div>{}</div></div>'
        '<p class="curve-conditions">{}</p>'
    ).format(name, hint(name), CAVEAT, picture(shown), caption)
    files = {f"playground/{path.name}": path for path in (shared(), file_of(name))}
    return Figure("Playground", "playground", html, files)
