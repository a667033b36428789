"""What the browser gets for charts that a reader can change."""

import copy
import hashlib
import json
from html import unescape

import pytest

from experiments import explore
from experiments.curves import (
    INK,
    PALETTE,
    curve_rows,
    curves_form,
    filled,
    group_by_seed,
    learning_curves,
)
from experiments.explore import browser_form, chart_place, classic_script, page_colour
from experiments.explore_runs import explore_files, explore_place
from experiments.line_charts import Line, Panel, line_chart
from experiments.records import load_all, save
from experiments.slope_chart import slope_chart
from tests.experiments.examples import make_record
from tests.site_gen.modules import ROOT

# Vega 6.4.0, Vega-Lite 6.5.0 and vega-interpreter 2.3.2, as in the folder `build` of their packages.
PUBLISHED = {
    "vega.min.js": "8f6a3587cf8d4f42c7e08120e3eb05d067e746d554e39d2dcf52acc0bd5ba28f",
    "vega-lite.min.js": "83e215e84e308ee8688fa6503ba0f1cf8a3c05c0d61df2841a0b92bf86809e00",
    "vega-interpreter.js": "c0bdb735a63f9276f136e8d90d7fdf5d8e9df8031eb069048fc9975c876fd7f9",
}


@pytest.fixture
def runs(results):
    for name, value in (("adam", 0.25), ("radam", 0.5)):
        for seed in range(2):
            save(make_record(points=20, optimizer=name, value=value, seed=seed), results)
    return load_all(results)


def registered(file):
    """The name and the data that a script registers."""
    name, _, data = file.read_text().partition(" = ")
    return json.loads(name.partition("[")[2].removesuffix("]")), json.loads(data[:-2])


def on_white(spec):
    """A chart for the browser with the colours of a file of its own."""
    text = json.dumps(spec)
    for colour in (INK, *PALETTE):
        text = text.replace(json.dumps(page_colour(colour)), json.dumps(colour))
    return json.loads(text)


def without_looks(spec):
    """A chart without what the browser has beside it or fills in."""
    spec = copy.deepcopy(spec)
    for layer in (layer for panel in spec["hconcat"] for layer in panel["layer"]):
        if layer["mark"]["type"] == "rule":
            layer["mark"] = {"type": layer["mark"]["type"], "color": layer["mark"]["color"]}
            layer["encoding"].pop("description", None)
        for name in {"color", "strokeDash"} & set(layer["encoding"]):
            layer["encoding"][name].pop("legend", None)
    return spec


def test_the_chart_of_the_browser_is_that_of_the_page_but_for_legend_crosshair_and_colour(runs):
    form = curves_form(runs[0].data)
    assert without_looks(on_white(browser_form(form))) == without_looks(form)


def test_the_chart_of_a_page_is_the_same_description_filled_with_runs(runs):
    groups = group_by_seed(runs)
    whole = learning_curves(runs)
    assert whole == filled(curves_form(runs[0].data), list(groups), curve_rows(groups))
    names = {layer["data"]["name"] for panel in whole["hconcat"] for layer in panel["layer"]}
    assert names == set(whole["datasets"])
    assert all(whole["datasets"].values())


@pytest.fixture
def chart():
    lines = [
        Line("a", [(1, 1.0), (10, 2.0)], band=[(0.5, 1.5), (1.0, 3.0)]),
        Line("b", [(1, 3.0), (10, 4.0)]),
    ]
    return line_chart([Panel("up", "", lines), Panel("down", "", lines[:1], log_x=False)])


def of_place(place):
    return json.loads(unescape(place.partition('data-explore="')[2].partition('"')[0]))


def test_a_chart_comes_back_whole_from_its_description_and_its_rows(chart, results):
    place, files = chart_place(chart)
    name, data = registered(files[f"explore/{of_place(place)['chart']}.js"])
    assert name == of_place(place)["chart"]
    whole = on_white(data["form"])
    for panel, original in zip(whole["hconcat"], chart["hconcat"], strict=True):
        for layer, drawn in zip(panel["layer"], original["layer"], strict=True):
            source = layer["data"]["name"]
            layer["data"] = {"values": data["rows"].get(source, drawn["data"]["values"])}
            assert (source in data["rows"]) == (layer["mark"]["type"] != "rule")
    assert without_looks(whole) == without_looks(json.loads(json.dumps(chart)))


def test_layers_that_draw_the_same_rows_share_them(chart, results):
    place, files = chart_place(chart)
    _, data = registered(files[f"explore/{of_place(place)['chart']}.js"])
    assert len(data["rows"]) == 2


