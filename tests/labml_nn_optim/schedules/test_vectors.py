"""Values that other libraries gave, made with the schedules of this one."""

from __future__ import annotations

import pytest

from labml_nn_optim.schedules import (
    ConstantSchedule,
    CosineAnnealingSchedule,
    CosineDecreasingSchedule,
    CosineIncreasingSchedule,
    CyclicSchedule,
    ExponentialSchedule,
    InterpolationSchedule,
    InverseSqrtSchedule,
    LinearDecreasingSchedule,
    LinearIncreasingSchedule,
    LinearToZeroSchedule,
    LinearWarmupCosineDecaySchedule,
    MultiStepSchedule,
    OneCycleSchedule,
    PiecewiseConstantSchedule,
    PolynomialDecreasingSchedule,
    PolynomialIncreasingSchedule,
    RampSchedule,
    ScheduleBase,
    SGDRSchedule,
    StepDecreasingSchedule,
    StepFixedSchedule,
    StepIntervalSchedule,
    WarmupDecaySchedule,
    WSDSchedule,
)
from tests.labml_nn_optim.examples import vectors
from tests.labml_nn_optim.schedules.examples import values

NOETHER: dict[str, ScheduleBase] = {
    "cosine_dec overhang .25": CosineDecreasingSchedule(max_value=1, overhang_percent=0.25),
    "cosine_inc .1->1 exfirst=0 exlast=1": CosineIncreasingSchedule(
        start_value=0.1, max_value=1, exclude_last=True
    ),
    "cosine_inc .1->1 exfirst=1 exlast=1": CosineIncreasingSchedule(
        start_value=0.1, max_value=1, exclude_first=True, exclude_last=True
    ),
    "linear_dec 1->.1 exfirst=0 exlast=1": LinearDecreasingSchedule(
        max_value=1, end_value=0.1, exclude_last=True
    ),
    "poly_dec 1->.1 p=0.5": PolynomialDecreasingSchedule(max_value=1, end_value=0.1, power=0.5),
    "poly_dec 1->.1 p=2.0": PolynomialDecreasingSchedule(max_value=1, end_value=0.1, power=2),
    "poly_dec 1->.1 p=3.0": PolynomialDecreasingSchedule(max_value=1, end_value=0.1, power=3),
    "poly_inc .1->1 p=0.5": PolynomialIncreasingSchedule(max_value=1, start_value=0.1, power=0.5),
    "poly_inc .1->1 p=2.0": PolynomialIncreasingSchedule(max_value=1, start_value=0.1, power=2),
    "step_dec 1->.1 f.5 int.25": StepDecreasingSchedule(
        max_value=1, end_value=0.1, factor=0.5, decreases_interval=0.25
    ),
    "step_fixed unsorted": StepFixedSchedule(factor=0.1, steps=[0.75, 0.5]),
    "step_interval .3": StepIntervalSchedule(factor=0.5, update_interval=0.3),
    "wcd pct.25 end0": LinearWarmupCosineDecaySchedule(
        max_value=1, warmup_percent=0.25, end_value=0
    ),
}
TORCH: dict[str, tuple[ScheduleBase, int | None]] = {
    "Chained const exp": (
        PiecewiseConstantSchedule([0.5, 1], [3]) * ExponentialSchedule(1, 0.9),
        None,
    ),
    "CosineAnnealingLR 4 .1": (CosineAnnealingSchedule(1, 4, end_value=0.1), None),
    "CosineAnnealingWarmRestarts 2 mult2 .1": (SGDRSchedule(1, 2, 2, end_value=0.1), None),
    "CyclicLR tri2 2 3": (CyclicSchedule(0.1, 1, 2, 3, "triangular2"), None),
    "OneCycleLR max1 total10": (OneCycleSchedule(1, start_value=0.1, end_value=1e-5), 10),
    "PolynomialLR 4 p2": (RampSchedule(1, 0, "power", power=2, exclude_last=True), 4),
    "Sequential lin3 cos4": (
        LinearIncreasingSchedule(1, start_value=0.25, exclude_last=True)
        .over(3)
        .then(CosineAnnealingSchedule(1, 4), 3),
        None,
    ),
}
OPTAX: dict[str, tuple[ScheduleBase, int | None]] = {
    "cosine_onecycle 10 1": (InterpolationSchedule([0, 3, 10], [0.04, 1, 4e-6], "cosine"), None),
    "exp stair end": (
        ConstantSchedule(1).then(ExponentialSchedule(1, 0.5, 3, True, end_value=0.3), 2),
        None,
    ),
    "linear_onecycle 20 1": (
        InterpolationSchedule([0, 6, 17, 20], [0.04, 1, 0.04, 4e-6]),
        None,
    ),
    "piecewise_interp linear": (InterpolationSchedule([0, 4, 8], [1, 0.1, 0.001]), None),
    "poly begin2": (
        ConstantSchedule(1).then(
            RampSchedule(1, 0.1, "power", power=2, exclude_last=True).over(4), 2
        ),
        None,
    ),
    "warmup_cosine 0 1 w3 d10 end.1": (
        WarmupDecaySchedule(1, warmup_steps=3, end_value=0.1, warmup_start="t/W"),
        10,
    ),
    "warmup_cosine exponent2": (
        WarmupDecaySchedule(1, warmup_steps=3, end_value=0.1, warmup_start="t/W", power=2),
        10,
    ),
}


def wsd(**arguments: object) -> ScheduleBase:
    lengths = {"warmup_steps": 3, "decay_steps": 4, "warmup_start": "t/W"}
    return WSDSchedule(1, **lengths | arguments)


