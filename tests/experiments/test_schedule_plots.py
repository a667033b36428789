from xml.etree import ElementTree

import pytest

from experiments import schedule_plots
from experiments.schedule_plots import GALLERY, PLOTS
from labml_nn_optim import schedulers, schedules
from labml_nn_optim.schedulers import Scheduler
from labml_nn_optim.schedules import ScheduleBase, schedule_names

SVG = "{http://www.w3.org/2000/svg}"
LIBRARY = "labml_nn_optim"


def lines(plot):
    return {line.label: dict(line.points) for panel in plot.panels for line in panel.lines}


@pytest.fixture(scope="module")
def drawn():
    """The classes of schedules and schedulers that the plots ask for a value."""
    seen = set()
    get_value, write = ScheduleBase.get_value, Scheduler._write

    def seen_get_value(self, step, total_steps=None):
        seen.add(type(self).__name__)
        return get_value(self, step, total_steps)

    def seen_write(self):
        seen.add(type(self).__name__)
        write(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScheduleBase, "get_value", seen_get_value)
        patch.setattr(Scheduler, "_write", seen_write)
        for plots in PLOTS.values():
            for plot in plots:
                plot()
    return seen


def test_the_plots_show_every_schedule(drawn):
    assert set(schedule_names()) <= drawn


def test_the_plots_show_every_scheduler_of_the_learning_rate(drawn):
    names = {name for name in schedulers.__all__ if name.endswith(("LR", "Restarts"))}
    assert len(names) == 19
    assert names <= drawn


@pytest.mark.parametrize("chapter", PLOTS)
def test_a_chapter_shows_its_plots_as_well_formed_html(chapter):
    figures = list(schedule_plots.figures(f"{LIBRARY}.{chapter}"))
    assert len(figures) == len(PLOTS[chapter])
    for figure in figures:
        body = ElementTree.fromstring(f"<body>{figure.html}</body>")
        assert body.findall(f".//{SVG}svg")


def test_the_gallery_shows_all_of_them_under_names_of_their_own():
    figures = list(schedule_plots.figures(GALLERY))
    assert len(figures) == sum(map(len, PLOTS.values()))
    assert len({figure.anchor for figure in figures}) == len(figures)


def test_other_chapters_have_none():
    for chapter in (f"{LIBRARY}.base", f"{LIBRARY}.optimizers.adam", "groups"):
        assert list(schedule_plots.figures(chapter)) == []


def test_the_points_are_the_values_of_the_schedules():
    found = lines(schedule_plots.stable())
    wsd = schedules.WSDSchedule(1, warmup_steps=10, decay_percent=0.4, tail="cosine")
    assert found["cosine"] == {step: wsd.get_value(step, 100) for step in range(120)}


def test_groups_are_drawn_as_a_scheduler_writes_them():
    free, floored = schedule_plots.groups().panels
    ends = [[line.points[-1][1] for line in panel.lines] for panel in (free, floored)]
    assert ends == [pytest.approx([0.2, 0.1, 0.04]), pytest.approx([0.2, 0.2, 0.2])]
