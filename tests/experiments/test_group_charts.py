import math
import re
from xml.etree import ElementTree

import pytest
from torch import nn

from experiments import plots
from experiments.curves import PALETTE, PANEL_WIDTH, side_by_side, to_page_svg
from experiments.group_charts import (
    FAINTEST,
    LEAST_WIDTH,
    LETTER,
    STRONGEST,
    Shade,
    TreePanel,
    lr_scales,
    parameter_names,
    weight_decays,
)
from labml_nn_optim.param_groups import LayerDecay, Rule, param_groups

SVG = "{http://www.w3.org/2000/svg}"
NAMES = [
    "stem.weight",
    "stem.bias",
    "blocks.block_0.weight",
    "blocks.block_1.weight",
    "head.weight",
]
SCALES = dict(zip(NAMES, (0.01, 0.01, 0.1, 0.1, 1.0), strict=True))
DECAYS = dict(zip(NAMES, (0.05, 0.0, 0.05, 0.05, 0.05), strict=True))


def tree(numbers=SCALES, strip=None, **rest):
    shade = Shade("scale", numbers, log=True)
    return TreePanel("A model", "", rest.pop("names", NAMES), "Net", shade, strip, **rest)


def boxes(panel, colour=PALETTE[0]):
    layers = panel.part()["layer"]
    return [
        row
        for layer in layers
        if layer["mark"]["type"] == "rect" and layer["encoding"].get("fillOpacity")
        for row in layer["data"]["values"]
        if row["colour"] == colour
    ]


def labels(panel):
    layers = panel.part()["layer"]
    return [
        row
        for layer in layers
        if layer["mark"]["type"] == "text"
        for row in layer["data"]["values"]
    ]


def texts(panel):
    return [label["text"] for label in labels(panel)]


def readings(panel):
    rows = panel.part()["layer"][-1]["data"]["values"]
    return {row["reading"].split("\n")[0]: row["reading"].split("\n")[1:] for row in rows}


def test_a_module_of_one_number_is_one_rectangle_and_one_of_several_shows_its_children():
    assert list(readings(tree())) == ["Net", "stem", "blocks", "head"]
    mixed = tree(SCALES | {"blocks.block_1.weight": 0.3})
    assert list(readings(mixed)) == [
        *("Net", "stem", "blocks", "blocks.block_0", "blocks.block_1", "head")
    ]
    assert len(readings(tree(whole=False))) == 1 + 3 + 2 + 1 + 4
    assert list(readings(tree(levels=0))) == ["Net"]


def test_equal_ratios_of_scales_look_alike_and_the_greatest_is_the_strongest():
    shade = Shade("scale", SCALES, log=True)
    assert [shade.opacity(number) for number in (0.01, 0.1, 1.0)] == pytest.approx(
        [FAINTEST, (FAINTEST + STRONGEST) / 2, STRONGEST]
    )
    assert Shade("depth", {"a": 0.0, "b": 1.0, "c": 4.0}).opacity(1.0) == pytest.approx(
        FAINTEST + (STRONGEST - FAINTEST) / 4
    )
    assert Shade("depth", {"a": 3.0}).opacity(3.0) == STRONGEST


def test_the_legend_shows_the_least_the_greatest_and_some_between():
    assert Shade("n", {str(n): float(n) for n in range(14)}).samples() == [0, 3, 6, 10, 13]
    assert Shade("n", {"a": 2.0, "b": 1.0, "c": 2.0}).samples() == [1, 2]
    assert {"scale", "0.01", "0.1", "1"} <= set(texts(tree()))


def test_rectangles_fill_the_width_in_the_order_of_the_parameters():
    names = [*NAMES[:2], *(f"blocks.{n}.weight" for n in range(100)), "head.weight"]
    numbers = dict.fromkeys(names, 0.1) | {"head.weight": 1.0, "stem.weight": 0.2}
    panel = tree(numbers, names=names)
    leaves = [
        row
        for row in panel.part()["layer"][-1]["data"]["values"]
        if row["reading"].split("\n")[0] in ("stem.weight", "stem.bias", "blocks", "head")
    ]
    widths = [row["x2"] - row["x"] for row in leaves]
    assert leaves[0]["x"] == 0
    assert leaves[-1]["x2"] == pytest.approx(PANEL_WIDTH)
    assert widths == pytest.approx([LEAST_WIDTH] * 2 + [PANEL_WIDTH - 3 * LEAST_WIDTH, LEAST_WIDTH])