TRANSFORMERS: dict[str, tuple[ScheduleBase, int | None]] = {
    "cos_warmup_min W2 T10 r.1": (
        RampSchedule(0, 1, exclude_first=True)
        .over(2)
        .then(RampSchedule(1, 0.1, "cosine", exclude_first=True), 2),
        10,
    ),
    "cosine W2 T10": (WarmupDecaySchedule(1, warmup_steps=2, warmup_start="t/W"), 10),
    "inv_sqrt W0": (InverseSqrtSchedule(1, timescale=10_000), None),
    "inv_sqrt W2": (InverseSqrtSchedule(1, warmup_steps=2, warmup_start="t/W"), None),
    "linear W2 T10": (LinearToZeroSchedule(1, warmup_steps=2, warmup_start="t/W"), 10),
    "poly W2 T10 end.1 p2": (
        WarmupDecaySchedule(
            1, warmup_steps=2, tail="power", power=2, end_value=0.1, warmup_start="t/W"
        ),
        10,
    ),
    "wsd W3 D4 T12 1-sqrt min.1": (wsd(start_value=0.1, end_value=0.1), 12),
    "wsd W3 D4 T12 cosine min.1": (wsd(start_value=0.1, end_value=0.1, tail="cosine"), 12),
    "wsd W3 D4 T12 linear min.1": (wsd(start_value=0.1, end_value=0.1, tail="linear"), 12),
    "wsd W3 D4 T12 warm 1-sqrt": (wsd(warmup_shape="1-sqrt", tail="linear"), 12),
    "wsd W3 D4 T12 warm cosine": (wsd(warmup_shape="cosine", tail="linear"), 12),
}
TIMM: dict[str, tuple[ScheduleBase, int | None]] = {
    "cos_cyc": (SGDRSchedule(1, 4, 2, decay=0.5), None),
    "cos_kdecay": (RampSchedule(1, 0, "cosine", bend=2, exclude_last=True), 6),
    "cos_prefix": (
        WarmupDecaySchedule(1, warmup_steps=3, start_value=0.1, warmup_start="t/W"),
        13,
    ),
    "multistep": (MultiStepSchedule(1, 0.1, [3, 5]), None),
}
# The step at which it ends; the cosine of transformers rises again after it.
ENDS_AT = {"cos_warmup_min W2 T10 r.1": 9, "cosine W2 T10": 10}


@pytest.mark.parametrize(
    ("file", "made"),
    [
        ("noether.json", NOETHER),
        ("torch.json", TORCH),
        ("optax.json", OPTAX),
        ("transformers.json", TRANSFORMERS),
        ("timm.json", TIMM),
    ],
)
def test_every_case_of_a_file_is_made(file: str, made: dict[str, object]) -> None:
    assert set(vectors(file)) == set(made)


@pytest.mark.parametrize("name", NOETHER)
def test_noether_has_the_same_values(name: str) -> None:
    case = vectors("noether.json")[name]
    found = values(NOETHER[name], case["total_steps"], len(case["values"]))
    assert found == pytest.approx(case["values"], abs=1e-6)


@pytest.mark.parametrize("name", TORCH)
def test_torch_has_the_same_values(name: str) -> None:
    schedule, total_steps = TORCH[name]
    expected = vectors("torch.json")[name]
    assert values(schedule, total_steps, len(expected)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", OPTAX)
def test_optax_has_the_same_values(name: str) -> None:
    schedule, total_steps = OPTAX[name]
    expected = vectors("optax.json")[name]
    assert values(schedule, total_steps, len(expected)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", [name for name in TRANSFORMERS if name not in ENDS_AT])
def test_transformers_has_the_same_values(name: str) -> None:
    schedule, total_steps = TRANSFORMERS[name]
    expected = vectors("transformers.json")[name]
    assert values(schedule, total_steps, len(expected)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", ENDS_AT)
def test_transformers_has_the_same_cosine_up_to_its_end_after_which_ours_holds(name: str) -> None:
    schedule, total_steps = TRANSFORMERS[name]
    theirs, end = vectors("transformers.json")[name], ENDS_AT[name]
    found = values(schedule, total_steps, len(theirs))
    assert found[: end + 1] == pytest.approx(theirs[: end + 1], abs=1e-6)
    assert theirs[-1] > theirs[end] + 0.1
    assert set(found[end:]) == {found[end]}


@pytest.mark.parametrize("name", [name for name in TIMM if name != "multistep"])
def test_timm_has_the_same_values(name: str) -> None:
    schedule, total_steps = TIMM[name]
    expected = vectors("timm.json")[name]
    assert values(schedule, total_steps, len(expected)) == pytest.approx(expected, abs=1e-5)


def test_timm_takes_the_steps_of_multistep_one_update_before_their_time() -> None:
    theirs = vectors("timm.json")["multistep"]
    ours = values(MultiStepSchedule(1, 0.1, [3, 5]), count=len(theirs) + 1)
    assert ours[1:] == pytest.approx(theirs, abs=1e-5)
    assert ours[2:6] == pytest.approx([1, 0.1, 0.1, 0.01])


def test_the_golden_warm_up_and_cosine_of_noether() -> None:
    expected = "0.333333 0.666667 1 0.961940 0.853554 0.691342 0.500001 0.308659 0.146447 0.038061"
    golden = [*map(float, expected.split()), 1e-06]
    for length in ({"warmup_steps": 2}, {"warmup_percent": 0.2}):
        schedule = LinearWarmupCosineDecaySchedule(max_value=1.0, end_value=1e-6, **length)
        assert values(schedule, 11) == pytest.approx(golden, abs=1e-6)
