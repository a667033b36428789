"""Singular values after the steps, the published coefficients, and what rounding does."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from labml_nn_optim.orthogonal import (
    NEWTON_SCHULZ,
    SAFETY,
    Coefficients,
    orthogonalize,
    polar_express,
)

JORDAN = [NEWTON_SCHULZ] * 5
# Amsel et al. (2025), algorithm 1, before the safety factor
PUBLISHED = [
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
    (1.891301407787398, -1.2679958271945868, 0.37680408948524835),
    (1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
    (1.875, -1.25, 0.375),
]


def gaussian(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def of_rank_8(rows: int, columns: int) -> Tensor:
    return gaussian(rows, 8, seed=1) @ gaussian(8, columns, seed=2)


def singular_values(matrix: Tensor) -> Tensor:
    values: Tensor = torch.linalg.svdvals(matrix.double())
    return values


def on_numbers(coefficients: Sequence[Coefficients], x: Tensor) -> Tensor:
    for a, b, c in coefficients:
        x = x * (a + b * x**2 + c * x**4)
    return x


def error(found: Tensor, expected: Tensor) -> float:
    return float((found.double() - expected).norm() / expected.norm())


def by_singular_values(matrix: Tensor, coefficients: Sequence[Coefficients]) -> Tensor:
    u, values, vt = torch.linalg.svd(matrix, full_matrices=False)
    return torch.mm(u * on_numbers(coefficients, values / values.norm()), vt)


@pytest.mark.parametrize(
    "shape", [(30, 30), (20, 30), (30, 20), (20, 90), (90, 20), (1, 5), (5, 1)]
)
@pytest.mark.parametrize("coefficients", [JORDAN, polar_express(5)], ids=["jordan", "express"])
def test_the_steps_act_on_singular_values_alone(
    shape: tuple[int, int], coefficients: Sequence[Coefficients]
) -> None:
    matrix = gaussian(*shape)
    expected = by_singular_values(matrix, coefficients)
    torch.testing.assert_close(orthogonalize(matrix, coefficients), expected, atol=1e-11, rtol=0)


def test_the_coefficients_are_the_published_ones() -> None:
    for steps in (5, 8):
        found = polar_express(steps)
        assert len(found) == steps
        for step, (own, (a, b, c)) in enumerate(zip(found, PUBLISHED, strict=False), start=1):
            safe = SAFETY if step < steps else 1.0
            expected = pytest.approx((a / safe, b / safe**3, c / safe**5), abs=5e-9)
            assert own == expected
            if step <= 6:
                assert own == pytest.approx(expected.expected, rel=2e-15, abs=2e-14)


@pytest.mark.parametrize(("steps", "worst"), [(5, 0.148), (6, 0.0045), (7, 5e-7), (8, 1e-14)])
def test_polar_express_serves_its_interval(steps: int, worst: float) -> None:
    x = torch.logspace(-3, 0, 10_001, dtype=torch.float64)
    found = (on_numbers(polar_express(steps), x) - 1).abs().max()
    assert worst / 2 < found < worst or steps == 8
    assert found < worst


def test_every_step_is_the_closest_to_one_once_the_cushion_is_done_with() -> None:
    before = on_numbers(polar_express(4), torch.logspace(-3, 0, 10_001, dtype=torch.float64))
    after = on_numbers(polar_express(5)[4:], before)
    ends = on_numbers(polar_express(5)[4:], torch.stack([before.min(), before.max()]))
    # Largest error, met with both signs
    assert 1 - after.min().item() == pytest.approx(after.max().item() - 1, rel=0.2)
    assert ends[0].item() == pytest.approx(after.min().item(), rel=1e-6)


def test_jordans_steps_end_in_a_band_and_do_not_converge() -> None:
    x = torch.logspace(-2.82, 0, 10_001, dtype=torch.float64)
    five, many = (on_numbers([NEWTON_SCHULZ] * steps, x) for steps in (5, 60))
    assert five.min() > 0.68
    assert five.max() < 1.203
    assert many.min() < 0.69
    assert many.max() > 1.13
    slope = on_numbers(JORDAN, torch.tensor(1e-9, dtype=torch.float64)) / 1e-9
    assert slope == pytest.approx(484.9, abs=0.1)


def test_a_little_beyond_one_is_safe_and_more_is_not() -> None:
    beyond = torch.tensor([1.005, 1.01, 1.02], dtype=torch.float64)
    found = on_numbers(polar_express(5), beyond)
    assert found[:2].tolist() == pytest.approx([0.886, 1.085], abs=1e-3)
    assert found[2] > 1e80
    unsafe = [(a * 1.01, b * 1.01**3, c * 1.01**5) for a, b, c in polar_express(5)[:4]]
    assert on_numbers([*unsafe, polar_express(5)[4]], beyond[:1]) > 1e50


def test_medians_of_gaussian_matrices_are_those_of_the_table() -> None:
    spectra = [singular_values(gaussian(256, 256, seed=seed)) for seed in range(10)]
    for coefficients, expected in [
        (JORDAN, [0.079, 0.862, 1.202]),
        (polar_express(5), [0.160, 0.987, 1.124]),
        ([(2.0, -1.5, 0.5)] * 12, [0.593, 1.0, 1.0]),
        (polar_express(8), [0.793, 1.0, 1.0]),
    ]:
        found = [on_numbers(coefficients, values / values.norm()) for values in spectra]
        rows = torch.stack([torch.stack([x.min(), x.median(), x.max()]) for x in found])
        middle = rows.sort(dim=0).values[4:6].mean(0)
        assert middle.tolist() == pytest.approx(expected, abs=1e-2)


def test_a_stack_is_its_matrices_one_by_one() -> None:
    for shape in ((6, 10, 10), (6, 5, 40), (6, 40, 5), (2, 3, 8, 12)):
        stack = gaussian(*shape)
        found = orthogonalize(stack, JORDAN)
        assert found.shape == stack.shape
        for own, matrix in zip(found.flatten(0, -3), stack.flatten(0, -3), strict=True):
            torch.testing.assert_close(own, orthogonalize(matrix, JORDAN))


def test_the_size_of_a_matrix_does_not_count_but_where_it_vanishes() -> None:
    matrix = gaussian(12, 12)
    expected = orthogonalize(matrix, JORDAN)
    for size in (1e-6, 1e6):
        torch.testing.assert_close(orthogonalize(size * matrix, JORDAN), expected)
    assert orthogonalize(1e-14 * matrix, JORDAN).norm() < 1e-3
    assert not orthogonalize(torch.zeros(3, 4), JORDAN).any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_the_data_type_stays(dtype: torch.dtype) -> None:
    for shape in ((8, 8), (4, 40), (40, 4)):
        assert orthogonalize(gaussian(*shape, dtype=dtype), JORDAN).dtype is dtype


def test_the_input_is_left_alone() -> None:
    for shape in ((8, 8), (4, 40), (40, 4)):
        matrix = gaussian(*shape)
        before = matrix.clone()
        orthogonalize(matrix, JORDAN)
        orthogonalize(matrix, [])
        assert torch.equal(matrix, before)


@pytest.mark.parametrize("steps", [5, 8, 10, 12])
@pytest.mark.parametrize("jordan", [True, False], ids=["jordan", "express"])
def test_the_gram_matrix_of_a_low_rank_does_not_blow_up(steps: int, jordan: bool) -> None:
    coefficients = [NEWTON_SCHULZ] * steps if jordan else polar_express(steps)
    matrix = of_rank_8(64, 256)
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        assert singular_values(orthogonalize(matrix.to(dtype), coefficients))[0] < 1.21
    if steps <= 8:
        expected = orthogonalize(matrix, coefficients)
        assert error(orthogonalize(matrix.float(), coefficients), expected) < 2e-3


def test_half_precision_fills_the_null_space_with_noise() -> None:
    matrix = of_rank_8(64, 256)
    for coefficients, least, most in [
        (JORDAN, 0.1, 0.3),
        (polar_express(5), 0.2, 0.6),
        (polar_express(8), 0.9, 1.01),
    ]:
        half = singular_values(orthogonalize(matrix.bfloat16(), coefficients))
        single = singular_values(orthogonalize(matrix.float(), coefficients))
        assert least < half[8] < most
        assert single[8] < 1e-3


def test_half_precision_is_a_percent_off_on_a_gaussian_matrix() -> None:
    matrix = gaussian(256, 256)
    expected = orthogonalize(matrix, JORDAN)
    assert error(orthogonalize(matrix.float(), JORDAN), expected) < 1e-5
    assert 0.01 < error(orthogonalize(matrix.bfloat16(), JORDAN), expected) < 0.015


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_rounding_beyond_one_is_caught(dtype: torch.dtype) -> None:
    # All errors of a constant matrix have one sign.
    for shape in ((100, 256), (256, 100), (48, 64), (3, 7), (1, 1)):
        for matrix in (
            torch.full(shape, 0.3),
            gaussian(*shape).sign()[:, :1] @ torch.ones(1, shape[1], dtype=torch.float64),
        ):
            for steps in (5, 8, 12):
                found = orthogonalize(matrix.to(dtype), polar_express(steps))
                assert singular_values(found)[0] < 1.14


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_one_bad_number_spoils_the_matrix_and_no_other(value: float) -> None:
    stack = gaussian(2, 4, 6)
    stack[0, 1, 2] = value
    found = orthogonalize(stack, JORDAN)
    assert found[0].isnan().any()
    torch.testing.assert_close(found[1], orthogonalize(stack[1], JORDAN))
