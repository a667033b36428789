"""What the hints say of paths is true of the classes."""

import math

import pytest

from experiments.playground.hints import HINTS, hint
from experiments.playground.store import entry
from labml_nn_optim import optimizer_names
from tests.experiments.playground.walks import path_of_class, surface

BOWL = surface("bowl")


def walked(name, on=BOWL, steps=100, start=None, knobs=None, **changed):
    shown = entry(name)
    place = {"bowl": 0, "rosenbrock": 1, "beale": 2, "saddle": 3, "valley": 4}[on.name]
    values = shown.values(place)
    for label, value in changed.items():
        label = label.replace("_0", "[0]").replace("_1", "[1]")
        values[[slider.label for slider in shown.sliders].index(label)] = value
    return path_of_class(shown, values, on, start, steps, knobs)


def loss(point, on=BOWL, knobs=None):
    return on.compiled()[0]([*point, 0.0, 0.0, *(knobs or on.usual())])[1][0]


def distance(points, on=BOWL):
    return min(math.dist(points[-1], optimum) for optimum in on.optima)


def steps_to_a_hundredth(points):
    losses = [loss(point) for point in points]
    return next(step for step, each in enumerate(losses) if each < losses[0] / 100)


def turned(point):
    (x, y), half = point, 0.5**0.5
    return half * (x - y), half * (x + y)


def test_every_optimizer_has_a_hint_without_marks_left_over():
    assert set(HINTS) == set(optimizer_names())
    assert not any("`" in hint(name) for name in HINTS)


def test_adam_loses_on_the_turned_bowl():
    on_turned = walked("adam", lr=0.1, knobs=[30.0, 45.0])[-1]
    straight = walked("adam", lr=0.1)[-1]
    assert loss(on_turned, knobs=[30.0, 45.0]) > 100 * loss(straight)


def test_steps_to_a_hundredth():
    said = {"nadam": 4, "adam": 18, "nadamw": 7, "adamw": 18, "normuon": 4, "muon": 11, "dowg": 38}
    assert {name: steps_to_a_hundredth(walked(name)) for name in said} == said
    assert steps_to_a_hundredth(walked("dog", steps=300)) == 272
    assert steps_to_a_hundredth(walked("adadelta")) == 99
    assert steps_to_a_hundredth(walked("adadelta", eps=1e-5)) == 38
    ratio = steps_to_a_hundredth(walked("lars", trust_coefficient=0.01)) / steps_to_a_hundredth(
        walked("lars")
    )
    assert ratio == pytest.approx(1 / 3, abs=0.05)


def test_where_paths_end():
    beale = surface("beale")
    assert distance(walked("adamw", beale, weight_decay=0.1), beale) == pytest.approx(0.9, abs=0.05)
    assert distance(walked("adamw", beale, weight_decay=0.5), beale) == pytest.approx(1.8, abs=0.05)
    assert distance(walked("adam_mini", knobs=[1000.0, 0.0])) == pytest.approx(1.3, abs=0.05)
    assert distance(walked("scion", weight_decay=0.0)) == pytest.approx(0.02, abs=0.005)
    assert distance(walked("scion")) == pytest.approx(0.2, abs=0.05)
    ends = [loss(walked(name, betas_1=0.9)[-1]) for name in ("amsgrad", "yogi", "adam")]
    assert max(ends[:2]) < ends[2]
    assert loss(walked("kron", precond_lr=0.01)[-1]) < loss(walked("kron")[-1]) / 100


def test_paths_that_lie_on_each_other():
    adam = walked("adam")
    for same in (
        walked("adam_8bit"),
        walked("adam_fp16"),
        walked("galore", lr=4 * entry("adam").rates[0]),
    ):
        assert same[-1] == pytest.approx(adam[-1], abs=1e-4)
    calm = walked("stable_adamw", betas_1=0.999)
    assert calm[-1] == pytest.approx(walked("adamw")[-1], abs=1e-9)
    shampoo, adam = walked("shampoo", lr=1.0), walked("adam", lr=1.0)
    for step in range(10):
        assert shampoo[step] == pytest.approx(adam[step])
    assert shampoo[10] != pytest.approx(adam[10], abs=1e-3)


@pytest.mark.parametrize("name", ["soap", "muon"])
def test_a_turned_bowl_turns_the_path(name):
    on_turned = walked(name, knobs=[30.0, 45.0], start=turned(BOWL.start))
    for point, other in zip(walked(name), on_turned, strict=True):
        assert turned(point) == pytest.approx(other, abs=1e-6)


def test_what_leaves_the_picture_and_what_does_not():
    top = BOWL.window[2] + 3
    assert abs(walked("sgd", lr=0.071)[-1][1]) > top
    assert max(abs(y) for _, y in walked("schedule_free_sgd", lr=0.071)) < top
    assert max(abs(y) for _, y in walked("adam", betas_1=0.0)) > top
    assert max(abs(y) for _, y in walked("laprop", betas_1=0.0)) < top


def test_rates_to_start_with():
    assert entry("radam").rates[1] == entry("ada_belief").rates[1] == 0.001
    assert entry("adam").rates[1] == 0.2
