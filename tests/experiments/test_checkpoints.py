import errno

import pytest
import torch

from experiments import records
from experiments.checkpoints import Checkpoints


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path / "run", "adam-0123456789")


def test_a_state_comes_back_as_it_was(checkpoints):
    state = {
        "model": {"w": torch.randn(3)},
        "curves": {"loss": [0.5, float("nan")]},
        "seconds": 1.5,
    }
    path = checkpoints.save(7, state)
    loaded, problems = checkpoints.load_newest()
    assert problems == []
    assert path.is_file()
    assert torch.equal(loaded["model"]["w"], state["model"]["w"])
    assert str(loaded["curves"]) == str(state["curves"])


def test_only_the_newest_two_are_kept(checkpoints):
    for step in (1, 2, 3, 12):
        checkpoints.save(step, {"step": step})
    assert checkpoints.steps() == [12, 3]


def test_later_ones_of_a_run_that_was_given_up_are_removed(checkpoints):
    checkpoints.save(100, {})
    checkpoints.save(5, {})
    assert checkpoints.steps() == [5]


def test_without_a_checkpoint_there_is_no_state(checkpoints):
    assert checkpoints.load_newest() == (None, [])


@pytest.mark.parametrize("damage", [b"", b"not a checkpoint", None])
def test_a_damaged_one_is_told_in_one_line_and_the_one_before_is_used(checkpoints, damage):
    checkpoints.save(1, {"step": 1})
    path = checkpoints.save(2, {"step": 2})
    path.write_bytes(path.read_bytes()[:-400] if damage is None else damage)
    loaded, problems = checkpoints.load_newest()
    assert loaded == {"step": 1}
    assert len(problems) == 1
    assert problems[0].startswith(f"{path} cannot be used")
    assert "\n" not in problems[0]
    assert path.exists()


def test_a_damaged_one_that_is_the_only_one_means_no_state(checkpoints):
    checkpoints.save(1, {}).write_bytes(b"")
    loaded, problems = checkpoints.load_newest()
    assert loaded is None
    assert len(problems) == 1


def test_one_of_another_run_is_not_taken(checkpoints):
    Checkpoints(checkpoints.folder, "radam-0123456789").save(3, {})
    loaded, problems = checkpoints.load_newest()
    assert loaded is None
    assert "belongs to step 3 of radam-0123456789" in problems[0]


def test_one_that_would_run_code_is_not_taken(checkpoints):
    torch.save({"run": checkpoints.run, "step": 1, "state": print}, checkpoints.save(1, {}))
    loaded, problems = checkpoints.load_newest()
    assert loaded is None
    assert len(problems) == 1


def test_a_write_that_fails_leaves_the_one_before(checkpoints, monkeypatch):
    checkpoints.save(1, {"step": 1})

    def fail(descriptor):
        raise OSError(errno.EIO, "disk failed")

    monkeypatch.setattr(records.os, "fsync", fail)
    with pytest.raises(OSError, match=r"disk failed: '.*\.pt'$"):
        checkpoints.save(2, {"step": 2})
    assert [path.name for path in checkpoints.folder.iterdir()] == ["step-00000001.pt"]
    assert checkpoints.load_newest() == ({"step": 1}, [])
