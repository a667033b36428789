"""Values that Cerebras' schedulers gave, and when they are written."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import Parameter
from torch.optim import SGD

from labml_nn_optim import schedulers
from labml_nn_optim.schedulers import (
    ChainedLR,
    ChainedScheduler,
    ConstantLR,
    ConstantWD,
    LinearLR,
    NamedScheduler,
    Scheduler,
)
from tests.labml_nn_optim.examples import vectors
from tests.labml_nn_optim.schedulers.examples import (
    KINDS,
    Make,
    entries,
    groups_of,
    lr_class,
    walk,
    wd_class,
)

VALUES: dict[str, Make] = {
    "chained": lambda opt, of: of("Chained")(
        [of("Linear")(opt, 1, 0, 4), of("Exponential")(opt, 1, 1, 0.5)]
    ),
    "cosdecay": lambda opt, of: of("CosineDecay")(opt, 1, 0.1, 4),
    "cyclic": lambda opt, of: of("Cyclic")(opt, 0.1, 1, 4),
    "cyclic_exp": lambda opt, of: of("Cyclic")(opt, 0.1, 1, 2, 2, "exp_range", gamma=0.9),
    "exp": lambda opt, of: of("Exponential")(opt, 1, 4, 0.5),
    "exp_stair": lambda opt, of: of("Exponential")(opt, 1, 4, 0.5, staircase=True),
    "invsqrt": lambda opt, of: of("InverseSquareRootDecay")(opt, 1, scale=2, warmup_steps=4),
    "invsqrt_init": lambda opt, of: of("InverseSquareRootDecay")(opt, 0.5, 1, 4),
    "linear_up": lambda opt, of: of("Linear")(opt, 0, 1, 4),
    "mult": lambda opt, of: of("Multiplicative")(opt, 1, 0.5),
    "multistep": lambda opt, of: of("MultiStep")(opt, 1, 0.1, [2, 5]),
    "piecewise": lambda opt, of: of("PiecewiseConstant")(opt, [1, 0.5, 0.1], [2, 5]),
    "poly_p2": lambda opt, of: of("Polynomial")(opt, 1, 0.2, 4, power=2),
    "seq": lambda opt, of: of("Sequential")(
        opt,
        [of("Linear")(opt, 0, 1, 3), of("CosineDecay")(opt, 1, 0, 4), of("Constant")(opt, 0.05)],
        [3, 7],
    ),
    "seq_gap": lambda opt, of: of("Sequential")(
        opt, [of("Linear")(opt, 0, 1, 3), of("CosineDecay")(opt, 1, 0, 4)], [5]
    ),
    "seq_short": lambda opt, of: of("Sequential")(
        opt, [of("Linear")(opt, 0, 1, 5), of("CosineDecay")(opt, 1, 0, 4)], [3]
    ),
}
TAGGED: dict[str, Any] = {"tags_a": "a", "tags_b_none": ["b", None]}
REFUSED_THERE = {"chained_const", "tags_zz"}
TAGS = ({"tags": "a"}, {"tags": ["a", "b"]}, {}, {"tags": {"c"}}, {"tags": []})


def test_no_case_is_left_out() -> None:
    assert set(vectors("cerebras.json")) == {*VALUES, *TAGGED, *REFUSED_THERE}


@pytest.mark.parametrize("name", VALUES)
def test_the_rate_has_their_values(name: str) -> None:
    expected = vectors("cerebras.json")[name]["values"]
    scheduler = VALUES[name](groups_of(), lr_class)
    assert walk(scheduler, len(expected)) == pytest.approx(expected, rel=0, abs=1e-6)


@pytest.mark.parametrize("name", VALUES)
def test_the_weight_decay_has_the_values_of_the_rate(name: str) -> None:
    expected = vectors("cerebras.json")[name]["values"]
    scheduler = VALUES[name](groups_of({"weight_decay": 0.5}), wd_class)
    found = walk(scheduler, len(expected), "weight_decay")
    assert found == pytest.approx(expected, rel=0, abs=1e-6)
    assert entries(scheduler.optimizer) == [0.5]


@pytest.mark.parametrize("kind", [ConstantLR, ConstantWD])
@pytest.mark.parametrize("name", TAGGED)
def test_tags_choose_the_groups_that_they_choose_there(name: str, kind: Any) -> None:
    key = kind.param_group_key
    optimizer = groups_of(*({**each, key: 0.5} for each in TAGS))
    kind(optimizer, 0.1, param_group_tags=TAGGED[name])
    assert [entries(optimizer, key)] == vectors("cerebras.json")[name]["values"]


def test_tags_of_no_group_are_refused_with_those_that_there_are() -> None:
    assert vectors("cerebras.json")["tags_zz"]["error"].startswith("ValueError")
    with pytest.raises(
        ValueError, match=r"must be those of a group, which are a, b, c; got \['zz'\]"
    ):
        ConstantLR(groups_of(*TAGS), 0.1, param_group_tags="zz")


def test_a_constant_can_be_chained() -> None:
    assert "ConstantLR" in vectors("cerebras.json")["chained_const"]["error"]
    optimizer = groups_of()
    chained = ChainedLR([LinearLR(optimizer, 1, 0, 4), ConstantLR(optimizer, 0.3)])
    assert walk(chained, 6) == pytest.approx([1, 0.75, 0.5, 0.25, 0, 0])


def test_every_update_is_done_with_the_value_of_its_number() -> None:
    weight = Parameter(torch.zeros(1, dtype=torch.float64))
    scheduler = LinearLR(SGD([weight], lr=0.5), 0.4, 0.1, 3)
    assert scheduler.last_epoch == 0
    lengths = []
    for _ in range(5):
        before = weight.item()
        weight.grad = -torch.ones_like(weight)
        scheduler.optimizer.step()
        scheduler.step()
        lengths.append(weight.item() - before)
    assert lengths == pytest.approx([0.4, 0.3, 0.2, 0.1, 0.1])
    assert scheduler.last_epoch == 5


# ## Names and arguments
FRAME = ("last_epoch", "param_group_tags")
REQUIRED = inspect.Parameter.empty
ARGUMENTS: dict[str, dict[str, Any]] = {
    "Constant": {"val": REQUIRED, "total_iters": None},
    "Polynomial": {
        "initial_val": REQUIRED,
        "end_val": REQUIRED,
        "total_iters": REQUIRED,
        "power": 1.0,
        "cycle": False,
    },
    "Linear": {
        "initial_val": REQUIRED,
        "end_val": REQUIRED,
        "total_iters": REQUIRED,
        "cycle": False,
    },
    "Exponential": {
        "initial_val": REQUIRED,
        "total_iters": REQUIRED,
        "decay_rate": REQUIRED,
        "staircase": False,
    },
    "InverseExponentialTimeDecay": {
        "initial_val": REQUIRED,
        "step_exponent": REQUIRED,
        "total_iters": REQUIRED,
        "decay_rate": REQUIRED,
        "staircase": False,
    },
    "InverseSquareRootDecay": {"initial_val": 1.0, "scale": 1.0, "warmup_steps": 1.0},
    "CosineDecay": {"initial_val": REQUIRED, "end_val": REQUIRED, "total_iters": REQUIRED},
    "CosineAnnealing": {"initial_val": REQUIRED, "T_max": REQUIRED, "eta_min": 0.0},
    "CosineAnnealingWarmRestarts": {
        "initial_val": REQUIRED,
        "T_0": REQUIRED,
        "T_mult": 1,
        "eta_min": 0.0,
    },
    "Step": {"initial_val": REQUIRED, "step_size": REQUIRED, "gamma": REQUIRED},
    "MultiStep": {"initial_val": REQUIRED, "gamma": REQUIRED, "milestones": REQUIRED},
    "Multiplicative": {"initial_val": REQUIRED, "coefficient": REQUIRED},
    "Lambda": {"initial_val": REQUIRED, "functions": None},
    "PiecewiseConstant": {"vals": REQUIRED, "milestones": REQUIRED},
    # Their `scale_mode="cycle"` does nothing, as the mode decides; None lets it decide here.
    "Cyclic": {
        "base_val": REQUIRED,
        "max_val": REQUIRED,
        "step_size_up": 2000,
        "step_size_down": None,
        "mode": "triangular",
        "gamma": 1.0,
        "scale_mode": None,
        "scale_fn": None,
    },
    "OneCycle": {
        "initial_val": REQUIRED,
        "max_val": REQUIRED,
        "total_steps": 1000,
        "pct_start": 0.3,
        "final_div_factor": 1e4,
        "three_phase": False,
        "anneal_strategy": "cos",
    },
    "Sequential": {"schedulers": REQUIRED, "milestones": None},
    "Chained": {"schedulers": REQUIRED},
    "ScalePerParam": {"scheduler": REQUIRED},
}
RATES = {
    "val": "learning_rate",
    "vals": "learning_rates",
    "initial_val": "initial_learning_rate",
    "end_val": "end_learning_rate",
    "base_val": "base_lr",
    "max_val": "max_lr",
}


@pytest.mark.parametrize(("class_of", "renamed"), [(lr_class, RATES), (wd_class, {})])
@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_have_their_names_order_and_defaults(
    name: str, class_of: Callable[[str], Any], renamed: dict[str, str]
) -> None:
    found = inspect.signature(class_of(name)).parameters
    own = {each: found[each].default for each in found if each not in {"optimizer", *FRAME}}
    assert list(own.items()) == [
        (renamed.get(each, each), default) for each, default in ARGUMENTS[name].items()
    ]
    assert [found[each].default for each in FRAME] == [-1, None]
    # All parts of a chain have the optimizer.
    assert next(iter(found)) == ("schedulers" if name == "Chained" else "optimizer")


def test_every_scheduler_of_the_rate_has_a_twin_for_the_weight_decay() -> None:
    families: dict[str, set[str]] = {"lr": set(), "weight_decay": set()}
    for name in schedulers.__all__:
        kind = getattr(schedulers, name)
        key = getattr(kind, "param_group_key", None)
        if key is not None and kind is not ChainedScheduler and len(kind.__bases__) == 2:
            families[key].add(name.removesuffix("LR").removesuffix("WD"))
    assert families["lr"] == families["weight_decay"] == set(ARGUMENTS)
    assert len(ARGUMENTS) == 19
    assert set(ARGUMENTS) == {name.split()[0] for name in KINDS}


def test_the_name_that_torch_has_for_a_chain_is_known() -> None:
    optimizer = groups_of()
    chained = ChainedScheduler([ConstantLR(optimizer, 0.4), LinearLR(optimizer, 1, 0, 4)])
    assert walk(chained, 3) == pytest.approx([0.4, 0.3, 0.2])


@pytest.mark.parametrize(
    ("name", "given"),
    [(name, each) for name, own in ARGUMENTS.items() for each in own if each in RATES],
)
def test_values_can_be_read_under_both_names(name: str, given: str) -> None:
    optimizer = groups_of()
    scheduler = KINDS[name](optimizer, lr_class)
    value = getattr(scheduler, given)
    assert value == getattr(scheduler, RATES[given])
    assert value in (0, 0.1, 0.2, 0.3, 0.5, 1, [1, 0.5, 0.1])


def test_an_attribute_that_there_is_not_is_named() -> None:
    scheduler = ConstantLR(groups_of(), 0.1)
    assert not hasattr(scheduler, "initial_learning_rate")
    with pytest.raises(AttributeError, match="ConstantLR has no attribute gamma"):
        scheduler.gamma  # noqa: B018


@pytest.mark.parametrize("name", KINDS)
def test_a_scheduler_is_one_of_torchs_and_of_ours(name: str) -> None:
    scheduler = KINDS[name](groups_of(), lr_class)
    assert isinstance(scheduler, NamedScheduler)
    assert isinstance(scheduler, Scheduler)
    assert isinstance(scheduler, torch.optim.lr_scheduler.LRScheduler)
