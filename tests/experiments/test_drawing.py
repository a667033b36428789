"""Charts that are drawn once."""

import os
import time

import pytest

from experiments import drawing
from experiments.drawing import kept_svg, to_svg


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    """The folder in which charts are kept, empty."""
    monkeypatch.setattr(drawing, "KEPT", tmp_path / "charts")
    return tmp_path / "charts"


def chart(title: str) -> dict:
    return {"title": title, "data": {"values": [{"x": 1}]}, "mark": "point"}


def test_a_chart_that_was_drawn_is_not_drawn_again_and_another_is(kept):
    assert kept_svg(chart("a")) == to_svg(chart("a"))
    (file,) = kept.iterdir()
    file.write_text("kept")
    assert [kept_svg(chart(title)) for title in "ba"] == [to_svg(chart("b")), "kept"]


def test_a_chart_that_nothing_asks_for_is_forgotten_and_one_that_is_asked_for_stays(kept):
    for title in ("old", "new"):
        kept_svg(chart(title))
    old, new = sorted(kept.iterdir(), key=lambda file: "new" in file.read_text())
    for file in (old, new):
        os.utime(file, (0, time.time() - (drawing.DAYS - 1) * 24 * 3600))
    kept_svg(chart("new"))
    os.utime(old, (0, time.time() - (drawing.DAYS + 1) * 24 * 3600))
    drawing._forget_old.cache_clear()
    kept_svg(chart("another"))
    assert new.exists()
    assert not old.exists()


def test_a_chart_that_cannot_be_drawn_is_not_kept(kept):
    with pytest.raises(ValueError, match="Vega-Lite to SVG conversion failed"):
        kept_svg({"mark": "nothing"})
    assert not list(kept.iterdir())
