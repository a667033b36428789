"""Charts of functions and walks for the chapters that speak of them, computed when the page is made.

Every number comes from the library itself: change an optimizer, and its page shows the change.
"""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import torch
from markupsafe import Markup

from experiments import (
    averaging_results,
    counterexample_results,
    decay_results,
    finetune_results,
    widths_results,
)
from experiments.curves import side_by_side, to_page_svg
from experiments.explore import ALL_LINES, chart_place
from experiments.grids import RESULTS, Grid
from experiments.group_charts import (
    Shade,
    TreePanel,
    lr_scales,
    parameter_names,
    weight_decays,
)
from experiments.hollow import hollow
from experiments.library import LIBRARY
from experiments.line_charts import Line, Panel, Part, logarithmic_steps
from site_gen.plugins import Figure

POINTS = 160
WIDTHS_BASE = 64


class Drawable(Protocol):
    """A panel of any kind."""

    def part(self) -> Part:
        """Return the panel as a part of a chart."""


@dataclass(frozen=True)
class Plot:
    """A figure of a page.

    * `title`, `anchor`: of its heading
    * `panels`: what is drawn, side by side
    * `description`: what a screen reader says
    * `caption`: what stands below, as HTML
    * `records`: the files that the numbers come from
    """

    title: str
    anchor: str
    panels: Sequence[Drawable]
    description: str
    caption: Markup
    records: Sequence[Path] = ()


def figures(chapter: str) -> Iterator[Figure]:
    """Yield the figures of a chapter; most have none.

    * `chapter`: the dotted name of its module, or the name of a chapter that is prose only
    """
    for plot in PLOTS.get(chapter, PLOTS.get(chapter.rpartition(".")[2], ())):
        yield draw(plot())


def draw(plot: Plot) -> Figure:
    """Return the figure of a plot; a chart that has not changed is drawn once."""
    spec = side_by_side(*(panel.part() for panel in plot.panels))
    chart = _drawn(json.dumps(spec), plot.title, plot.description)
    caption = Markup('<p class="curve-conditions">{}</p>').format(plot.caption)
    records = {ALL_LINES: {path.name: path for path in plot.records}}
    place, files = chart_place(spec, records)
    return Figure(plot.title, plot.anchor, chart + caption + place, files)


@lru_cache(maxsize=64)
def _drawn(spec: str, title: str, description: str) -> Markup:
    """Draw a chart; one that has not changed is drawn once."""
    return Markup(to_page_svg(json.loads(spec), title=title, description=description))


def _optimizer(name: str, **options: Any) -> Any:
    """Make an optimizer of the library as it is now, which may be read anew while a page is served."""
    kind = importlib.import_module(f"{LIBRARY}.registry").get_optimizer(name)
    return kind([torch.nn.Parameter(torch.zeros(1))], **options)


def _scalars(optimizer: Any, steps: Sequence[int], key: str) -> list[tuple[float, float]]:
    """Return one of the numbers that depend on the step alone, over some steps."""
    group = optimizer.param_groups[0]
    return [(step, float(optimizer.scalars(group, step)[key])) for step in steps]


def rectification() -> Plot:
    """Return RAdam's factor for several decay rates."""
    radam = _optimizer("radam")
    steps = logarithmic_steps(1, 100_000, POINTS)
    lines = []
    for beta2 in (0.9, 0.99, 0.999, 0.9999):
        terms = ((step, radam.calc_rectification_term(beta2, step)) for step in steps)
        points = [(step, math.nan if term is None else term) for step, term in terms]
        lines.append(Line(f"β₂ = {beta2:g}", points))
    return Plot(
        "The rectification over the steps",
        "rectification",
        [Panel("rectification", "not drawn where the step is momentum alone", lines)],
        "The factor rises from near 0 to 1, the later the nearer beta 2 is to 1.",
        Markup(
            "<code>RAdam.calc_rectification_term</code>: every power of ten in 1 − β₂ moves the "
            "curve to ten times as many steps."
        ),
    )


def noam_rates() -> Plot:
    """Return Noam's learning rate for several widths and warm-ups."""
    steps = [1, *range(100, 20_001, 100)]
    lines = []
    for d_model, warmup in ((512, 4000), (512, 8000), (256, 4000), (1024, 4000)):
        noam = _optimizer("noam", lr=1.0, d_model=d_model, warmup=warmup)
        lines.append(Line(f"d = {d_model}, W = {warmup}", _scalars(noam, steps, "lr")))
    return Plot(
        "The learning rate over the steps",
        "learning-rate",
        [Panel("learning rate", "α = 1", lines, log_x=False)],
        "The learning rate rises on a line until the end of the warm-up, and then falls.",
        Markup(
            "The peak stands at step <i>W</i>. Four times the width or four times the warm-up halve "
            "it."
        ),
    )