def test_a_chart_brings_the_libraries_and_the_records_that_it_links_to(chart, runs):
    records = {"a": {"seed 0": runs[0].path}}
    place, files = chart_place(chart, records, ["a"])
    _, data = registered(files[f"explore/{of_place(place)['chart']}.js"])
    path = f"results/mnist/{runs[0].file_name}"
    assert data["records"] == {"a": [["seed 0", path]]}
    assert data["shown"] == ["a"]
    assert files[path] == runs[0].path
    assert {"explore/vega.min.js", "explore/explore_charts.js"} <= set(files)
    assert all(file.is_file() for file in files.values())


def test_a_chart_without_places_to_read_opens_as_a_table_of_what_it_draws(results):
    chart = slope_chart({"a": 1.0, "b": 2.0}, {"b": 0.5, "a": 0.75}, "loss", "")
    place, files = chart_place(chart)
    _, (table,) = registered(files[f"explore/{of_place(place)['table']}.js"])
    assert table["title"] == "loss"
    assert table["head"] == ["label", "left", "place left", "right", "place right"]
    assert table["rows"] == [["a", "1.00", "1", "0.750", "2"], ["b", "2.00", "2", "0.500", "1"]]


def test_another_chart_has_another_script(chart, results):
    other = json.loads(json.dumps(chart).replace("up", "over"))
    names = {of_place(chart_place(each)[0])["chart"] for each in (chart, other, chart)}
    assert len(names) == 2


def test_the_script_of_an_optimizer_holds_the_points_of_its_records(runs):
    files = explore_files(runs)
    name, data = registered(files["explore/mnist/adam.js"])
    assert name == "mnist/adam"
    own = [run for run in runs if run.optimizer == "adam"]
    assert [each["seed"] for each in data] == [run.seed for run in own]
    for each, run in zip(data, own, strict=True):
        assert each["record"] == f"results/mnist/{run.file_name}"
        assert each["seconds"] == run.times["duration_seconds"]
        assert each["steps"] == run.final["step"]
        assert set(each["curves"]) == {"train", "test", "test_subset"}
        for table, columns in each["curves"].items():
            assert "step" in columns
            assert len(columns) > 1
            assert all(run.curves[table][column] == values for column, values in columns.items())


def test_the_folder_lists_what_can_be_compared_and_every_script_of_it_comes_along(runs):
    files = explore_files(runs[:1])
    name, index = registered(files["explore/mnist/index.js"])
    assert (name, index["shelves"]) == ("mnist", ["mnist/adam", "mnist/radam"])
    assert all(f"explore/{shelf}.js" in files for shelf in index["shelves"])
    assert all(file.is_file() for file in files.values())


def test_a_changed_record_makes_its_script_anew(runs, results):
    before = explore_files(runs)["explore/mnist/adam.js"].read_text()
    save(make_record(points=20, optimizer="adam", seed=5), results)
    again = explore_files(load_all(results))["explore/mnist/adam.js"]
    assert len(registered(again)[1]) == 3
    assert again.read_text() != before


def test_runs_with_schedules_lie_by_their_schedules(results):
    save(make_record(optimizer="adamw", schedule="wsd"), results / "schedules")
    (run,) = load_all(results / "schedules")
    files = explore_files([run])
    (data,) = registered(files["explore/mnist/schedules/wsd.js"])[1]
    assert data["label"] == "wsd"


def test_the_place_names_lines_scripts_and_records(runs):
    place = explore_place(group_by_seed(runs))
    figure = of_place(place)
    assert figure["folders"] == ["mnist"]
    assert [(label, names) for label, names, _ in figure["lines"]] == [
        ("adam", ["mnist/adam"]),
        ("radam", ["mnist/radam"]),
    ]
    assert figure["lines"][1][2] == [f"results/mnist/{run.file_name}" for run in runs[2:]]


@pytest.mark.parametrize(("name", "digest"), PUBLISHED.items())
def test_the_libraries_that_draw_are_the_ones_that_were_published(name, digest):
    folder = ROOT / "experiments/assets/on_demand"
    assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    licence = folder / f"{name.removesuffix('.js').removesuffix('.min')}.LICENSE.txt"
    assert "Redistribution and use" in licence.read_text()


def test_the_interpreter_as_a_script_is_its_module_but_for_import_and_export():
    module = (explore.ON_DEMAND / explore.INTERPRETER).read_text()
    script = classic_script(module)
    lines = filter(None, module.splitlines())
    kept = [line for line in lines if not line.startswith(("import", "export", "//#"))]
    assert [line for line in script.splitlines() if line in kept] == kept
    assert "globalThis.vegaInterpreter = expression;" in script


@pytest.mark.parametrize("module", ["", "import x from 'y';", "export default 1;"])
def test_another_form_of_the_interpreter_is_an_error(module):
    with pytest.raises(ValueError, match="one import and one export"):
        classic_script(module)


def test_what_every_page_loads_for_it_is_small():
    assert (ROOT / "experiments/assets/explore.js").stat().st_size < 4096
