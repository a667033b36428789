"""The rules are those of the public implementations."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import Parameter

from labml_nn_optim import WeightDecay
from tests.labml_nn_optim.examples import (
    NAMES,
    WAYS,
    largest_difference,
    make,
    make_params,
    train,
    vectors,
)

SMALL_SHAPES = [(13, 7), (5,), (), (2, 3, 4)]
PUBLIC: dict[str, tuple[type[torch.optim.Optimizer], dict[str, Any]]] = {
    "adam": (torch.optim.Adam, {}),
    "amsgrad": (torch.optim.Adam, {"amsgrad": True}),
    "radam": (torch.optim.RAdam, {}),
}


def normal(name: str) -> str:
    return name.lower().replace("_", "")


def cases() -> list[Any]:
    known = {normal(name) for name in NAMES}
    found = [
        case for case in vectors("optimizers.json")["cases"] if normal(case["optimizer"]) in known
    ]
    return found


def arguments_of(case: dict[str, Any]) -> dict[str, Any]:
    arguments = dict(case["arguments"])
    if "l2" in arguments:
        arguments["weight_decay"] = WeightDecay(arguments.pop("l2"), weight_decouple=False)
    return arguments


@pytest.mark.parametrize("way", WAYS)
def test_known_trajectories_are_met_to_twelve_digits(way: str) -> None:
    head = vectors("optimizers.json")
    assert {normal(case["optimizer"]) for case in cases()} == {normal(name) for name in NAMES}
    for case in cases():
        size = math.prod(case["shape"])
        place = torch.arange(size, dtype=torch.float64).reshape(case["shape"])
        param = Parameter(torch.cos(head["k"] * place + 1))
        optimizer = make(case["optimizer"], [param], **arguments_of(case), **WAYS[way])
        for step in range(1, 1 + max(map(int, case["values"]))):
            wave = torch.sin(0.7 * place + 1.3 * step + head["k"])
            param.grad = (1 + 0.1 * place) * param.detach() + wave
            optimizer.step()
            if str(step) in case["values"]:
                expected = torch.tensor(case["values"][str(step)], dtype=torch.float64)
                torch.testing.assert_close(
                    param.detach().flatten(), expected, rtol=1e-12, atol=1e-14, msg=str(case)
                )


@pytest.mark.parametrize(
    "decay",
    [{}, {"weight_decay": 0.1}, {"weight_decay": 0.1, "decoupled_weight_decay": True}],
    ids=["no decay", "decay in the gradient", "decoupled decay"],
)
@pytest.mark.parametrize("name", NAMES)
def test_two_hundred_noisy_steps_equal_the_public_implementation(
    name: str, decay: dict[str, Any]
) -> None:
    public, arguments = PUBLIC[name]
    ours_decay = WeightDecay(
        decay.get("weight_decay", 0.0),
        weight_decouple=decay.get("decoupled_weight_decay", False),
    )
    theirs = train(
        public(make_params(shapes=SMALL_SHAPES), lr=0.02, **arguments, **decay), steps=200
    )
    ours = train(
        make(name, make_params(shapes=SMALL_SHAPES), lr=0.02, weight_decay=ours_decay), steps=200
    )
    assert largest_difference(ours, theirs) < 1e-12


@pytest.mark.parametrize("name", NAMES)
def test_complex_parameters_move_as_with_the_public_implementation(name: str) -> None:
    public, arguments = PUBLIC[name]

    def run(optimizer: type[torch.optim.Optimizer] | Any, **more: Any) -> list[torch.Tensor]:
        params = [Parameter(torch.complex(p.detach(), p.detach().cos())) for p in make_params()]
        return train(optimizer(params, lr=0.02, **more), steps=5)

    theirs = run(public, **arguments)
    for options in WAYS.values():
        ours = run(lambda params, **more: make(name, params, **more), **options)
        for a, b in zip(ours, theirs, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)
