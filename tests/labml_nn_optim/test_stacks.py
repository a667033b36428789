"""Rules that need whole tensors run on all tensors of a shape at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch

from labml_nn_optim import GenericAdaptiveOptimizer
from labml_nn_optim.stacks import mean_of_each, norm_of_each
from tests.labml_nn_optim.examples import largest_difference, make_params, train

REPEATED: list[tuple[int, ...]] = [(5, 3), (4,), (5, 3), (), (4,), (5, 3), (), (0, 2), (300, 500)]


class Counted(GenericAdaptiveOptimizer):
    """Descend along the gradient divided by its norm, with a count of rows as state."""

    elementwise = False
    beta_count = 0
    has_eps = False

    def __init__(self, params: Any, **arguments: Any) -> None:
        super().__init__(params, **arguments)
        self.seen: list[tuple[int, ...]] = []

    def init_state(
        self, state: dict[str, Any], group: Mapping[str, Any], param: torch.Tensor
    ) -> None:
        state["rows"] = torch.zeros(max(1, *param.shape, 1), dtype=param.dtype)

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        self.seen.append(tuple(param.shape))
        state["rows"].add_(1)
        param.sub_(grad.div(norm_of_each(grad).clamp_min(1e-12)).mul(group["lr"]))


def test_equal_shapes_are_one_stack_from_the_second_step_on() -> None:
    optimizer = Counted(make_params(shapes=REPEATED), lr=0.1)
    train(optimizer, steps=1)
    assert sorted(optimizer.seen) == sorted((1, *shape) for shape in REPEATED)
    optimizer.seen.clear()
    train(optimizer, steps=1, first=2)
    assert sorted(optimizer.seen) == [(1, 0, 2), (1, 300, 500), (2,), (2, 4), (3, 5, 3)]


def test_every_tensor_of_a_stack_moves_as_it_would_alone() -> None:
    def run(dtype: torch.dtype, **options: bool) -> list[torch.Tensor]:
        optimizer = Counted(make_params(dtype, REPEATED), lr=0.1, **options)
        found = train(optimizer, steps=6)
        return [*found, *(state["rows"] for state in optimizer.state.values())]

    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.complex128):
        assert largest_difference(run(dtype), run(dtype, per_tensor=True)) < 1e-6, dtype
    assert largest_difference(run(torch.float64), run(torch.float64, per_tensor=True)) < 1e-15


def test_state_of_any_shape_belongs_to_its_parameter_and_is_saved() -> None:
    optimizer = Counted(make_params(shapes=REPEATED), lr=0.1)
    train(optimizer, steps=3)
    rows = [state["rows"] for state in optimizer.state.values()]
    assert [row.shape for row in rows] == [(5,), (4,), (5,), (1,), (4,), (5,), (1,), (2,), (500,)]
    assert all(torch.equal(row, torch.full_like(row, 3.0)) for row in rows)
    other = Counted(make_params(shapes=REPEATED), lr=0.1)
    other.load_state_dict(optimizer.state_dict())
    train(other, steps=1, first=4)
    assert all(state["rows"].eq(4).all() for state in other.state.values())


def test_large_tensors_are_seen_in_place() -> None:
    (param,) = make_params(torch.float32, [(400, 400)])
    seen = []

    class Watched(Counted):
        def step_param(
            self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
        ) -> None:
            seen.append(param.data_ptr())

    train(Watched([param], lr=0.1), steps=3)
    assert seen == [param.data_ptr()] * 3


@pytest.mark.parametrize("shape", [(3,), (3, 4), (3, 2, 5)])
def test_norms_and_means_keep_their_dimensions(shape: tuple[int, ...]) -> None:
    stack = torch.randn(shape, dtype=torch.float64)
    ones = (3, *[1] * (len(shape) - 1))
    assert norm_of_each(stack).shape == mean_of_each(stack).shape == ones
    for index in range(3):
        torch.testing.assert_close(norm_of_each(stack)[index].sum(), stack[index].norm())
        torch.testing.assert_close(mean_of_each(stack)[index].sum(), stack[index].mean())