def test_equal_neighbours_of_the_strip_are_one_rectangle():
    strip = Shade("weight decay", DECAYS, colour=1)
    cells = [box for box in boxes(tree(strip=strip), PALETTE[1]) if box["y2"] - box["y"] > 10]
    assert [box["opacity"] for box in cells] == [STRONGEST, FAINTEST, STRONGEST]
    assert [cells[0]["x"], cells[-1]["x2"]] == [0, PANEL_WIDTH]
    assert cells[0]["x2"] - cells[0]["x"] == pytest.approx(PANEL_WIDTH / 5)


def test_a_repeated_block_without_room_for_its_name_is_labelled_with_its_number():
    names = [f"blocks.encoder_layer_{n}.weight" for n in range(12)]
    panel = tree({name: 2.0**n for n, name in enumerate(names)}, names=names)
    assert [text for text in texts(panel) if "encoder" in text or text == "11"] == ["11"]


def test_a_number_without_an_underscore_belongs_to_the_name():
    names = ["conv1.weight", *(f"layer1.{n}.weight" for n in range(40))]
    found = {
        label["text"]: label["angle"]
        for label in labels(tree(dict.fromkeys(names, 0.1) | {names[0]: 1.0}, names=names))
    }
    assert (found["conv1"], found["layer1"]) == (270, 0)


def test_a_narrow_rectangle_is_labelled_upwards_or_not_at_all():
    names = ["a_long_name", *(f"blocks.{n}.weight" for n in range(60)), "x" * 40, "y"]
    numbers = dict.fromkeys(names, 0.1) | {"a_long_name": 1.0, "y": 1.0}
    found = {label["text"]: label["angle"] for label in labels(tree(numbers, names=names))}
    assert found["a_long_name"] == 270
    assert found["y"] == 0
    assert "x" * 40 not in found


def test_a_reading_tells_what_a_module_has():
    strip = Shade("weight decay", DECAYS)
    found = readings(tree(strip=strip))
    assert found["stem"] == ["2 tensors", "scale: 0.01", "weight decay: 0 for 1, 0.05 for 1"]
    assert found["head"] == ["1 tensor", "scale: 1", "weight decay: 0.05"]
    assert found["Net"] == ["5 tensors", "scale: 0.01 to 1", "weight decay: 0 for 1, 0.05 for 4"]


def test_what_is_not_trained_is_left_empty_and_told():
    numbers = {name: number for name, number in SCALES.items() if name != "head.weight"}
    panel = tree(numbers)
    assert readings(panel)["head"] == ["1 tensor", "scale: not trained"]
    assert readings(panel)["Net"][1] == "scale: 0.01 to 0.1"
    assert not [box for box in boxes(panel) if box["x2"] == PANEL_WIDTH]


def test_numbers_come_from_the_groups_of_a_model():
    model = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3), nn.Linear(3, 1))
    groups = param_groups(model, [Rule("2.*", lr_scale=10)], lr=1.0, weight_decay=0.1)
    names = parameter_names(model)
    assert [lr_scales(groups)[name] for name in names] == [1, 1, 1, 1, 10, 10]
    assert [weight_decays(groups)[name] for name in names] == [0.1, 0, 0, 0, 0.1, 0]
    assert parameter_names(model, "2.") == ["2.weight", "2.bias"]


def test_a_page_takes_its_own_colours_and_shows_readings_without_a_script():
    spec = side_by_side(tree(strip=Shade("weight decay", DECAYS, colour=1)).part())
    page = to_page_svg(spec, title="A tree", description="Modules.")
    assert {"curve-1", "curve-2", "curve-reading"} <= set(re.findall(r'class="([^"]+)"', page))
    assert "var(--curve-1," in page
    titles = ElementTree.fromstring(page).findall(
        f".//{SVG}path[@class='curve-reading']/{SVG}title"
    )
    assert "stem\n2 tensors\nscale: 0.01\nweight decay: 0 for 1, 0.05 for 1" in [
        title.text for title in titles
    ]