def cosine_factor() -> Plot:
    """Return what the learning rate is multiplied with, for several warm-ups."""
    total_steps = 10_000
    steps = [1, *range(100, 14_001, 100)]
    lines = []
    for warmup in (0, 1000, 4000):
        options = {"lr": 1.0, "warmup": warmup, "total_steps": total_steps}
        optimizer = _optimizer("adam_warmup_cosine_decay", **options)
        lines.append(Line(f"W = {warmup}", _scalars(optimizer, steps, "lr")))
    return Plot(
        "The factor over the steps",
        "factor",
        [Panel("learning rate / α", f"T = {total_steps:,}", lines, log_x=False)],
        "The factor rises to 1 on a line, falls along a cosine, and stays at a tenth.",
        Markup("After step <i>T</i> the factor stays at a tenth."),
    )


def bounds() -> Plot:
    """Return both bounds of AdaBound's rate, for the default speed and a faster one."""
    steps = logarithmic_steps(1, 1_000_000, POINTS)
    default = _optimizer("ada_bound")
    gamma, final_lr = (default.param_groups[0][key] for key in ("gamma", "final_lr"))
    lines = [
        Line(f"{key} bound", _scalars(optimizer, steps, key), kind=f"γ = {speed:g}")
        for speed in (gamma, 10 * gamma)
        for optimizer in [_optimizer("ada_bound", gamma=speed)]
        for key in ("upper", "lower")
    ]
    subtitle = f"line: γ = {gamma:g}, dashes: γ = {10 * gamma:g}"
    return Plot(
        "The bounds over the steps",
        "bounds",
        [Panel("bounds of the rate", subtitle, lines, log_y=True)],
        "The upper bound falls and the lower one rises until they meet at the final rate.",
        Markup(
            "Both end at <code>final_lr</code> = {:g}. A larger γ brings them there sooner."
        ).format(final_lr),
    )


def counterexample() -> Plot:
    """Return the walks on the periodic problem."""
    return Plot(
        "Three million steps on the counter-example",
        "counterexample",
        _walks("periodic"),
        "Adam goes to 1 and AMSGrad to -1. Only AMSGrad with a falling step size has an average "
        "regret that goes to 0.",
        Markup(
            "Means and ranges of <i>x</i> since the point before. "
            "<code>python -m experiments.counterexample</code>"
        ),
        _walk_files("periodic"),
    )


def _walk_files(problem: str) -> list[Path]:
    folder = counterexample_results.FOLDER
    return [folder / track.file_name for track in counterexample_results.load_all(folder, problem)]


def _walks(problem: str) -> list[Panel]:
    folder = counterexample_results.FOLDER
    return counterexample_results.panels(counterexample_results.load_all(folder, problem))


def random_counterexample() -> Plot:
    """Return the walks on the stochastic problem."""
    return Plot(
        "The same in random order",
        "random-order",
        _walks("stochastic"),
        "Adam stays near 1. AMSGrad comes to -1 with a falling step size.",
        Markup(
            "The large gradient comes with the probability 0.01. "
            "<code>python -m experiments.counterexample --problem stochastic</code>"
        ),
        _walk_files("stochastic"),
    )


def averages() -> Plot:
    """Return the losses of last and of averaged weights."""
    comparisons = averaging_results.load_all(averaging_results.FOLDER)
    seeds = sorted({comparison.configuration["seed"] for comparison in comparisons})
    return Plot(
        "Last weights and averages on MNIST",
        "averages",
        averaging_results.panels(comparisons),
        "The loss of the last weights jumps up and down. That of an average falls smoothly and ends "
        "lower; the longer its memory, the later it comes down.",
        Markup(
            "Adam with α = {:g}; medians and ranges of the seeds {}. "
            "<code>python -m experiments.averaging</code>"
        ).format(comparisons[0].configuration["lr"], ", ".join(map(str, seeds))),
        [averaging_results.FOLDER / comparison.file_name for comparison in comparisons],
    )


def fine_tuning() -> Plot:
    """Return what the layers of MNIST are worth for other digits."""
    return _rate_curves(
        ("one rate", "head only", "from scratch"),
        "Fine-tuned, frozen, and from scratch",
        "With digits the layers of MNIST are worth some points at most rates, and most of it stays "
        "when they are frozen. With inverted digits they are worth little, and frozen they harm.",
    )


