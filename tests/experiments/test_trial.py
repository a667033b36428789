import multiprocessing

import pytest

from experiments.catalog import CATALOG
from experiments.optimizers import choose_optimizer
from experiments.records import load, loads
from experiments.rules import NO_RULES
from experiments.schedules import choose_schedules
from experiments.trial import Order, carry_out

MNIST = CATALOG["mnist"]


@pytest.fixture
def order(tmp_path):
    return make_order(tmp_path)


def make_order(folder, lr=3e-3):
    configuration = MNIST.configure(
        "cnn",
        choose_optimizer("adam", lr, []),
        choose_schedules("linear", [], None, []),
        NO_RULES,
        data="digits",
        seed=0,
        epochs=1.0,
    )
    return Order(configuration, folder / "out", folder, "cpu", 1)


def test_a_trial_makes_its_record_and_leaves_nothing_else(order, tmp_path):
    reports = []
    carry_out(order, reports.append)
    *underway, last = reports
    record = load(order.path)
    assert loads(last["record"], order.path) == record
    assert last["loss"] == pytest.approx(record.final["test_loss"], rel=1e-5)
    assert last["notes"] == []
    steps, curve = record.final["step"], record.curves["test_subset"]
    assert [report["progress"] for report in underway] == [
        100 * step / steps for step in curve["step"][:-1]
    ]
    assert [report["loss"] for report in underway] == pytest.approx(curve["loss"][:-1], rel=1e-5)
    left = {path.name for path in order.folder.iterdir()}
    assert left == {order.path.name, ".locks"}


def test_a_record_that_is_there_is_reported_and_not_made_again(order):
    first, second = [], []
    carry_out(order, first.append)
    before = order.path.stat().st_mtime_ns
    carry_out(order, second.append)
    (report,) = second
    assert loads(report["record"], order.path) == load(order.path)
    assert order.path.stat().st_mtime_ns == before


def test_a_run_that_diverged_has_an_infinite_loss_and_a_record(tmp_path):
    reports = []
    carry_out(make_order(tmp_path, lr=1e30), reports.append)
    assert {report["loss"] for report in reports[-3:]} == {float("inf")}
    assert load(make_order(tmp_path, lr=1e30).path).final["test_loss"] is None
    assert any("diverged" in note for note in reports[-1]["notes"])


def test_an_error_is_one_line_that_says_what_happened(order):
    order.folder.mkdir(parents=True)
    order.path.mkdir()
    reports = []
    carry_out(order, reports.append)
    assert len(reports[-1]["failed"].splitlines()) == 1
    assert order.path.name in reports[-1]["failed"]


def _carry_out(order, results):
    reports = []
    carry_out(order, reports.append)
    results.put(len(reports))


def test_of_two_processes_with_the_same_run_one_makes_it_and_the_other_waits(order):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [context.Process(target=_carry_out, args=(order, results)) for _ in range(2)]
    for process in processes:
        process.start()
    reports = sorted(results.get(timeout=120) for _ in processes)
    for process in processes:
        process.join()
    assert reports[0] == 1
    assert reports[1] > 1
