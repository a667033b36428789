"""Optimizers on parameters that two processes share, against the same steps in one process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labml_nn_optim import optimizer_names
from tests.labml_nn_optim import sharded_processes
from tests.labml_nn_optim.sharded_processes import DECAYS, ELEMENTWISE, SAVED, WHOLE, Model
from tests.labml_nn_optim.two_processes import LONE, ROUNDING, found_by_two


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the two processes leave what they save."""
    return tmp_path_factory.mktemp("sharded")


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, Any]:
    """What the two processes have found; they are started once for all tests."""
    return found_by_two(sharded_processes, folder)


def test_every_optimizer_is_either_run_on_shards_or_refuses_them() -> None:
    assert sorted([*ELEMENTWISE, *WHOLE]) == list(optimizer_names())
    assert {"mars", "stable_adamw"} <= set(WHOLE)


@pytest.mark.parametrize("way", ["pieces", "per_tensor"])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_two_processes_make_the_steps_of_one(found: dict[str, Any], name: str, way: str) -> None:
    assert found[f"{way} {name}"] <= ROUNDING


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_half_precision_shards_round_like_whole_tensors(found: dict[str, Any], name: str) -> None:
    assert found[f"half {name}"] == 0


@pytest.mark.parametrize("decay", DECAYS)
def test_every_kind_of_decay_acts_on_shards(found: dict[str, Any], decay: str) -> None:
    assert found[f"decay {decay}"] <= ROUNDING


def test_shards_change_between_the_two_points_of_a_schedule_free_optimizer(
    found: dict[str, Any],
) -> None:
    assert max(found["modes"]) <= ROUNDING
    assert max(found["modes half"]) == 0


def test_a_compiled_rule_runs_on_shards(found: dict[str, Any]) -> None:
    assert found["compile"] <= ROUNDING


def test_half_of_the_batch_in_each_process_trains_like_all_of_it(found: dict[str, Any]) -> None:
    # The sum over the batch has another order: 6e-17 was measured.
    assert found["autograd"] < 1e-12


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_shards_go_on_from_the_whole_state(found: dict[str, Any], name: str) -> None:
    assert found[f"from plain {name}"] <= ROUNDING


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_one_process_goes_on_from_the_gathered_state(found: dict[str, Any], name: str) -> None:
    assert found[f"in plain {name}"] <= ROUNDING


def test_the_float32_copy_of_a_half_precision_shard_is_loaded(found: dict[str, Any]) -> None:
    assert found["master"] == 0


def test_state_of_shards_finds_its_parameters_by_name(found: dict[str, Any]) -> None:
    assert found["by name"] <= ROUNDING


def test_a_schedule_reaches_shards(found: dict[str, Any]) -> None:
    assert found["scheduled"] <= ROUNDING


@pytest.mark.parametrize("name", SAVED)
def test_two_processes_load_a_checkpoint_of_one(found: dict[str, Any], name: str) -> None:
    assert found[f"load {name}"] <= ROUNDING


@pytest.mark.filterwarnings(LONE)
@pytest.mark.usefixtures("found")
@pytest.mark.parametrize("name", SAVED)
def test_one_process_loads_a_checkpoint_of_two(folder: Path, name: str) -> None:
    checkpoint = folder / f"two_{name}"
    assert sharded_processes.load(Model(), name, checkpoint, alone=True) <= ROUNDING


def test_groups_are_the_same_on_a_sharded_model(found: dict[str, Any]) -> None:
    assert found["groups"]


@pytest.mark.parametrize("layout", ["grid", "columns", "replicated"])
def test_other_placements_make_the_same_steps(found: dict[str, Any], layout: str) -> None:
    assert found[layout] <= ROUNDING


@pytest.mark.parametrize("name", ["dog", "prodigy"])
def test_a_sum_over_all_parameters_counts_what_processes_share_once(
    found: dict[str, Any], name: str
) -> None:
    assert max(found[f"replicated {name}"], found[f"grid {name}"]) <= ROUNDING


def test_terms_of_a_gradient_are_summed_before_the_step(found: dict[str, Any]) -> None:
    assert found["partial gradient"] == 0


@pytest.mark.parametrize("name", WHOLE)
def test_a_rule_on_whole_tensors_runs_on_replicas(found: dict[str, Any], name: str) -> None:
    assert found[f"replicate {name}"] == 0


@pytest.mark.parametrize("name", WHOLE)
def test_a_rule_on_whole_tensors_runs_on_shards_over_one_process(
    found: dict[str, Any], name: str
) -> None:
    assert found[f"undivided {name}"] == 0


def test_a_composite_optimizer_goes_on_from_its_checkpoint(found: dict[str, Any]) -> None:
    assert found["composite"] <= ROUNDING


@pytest.mark.parametrize("name", WHOLE)
def test_a_rule_on_whole_tensors_refuses_shards_when_it_is_made(
    found: dict[str, Any], name: str
) -> None:
    assert (
        "needs whole parameters, got one of placements (Shard(dim=0),)" in found[f"refuse {name}"]
    )
    assert "\n" not in found[f"refuse {name}"]


def test_a_refused_group_is_not_kept(found: dict[str, Any]) -> None:
    message, groups = found["group dropped"]
    assert message.startswith("StableAdamW needs whole parameters")
    assert groups == 1


def test_a_parameter_that_is_sharded_later_is_refused_at_the_step(found: dict[str, Any]) -> None:
    assert found["refused late"].startswith("StableAdamW needs whole parameters")


def test_flat_is_refused(found: dict[str, Any]) -> None:
    assert found["flat"] == "flat must be False for DTensor parameters, got True"


def test_a_plain_gradient_of_a_sharded_parameter_is_refused(found: dict[str, Any]) -> None:
    assert found["plain gradient"].startswith("the gradient of a DTensor must be a DTensor")