TREES = (
    *(plots.layer_decay_tree, plots.no_decay_tree, plots.depth_trees, plots.recipe_tree),
    plots.recipe_trees,
)


@pytest.mark.parametrize("make", TREES)
def test_the_trees_of_the_pages_are_small_and_no_labels_overlap(make):
    plot = make()
    assert len(plots.draw(plot).html) < 35_000 * len(plot.panels)
    for panel in plot.panels:
        spans = []
        for label in labels(panel):
            half = len(label["text"]) * LETTER / 2
            across, down = (half, 5) if label["angle"] == 0 else (5, half)
            middle = label["x"] + (half if label["align"] == "left" else 0)
            assert middle - across >= -0.01
            assert middle + across <= PANEL_WIDTH + 0.01
            spans.append((middle - across, middle + across, label["y"] - down, label["y"] + down))
        for place, (x, x2, y, y2) in enumerate(spans):
            for other in spans[:place]:
                assert x2 <= other[0] or other[1] <= x or y2 <= other[2] or other[3] <= y


def test_the_tree_of_layer_decay_is_that_of_the_rule():
    (panel,) = plots.layer_decay_tree().panels
    scales = panel.tree.numbers
    assert len(scales) == 152
    assert scales["class_token"] == pytest.approx(0.75**13)
    for block in range(12):
        name = f"encoder.layers.encoder_layer_{block}.mlp.0.weight"
        assert scales[name] == pytest.approx(0.75 ** (12 - block))
    assert scales["heads.head.bias"] == 1
    assert "LayerDecay(0.75)" == panel.subtitle == repr(LayerDecay(0.75))


def test_the_tree_of_decay_counts_what_decays():
    whole, block = plots.no_decay_tree().panels
    assert whole.subtitle == "52 of 152 tensors decay"
    assert sum(number > 0 for number in block.tree.numbers.values()) == 4
    assert len(block.names) == 12


def test_the_trees_of_depth_have_a_run_of_the_strip_for_each_depth():
    for panel, count in zip(plots.depth_trees().panels, (14, 20), strict=True):
        assert panel.subtitle == f"D = {count}"
        bottom = max(label["y"] for label in labels(panel))
        runs = [label["text"] for label in labels(panel) if label["y"] == bottom]
        assert runs == [str(depth) for depth in range(count)]


def test_the_tree_of_the_recipe_multiplies_its_scales():
    (panel,) = plots.recipe_tree().panels
    found = {name.split(".")[0]: number for name, number in panel.tree.numbers.items()}
    assert found == {"conv1": 0.125, "conv2": 0.25, "hidden": 0.5, "output": 10}
    assert math.isclose(sum(panel.strip.numbers.values()), 4 * 0.05)


def test_the_trees_of_the_recipes_have_their_scales_and_leave_out_what_is_frozen():
    panels = {panel.title: panel for panel in plots.recipe_trees().panels}
    assert list(panels) == ["vit_b_16", "swin_t", "convnext_tiny", "resnet50", "gpt"]
    assert panels["convnext_tiny"].tree.numbers["features.5.3.block.0.weight"] == 0.8**3
    resnet = panels["resnet50"]
    assert {name.split(".")[0] for name in resnet.names if name not in resnet.tree.numbers} == {
        *("conv1", "bn1", "layer1")
    }
    assert readings(resnet)["layer1"] == [
        *("30 tensors", "lr_scale: not trained", "weight decay: not trained")
    ]


def test_a_model_of_one_scale_shows_its_parts():
    gpt = plots.recipe_trees().panels[-1]
    assert list(readings(gpt)) == ["GPT", "wte", "wpe", "h", "ln_f"]
    assert set(gpt.tree.numbers.values()) == {1.0}
