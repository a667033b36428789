"""Wrappers on a model that two processes share, against the same steps in one process."""

from __future__ import annotations

from typing import Any

import pytest

from tests.labml_nn_optim.two_processes import found_by_two
from tests.labml_nn_optim.wrappers import shared_batches
from tests.labml_nn_optim.wrappers.shared_batches import AROUND, MODELS

# Sums over the batch and over a norm have another order: 2e-16 was measured.
ROUNDING = 1e-12


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return found_by_two(shared_batches, tmp_path_factory.mktemp("wrappers"))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", AROUND)
def test_half_of_the_batch_in_each_process_trains_like_all_of_it(
    found: dict[str, Any], name: str, model: str
) -> None:
    assert found[f"{model} {name}"] < ROUNDING


@pytest.mark.parametrize("name", AROUND)
def test_shards_go_on_from_the_checkpoint_of_one_process(found: dict[str, Any], name: str) -> None:
    assert found[f"from plain {name}"] < ROUNDING


@pytest.mark.parametrize("name", AROUND)
def test_shards_go_on_from_their_own_checkpoint(found: dict[str, Any], name: str) -> None:
    assert found[f"from shards {name}"] == 0


@pytest.mark.parametrize("name", AROUND)
def test_parameters_may_be_shared_in_several_ways(found: dict[str, Any], name: str) -> None:
    assert found[f"of all kinds {name}"] < ROUNDING


def test_without_synchronization_each_process_goes_up_by_its_own_gradient(
    found: dict[str, Any],
) -> None:
    assert found["no sync"] < ROUNDING
