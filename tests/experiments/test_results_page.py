import dataclasses
import gzip
import re
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from experiments import pages, rate_panels, results_page, rule_rows
from experiments.records import save
from experiments.result_rows import Row, rows
from experiments.speed_report import save_figures
from labml_nn_optim import optimizer_names
from tests.experiments.examples import make_cifar_record, make_list_figures, make_record
from tests.experiments.test_result_rows import search

ROOT = Path(__file__).parents[2]
MOST_COMPRESSED_BYTES = 60_000


def figures():
    """The figures of the page by their anchors."""
    page = SimpleNamespace(module=None, name="experiments/results", text="")
    return {figure.anchor: figure for figure in pages.Plugin().figures(page)}


def parsed(html):
    return ElementTree.fromstring(f"<body>{html}</body>")


def table(html):
    """The rows of a table: for each column its text."""
    root = parsed(html)
    heads = ["".join(head.itertext()) for head in root.findall(".//th")]
    return [
        dict(zip(heads, ["".join(cell.itertext()) for cell in row], strict=True))
        for row in root.findall(".//tbody/tr")
    ]


def row_of(html, name):
    (found,) = [row for row in table(html) if row["Optimizer"].split(",")[0] == name]
    return found


def links(html):
    return {link.get("href") for link in parsed(html).iter("a")}


def test_without_any_record_the_page_has_no_figures(results):
    assert figures() == {}


def test_the_page_says_how_many_optimizers_have_run():
    run = {name: {row.optimizer for row in rows(name) if row.runs} for name in ("mnist", "cifar")}
    text = (ROOT / "docs_src/experiments/results.md").read_text()
    assert run["mnist"] == run["cifar"]
    assert f"The course's {len(run['mnist'])} optimizers on MNIST and on CIFAR-10" in text


def test_an_experiment_appears_with_its_first_record(results):
    save(make_record(), results)
    assert list(figures()) == ["mnist"]
    save(make_cifar_record(), results.parent / "cifar")
    assert list(figures()) == ["mnist", "cifar"]
    for run in search({0.001: 0.3}):
        save(run, results / "sweep")
    assert list(figures()) == ["mnist", "mnist-rates", "cifar"]


def test_all_optimizers_are_in_the_table_and_say_what_they_lack(results):
    save(make_record(value=0.99), results)
    rows = table(figures()["mnist"].html)
    assert len(rows) == len(optimizer_names())
    assert rows[0]["Optimizer"] == "adam"
    other = row_of(figures()["mnist"].html, "rprop")
    assert other == {
        "Optimizer": "rprop",
        "Part": "1",
        "Learning rate": "no run",
        "Test accuracy": "no run",
        "Test loss": "no run",
        "Steps to 98 %": "no run",
        "Good rates": "no search",
        "Step, ms": "not measured",
        "State": "2",
    }


def test_a_row_says_what_the_records_say(results):
    for seed, value in enumerate((0.985, 0.97, 0.99)):
        save(make_record(seed=seed, value=value, lr=0.003), results)
    for run in search({0.001: 0.105, 0.003: 0.1, 0.01: None}):
        save(run, results / "sweep")
    assert row_of(figures()["mnist"].html, "adam") == {
        "Optimizer": "adam",
        "Part": "2",
        "Learning rate": "0.003",
        "Test accuracy": "98.50 % (97.00 to 99.00)",
        "Test loss": "0.9850",
        "Steps to 98 %": "1",
        "Good rates": "0.001 to 0.003",
        "Step, ms": "not measured",
        "State": "2",
    }


def test_what_diverged_and_what_never_came_there_say_so_and_stand_last(results):
    diverged = make_record(value=0.1)
    diverged.final["test_loss"] = None
    save(diverged, results)
    html = figures()["mnist"].html
    row = row_of(html, "adam")
    assert (row["Test loss"], row["Steps to 98 %"]) == ("diverged", "never")
    assert html.count('<td data-value=""><a href="../results/mnist/') == 2


def test_a_cell_is_sorted_by_its_number(results):
    for seed, value in enumerate((0.985, 0.97, 0.99)):
        save(make_record(seed=seed, value=value, lr=0.003), results)
    for run in search({0.001: 0.105, 0.003: 0.1}):
        save(run, results / "sweep")
    cells = parsed(figures()["mnist"].html).find(".//tbody/tr")
    values = [cell.get("data-value", "".join(cell.itertext())) for cell in cells]
    assert values == ["adam", "2004", "0.003", "98.5", "0.985", "1", "3", "", "2"]