def layer_decays() -> Plot:
    """Return the accuracy of several layer decays over the learning rate."""
    names = ("one rate", "layer decay 0.75", "layer decay 0.5", "layer decay 0.25")
    return _rate_curves(
        names,
        "Layer decay over the learning rate",
        "Layer decay moves the curve to larger rates; its top is little higher, or not at all.",
    )


def head_rules() -> Plot:
    """Return the accuracy of rules for the head over the learning rate."""
    return _rate_curves(
        ("one rate", "head x 10", "head only"),
        "Two rules for the head",
        "A head with ten times the rate does at small rates what one rate does at larger ones. A "
        "frozen backbone needs large rates, and fails with inverted digits.",
    )


def schedules_by_tag() -> Plot:
    """Return the accuracy where the backbone has a schedule of its own."""
    grid = finetune_results.find("schedules", "digits", 50)
    return Plot(
        "When the backbone joins in",
        "fine-tuning",
        finetune_results.panels(grid),
        "At rates up to 0.01 the curves lie close together. At 0.03 the network that learns all at once "
        "is at chance, and those whose backbone waits or warms up are not.",
        _of_seeds(grid, "python -m experiments.finetune --study schedules"),
        _files(grid),
    )


def _rate_curves(names: Sequence[str], title: str, description: str) -> Plot:
    grids = [finetune_results.find("rates", target, 50) for target in ("digits", "inverted")]
    panels = [finetune_results.rate_panel(grid, names) for grid in grids]
    caption = _of_seeds(grids[0], "python -m experiments.finetune")
    return Plot(title, "fine-tuning", panels, description, caption, _files(*grids))


def _files(*grids: Grid) -> list[Path]:
    return [RESULTS / grid.experiment / grid.file_name for grid in grids]


def _of_seeds(grid: Grid, command: str) -> Markup:
    seeds = len(grid.configuration["seeds"])
    return Markup("Medians and quartiles of {} seeds. <code>{}</code>").format(seeds, command)


def decay_to_start() -> Plot:
    """Return the accuracy with decay to zero and to the start."""
    return _decay_curves(
        ("backbone to zero", "backbone to its start"),
        "Decay to zero and to the start",
        "Decay to the start is never much worse than none and repairs a rate that is too large; strong "
        "decay to zero destroys the network.",
    )


def bias_decay() -> Plot:
    """Return the accuracy with decay of everything, and of weights only."""
    return _decay_curves(
        ("everything", "all but biases"),
        "Decay with and without the biases",
        "Both curves lie upon each other, also where the decay is so strong that they fall.",
    )


def _decay_curves(names: Sequence[str], title: str, description: str) -> Plot:
    grid = finetune_results.find("decays", "digits", 50)
    panels = finetune_results.panels(grid, (finetune_results.NO_DECAY, *names))
    caption = _of_seeds(grid, "python -m experiments.finetune --study decays")
    shown = [panels[0], panels[-1]]
    return Plot(title, "fine-tuning", shown, description, caption, _files(grid))


def best_rates() -> Plot:
    """Return the training loss over the learning rate at several widths, with and without muP."""
    grid = widths_results.find(WIDTHS_BASE)
    seeds = ", ".join(map(str, grid.configuration["seeds"]))
    return Plot(
        "The loss over the learning rate",
        "best-rates",
        widths_results.panels(grid),
        "In the standard parametrization the lowest point of the curve moves to smaller rates as the "
        "width grows. In muP the low points lie above each other, and a wider network is seldom worse at any rate.",
        Markup(
            "One pass over MNIST with Adam; medians and ranges of the seeds {}. "
            "<code>python -m experiments.widths</code>"
        ).format(seeds),
        _files(grid),
    )


def _groups_of(model: torch.nn.Module, *rules: Any) -> list[dict[str, Any]]:
    groups = importlib.import_module(f"{LIBRARY}.param_groups")
    made: list[dict[str, Any]] = groups.param_groups(model, rules, lr=1e-3, weight_decay=0.05)
    return made


def _recipe_tree(model: torch.nn.Module, *rules: Any, title: str, subtitle: str) -> TreePanel:
    """Return the tree of the groups that rules make."""
    return _scale_tree(model, _groups_of(model, *rules), title, subtitle)


