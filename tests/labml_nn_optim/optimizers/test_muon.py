"""The step of a matrix, its scales, what is no matrix, and the programs that differ."""

from __future__ import annotations

import math
from copy import deepcopy
from typing import Any
from unittest import mock

import pytest
import pytorch_optimizer
import torch
from timm.optim.muon import Muon as TimmsMuon
from torch import Tensor
from torch.nn import Parameter

from labml_nn_optim import AdamW, Muon, WeightDecay
from labml_nn_optim.orthogonal import NEWTON_SCHULZ, orthogonalize, polar_express
from tests.labml_nn_optim.examples import largest_difference, make_params, train
from tests.labml_nn_optim.public import MuonInFloat64

EXACT: dict[str, Any] = {"ns_coefficients": "polar_express", "ns_steps": 8}


def gaussian(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def first_step(kind: Any, grad: Tensor, **arguments: Any) -> Tensor:
    param = Parameter(torch.zeros_like(grad))
    param.grad = grad.clone()
    group = {"params": [param]} | ({"use_muon": True} if kind is pytorch_optimizer.Muon else {})
    kind([group], lr=1.0, weight_decay=0.0, **arguments).step()
    return -param.detach()


def rms(tensor: Tensor) -> float:
    return float(tensor.double().square().mean().sqrt())


def polar_factor(matrix: Tensor) -> Tensor:
    u, _, vt = torch.linalg.svd(matrix, full_matrices=False)
    return torch.mm(u, vt)


@pytest.mark.parametrize(
    "shapes", [[(30, 20), (20, 30), (7,)], [(12, 48), (48, 12), (8, 3, 3, 3), ()]]
)
@pytest.mark.parametrize("strength", [0.0, 0.1])
def test_it_is_torchs_in_float64(shapes: list[tuple[int, ...]], strength: float) -> None:
    arguments: dict[str, Any] = {"lr": 0.02, "weight_decay": strength}
    ours = Muon(make_params(shapes=shapes), adjust_lr_fn="original", **arguments)
    theirs = MuonInFloat64(make_params(shapes=shapes), **arguments)
    assert largest_difference(train(ours, steps=100), train(theirs, steps=100)) < 1e-14


@pytest.mark.parametrize("adjust_lr_fn", ["original", "match_rms_adamw"])
def test_two_programs_in_bfloat16_agree_to_a_few_percent(adjust_lr_fn: str) -> None:
    grad = gaussian(128, 128, seed=3, dtype=torch.float32)
    ours = first_step(Muon, grad, adjust_lr_fn=adjust_lr_fn)
    theirs = first_step(torch.optim.Muon, grad, adjust_lr_fn=adjust_lr_fn)
    half = first_step(Muon, grad, adjust_lr_fn=adjust_lr_fn, ns_dtype=torch.bfloat16)
    for other in (theirs, half):
        assert 1e-3 < (other - ours).norm() / ours.norm() < 0.05


@pytest.mark.parametrize("shape", [(9, 9), (6, 20), (20, 6), (1, 5), (5, 1)])
def test_the_first_step_is_the_polar_factor(shape: tuple[int, int]) -> None:
    grad = gaussian(*shape)
    found = first_step(Muon, grad, adjust_lr_fn="original", **EXACT)
    scale = math.sqrt(max(1, shape[0] / shape[1]))
    torch.testing.assert_close(found, scale * polar_factor(grad))


def test_the_step_is_steepest_for_its_largest_singular_value() -> None:
    grad = gaussian(6, 10)
    step = first_step(Muon, grad, adjust_lr_fn="original", **EXACT)
    best = (grad * step).sum()
    assert best.item() == pytest.approx(torch.linalg.svdvals(grad).sum().item())
    for seed in range(20):
        other = gaussian(6, 10, seed=seed + 1)
        assert (grad * other / torch.linalg.matrix_norm(other, 2)).sum() < best


def test_shampoo_without_memory_is_the_same() -> None:
    def power(symmetric: Tensor, exponent: float) -> Tensor:
        values, vectors = torch.linalg.eigh(symmetric)
        return torch.mm(vectors * values**exponent, vectors.T)

    grad = gaussian(6, 6)
    found = power(grad @ grad.T, -0.25) @ grad @ power(grad.T @ grad, -0.25)
    torch.testing.assert_close(found, polar_factor(grad))


@pytest.mark.parametrize("nesterov", [True, False])
def test_the_second_step_looks_ahead(nesterov: bool) -> None:
    grads = [gaussian(5, 5, seed=seed) for seed in (1, 2)]
    param = Parameter(torch.zeros(5, 5, dtype=torch.float64))
    optimizer = Muon(
        [param], 1.0, 0.9, nesterov, weight_decay=0.0, adjust_lr_fn="original", **EXACT
    )
    for grad in grads:
        before = param.detach().clone()
        param.grad = grad
        optimizer.step()
    average = 0.09 * grads[0] + 0.1 * grads[1]
    ahead = 0.9 * average + 0.1 * grads[1] if nesterov else average
    expected = orthogonalize(ahead, polar_express(8))
    torch.testing.assert_close(before - param.detach(), expected)
    torch.testing.assert_close(optimizer.state[param]["momentum_buffer"], average)


def test_neither_the_size_of_a_gradient_nor_that_of_momentum_counts() -> None:
    grad = gaussian(8, 8)
    found = [first_step(Muon, size * grad, momentum=mu) for size in (1e-4, 1e4) for mu in (0, 0.95)]
    for other in found[1:]:
        torch.testing.assert_close(other, found[0])


# Elements of a step have this root mean square, in learning rates.
@pytest.mark.parametrize(
    ("adjust_lr_fn", "sizes"),
    [
        ("original", [0.088, 0.044, 0.088]),
        ("match_rms_adamw", [0.2, 0.2, 0.2]),
        ("spectral_unclamped", [0.088, 0.022, 0.088]),
    ],
)
def test_the_scales_keep_what_the_table_says(adjust_lr_fn: str, sizes: list[float]) -> None:
    for shape, size in zip([(128, 128), (128, 512), (512, 128)], sizes, strict=True):
        grad = gaussian(*shape, dtype=torch.float32)
        exact = first_step(Muon, grad, adjust_lr_fn=adjust_lr_fn, **EXACT)
        assert rms(exact) == pytest.approx(size, abs=1e-3)
        usual = first_step(Muon, grad, adjust_lr_fn=adjust_lr_fn)
        assert 0.85 < rms(usual) / rms(exact) < 0.92


def test_torchs_default_steps_are_much_shorter() -> None:
    grad = gaussian(64, 1024, dtype=torch.float32)
    ratio = rms(first_step(Muon, grad)) / rms(first_step(torch.optim.Muon, grad))
    assert ratio == pytest.approx(6.4, rel=0.02)


@pytest.mark.parametrize(
    "shape", [(16, 3, 3, 3), (4, 16, 3, 3), (12, 5, 1, 1), (6, 6, 5), (2, 3, 4, 5, 6)]
)
def test_a_kernel_is_a_matrix_of_its_outputs(shape: tuple[int, ...]) -> None:
    grad = gaussian(*shape)
    matrix = first_step(Muon, grad.flatten(1))
    torch.testing.assert_close(first_step(Muon, grad), matrix.view(shape))
    if len(shape) == 4:
        last = grad.to(memory_format=torch.channels_last)
        torch.testing.assert_close(first_step(Muon, last), matrix.view(shape))


def test_timm_scales_a_kernel_as_we_do() -> None:
    grad = gaussian(256, 16, 3, 3, dtype=torch.float32)
    same: dict[str, Any] = {"adjust_lr_fn": "original"}
    theirs = first_step(TimmsMuon, grad, ns_coefficients="original", nesterov=True, **same)
    assert rms(theirs) == pytest.approx(rms(first_step(Muon, grad, **same)), rel=5e-3)


def test_what_is_no_matrix_is_adamws() -> None:
    shapes: list[tuple[int, ...]] = [(5,), (), (4, 6), (2, 3, 3)]
    betas = (0.9, 0.95)
    ours = Muon(make_params(shapes=shapes), 0.02, matrices=False, weight_decay=0.1)
    theirs = AdamW(make_params(shapes=shapes), 0.02, betas, weight_decay=0.1)
    assert largest_difference(train(ours, steps=20), train(theirs, steps=20)) < 1e-14
    assert all("momentum_buffer" not in state for state in ours.state.values())


def test_vectors_are_adamws_in_a_group_of_matrices_with_a_rate_of_their_own() -> None:
    ours = Muon(make_params(shapes=[(5,)]), 0.02, vector_lr_scale=0.25, weight_decay=0.1)
    theirs = AdamW(make_params(shapes=[(5,)]), 0.005, (0.9, 0.95), weight_decay=0.1)
    assert largest_difference(train(ours, steps=20), train(theirs, steps=20)) < 1e-14


def test_a_matrix_has_one_tensor_of_state_and_a_vector_two() -> None:
    params = make_params(shapes=[(4, 6), (5,)])
    optimizer = Muon(params)
    train(optimizer, steps=1)
    kept = [
        [key for key, value in optimizer.state[param].items() if value.shape == param.shape]
        for param in params
    ]
    assert kept == [["momentum_buffer"], ["exp_avg", "exp_avg_sq"]]


def test_fused_matrices_share_their_directions() -> None:
    sizes = torch.tensor([0.1, 0.1, 1.0], dtype=torch.float64).repeat_interleave(64)
    grad = gaussian(192, 64) * sizes[:, None]
    together = orthogonalize(grad, [NEWTON_SCHULZ] * 5).view(3, 64, 64)
    apart = orthogonalize(grad.view(3, 64, 64), [NEWTON_SCHULZ] * 5)
    assert [rms(part) for part in together] == pytest.approx([0.027, 0.027, 0.102], abs=2e-3)
    assert [rms(part) for part in apart] == pytest.approx([0.11, 0.11, 0.11], abs=4e-3)


def test_a_stack_of_matrices_in_one_parameter_is_read_as_a_kernel() -> None:
    grad = gaussian(3, 8, 8)
    values = torch.linalg.svdvals(first_step(Muon, grad, **EXACT).flatten(1))
    assert values.tolist() == pytest.approx([0.2 * 8] * 3)


def test_decay_bounds_the_largest_singular_value() -> None:
    grad = gaussian(16, 16)

    def end(strength: float) -> float:
        param = Parameter(torch.zeros_like(grad))
        optimizer = Muon([param], lr=0.1, weight_decay=strength)
        for _ in range(1000):
            param.grad = grad.clone()
            optimizer.step()
        return float(torch.linalg.matrix_norm(param.detach(), 2))

    bound = 1.203 * 0.2 * 4 / 0.1
    assert 0.9 * bound < end(0.1) < bound
    assert end(0.0) > 7 * bound


def test_decay_in_the_gradient_is_orthogonalized_with_it() -> None:
    param = Parameter(gaussian(6, 6))
    param.grad = torch.zeros_like(param)
    expected = param.detach() - polar_factor(param.detach())
    decay = WeightDecay(0.1, weight_decouple=False)
    Muon([param], 1.0, weight_decay=decay, adjust_lr_fn="original", **EXACT).step()
    torch.testing.assert_close(param.detach(), expected)


def test_the_gradient_is_left_alone_and_that_of_pytorch_optimizer_is_not() -> None:
    for kind, is_kept in ((Muon, True), (torch.optim.Muon, True), (pytorch_optimizer.Muon, False)):
        param = Parameter(torch.zeros(4, 4))
        param.grad = torch.eye(4)
        use_muon = {"use_muon": True} if kind is pytorch_optimizer.Muon else {}
        kind([{"params": [param]} | use_muon], lr=0.1).step()
        assert torch.equal(param.grad, torch.eye(4)) is is_kept


def test_no_gradient_no_step_and_a_gradient_of_zero_moves_nothing() -> None:
    param = Parameter(torch.ones(3, 3))
    optimizer = Muon([param], lr=1.0, weight_decay=0.0)
    optimizer.step()
    param.grad = torch.zeros_like(param)
    optimizer.step()
    assert torch.equal(param.detach(), torch.ones(3, 3))


@pytest.mark.parametrize(
    "adjust_lr_fn", [None, "original", "match_rms_adamw", "spectral_unclamped"]
)
def test_checkpoints_are_exchanged_with_torch(adjust_lr_fn: str | None) -> None:
    def made(kind: Any) -> Any:
        return kind(make_params(shapes=[(6, 5), (4, 9)]), lr=0.02, adjust_lr_fn=adjust_lr_fn)

    def run(optimizer: Any, first: int) -> list[Tensor]:
        with mock.patch.object(torch.Tensor, "bfloat16", torch.Tensor.clone):
            return train(optimizer, steps=3, first=first)

    for here, there in ((Muon, torch.optim.Muon), (torch.optim.Muon, Muon)):
        whole, loaded = made(here), made(there)
        weights = run(whole, first=1)
        for param, value in zip(loaded.param_groups[0]["params"], weights, strict=True):
            param.data.copy_(value)
        loaded.param_groups[0]["adjust_lr_fn"] = "spectral_unclamped"
        loaded.load_state_dict(deepcopy(whole.state_dict()))
        assert largest_difference(run(loaded, first=4), run(whole, first=4)) < 1e-14


def test_the_steps_of_polar_express_are_named() -> None:
    optimizer = Muon([Parameter(torch.zeros(2, 2))], ns_coefficients="polar_express", ns_steps=6)
    assert optimizer.scalars(optimizer.param_groups[0], 1)["steps"] == polar_express(6)
    optimizer = Muon([Parameter(torch.zeros(2, 2))], ns_coefficients=(2, -1.5, 0.5), ns_steps=2)
    assert optimizer.scalars(optimizer.param_groups[0], 1)["steps"] == [(2, -1.5, 0.5)] * 2


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"momentum": 1.0}, ValueError, r"momentum must be a finite number >= 0 and < 1, got 1.0"),
        ({"adjust_lr_fn": "rms"}, ValueError, r"adjust_lr_fn must be one of .*, got 'rms'"),
        ({"ns_steps": 0}, ValueError, r"ns_steps must be a whole number >= 1, got 0"),
        ({"ns_coefficients": "quintic"}, ValueError, r"ns_coefficients must be .*, got 'quintic'"),
        ({"ns_coefficients": (1.5, -0.5)}, TypeError, r"ns_coefficients must be three numbers or"),
        ({"ns_coefficients": (1.5, "b", 0.0)}, TypeError, r"ns_coefficients\[1\] must be .*'b'"),
        ({"ns_coefficients": (math.nan, 0, 0)}, ValueError, r"ns_coefficients\[0\] must be .*nan"),
        ({"ns_dtype": torch.int32}, TypeError, r"ns_dtype must be None or a floating-point type"),
        ({"ns_dtype": "bfloat16"}, TypeError, r"ns_dtype must be None .*, got 'bfloat16'"),
        ({"matrices": 1}, TypeError, r"matrices must be True or False, got 1"),
        ({"vector_lr_scale": -1.0}, ValueError, r"vector_lr_scale must be .*, got -1.0"),
        ({"compile": True}, ValueError, r"compile and flat must be False for Muon, got True"),
    ],
)
def test_bad_arguments_are_named(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Muon([Parameter(torch.zeros(2, 2))], **arguments)
