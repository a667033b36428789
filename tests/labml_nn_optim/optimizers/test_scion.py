"""The balls of Scion, its two forms, and its conventions."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from pytorch_optimizer.optimizer.scion import LMONorm
from torch import Tensor
from torch.nn import Parameter

from labml_nn_optim import Muon, Scion, Signum
from labml_nn_optim.optimizers.scion import NORMS, best_point
from tests.labml_nn_optim.examples import SMALL_SHAPES, largest_difference, make_params, train
from tests.labml_nn_optim.public import SCIONInFloat64

MATRICES: list[tuple[int, ...]] = [(13, 7), (7, 13), (5, 5)]


def point(norm: str, gradient: Tensor) -> Tensor:
    group = {"norm": norm, "eps": 0.0, "ns_dtype": None, "ns_steps": 5}
    return best_point(gradient[None], group)[0]


def run(kind: Any, shapes: list[tuple[int, ...]], **arguments: Any) -> list[Tensor]:
    return train(kind(make_params(shapes=shapes), lr=0.02, **arguments), steps=100)


def test_each_norm_has_its_ball() -> None:
    generator = torch.Generator().manual_seed(0)
    gradient = torch.randn(8, 32, generator=generator, dtype=torch.float64)
    found = {norm: point(norm, gradient) for norm in NORMS}
    assert 0.6 < torch.linalg.svdvals(found["spectral"])[0] / math.sqrt(8 / 32) < 1.2
    assert 0.6 < torch.linalg.svdvals(found["spectral_clamped"])[0] < 1.2
    torch.testing.assert_close(found["sign"], gradient.sign() / 32)
    ones = torch.ones(8, dtype=torch.float64)
    torch.testing.assert_close(found["row"].norm(dim=1), ones / math.sqrt(32))
    torch.testing.assert_close(found["embedding"].norm(dim=1), ones * math.sqrt(32))
    torch.testing.assert_close(found["column"].norm(dim=0), math.sqrt(8) * ones.repeat(4))


def test_an_output_changes_by_one_at_any_width() -> None:
    for width in (16, 64, 256):
        generator = torch.Generator().manual_seed(0)
        x, error = torch.randn(2, width, generator=generator, dtype=torch.float64)
        x = x / x.square().mean().sqrt()
        param = Parameter(torch.zeros(width, width, dtype=torch.float64))
        param.grad = torch.outer(error, x)
        Scion([param], lr=1.0, ns_steps=20, weight_decay=0.0).step()
        change = (param.detach() @ x).square().mean().sqrt()
        assert change.item() == pytest.approx(1, rel=0.35)


def test_the_constrained_form_stays_in_the_ball_and_the_other_does_not() -> None:
    def size(weight_decay: float) -> float:
        param = Parameter(torch.zeros(16, 8, dtype=torch.float64))
        optimizer = Scion([param], lr=0.1, scale=3.0, weight_decay=weight_decay)
        generator = torch.Generator().manual_seed(0)
        param.grad = torch.randn(16, 8, generator=generator, dtype=torch.float64)
        for _ in range(100):
            optimizer.step()
        return torch.linalg.matrix_norm(param.detach(), 2).item() / (3 * math.sqrt(2))

    assert 0.9 < size(1.0) < 1.25
    assert 1.8 < size(0.5) < 2.5
    assert size(0.0) > 9


def test_decay_of_one_is_the_constrained_form_of_pytorch_optimizer() -> None:
    ours = run(Scion, SMALL_SHAPES, scale=5.0)
    theirs = run(SCIONInFloat64, SMALL_SHAPES, momentum=0.1, constraint=True, scale=5.0)
    assert largest_difference(ours, theirs) < 1e-12


@pytest.mark.parametrize(
    ("norm", "kind", "options"),
    [
        ("spectral", LMONorm.SPECTRAL, {}),
        ("spectral_clamped", LMONorm.SPECTRAL, {"max_scale": True}),
        ("sign", LMONorm.SIGN, {}),
        ("row", LMONorm.ROW, {}),
        ("column", LMONorm.COL, {}),
        ("embedding", LMONorm.COL, {"transpose": True}),
    ],
)
def test_every_norm_is_that_of_pytorch_optimizer(
    norm: str, kind: LMONorm, options: dict[str, bool]
) -> None:
    ours = run(Scion, MATRICES, norm=norm, weight_decay=0.0)
    theirs = run(SCIONInFloat64, MATRICES, momentum=0.1, norm_type=kind, norm_kwargs=options)
    assert largest_difference(ours, theirs) < 1e-12


def test_it_is_muon_without_nesterov_on_matrices() -> None:
    ours = run(Scion, MATRICES, momentum=0.95, weight_decay=0.1)
    muons = run(Muon, MATRICES, nesterov=False, adjust_lr_fn="spectral_unclamped")
    assert largest_difference(ours, muons) < 1e-12


def test_with_signs_it_is_signum_with_a_rate_for_each_width() -> None:
    ours = run(Scion, [(13, 7)], norm="sign", scale=7.0, weight_decay=0.1)
    signum = run(Signum, [(13, 7)], weight_decay=0.1)
    assert largest_difference(ours, signum) < 1e-12


def test_vectors_and_scalars_have_a_root_mean_square_of_one_whatever_the_norm() -> None:
    for norm in NORMS:
        params = make_params(shapes=[(5,), ()])
        before = [param.detach().clone() for param in params]
        train(Scion(params, lr=1.0, norm=norm, weight_decay=0.0), steps=1)
        for param, old in zip(params, before, strict=True):
            assert (param.detach() - old).square().mean().item() == pytest.approx(1)


def test_a_gradient_of_zero_moves_nothing() -> None:
    for norm in NORMS:
        params = make_params(shapes=[(4, 3), (5,), (0, 2)])
        before = [param.detach().clone() for param in params]
        for param in params:
            param.grad = torch.zeros_like(param)
        Scion(params, norm=norm, weight_decay=0.0).step()
        assert largest_difference([param.detach() for param in params], before) == 0


def test_the_state_is_one_tensor() -> None:
    params = make_params(shapes=[(4, 3), (5,)])
    optimizer = Scion(params)
    train(optimizer, steps=2)
    assert [set(optimizer.state[param]) for param in params] == [
        {"step", "momentum_buffer"},
        {"step", "exp_avg"},
    ]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"momentum": 1.0}, ValueError, "momentum must be a finite number >= 0 and < 1, got 1.0"),
        ({"norm": "l2"}, ValueError, "norm must be one of spectral, spectral_clamped, sign, row"),
        ({"scale": 0.0}, ValueError, "scale must be a finite number > 0, got 0.0"),
        ({"ns_steps": 0}, ValueError, "ns_steps must be a whole number >= 1, got 0"),
        ({"ns_dtype": torch.int32}, TypeError, "ns_dtype must be None or a floating-point type"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_hyper_parameters_are_named(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Scion([Parameter(torch.zeros(2))], **arguments)