def _scale_tree(
    model: torch.nn.Module, groups: Sequence[dict[str, Any]], title: str, subtitle: str
) -> TreePanel:
    """Return a tree shaded by the scale of the learning rate, above a strip of the decay."""
    scales = lr_scales(groups)
    # A model of one scale would be one rectangle.
    several = len({scales.get(name) for name in parameter_names(model)}) > 1
    return TreePanel(
        title,
        subtitle,
        parameter_names(model),
        type(model).__name__,
        Shade("lr_scale", scales, log=True),
        _decay_shade(groups),
        levels=99 if several else 1,
        whole=several,
    )


def _decay_shade(groups: Sequence[dict[str, Any]]) -> Shade:
    return Shade("weight decay", weight_decays(groups), colour=1)


def layer_decay_tree() -> Plot:
    """Return the scales that layer decay gives a ViT."""
    layer_decay = importlib.import_module(f"{LIBRARY}.param_groups").LayerDecay(0.75)
    model = hollow("vit_b_16")
    panel = _recipe_tree(model, layer_decay, title="ViT-B/16", subtitle=repr(layer_decay))
    low, high = min(panel.tree.numbers.values()), max(panel.tree.numbers.values())
    return Plot(
        "A ViT under layer decay",
        "scales",
        [panel],
        f"The modules of a ViT as a tree. The scale of the learning rate is {low:.2g} for the embeddings, "
        f"grows from block to block, and is {high:g} for the last normalization and the head.",
        Markup(
            "Modules in the order of their parameters, from the whole model above to the blocks below. "
            "A module with several scales is left empty."
        ),
    )


def no_decay_tree() -> Plot:
    """Return what the built-in rules decay in a ViT, and in one of its blocks."""
    model = hollow("vit_b_16")
    shade = _decay_shade(_groups_of(model))
    decayed = sum(number > 0 for number in shade.numbers.values())
    names = parameter_names(model)
    block = "encoder.layers.encoder_layer_0"
    whole = TreePanel(
        "ViT-B/16",
        f"{decayed} of {len(names)} tensors decay",
        names,
        type(model).__name__,
        shade,
        shade,
        levels=3,
    )
    inside = {
        name.removeprefix(f"{block}."): number
        for name, number in shade.numbers.items()
        if name.startswith(f"{block}.")
    }
    one = TreePanel(
        "One block of it",
        block,
        [name.removeprefix(f"{block}.") for name in parameter_names(model, f"{block}.")],
        "encoder_layer_0",
        Shade(shade.title, inside, colour=shade.colour),
        whole=False,
    )
    return Plot(
        "What decays in a ViT",
        "decayed",
        [whole, one],
        "In each block the four matrices decay, and no bias and no normalization. Class token and position "
        "embedding have three dimensions, and decay.",
        Markup("The strip has a cell for each tensor. A module of both kinds is left empty."),
    )


def depth_trees() -> Plot:
    """Return the depths that the structure tells for two networks with stages."""
    panels = []
    for name, title in (("swin_t", "Swin-T"), ("convnext_tiny", "ConvNeXt-T")):
        model = hollow(name)
        table = importlib.import_module(f"{LIBRARY}.param_groups").ParameterTable(model)
        layers = table.layers()
        depths = dict(zip(table.names, map(float, layers.depths), strict=True))
        shade = Shade("depth", depths, labels=True)
        subtitle = f"D = {layers.num_layers}"
        root = type(model).__name__
        panels.append(TreePanel(title, subtitle, table.names, root, shade, shade))
    return Plot(
        "Depths in two networks with stages",
        "depths",
        panels,
        "The modules of a Swin and of a ConvNeXt as trees, with the depth below. It grows by one from "
        "block to block; what halves the resolution between two stages has the depth of the next block.",
        Markup("A module whose parameters have several depths is left empty."),
    )


def recipe_tree() -> Plot:
    """Return what two rules make of the MNIST network."""
    groups = importlib.import_module(f"{LIBRARY}.param_groups")
    with torch.device("meta"):
        model = importlib.import_module("experiments.mnist").Model()
    rules = [groups.LayerDecay(0.5), groups.Rule("output.*", lr_scale=10)]
    panel = _recipe_tree(model, *rules, title="the MNIST network", subtitle="two rules")
    scales = ", ".join(f"{scale:g}" for scale in sorted(set(panel.tree.numbers.values())))
    return Plot(
        "Two rules and the built-in ones",
        "recipe",
        [panel],
        f"The four layers have the scales {scales}. Of each the weight decays and the bias does not.",
        Markup("<code>[{}]</code>").format(", ".join(map(repr, rules))),
    )


