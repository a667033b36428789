"""Sums over all parameters: cut, with decay, negated, and of nothing."""

from __future__ import annotations

import pytest
import torch
from torch.nn import Parameter

from labml_nn_optim import DoG, Prodigy, WeightDecay, totals
from labml_nn_optim.totals import Batch, batches, dot, norm1, square, summed
from tests.labml_nn_optim.examples import largest_difference, make_params, train


def found(optimizer: Prodigy) -> list[Batch]:
    params = [param for group in optimizer.param_groups for param in group["params"]]
    for param in params:
        if param.grad is None:
            param.grad = torch.ones_like(param)
    optimizer.step()
    work = [
        (group, optimizer._plans[index].members)
        for index, group in enumerate(optimizer.param_groups)
    ]
    return list(batches(work, optimizer._decay_of))


def test_lists_are_cut_by_size_and_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "CHUNK", 100)
    sizes = [(40,), (50,), (30,), (200,), (10,)]
    params = [Parameter(torch.zeros(size)) for size in sizes]
    params.append(Parameter(torch.zeros(7, dtype=torch.float64)))
    lists = [[tensor.numel() for tensor in batch.grad.tensors] for batch in found(Prodigy(params))]
    assert lists == [[40, 50], [30], [200], [10], [7]]


def test_cutting_changes_no_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train(Prodigy(make_params(), d0=0.01), steps=5)
    monkeypatch.setattr(totals, "CHUNK", 10)
    assert largest_difference(train(Prodigy(make_params(), d0=0.01), steps=5), whole) < 1e-14


def test_gradients_are_those_that_the_rule_will_see() -> None:
    param = Parameter(torch.full((2,), 4.0, dtype=torch.bfloat16))
    coupled = WeightDecay(0.5, weight_decouple=False)
    (batch,) = found(Prodigy([param], weight_decay=coupled, maximize=True))
    (gradient,) = batch.grad.tensors
    assert gradient.dtype == torch.float32
    assert gradient.tolist() == [1.0, 1.0]
    assert param.grad is not None
    assert param.grad.tolist() == [1.0, 1.0]


def test_sums_are_over_all_tensors_of_all_batches() -> None:
    first, second = Parameter(torch.zeros(2)), Parameter(torch.zeros(1, dtype=torch.float64))
    first.grad, second.grad = torch.tensor([3.0, -4.0]), torch.tensor([-2.0], dtype=torch.float64)
    lists = found(Prodigy([first, second]))
    sums = summed((b, (dot(b.grad, b.grad), norm1(b.grad), square(b.grad))) for b in lists)
    assert sums == pytest.approx([29.0, 9.0, 29.0])
    assert summed([]) == []


def test_a_group_without_gradients_takes_part_in_the_numbers() -> None:
    used, unused = Parameter(torch.ones(2)), Parameter(torch.ones(2))
    optimizer = DoG([{"params": [used]}, {"params": [unused]}])
    optimizer.step()
    assert "r_bar" not in optimizer.param_groups[0]
    used.grad = torch.ones(2)
    optimizer.step()
    first, second = optimizer.param_groups
    assert first["r_bar"] == second["r_bar"] > 0
