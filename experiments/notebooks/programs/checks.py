"""Every check refuses in one line. AdamW calls them for each of its groups."""

from functools import partial

from torch import nn

from labml_nn_optim.checks import require_choice, require_count, require_fractions, require_number
from labml_nn_optim.optimizers.adamw import AdamW

layer = nn.Linear(4, 2)
for refused in (
    partial(require_number, "lr", float("nan")),
    partial(require_number, "lr", -0.001),
    partial(require_count, "warmup", 2.5),
    partial(require_choice, "mode", "maximum", ("min", "max")),
    partial(require_fractions, "betas", (0.9, 1.0), 2),
    partial(AdamW, layer.parameters(), lr=-1.0),
):
    try:
        refused()
    except (TypeError, ValueError) as error:
        print(f"{type(error).__name__}: {error}")
