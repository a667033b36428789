import errno
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import records
from experiments.records import MOST_BYTES, RecordError, dumps, load, load_all, save
from experiments.training import MOST_CHECKS, MOST_POINTS
from tests.experiments.examples import make_record


def test_a_record_is_read_back_as_it_was_written(tmp_path):
    path = save(make_record(), tmp_path)
    loaded = load(path)
    assert loaded == make_record()
    assert loaded.path == path
    assert dumps(loaded) == path.read_text()
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_the_file_is_named_after_the_optimizer_and_everything_that_decides_the_numbers(tmp_path):
    names = {
        save(make_record(**change), tmp_path).name
        for change in [
            {},
            {"seed": 1},
            {"lr": 2e-3},
            {"schedule": "constant"},
            {"schedule_options": {"end_value": 0.1}},
            {"wd_schedule": "cosine"},
            {"wd_schedule_options": {"end_value": 0.1}},
            {"epochs": 2.0},
            {"batch_size": 32},
            {"data": "digits"},
            {"options": {"eps": 1e-7}},
        ]
    }
    assert len(names) == 11
    assert all(
        name.startswith("adam-") and len(name) == len("adam-0123456789.json") for name in names
    )


def test_the_text_has_sorted_keys_and_a_line_for_each_column():
    text = dumps(make_record())
    fields = json.loads(text)
    assert list(fields) == sorted(fields)
    assert '   "loss": [0.25,0.25,0.25,0.25,0.25],\n' in text
    assert text.endswith("}\n")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_keep_six_significant_digits(value):
    record = make_record(value=value)
    written = json.loads(dumps(record))["curves"]["test"]["loss"][0]
    assert written == pytest.approx(value, rel=5.01e-6, abs=1e-300)
    assert float(f"{written:.6g}") == written


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_json_does_not_have_is_null(tmp_path, value):
    path = save(make_record(value=value), tmp_path)
    assert load(path).curves["test"]["loss"] == [None] * 5
    assert load(path).final["test_accuracy"] is None
    json.loads(path.read_text(), parse_constant=pytest.fail)


def test_the_longest_series_that_a_run_makes_stay_under_30_kilobytes(tmp_path):
    record = make_record(points=MOST_POINTS, checks=MOST_CHECKS, value=-1.23457e-05)
    path = save(record, tmp_path)
    assert path.stat().st_size <= MOST_BYTES


def test_more_than_300_points_are_refused(tmp_path):
    with pytest.raises(RecordError, match="curves"):
        save(make_record(points=301), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_records_come_by_optimizer_then_configuration_then_seed(tmp_path):
    for optimizer in ("radam", "adam"):
        for lr in (2e-3, 1e-3):
            for seed in (2, 10, 0):
                save(make_record(optimizer=optimizer, lr=lr, seed=seed), tmp_path)
    order = [(r.optimizer, r.configuration["lr"], r.seed) for r in load_all(tmp_path)]
    assert order == [
        (optimizer, lr, seed)
        for optimizer in ("adam", "radam")
        for lr in (1e-3, 2e-3)
        for seed in (0, 2, 10)
    ]


def test_a_folder_that_does_not_exist_has_no_records(tmp_path):
    assert load_all(tmp_path / "nothing") == []


def change(fields, path, value):
    *parents, last = path
    for key in parents:
        fields = fields[key]
    if value is None:
        del fields[last]
    else:
        fields[last] = value


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("optimizer",), None, '"optimizer" is a required property'),
        (("optimizer",), "radam", "optimizer: is not the configuration's"),
        (("extra",), 1, "'extra' was unexpected"),
        (("configuration", "lr"), "fast", 'configuration.lr: "fast" is not of type'),
        (("configuration", "seed"), -1, "configuration.seed: -1 is less than"),
        (("data", "sha256"), "abc", 'data.sha256: "abc" does not match'),
        (("curves", "train", "lr"), [0.1], "curves.train: the columns are not equally long"),
        (("curves", "test", "step"), [1, 2, 2, 3, 4], "curves.test.step: the steps do not inc"),
        (("curves", "test", "loss"), [0, "x", 0, 0, 0], 'curves.test.loss[1]: "x" is not of'),
        (("environment", "threads"), 1.5, "environment.threads: 1.5 is not of type"),
    ],
)
def test_an_invalid_record_is_refused_in_one_line_that_names_file_and_field(
    tmp_path, path, value, message
):
    file = save(make_record(), tmp_path)
    fields = json.loads(file.read_text())
    change(fields, path, value)
    file.write_text(json.dumps(fields))
    with pytest.raises(RecordError) as caught:
        load(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": NaN}', "\x00", '"' + "x" * 9999])
def test_what_is_no_record_at_all_is_refused_in_one_short_line(tmp_path, text):
    file = tmp_path / "adam-0.json"
    file.write_text(text)
    with pytest.raises(RecordError) as caught:
        load(file)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = save(make_record(), tmp_path)
    before = path.read_text()

    def fail(descriptor):
        raise OSError(errno.EIO, "disk failed")

    monkeypatch.setattr(records.os, "fsync", fail)
    with pytest.raises(OSError, match=r"disk failed: '.*\.json'$"):
        save(make_record(value=0.5), tmp_path)
    assert path.read_text() == before
    assert list(tmp_path.iterdir()) == [path]


@given(st.permutations(range(3)))
@settings(max_examples=6)
def test_the_order_of_the_options_does_not_change_the_name(order):
    options = {"betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": 0.1}
    shuffled = {key: options[key] for key in [list(options)[index] for index in order]}
    assert make_record(options=shuffled).file_name == make_record(options=options).file_name
