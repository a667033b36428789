"""NorMuon's rows, and where it is Muon."""

from __future__ import annotations

import math
from typing import Any

import pytest
import pytorch_optimizer
import torch
from torch import Tensor
from torch.nn import Parameter

from labml_nn_optim import Muon, NorMuon
from tests.labml_nn_optim.examples import SMALL_SHAPES, largest_difference, make_params, train
from tests.labml_nn_optim.public import NorMuonInFloat64

POLISHED: dict[str, Any] = {"ns_coefficients": (1.875, -1.25, 0.375), "ns_steps": 40}


def uneven(rows: int, columns: int) -> Tensor:
    """Noise with rows of very different size."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
    return noise * torch.randn(rows, 1, generator=generator, dtype=torch.float64).exp()


def first_step(kind: type[Muon], gradient: Tensor, **arguments: Any) -> Tensor:
    param = Parameter(torch.zeros_like(gradient))
    param.grad = gradient.clone()
    kind([param], lr=1.0, weight_decay=0.0, **arguments).step()
    return -param.detach()


@pytest.mark.parametrize("columns", [30, 8, 3])
def test_rows_of_the_first_step_have_one_length(columns: int) -> None:
    lengths = first_step(NorMuon, uneven(12, columns)).norm(dim=1)
    torch.testing.assert_close(lengths, lengths.mean().expand(12))


@pytest.mark.parametrize("shape", [(12, 30), (12, 8), (4, 3, 2, 2)])
def test_the_mean_square_of_a_step_is_that_of_the_paper(shape: tuple[int, ...]) -> None:
    step = first_step(NorMuon, uneven(shape[0], math.prod(shape[1:])).view(shape))
    assert step.square().mean().sqrt().item() == pytest.approx(0.2)


@pytest.mark.parametrize("scale", ["original", "spectral_unclamped"])
def test_with_other_scales_the_length_is_that_of_muon(scale: str) -> None:
    gradient = uneven(12, 8)
    ours = first_step(NorMuon, gradient, adjust_lr_fn=scale)
    muons = first_step(Muon, gradient, adjust_lr_fn=scale)
    assert ours.norm().item() == pytest.approx(muons.norm().item())
    assert not torch.allclose(ours, muons, rtol=0.1)


def test_an_exact_orthogonal_matrix_that_is_wide_has_nothing_to_normalize() -> None:
    gradient = uneven(8, 20)
    ours = first_step(NorMuon, gradient, adjust_lr_fn="original", **POLISHED)
    muons = first_step(Muon, gradient, adjust_lr_fn="original", **POLISHED)
    torch.testing.assert_close(ours, muons)


def test_a_tall_matrix_is_no_longer_orthogonal() -> None:
    gradient = uneven(200, 20)
    ours = first_step(NorMuon, gradient, adjust_lr_fn="spectral_unclamped", **POLISHED)
    muons = first_step(Muon, gradient, adjust_lr_fn="spectral_unclamped", **POLISHED)
    spectrum, flat = torch.linalg.svdvals(ours), torch.linalg.svdvals(muons)
    assert flat[0] / flat[-1] == pytest.approx(1)
    assert spectrum[0] / spectrum[-1] > 1.1


def test_a_row_without_a_gradient_stays_where_it_is() -> None:
    gradient = uneven(6, 4)
    gradient[2] = 0
    step = first_step(NorMuon, gradient)
    assert step[2].norm() == 0
    assert step[3].norm() > 0
    assert first_step(NorMuon, torch.zeros(3, 2)).norm() == 0


def test_the_state_is_one_number_a_row() -> None:
    params = make_params(shapes=[(13, 7), (4, 3, 2, 2), (5,)])
    optimizer = NorMuon(params)
    train(optimizer, steps=3)
    found = [set(optimizer.state[param]) - {"step"} for param in params]
    assert found == [{"momentum_buffer", "second_momentum_buffer"}] * 2 + [
        {"exp_avg", "exp_avg_sq"}
    ]
    assert [optimizer.state[p]["second_momentum_buffer"].shape for p in params[:2]] == [
        (13, 1),
        (4, 1),
    ]


def test_the_authors_code_keeps_the_length() -> None:
    options = {"lr": 0.02, "weight_decay": 0.1}
    ours = NorMuon(make_params(shapes=SMALL_SHAPES), adjust_lr_fn="original", **options)
    theirs = NorMuonInFloat64(
        make_params(shapes=SMALL_SHAPES), update_scale="preserve_norm", **options
    )
    assert largest_difference(train(ours, steps=100), train(theirs, steps=100)) < 1e-12


def test_pytorch_optimizer_orthogonalizes_in_bfloat16() -> None:
    def run(kind: Any, **arguments: Any) -> list[Tensor]:
        params = make_params(shapes=[(13, 7)])
        return train(kind(params, lr=0.02, weight_decay=0.0, **arguments), steps=1)

    class Theirs(pytorch_optimizer.NorMuon):
        def __init__(self, params: Any, **arguments: Any) -> None:
            groups = [{"params": params, "use_muon": True}]
            super().__init__(groups, update_scale="match_rms", **arguments)

    assert 1e-6 < largest_difference(run(NorMuon), run(Theirs)) < 1e-3


def test_bad_hyper_parameters_are_named() -> None:
    with pytest.raises(ValueError, match=r"beta2 must be a finite number >= 0 and < 1, got 1\.0"):
        NorMuon([Parameter(torch.zeros(2))], beta2=1.0)
    with pytest.raises(ValueError, match="adjust_lr_fn must be one of"):
        NorMuon([Parameter(torch.zeros(2))], adjust_lr_fn="norm")
