"""The rules are those of the public implementations."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import Parameter

from labml_nn_optim import WeightDecay, get_optimizer
from tests.labml_nn_optim.examples import (
    NAMES,
    SMALL_SHAPES,
    WAYS,
    WAYS_OF,
    largest_difference,
    make_params,
    train,
    vectors,
)
from tests.labml_nn_optim.public import PUBLIC

# These have no trajectory of their own; their rule is Adam's with another learning rate, or is compared
# with an independent program.
WITHOUT_TRAJECTORY = {
    "adam_8bit",
    "adam_fp16",
    "adam_mini",
    "adam_warmup",
    "adam_warmup_cosine_decay",
    "asgd",
    "d_adapt_adam",
    "dowg",
    "galore",
    "kron",
    "muon",
    "noam",
    "normuon",
    "schedule_free_sgd",
    "scion",
    "shampoo",
    "sophia",
}
# The author of SOAP keeps its matrices in float32, so that their eigenvectors have seven digits.
DIGITS = {"SOAP": 1e-4}
NOT_COMPILED = [way for way in WAYS if "compile" not in way]


def normal(name: str) -> str:
    return name.lower().replace("_", "")


def cases() -> list[dict[str, Any]]:
    known = {normal(name) for name in NAMES}
    return [
        case for case in vectors("optimizers.json")["cases"] if normal(case["optimizer"]) in known
    ]


def arguments_of(case: dict[str, Any]) -> dict[str, Any]:
    arguments = dict(case["arguments"])
    if "l2" in arguments:
        arguments["weight_decay"] = WeightDecay(arguments.pop("l2"), weight_decouple=False)
    return arguments


def test_every_optimizer_has_a_known_trajectory() -> None:
    found = {normal(case["optimizer"]) for case in cases()}
    assert found == {normal(name) for name in NAMES if name not in WITHOUT_TRAJECTORY}


def test_every_optimizer_is_compared_with_a_public_one() -> None:
    assert set(PUBLIC) == set(NAMES)


@pytest.mark.parametrize("way", NOT_COMPILED)
def test_known_trajectories_are_met_to_ten_digits(way: str) -> None:
    head = vectors("optimizers.json")
    for case in cases():
        kind = get_optimizer(case["optimizer"])
        if WAYS[way].get("flat") and not kind.elementwise:
            continue
        size = math.prod(case["shape"])
        place = torch.arange(size, dtype=torch.float64).reshape(case["shape"])
        param = Parameter(torch.cos(head["k"] * place + 1))
        optimizer = kind([param], **arguments_of(case), **WAYS[way])
        for step in range(1, 1 + max(map(int, case["values"]))):
            wave = torch.sin(0.7 * place + 1.3 * step + head["k"])
            param.grad = (1 + 0.1 * place) * param.detach() + wave
            optimizer.step()
            if str(step) in case["values"]:
                expected = torch.tensor(case["values"][str(step)], dtype=torch.float64)
                rtol = DIGITS.get(case["optimizer"], 1e-10)
                torch.testing.assert_close(
                    param.detach().flatten(), expected, rtol=rtol, atol=rtol / 1e4, msg=str(case)
                )


@pytest.mark.parametrize("name", PUBLIC)
def test_a_hundred_noisy_steps_equal_the_public_implementation(name: str) -> None:
    public = PUBLIC[name]
    for their_decay, our_decay in public.decays():
        theirs = public.kind(
            make_params(shapes=SMALL_SHAPES), lr=0.02, **public.options, **their_decay
        )
        ours = get_optimizer(name)(
            make_params(shapes=SMALL_SHAPES), lr=0.02, weight_decay=our_decay, **public.ours
        )
        difference = largest_difference(train(ours, steps=100), train(theirs, steps=100))
        assert difference < public.tolerance, our_decay


@pytest.mark.parametrize("name", [name for name in PUBLIC if PUBLIC[name].on_complex])
def test_complex_parameters_move_as_with_the_public_implementation(name: str) -> None:
    public = PUBLIC[name]

    def run(kind: Any, **arguments: Any) -> list[torch.Tensor]:
        params = [Parameter(torch.complex(p.detach(), p.detach().cos())) for p in make_params()]
        return train(kind(params, lr=0.02, **arguments), steps=5)

    theirs = run(public.kind, **public.options, **public.plain)
    for own, way in WAYS_OF:
        if own == name and way in NOT_COMPILED:
            ours = run(get_optimizer(name), weight_decay=0.0, **public.ours, **WAYS[way])
            for a, b in zip(ours, theirs, strict=True):
                torch.testing.assert_close(a, b, rtol=public.tolerance, atol=public.tolerance)
