"""What stands on the page, and the files that the browser loads."""

import gzip
import json
import re
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from experiments.pages import ASSETS
from experiments.playground import catalog, contours, store
from experiments.playground.figure import playground_figure
from experiments.playground.picture import short
from experiments.playground.surfaces import SURFACES
from labml_nn_optim import optimizer_names
from site_gen.plugins import check_html

MOST_SCRIPT = 8_000
MOST_SHARED = 8_000
MOST_OF_ONE = 3_000


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder for the files that the browser loads."""
    monkeypatch.setattr(store, "FOLDER", tmp_path / "playground")
    store._shared.cache_clear()
    yield tmp_path / "playground"
    store._shared.cache_clear()


def compressed(text: str) -> int:
    return len(gzip.compress(text.encode()))


def test_the_figure_is_sound_html_and_brings_what_it_loads():
    figure = playground_figure("adam")
    check_html(figure.html, SimpleNamespace(path="adam.py"))
    assert " style=" not in figure.html
    body = ElementTree.fromstring(f"<body>{figure.html}</body>")
    assert body.find("div[@class='playground']").get("data-optimizer") == "adam"
    assert sorted(figure.files) == ["playground/adam.js", "playground/shared.js"]
    assert all(path.is_file() for path in figure.files.values())


def test_scripts_styles_and_data_are_small():
    sources = [(ASSETS / f"playground.{kind}").read_text() for kind in ("js", "css")]
    assert sum(map(compressed, sources)) < MOST_SCRIPT
    assert compressed(store.shared().read_text()) < MOST_SHARED
    for name in ("adam", "soap", "prodigy"):
        store.entry(name)
        assert compressed(store.file_of(name).read_text()) < MOST_OF_ONE


def test_a_file_is_made_anew_only_for_other_code(folder, monkeypatch):
    first = store.entry("lion")
    written = store.file_of("lion").stat().st_mtime_ns
    monkeypatch.setattr(store, "make", lambda name: pytest.fail("traced again"))
    assert store.entry("lion") == first
    assert store.file_of("lion").stat().st_mtime_ns == written
    monkeypatch.undo()
    monkeypatch.setattr(store, "FOLDER", folder)
    monkeypatch.setattr(store, "_version", lambda name: "other")
    assert store.entry("lion") == first
    assert store.file_of("lion").read_text().startswith("// other\n")


def test_the_file_of_an_optimizer_is_a_script_with_json_in_it(folder):
    store.entry("ada_bound")
    text = store.file_of("ada_bound").read_text()
    found = re.fullmatch(r"// \S+\n\(self\.playground \?\?= \{\}\)\.ada_bound = (.*);\n", text)
    data = json.loads(found[1])
    assert data["title"] == "AdaBound"
    assert len(data["rates"]) == len(SURFACES)


def test_the_shared_file_knows_every_optimizer_and_surface():
    text = store.shared().read_text()
    data = json.loads(text[text.index(".shared = ") + 10 : text.rindex(";")])
    assert [name for name, _ in data["optimizers"]] == list(optimizer_names())
    assert [each["name"] for each in data["surfaces"]] == [each.name for each in SURFACES]


def test_a_contour_line_has_one_loss():
    on = SURFACES[3]
    left, right, bottom = on.window
    unit = (right - left) / contours.WIDTH
    lines = contours.contours(on)
    assert len(lines) > 5
    for path in lines[:5]:
        losses = []
        for ring in re.findall(r"M([^M]*)", path):
            x, y, *steps = map(int, re.findall(r"-?\d+", ring))
            for dx, dy in [(0, 0), *zip(steps[::2], steps[1::2], strict=True)]:
                x, y = x + dx, y + dy
                point = (left + x * unit, bottom + (contours.HEIGHT - y) * unit)
                losses.append(catalog.loss_at(on, point))
        assert max(losses) - min(losses) < 0.05


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.0, "0"), (9.6812e-5, "9.68e-5"), (0.001, "0.001"), (12345.0, "12300"), (2.5e7, "2.5e+7")],
)
def test_numbers_are_short(number, text):
    assert short(number) == text
