"""Quotients of norms, and decay as a term of an update."""

from __future__ import annotations

import pytest
import torch

from labml_nn_optim import WeightDecay
from labml_nn_optim.trust import decay_inside, decay_update, quotient


def test_a_quotient_is_1_where_either_norm_is_0() -> None:
    found = quotient(torch.tensor([3.0, 0.0, 3.0, 0.0]), torch.tensor([2.0, 2.0, 0.0, 0.0]))
    assert found.tolist() == [1.5, 1.0, 1.0, 1.0]


def test_a_number_is_a_term_of_the_update_and_a_kind_is_what_it_is() -> None:
    assert decay_inside(0.1) == WeightDecay(0.1, weight_decouple=False)
    kind = WeightDecay(0.1, absolute=True)
    assert decay_inside(kind) is kind
    with pytest.raises(ValueError, match=r"weight_decay must be .* got -1\.0"):
        decay_inside(-1.0)


@pytest.mark.parametrize("decay", [WeightDecay(0.1, weight_decouple=False), WeightDecay(0.1)])
def test_an_update_decays_once(decay: WeightDecay) -> None:
    param, grad, update = torch.tensor([2.0]), torch.tensor([5.0]), torch.tensor([1.0])
    found = decay_update(decay, param, grad, update, {"lr": 0.5, **decay.defaults()})
    inside = not decay.weight_decouple
    assert found.item() == pytest.approx(1.2 if inside else 1.0)
    assert param.item() == pytest.approx(2.0 if inside else 1.9)
    assert (grad.item(), update.item()) == (5.0, 1.0)
