"""The numbers that a byte stands for, and what rounding to them does."""

from __future__ import annotations

import pytest
import torch

from labml_nn_optim.quantize import BLOCK, count_blocks, dequantize, dynamic_map, quantize
from tests.labml_nn_optim.public import WrittenOutAdam8bit


@pytest.mark.parametrize("signed", [True, False])
def test_a_byte_stands_for_256_different_numbers_between_0_and_1(signed: bool) -> None:
    values = dynamic_map(signed)
    assert values.unique().shape == (256,)
    assert torch.equal(values, values.sort().values)
    assert values[-1] == 1
    assert (values == 0).sum() == 1
    assert (values < 0).sum() == (127 if signed else 0)


def test_the_smallest_and_the_largest_are_those_of_bitsandbytes() -> None:
    signed, unsigned = dynamic_map(True), dynamic_map(False)
    assert unsigned[1:4].tolist() == pytest.approx([3.25e-7, 7.75e-7, 2.125e-6])
    assert unsigned[-3:].tolist() == pytest.approx([0.98945313, 0.99648438, 1.0])
    assert signed[[0, 1, -2, -1]].tolist() == pytest.approx(
        [-0.99296875, -0.97890625, 0.99296875, 1.0]
    )
    assert signed[128].item() == pytest.approx(5.5e-7)


@pytest.mark.parametrize("signed", [True, False])
def test_every_decade_has_half_the_numbers_of_the_one_above(signed: bool) -> None:
    values = dynamic_map(signed)
    counts = [
        int(((values > 10.0 ** -(k + 1)) & (values < 10.0**-k)).sum().item()) for k in range(7)
    ]
    assert counts == [2**k for k in range(6, -1, -1)] if signed else [2**k for k in range(7, 0, -1)]


@pytest.mark.parametrize("signed", [True, False])
def test_the_map_is_what_the_bits_say(signed: bool) -> None:
    bits = [WrittenOutAdam8bit.meaning(f"{byte:08b}", signed) for byte in range(256)]
    torch.testing.assert_close(
        torch.tensor(sorted(bits), dtype=torch.float64), dynamic_map(signed), rtol=1e-15, atol=0
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("signed", [True, False])
def test_what_is_in_the_map_comes_back_as_it_was(signed: bool, dtype: torch.dtype) -> None:
    values = dynamic_map(signed).to(dtype)[None] * 3
    codes, scales = quantize(values, signed)
    assert codes.dtype == torch.uint8
    assert codes.flatten().tolist() == list(range(256))
    assert torch.equal(dequantize(codes, scales, signed), values)


@pytest.mark.parametrize("shape", [(2, 700), (3, 5, 9), (2,), (1, 256), (2, 3, 2, 64)])
@pytest.mark.parametrize("signed", [True, False])
def test_the_nearest_number_is_taken_in_every_block(signed: bool, shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    stack = torch.randn(shape, generator=generator, dtype=torch.float64)
    stack = stack if signed else stack.square()
    codes, scales = quantize(stack, signed)
    assert codes.shape == stack.shape
    assert scales.shape == (shape[0], count_blocks(stack[0].numel()))
    expected = torch.stack([WrittenOutAdam8bit.rounded(each, signed, BLOCK) for each in stack])
    torch.testing.assert_close(dequantize(codes, scales, signed), expected, rtol=1e-14, atol=0)


@pytest.mark.parametrize("signed", [True, False])
def test_the_table_for_float32_gives_the_codes_of_a_search(signed: bool) -> None:
    values = dynamic_map(signed)
    middles = ((values[1:] + values[:-1]) / 2).float()
    above = middles.nextafter(torch.tensor(2.0))
    below = middles.nextafter(torch.tensor(-2.0))
    tiny = torch.tensor([0.0, -0.0, 1e-45, 1e-38, 1.0])
    numbers = torch.cat([middles, above, below, values.float(), tiny, torch.rand(10_000)])
    numbers = numbers if signed else numbers.abs()
    # The largest of each block is 1, so nothing is divided.
    each = torch.stack([numbers, torch.ones_like(numbers)], dim=1)
    codes, _ = quantize(each, signed, block=2)
    assert torch.equal(codes[:, 0].int(), torch.bucketize(numbers, middles, out_int32=True))


def test_zeros_stay_zeros() -> None:
    for signed in (True, False):
        codes, scales = quantize(torch.zeros(2, 300), signed)
        assert not scales.any()
        assert not dequantize(codes, scales, signed).any()


def test_one_outlier_spoils_its_own_block_alone() -> None:
    stack = torch.full((1, 4 * BLOCK), 1e-3, dtype=torch.float64)
    stack[0, 0] = 1e5
    found = dequantize(*quantize(stack, True), True)
    assert not found[0, 1:BLOCK].any()
    assert torch.equal(found[0, BLOCK:], stack[0, BLOCK:])
    whole = dequantize(*quantize(stack, True, 4 * BLOCK), True, 4 * BLOCK)
    assert not whole[0, 1:].any()


def test_a_number_that_is_none_spoils_its_block() -> None:
    for bad in (float("nan"), float("inf")):
        stack = torch.ones(1, 2 * BLOCK)
        stack[0, 0] = bad
        found = dequantize(*quantize(stack, True), True)
        assert not found[0, :BLOCK].isfinite().any()
        assert found[0, BLOCK:].isfinite().all()
