import json
import os

import pytest

from experiments.tracking import SERVER_VARIABLE, tracking


def read(folder, run):
    (path,) = (folder / "labml" / run).glob("*/log.jsonl")
    lines = path.read_text().splitlines()
    packets = [json.loads(line, parse_constant=pytest.fail)["track"] for line in lines]
    rows = {}
    for packet in packets:
        for name, points in packet.items():
            rows.setdefault(name, []).extend(points)
    return rows


def status(folder, run):
    (path,) = (folder / "labml" / run).glob("*/run_log.jsonl")
    return json.loads(path.read_text().splitlines()[-1])["status"]


def test_every_row_is_in_the_file_when_the_context_ends(tmp_path):
    with tracking(
        tmp_path, "adam-1", {"lr": 1e-3, "options": {"betas": [0.9, 0.99]}}, pytest.fail
    ) as log:
        for step in range(1, 1001):
            log(step, "train", {"step": step, "loss": 1 / step})
    rows = read(tmp_path, "adam-1")
    assert rows == {"train.loss": [[step, [1 / step]] for step in range(1, 1001)]}
    assert status(tmp_path, "adam-1") == "completed"


def test_several_runs_in_one_process_have_their_own_files_and_steps(tmp_path):
    for run, first in (("adam-1", 500), ("adam-2", 3)):
        with tracking(tmp_path, run, {}, pytest.fail) as log:
            log(first, "train", {"loss": 0.5})
    assert read(tmp_path, "adam-1") == {"train.loss": [[500, [0.5]]]}
    assert read(tmp_path, "adam-2") == {"train.loss": [[3, [0.5]]]}


def test_values_that_json_does_not_have_are_left_out(tmp_path):
    with tracking(tmp_path, "adam-1", {}, pytest.fail) as log:
        log(1, "train", {"loss": float("nan"), "lr": 0.1})
        log(2, "train", {"loss": float("inf"), "lr": 0.1})
        log(3, "train", {"loss": 1.0, "lr": 0.1})
    rows = read(tmp_path, "adam-1")
    assert rows["train.loss"] == [[3, [1.0]]]
    assert [step for step, _ in rows["train.lr"]] == [1, 2, 3]


def test_an_interrupted_run_is_logged_as_such(tmp_path):
    def interrupted_run():
        with tracking(tmp_path, "adam-1", {}, pytest.fail) as log:
            log(1, "train", {"loss": 0.5})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted_run()
    assert read(tmp_path, "adam-1") == {"train.loss": [[1, [0.5]]]}
    assert status(tmp_path, "adam-1") == "interrupted"


def test_nothing_is_printed_and_nothing_is_written_elsewhere(tmp_path, monkeypatch, capfd):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    with tracking(out, "adam-1", {}, pytest.fail) as log:
        log(1, "train", {"loss": 0.5})
    assert capfd.readouterr() == ("", "")
    assert list(elsewhere.iterdir()) == []
    assert [path.name for path in out.iterdir()] == ["labml"]


def test_the_address_of_a_server_is_hidden_from_labml_and_then_restored(tmp_path, monkeypatch):
    monkeypatch.setenv(SERVER_VARIABLE, "http://127.0.0.1:9/")
    with tracking(tmp_path, "adam-1", {}, pytest.fail) as log:
        log(1, "train", {"loss": 0.5})
    assert os.environ[SERVER_VARIABLE] == "http://127.0.0.1:9/"
    assert read(tmp_path, "adam-1") == {"train.loss": [[1, [0.5]]]}


def test_a_folder_that_labml_cannot_use_is_one_line_and_no_error(tmp_path):
    (tmp_path / "labml").write_text("a file in the way")
    told = []
    with tracking(tmp_path, "adam-1", {}, told.append) as log:
        log(1, "train", {"loss": 0.5})
    assert len(told) == 1
    assert told[0].startswith("labml cannot log this run (")
    assert "\n" not in told[0]