def recipe_trees() -> Plot:
    """Return what the recipes come to on their models."""
    panels = []
    for name, find in importlib.import_module("experiments.recipes").RECIPES.items():
        recipe = find()
        with torch.device("meta"):
            model = recipe.make()
        panels.append(_scale_tree(model, recipe.groups(model), name, recipe.source))
    return Plot(
        "What the recipes come to",
        "trees",
        panels,
        "The modules of five models as trees. In the ViT, the Swin and the ConvNeXt the scale of the learning "
        "rate grows from the stem to the head. The stem and the first stage of the ResNet are not trained. The "
        "rest of it, and the GPT, have one rate.",
        Markup(
            "A module with several scales is left empty, and so is what is not trained. The strips have a "
            "cell for each tensor."
        ),
    )


def decay_losses(*kinds: str) -> Callable[[], Plot]:
    """Return the plot of losses and errors over the strength of some kinds of weight decay."""

    def plot() -> Plot:
        plain, wrong = decay_results.find(), decay_results.find(wrong_labels=0.2)
        return Plot(
            "The strength of the decay",
            "decay-losses",
            [
                decay_results.loss_panel(plain, kinds),
                decay_results.accuracy_panel(wrong, kinds),
            ],
            "With rising strength loss and errors fall, and then rise steeply. Where labels are wrong, "
            "the errors fall by a third and more.",
            _of_decays(plain),
            _files(plain, wrong),
        )

    return plot


def decay_rates(*kinds: str) -> Callable[[], Plot]:
    """Return the plot of losses over the strength at three learning rates, a panel for each kind."""

    def plot() -> Plot:
        grid = decay_results.find(rates=3)
        return Plot(
            "At three learning rates",
            "decay-rates",
            decay_results.rate_panels(grid, kinds),
            "The strength with the least loss is nearly the same at the two larger rates.",
            _of_decays(grid),
            _files(grid),
        )

    return plot


def decay_norms() -> Plot:
    """Return how long the weights of each layer are, beside those without decay."""
    grid = decay_results.find()
    return Plot(
        "What is left of each layer",
        "decay-norms",
        [decay_results.norm_panel(grid, ("coupled", "decoupled"))],
        "Decay in the gradient takes two thirds of the layer with the smallest gradients, and a tenth "
        "of those with the largest. Decoupled decay takes a third of each.",
        _of_decays(grid),
        _files(grid),
    )


def decay_zeros(*kinds: str) -> Callable[[], Plot]:
    """Return the plot of small weights and zeros over the strength of some kinds of weight decay."""

    def plot() -> Plot:
        grid = decay_results.find()
        return Plot(
            "Small weights and zeros",
            "decay-zeros",
            [decay_results.small_weights_panel(grid, kinds)],
            "L1 decay makes weights exactly zero, more and more of them. The others make them small.",
            _of_decays(grid),
            _files(grid),
        )

    return plot


def _of_decays(grid: Grid) -> Markup:
    seeds = len(grid.configuration["seeds"])
    text = "Medians and ranges of {} seeds. <code>python -m experiments.decay</code>"
    return Markup(text).format(seeds)


PLOTS: dict[str, Sequence[Callable[[], Plot]]] = {
    "radam": [rectification],
    "noam": [noam_rates],
    "adam_warmup_cosine_decay": [cosine_factor],
    "ada_bound": [bounds],
    "amsgrad": [counterexample],
    "counterexample": [counterexample, random_counterexample],
    "averaging": [averages],
    "finetune": [fine_tuning],
    "layer_decay": [layer_decay_tree, layer_decays],
    "rules": [recipe_tree, head_rules],
    "start": [decay_to_start],
    "no_decay": [no_decay_tree, bias_decay],
    "tags": [schedules_by_tag],
    "width": [best_rates],
    "widths": [best_rates],
    "depth": [depth_trees],
    "recipes": [recipe_trees],
    "weight_decay": [
        decay_losses("coupled", "decoupled"),
        decay_norms,
        decay_rates("coupled", "decoupled"),
    ],
    "cautious": [decay_losses("decoupled", "cautious"), decay_rates("decoupled", "cautious")],
    "l1": [decay_losses("decoupled", "l1"), decay_zeros("decoupled", "l1")],
    "experiments.decay": [
        decay_losses("coupled", "decoupled", "cautious", "l1"),
        decay_norms,
        decay_zeros("coupled", "decoupled", "cautious", "l1"),
        decay_rates("coupled", "decoupled", "cautious", "l1"),
    ],
}
"""The figures of a chapter, by the name of its file, or by its dotted name where two have one name."""