def test_each_number_leads_to_a_record_that_is_brought(results):
    for seed, value in enumerate((0.985, 0.97, 0.99)):
        save(make_record(seed=seed, value=value, lr=0.003), results)
    for run in search({0.001: 0.105, 0.003: 0.1, 0.01: 0.3}):
        save(run, results / "sweep")
    found = figures()
    for figure in found.values():
        wanted = {link.removeprefix("../") for link in links(figure.html) if "/results/" in link}
        assert wanted <= set(figure.files)
        assert all(path.is_file() for path in figure.files.values())
    assert len(found["mnist"].files) == 3 + 2
    assert sum(path.startswith("results/") for path in found["mnist-rates"].files) == 3
    assert len(parsed(found["mnist-rates"].html).findall(".//svg/a[@href]")) == 3


def test_other_conditions_stand_behind_the_name(results):
    for optimizer in ("adam", "adamw"):
        save(make_record(optimizer=optimizer), results)
    save(make_record(optimizer="noam", schedule="constant"), results)
    html = figures()["mnist"].html
    assert row_of(html, "noam")["Optimizer"] == "noam, schedule constant"
    assert row_of(html, "adam")["Optimizer"] == "adam"
    assert "linear learning rate, seeds 0;" in html


def test_the_accuracy_column_says_that_the_table_is_sorted_by_it(results):
    save(make_record(), results)
    heads = parsed(figures()["mnist"].html).findall(".//th")
    assert {head.text: head.get("aria-sort") for head in heads if head.get("aria-sort")} == {
        "Test accuracy": "descending"
    }


def test_rows_and_panels_name_their_part_and_the_filter_all_parts(results):
    for run in search({0.001: 0.3}, optimizer="radam"):
        save(run, results / "sweep")
    found = figures()
    rows = parsed(found["mnist"].html).findall(".//tbody/tr")
    parts = {row[0][0].text: row.get("data-part") for row in rows}
    assert (parts["sgd"], parts["adam"], parts["radam"]) == ("1", "2", "3")
    (panel,) = parsed(found["mnist-rates"].html).findall(".//div[@class='rate-panel']")
    assert panel.get("data-part") == "3"
    named = parsed(found["mnist"].html).find(".//div[@data-parts]").get("data-parts").split("|")
    assert {part.split(" · ")[0] for part in named} == set(parts.values())


def save_times(results, **ways):
    lists = [
        make_list_figures(name, default={"milliseconds": milliseconds, "spread": spread})
        for name, (milliseconds, spread) in ways.items()
    ]
    environment = {"torch": "2.14.1", "threads": 2, "processor": "some"}
    path = results.parent / "speed.json"
    save_figures(path, environment, lists, None, None, None)
    return path


def test_step_times_come_from_the_committed_measurement(results):
    save(make_record(), results)
    path = save_times(
        results,
        adam=(12.345, 0.1),
        sgd=(3.0, 0.5),
    )
    figure = figures()["mnist"]
    assert row_of(figure.html, "adam")["Step, ms"] == "12.35"
    assert row_of(figure.html, "sgd")["Step, ms"] == "~3.00"
    assert row_of(figure.html, "rprop")["Step, ms"] == "not measured"
    assert figure.files["results/speed.json"] == path
    assert "the parameters of ResNet-18; torch 2.14.1, 2 threads of some." in figure.html


def test_the_command_that_measures_stands_there_until_it_was_run(results):
    save(make_record(), results)
    assert "<code>python -m experiments.speed --all --lists resnet18" in figures()["mnist"].html
    save_times(results)
    assert "experiments.speed" not in figures()["mnist"].html


def panel_rows(**searches):
    return [
        Row(name, name, [], search(losses, optimizer=name)) for name, losses in searches.items()
    ]


def test_all_panels_share_axes_that_hold_every_point():
    rows = panel_rows(adam={0.0001: 0.3, 0.001: 0.1}, sgd={0.01: 0.05, 1.0: 2.0, 10.0: None})
    axes = rate_panels.axes_of(row.search for row in rows)
    assert axes.rates == (0.0001, 10.0)
    for rate in (0.0001, 0.01, 10.0):
        assert rate_panels.LEFT < axes.x(rate) < rate_panels.RIGHT
    for loss in (0.05, 2.0):
        assert rate_panels.TOP < axes.y(loss) < rate_panels.BOTTOM
    assert axes.x(0.001) - axes.x(0.0001) == pytest.approx(axes.x(10.0) - axes.x(1.0))
    assert axes.y(float("inf")) == axes.y(3.5) == rate_panels.TOP


def test_a_panel_has_a_dot_for_what_learned_a_triangle_for_the_rest_and_one_ring():
    rows = panel_rows(adam={0.001: 0.1, 0.003: 0.05, 0.01: 9.0, 0.03: None})
    root = parsed(rate_panels.panels(rows, "mnist", [2]))
    (ring,) = root.findall(".//circle[@class='rate-chosen']")
    marks = [[child.tag for child in link] for link in root.findall(".//svg/a")]
    assert marks == [["title", "circle"]] * 2 + [["title", "path"]] * 2
    titles = [link[0].text for link in root.findall(".//svg/a")]
    assert titles == ["0.001: 0.1", "0.003: 0.05", "0.01: 9", "0.03: diverged"]
    second = root.findall(".//svg/a")[1][1]
    assert (ring.get("cx"), ring.get("cy")) == (second.get("cx"), second.get("cy"))


def test_the_ring_is_where_the_runs_were_made():
    (row,) = panel_rows(adam={0.001: 0.1, 0.003: 0.05})
    row = dataclasses.replace(row, runs=[make_record(lr=0.001)])
    html = rate_panels.panels([row], "mnist", [2])
    assert "0.1 at 0.001" in html
    # A rate that was not searched cannot be marked, and the best is.
    row = dataclasses.replace(row, runs=[make_record(lr=0.5)])
    assert "0.05 at 0.003" in rate_panels.panels([row], "mnist", [2])


@pytest.mark.parametrize("losses", [{0.001: 0.1}, {0.001: None}, {0.001: None, 0.01: 0.2}])
def test_a_search_of_one_run_or_without_any_loss_is_drawn(losses):
    html = rate_panels.panels(panel_rows(adam=losses), "mnist", [2])
    assert "nan" not in html
    assert len(parsed(html).findall(".//svg/a")) == len(losses)


def test_the_axes_stand_on_the_page_once_and_every_panel_uses_them(results):
    for name in ("adam", "sgd"):
        for run in search({0.001: 0.3, 0.1: 0.2}, optimizer=name):
            save(run, results / "sweep")
    html = figures()["mnist-rates"].html
    assert html.count('id="mnist-axes"') == 1
    assert html.count('<use href="#mnist-axes"') == 2
    assert [text.text for text in parsed(html).findall(".//symbol/text")][:3] == [
        "10⁻³",
        "10⁻²",
        "10⁻¹",
    ]


def with_rules(value, rules, seed=0, **changes):
    run = make_record(value=value, seed=seed, **changes)
    return dataclasses.replace(run, configuration=run.configuration | {"rules": rules})


def test_rules_are_compared_with_the_run_of_the_same_seed_without_any():
    runs = [
        *(with_rules(0.9 + seed / 100, [], seed) for seed in range(3)),
        *(with_rules(0.905 + seed / 50, ["layer-decay=0.75"], seed, lr=0.003) for seed in range(3)),
    ]
    assert table(rule_rows.rules_table(runs)) == [
        {
            "Rules": "layer-decay=0.75",
            "Optimizer": "adam",
            "Learning rate": "0.003",
            "Test accuracy": "92.50 % (90.50 to 94.50)",
            "Difference to none, by seed": "+1.50 points (+0.50 to +2.50)",
        },
        {
            "Rules": "none",
            "Optimizer": "adam",
            "Learning rate": "0.001",
            "Test accuracy": "91.00 % (90.00 to 92.00)",
            "Difference to none, by seed": "–",
        },
    ]


def test_rules_are_compared_with_the_optimizers_own_runs_where_there_is_no_other():
    ruled = with_rules(0.95, ["no-decay=bias", "head=10"])
    (row,) = table(rule_rows.rules_table([ruled], [make_record(value=0.96)]))
    assert row["Rules"] == "no-decay=bias, head=10"
    assert row["Difference to none, by seed"] == "-1.00 points"


def test_runs_under_other_conditions_are_no_comparison():
    ruled = with_rules(0.95, ["head=10"])
    others = [make_record(epochs=1.0), make_record(optimizer="sgd"), make_record(seed=1)]
    (row,) = table(rule_rows.rules_table([ruled], others))
    assert row["Difference to none, by seed"] == "no run without"


def test_rules_have_a_figure_of_their_own(results):
    path = save(make_record(), results / "rules")
    assert list(figures()) == ["mnist-rules"]
    assert figures()["mnist-rules"].files == {f"results/mnist/rules/{path.name}": path}


def test_the_committed_results_fit_on_a_page():
    html = "".join(figure.html for figure in results_page.results_figures())
    assert len(gzip.compress(html.encode())) < MOST_COMPRESSED_BYTES - 10_000
    identifiers = re.findall(r' id="([^"]*)"', html)
    assert sorted(identifiers) == sorted(set(identifiers))
