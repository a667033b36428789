import dataclasses
import gc
import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim import Optimizer

from experiments import speed, speed_ways
from experiments.cli import run_command
from experiments.committed import RESULTS
from experiments.data import ROOT_VARIABLE, load_digits
from experiments.experiment import Recipe
from experiments.mnist import MNIST
from experiments.speed import (
    Budget,
    Timed,
    Timings,
    burst,
    compiler_cache,
    interleave,
    main,
    measure_harness,
    measure_list,
    time_ways,
)
from experiments.speed_bars import Bar, limits_of_ratios
from experiments.speed_cli import Options
from experiments.speed_figures import list_figures
from experiments.speed_fresh import (
    CACHE_VARIABLE,
    Compilation,
    Fresh,
    FreshProcessError,
    Request,
    measure_fresh,
)
from experiments.speed_harness import HarnessCase
from experiments.speed_lists import ParameterList, make_parameters, parameter_list
from experiments.speed_memory import peak_of_step
from experiments.speed_report import (
    harness_table,
    list_table,
    load_lists,
    overview_table,
    save_figures,
)
from experiments.speed_ways import (
    COUNTERPARTS,
    PEERS,
    PYTORCH_OPTIMIZER,
    THEIR_WAYS,
    TIMM,
    measured_as,
    ways_of,
)
from labml_nn_optim import GenericAdaptiveOptimizer, optimizer_names
from tests.experiments.examples import make_list_figures

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[2]
SHAPES = [(64, 3, 3), (40_000,), (7,), (1,), (31, 33)]
SMALL = ParameterList("tiny", "five small tensors", SHAPES)
ADAM_WAYS = [
    *("per tensor", "default", "flat", "compile", "compile + flat"),
    *("torch loop", "torch foreach", "torch fused", "labml per tensor"),
]
NO_OPTIONS = Options(
    optimizer=None,
    every=False,
    harness=False,
    model=None,
    schedulers=False,
    param_groups=False,
    lists=None,
    rounds=2,
    threads=1,
    device="cpu",
    compiled=True,
    json_path=None,
)


pytestmark = pytest.mark.usefixtures("short_kernels")


class Clock:
    """Stands in for `time.perf_counter`; a step that takes a while moves it on."""

    def __init__(self, *durations):
        self.now = 100.0
        self.durations = list(durations)

    def __call__(self):
        return self.now

    def step(self):
        self.now += self.durations.pop(0)


@pytest.fixture(scope="module")
def adam_figures(short_kernels):
    """All that is measured of Adam, on a few small tensors."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with compiler_cache() as cache:
        figures = measure_list("adam", SMALL, CPU, NO_OPTIONS, cache)
    torch.set_num_threads(threads)
    return figures


@pytest.fixture
def small_lists(monkeypatch):
    """Let every list be one of a few small tensors."""
    monkeypatch.setattr(speed, "parameter_list", lambda name: SMALL)


def timed(rounds):
    timings = Timings(list(rounds))
    timings.rounds.update(rounds)
    return Timed(timings, steps=10, difference=1e-7, graphs=0)


@pytest.mark.parametrize(
    ("name", "tensors", "elements"),
    [
        ("resnet18", 62, 11_689_512),
        ("vit-s", 152, 22_050_664),
        ("vit-b", 152, 86_567_656),
        ("tiny", 1000, 1_000_000),
    ],
)
def test_the_lists_are_those_of_the_models(name, tensors, elements):
    parameters = parameter_list(name)
    assert len(parameters.shapes) == tensors
    assert parameters.elements == elements
    assert f"{tensors} tensors, {elements / 1e6:.2f} M parameters" in str(parameters)


def test_every_row_gets_the_same_values_in_tensors_of_its_own():
    first, second = (make_parameters(SHAPES, CPU) for _ in range(2))
    assert [tuple(parameter.shape) for parameter in first] == SHAPES
    for mine, yours in zip(first, second, strict=True):
        assert torch.equal(mine, yours)
        assert torch.equal(mine.grad, yours.grad)
        assert not torch.equal(mine, mine.grad)
        storages = {each.data_ptr() for each in (mine, yours, mine.grad, yours.grad)}
        assert len(storages) == 4


def test_ways_are_ours_then_those_that_torch_has_then_labmls():
    assert list(ways_of("adam")) == ADAM_WAYS
    assert list(ways_of("amsgrad")) == ADAM_WAYS[:-1]
    assert list(ways_of("radam")) == ADAM_WAYS[:-2]
    assert list(ways_of("rprop")) == ADAM_WAYS[:-2]
    assert list(ways_of("yogi")) == ADAM_WAYS[:5]
    assert list(ways_of("stable_adamw")) == [*ADAM_WAYS[:2], "pytorch_optimizer"]
    assert list(ways_of("muon")) == [*ADAM_WAYS[:2], "torch loop", "timm"]
    assert list(ways_of("radam", compiled=False)) == [
        *("per tensor", "default", "flat", "torch loop", "torch foreach")
    ]


def test_every_optimizer_that_torch_has_is_compared_with_torchs():
    names = {name.lower() for name in torch.optim.__all__} | {"amsgrad"}
    assert set(COUNTERPARTS) == names & set(optimizer_names())
    for name, counterpart in COUNTERPARTS.items():
        other = {"amsgrad": "adam", "muon": "torchmuon"}.get(name, name)
        assert counterpart.kind.__name__.lower() == other


def test_a_package_that_is_not_installed_has_no_row(monkeypatch):
    monkeypatch.setattr(speed_ways.importlib.util, "find_spec", lambda name: None)
    assert list(ways_of("lion", compiled=False)) == ["per tensor", "default", "flat"]


# Others draw their own noise, start otherwise, round to half precision, or turn ill-conditioned bases.
OTHERWISE = {"kron", "mars", "muon", "schedule_free_adamw", "scion", "soap"}


def test_sgd_is_measured_with_momentum_on_both_sides():
    assert measured_as("sgd") == "sgd, momentum 0.9"
    assert measured_as("amsgrad") == "amsgrad"
    for make in ways_of("sgd").values():
        assert make([nn.Parameter(torch.zeros(2))]).param_groups[0]["momentum"] == 0.9


def test_a_rule_that_needs_whole_tensors_is_neither_flattened_nor_compiled(monkeypatch):
    class Whole(GenericAdaptiveOptimizer):
        elementwise = False

    monkeypatch.setattr(speed_ways, "get_optimizer", lambda name: Whole)
    assert list(ways_of("whole")) == ["per tensor", "default"]


@pytest.mark.parametrize("name", optimizer_names())
def test_all_ways_that_are_not_compiled_give_the_same_parameters(name):
    makes = ways_of(name, compiled=False)
    if name in OTHERWISE:
        makes = {way: make for way, make in makes.items() if way not in THEIR_WAYS}
    result = time_ways(makes, SHAPES, CPU, Budget(2, 0))
    assert result.steps == 13
    assert result.difference < 1e-5


def test_the_difference_tells_when_a_way_runs_another_rule():
    makes = {"adam": torch.optim.Adam, "other": partial(torch.optim.Adam, betas=(0.5, 0.9))}
    slower = {"adam": torch.optim.Adam, "other": partial(torch.optim.Adam, lr=2e-3)}
    assert time_ways(makes, SHAPES, CPU, Budget(2, 0)).difference < 1e-5
    moved = time_ways(slower, SHAPES, CPU, Budget(2, 0)).difference
    assert moved == pytest.approx(13 * 1e-3, rel=0.01)


def test_the_first_step_of_a_burst_is_not_counted(monkeypatch):
    clock = Clock(50, 1, 2, 4, 8)
    monkeypatch.setattr(speed.time, "perf_counter", clock)
    assert burst(clock.step) == 3
    assert clock.durations == []


def test_every_round_calls_every_run_once_in_changing_order_without_garbage_collection():
    calls = []

    def run(name):
        calls.append(name)
        assert not gc.isenabled()
        return float(len(calls))

    names = ["a", "b", "c", "d"]
    timings = interleave({name: partial(run, name) for name in names}, Budget(6, 0))
    assert gc.isenabled()
    rounds = [calls[start : start + 4] for start in range(0, 24, 4)]
    assert len(calls) == 24
    assert all(sorted(each) == names for each in rounds)
    assert len(set(map(tuple, rounds))) > 2
    assert len(timings) == 6
    for name in names:
        expected = [index + 1.0 for index, called in enumerate(calls) if called == name]
        assert timings.rounds[name] == expected


def test_garbage_collection_is_back_after_an_error():
    def fail():
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        interleave({"a": fail}, Budget(1, 0))
    assert gc.isenabled()


def test_without_a_number_of_rounds_time_decides_but_five_are_made(monkeypatch):
    def count(seconds_a_round):
        clock = Clock(*[seconds_a_round] * 100)
        monkeypatch.setattr(speed.time, "perf_counter", clock)
        return len(interleave({"a": lambda: clock.step() or 1.0}, Budget(None, 20)))

    assert count(1) == 20
    assert count(0.5) == 40
    assert count(10) == 5


def test_a_ratio_is_the_median_of_the_ratios_of_the_rounds():
    timings = timed({"own": [1.0, 9.0, 30.0], "other": [2.0, 3.0, 40.0]}).timings
    assert timings.median("own") == 9.0
    assert timings.ratio("own", "other") == 0.75
    assert timings.ratio("other", "own") == pytest.approx(4 / 3)


def test_the_spread_is_the_distance_of_the_quartiles_over_the_median():
    assert timed({"own": [1.0, 2.0, 3.0, 4.0, 5.0]}).timings.spread("own") == pytest.approx(2 / 3)
    assert timed({"own": [4.0, 4.0]}).timings.spread("own") == 0.0


def test_rows_of_a_noisy_machine_are_marked():
    quiet = [1.0, 1.1, 1.0, 1.05]
    noisy = [1.0, 3.0, 2.0, 1.0]
    figures = list_figures("adam", SMALL, timed({"default": noisy, "torch loop": quiet}), "cpu")
    lines = list_table(figures).splitlines()
    assert [line for line in lines if line.startswith("default ") and "~1500.00" in line]
    assert [line for line in lines if line.startswith("torch loop") and " 1025.00" in line]
    assert "~ noisy" in lines[-1]
    calm = list_figures("adam", SMALL, timed({"default": quiet, "torch loop": quiet}), "cpu")
    assert "~" not in list_table(calm)


DEFAULT_BARS = {
    ("default", "torch loop"): (0.6, 0.95, 0.18),
    ("default", "torch foreach"): (0.6, 0.6, 0.25),
}
FUSED_BARS = DEFAULT_BARS | {
    ("compile", "torch fused"): (1.0, 1.0, 0.5),
    ("compile + flat", "torch fused"): (0.9, 0.95, 0.1),
}
UNFUSED_BARS = DEFAULT_BARS | {("compile", "torch's best"): (0.45, 0.45, 0.3)}


@pytest.mark.parametrize(("has_fused", "bars"), [(True, FUSED_BARS), (False, UNFUSED_BARS)])
def test_the_bars_on_a_cpu(has_fused, bars):
    for index, name in enumerate(("resnet18", "vit-s", "tiny")):
        limits = limits_of_ratios(name, "cpu", has_fused=has_fused)
        assert limits == {pair: of_lists[index] for pair, of_lists in bars.items()}
    assert limits_of_ratios("vit-b", "cpu", has_fused=has_fused) == {}


def test_the_bars_on_a_gpu():
    assert limits_of_ratios("vit-b", "cuda", has_fused=False) == {
        ("default", "torch foreach"): 1.0,
        ("compile", "torch's best"): 0.5,
    }
    assert limits_of_ratios("vit-b", "cuda", has_fused=True) == {
        ("default", "torch foreach"): 1.0,
        ("compile", "torch fused"): 1.0,
    }


def test_a_bar_is_reached_by_the_figure_as_it_is_printed():
    assert Bar("a / b", 0.6, 0.6049).reached
    assert not Bar("a / b", 0.6, 0.6051).reached
    assert not Bar("graphs", 0, 1, digits=0).reached


def test_a_missed_bar_is_called_missed():
    rounds = {"torch loop": [2.0, 2.0], "torch foreach": [1.0, 1.0], "compile": [0.4, 0.4]}
    table = list_table(list_figures("radam", SMALL, timed(rounds), "cpu"))
    (line,) = [line for line in table.splitlines() if line.startswith("compile / torch foreach")]
    assert line.split()[4:] == ["0.30", "0.40", "missed"]
    rounds["compile"] = [0.25, 0.25]
    table = list_table(list_figures("radam", SMALL, timed(rounds), "cpu"))
    assert "missed" not in table


def test_a_bar_whose_rows_were_not_measured_is_not_shown():
    rounds = {"default": [1.0, 1.0], "torch loop": [2.0, 2.0]}
    figures = list_figures("sgd", SMALL, timed(rounds), "cpu")
    assert [bar.label for bar in figures.bars] == ["default / torch loop"]


def test_memory_is_relative_to_the_default_of_torch_and_the_hungriest_row_counts():
    rounds = {name: [1.0, 1.0] for name in ("default", "flat", "torch loop", "torch foreach")}
    peaks = {"default": 110, "flat": 120, "torch loop": 100, "torch foreach": 150}
    fresh = Fresh(Compilation(16.04, graphs=1, graphs_later=2), peaks)
    on_cpu = list_figures("adam", SMALL, timed(rounds), "cpu", fresh)
    bars = {bar.label: bar for bar in on_cpu.bars}
    assert bars["most memory: flat / torch loop"] == Bar(
        "most memory: flat / torch loop", 1.05, 1.2
    )
    assert bars["seconds to compile from nothing"].limit == 15
    assert not bars["seconds to compile from nothing"].reached
    on_gpu = list_figures("adam", SMALL, timed(rounds), "cuda", fresh)
    assert on_gpu.ways["flat"].memory_ratio == 0.8
    assert on_gpu.compared_with == ["torch foreach", "torch loop"]


class Hungry(Optimizer):
    """Keeps 4,000 bytes, and needs 8,000 and then 12,000 more within a step."""

    def __init__(self, params):
        super().__init__(params, {})

    def step(self, closure=None):
        if not self.state:
            self.state["kept"] = torch.zeros(1000)
        first = torch.zeros(2000)
        del first
        torch.zeros(3000)


def test_memory_counts_what_is_kept_and_the_peak_of_what_is_not():
    assert peak_of_step(Hungry, [(500,), (20, 30)], CPU) == 16_000


def test_memory_does_not_count_storage_that_takes_the_place_of_the_parameters():
    shapes = [(1000,), (2000,)]
    makes = ways_of("adam", compiled=False)
    state = 2 * 4 * 3000
    assert state <= peak_of_step(makes["torch fused"], shapes, CPU) < state + 200
    temporary = 4 * 3000
    flat = peak_of_step(makes["flat"], shapes, CPU)
    assert state + temporary <= flat < state + temporary + 200


@pytest.mark.slow
def test_the_table_of_adam_holds_every_row_and_every_bar(adam_figures):
    assert list(adam_figures.ways) == ADAM_WAYS
    lines = list_table(adam_figures).splitlines()
    assert lines[0].startswith("adam, five small tensors: 5 tensors, 0.04 M parameters; 2 rounds")
    assert lines[1].split("  ")[-2:] == ["memory, MB", "/ torch loop"]
    for number, name in enumerate(ADAM_WAYS):
        assert lines[2 + number].startswith(name + " ")
        cells = lines[2 + number].removeprefix(name).split()
        assert len(cells) == 7
        assert all(float(cell.removeprefix("~")) >= 0 for cell in cells)
    for label, limit in {
        "default / torch loop": "0.18",
        "default / torch foreach": "0.25",
        "compile / torch fused": "0.50",
        "compile + flat / torch fused": "0.10",
        "seconds to compile from nothing": "15.0",
        "graphs compiled after the second step": "0",
        "most memory": "1.05",
    }.items():
        (line,) = [line for line in lines if line.startswith(label)]
        assert limit in line.split()


@pytest.mark.slow
def test_compiled_rows_give_the_same_parameters_and_compile_nothing_later(adam_figures):
    assert adam_figures.steps == 13
    assert adam_figures.largest_difference < 1e-5
    assert adam_figures.graphs_while_timing == 0
    compilation = adam_figures.compilation
    assert compilation.graphs >= 1
    assert compilation.graphs_later == 0
    assert compilation.seconds > 1


@pytest.mark.slow
def test_memory_of_every_row_is_at_least_the_two_moments(adam_figures):
    moments = 2 * 4 * SMALL.elements
    for way in adam_figures.ways.values():
        assert moments <= way.peak_bytes < 3 * moments


@pytest.mark.slow
def test_a_saved_file_holds_the_figures_and_where_they_were_measured(adam_figures, tmp_path):
    path = tmp_path / "figures.json"
    save_figures(path, {"processor": "a model"}, [adam_figures], None, None, None)
    fields = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert fields["environment"] == {"processor": "a model"}
    assert fields["harness"] is None
    (each,) = fields["lists"]
    assert set(each["ways"]) == set(ADAM_WAYS)
    way = each["ways"]["compile"]
    assert len(way["rounds_milliseconds"]) == each["rounds"] == 2
    assert way["milliseconds"] == pytest.approx(sum(way["rounds_milliseconds"]) / 2)
    assert set(way["ratios"]) == {"torch loop", "torch foreach", "torch fused"}
    assert {"label", "limit", "measured", "digits"} == set(each["bars"][0])
    assert each["compilation"]["graphs"] >= 1


def test_saved_lists_are_loaded_as_they_were(tmp_path):
    path, environment = tmp_path / "figures.json", {"processor": "a model", "threads": 2}
    lists = [
        make_list_figures("adam", default={"peak_bytes": 7, "memory_ratio": 1.5}),
        dataclasses.replace(make_list_figures("sgd", flat={}), compilation=None, bars=[]),
    ]
    save_figures(path, environment, lists, None, None, None)
    assert load_lists(path) == (environment, lists)


@pytest.mark.slow
def test_a_compiler_that_does_not_work_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", str(tmp_path / "none"))
    request = Request("adam", ("compile",), [(10,)], "cpu", 1)
    with pytest.raises(FreshProcessError, match="--no-compile leaves it out") as raised:
        measure_fresh(request, tmp_path)
    assert "\n" not in str(raised.value)


def test_the_compiler_gets_a_folder_that_does_not_stay(monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, "before")
    with compiler_cache() as folder:
        assert os.environ[CACHE_VARIABLE] == str(folder)
        assert list(folder.iterdir()) == []
        (folder / "kernel").touch()
    assert not folder.exists()
    assert os.environ[CACHE_VARIABLE] == "before"
    monkeypatch.delenv(CACHE_VARIABLE)
    with compiler_cache():
        pass
    assert CACHE_VARIABLE not in os.environ


def test_the_overview_has_every_optimizer_against_the_default_and_the_best_of_torch(
    small_lists, capfd
):
    arguments = ["--all", "--no-compile", "--lists", "tiny", "--rounds", "2", "--threads", "1"]
    assert run_command(main, arguments) == 0
    table = [re.split(r"\s{2,}", line) for line in capfd.readouterr().out.splitlines()]
    for name in optimizer_names():
        rows = [cells[1:] for cells in table if cells[0] == measured_as(name)]
        assert rows
        for _, compiled, against, _, ratio, compiled_ratio, difference in rows:
            assert compiled == compiled_ratio == "-"
            assert float(ratio) > 0
            assert float(difference) < 1e-5 or name in OTHERWISE
            known = [*COUNTERPARTS, *PEERS]
            assert (against in THEIR_WAYS) == (name in known)


@pytest.mark.slow
def test_the_overview_compiles_the_rules_that_can_be_and_nothing_later(
    small_lists, monkeypatch, capfd
):
    monkeypatch.setattr(speed, "optimizer_names", lambda: ("signum", "stable_adamw"))
    arguments = ["--all", "--lists", "tiny", "--rounds", "2", "--threads", "1"]
    assert run_command(main, arguments) == 0
    out, err = capfd.readouterr()
    table = [re.split(r"\s{2,}", line) for line in out.splitlines()]
    (signum,) = [cells for cells in table if cells[0] == "signum"]
    (stable,) = [cells for cells in table if cells[0] == "stable_adamw"]
    assert float(signum[2].removeprefix("~")) > 0
    assert float(signum[6]) > 0
    assert stable[2] == stable[6] == "-"
    assert "graphs compiled" not in out
    assert "signum, five small tensors: 1 of 2" in err


@pytest.fixture
def overview_of(small_lists, monkeypatch, tmp_path):
    """Measure some optimizers into a file; gives the status and the rows of the file."""

    def run(*names, fails=None):
        def measure(name, *arguments):
            if name == fails:
                raise KeyboardInterrupt
            return measured(name, *arguments)

        measured = speed.measure_briefly
        file = tmp_path / "all.json"
        arguments = ["--all", "--no-compile", "--lists", "tiny", "--rounds", "2", "--threads", "1"]
        with monkeypatch.context() as patch:
            patch.setattr(speed, "optimizer_names", lambda: names)
            patch.setattr(speed, "measure_briefly", measure)
            status = run_command(main, [*arguments, "--json", str(file)])
        return status, json.loads(file.read_text())["lists"]

    return run


def test_the_overview_goes_on_with_the_rows_that_its_file_has(overview_of, capfd):
    status, rows = overview_of("lion", "signum", "yogi", fails="yogi")
    assert (status, [row["optimizer"] for row in rows]) == (130, ["lion", "signum"])
    capfd.readouterr()
    status, again = overview_of("adam", "lion", "signum", "yogi")
    assert (status, [row["optimizer"] for row in again]) == (0, ["adam", "lion", "signum", "yogi"])
    assert again[1:3] == rows
    out, err = capfd.readouterr()
    assert re.findall(r"^(\w+), five small tensors", err, re.M) == ["adam", "yogi"]
    assert {"adam", "lion", "signum", "yogi"} <= {
        line.split()[0] for line in out.split("\n") if line
    }


def test_the_chapter_says_how_our_steps_compare_with_those_of_other_packages():
    _, table, _ = re.split(r"Beside timm and .*|How a line is written", speed.__doc__)
    _, several = load_lists(RESULTS / "speed.json")
    ratios = {
        f"{ratio:.2f}"
        for figures in several
        for package, ratio in figures.ways["default"].ratios.items()
        if package in (TIMM, PYTORCH_OPTIMIZER)
    }
    assert set(re.findall(r"\d\.\d\d", table)) == ratios


def test_rows_that_were_measured_otherwise_are_not_mixed_with_new_ones(
    overview_of, monkeypatch, capfd
):
    _, rows = overview_of("lion")
    monkeypatch.setattr(speed, "waiting_policy", lambda: {"OMP_WAIT_POLICY": "ACTIVE"})
    status, kept = overview_of("lion", "signum")
    assert (status, kept) == (1, rows)
    (line,) = capfd.readouterr().err.splitlines()[-1:]
    assert "all.json: was measured with OMP_WAIT_POLICY" in line
    assert "not ACTIVE; remove it or name another file" in line


@pytest.mark.parametrize("content", ["", "{}", '{"environment": {}, "lists": [{}]}'])
def test_a_file_without_figures_is_kept_and_refused_in_one_line(content, tmp_path, capfd):
    file = tmp_path / "other.json"
    file.write_text(content)
    assert run_command(main, ["--all", "--lists", "tiny", "--json", str(file)]) == 1
    (line,) = capfd.readouterr().err.splitlines()[-1:]
    assert "other.json: has no figures of speed" in line
    assert file.read_text() == content


def test_an_optimizer_that_torch_lacks_is_compared_with_our_own_per_tensor_way():
    rounds = {"per tensor": [4.0, 4.0], "default": [2.0, 2.0], "compile": [1.0, 1.0]}
    figures = list_figures("lion", SMALL, timed(rounds), "cpu")
    assert [bar.label for bar in figures.bars] == ["graphs compiled after the second step"]
    table = overview_table([figures])
    row = table.splitlines()[2].split()
    assert row[:5] == ["lion", "2000.00", "1000.00", "per", "tensor"]
    assert row[5:] == ["4000.00", "0.50", "0.25", "1e-07"]


def test_the_overview_names_the_optimizer_whose_rule_was_compiled_again():
    rounds = {"per tensor": [4.0, 4.0], "default": [2.0, 2.0], "compile": [1.0, 1.0]}
    again = dataclasses.replace(timed(rounds), graphs=2)
    several = [
        list_figures(name, SMALL, each, "cpu")
        for name, each in (("lion", again), ("yogi", timed(rounds)))
    ]
    table = overview_table(several)
    (line,) = [line for line in table.splitlines() if "graphs compiled" in line]
    assert line.startswith("lion: graphs compiled after the second step ")
    assert line.split()[-3:] == ["0", "2", "missed"]


def harness_case(experiment, model, data, **settings):
    """The training of a network by its recipe, with two passes over the data."""
    configuration = experiment.by_recipe(model, data=data.name, epochs=2, **settings)
    return HarnessCase(experiment, configuration, data, CPU, notice=pytest.fail)


def test_the_harness_and_the_bare_loop_train_the_same(small_data, capfd):
    recipe = Recipe(
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(16, 3)), epochs=2, batch_size=7, lr=0.1
    )
    case = harness_case(
        dataclasses.replace(MNIST, recipes={"linear": recipe}), "linear", small_data
    )
    figures = measure_harness(case, Budget(2, 0))
    assert figures.rounds == 2
    (accuracy,) = figures.accuracies
    bare, harnessed = figures.seconds.values()
    assert 0 < bare < harnessed
    assert figures.bar.limit == 1.10
    table = harness_table(figures)
    assert f"all trainings end with a test accuracy of {accuracy:.2%}" in table
    assert "with the harness / bare loop" in table
    assert "1.10" in table


@pytest.fixture
def some_digits():
    """600 of scikit-learn's digits to learn from, and 300 others."""
    data = load_digits()
    return dataclasses.replace(
        data,
        train_images=data.train_images[:600],
        train_labels=data.train_labels[:600],
        test_images=data.test_images[:300],
        test_labels=data.test_labels[:300],
    )


def test_both_ways_train_the_same_with_all_that_the_fast_recipe_has(some_digits):
    case = harness_case(MNIST, "fast", some_digits, batch_size=40)
    case.bare()
    case.harnessed()
    (accuracy,) = case.accuracies
    assert accuracy > 0.5


def test_a_scheduler_is_timed_beside_a_loop_over_the_same_groups(tmp_path, capfd):
    path = tmp_path / "figures.json"
    assert run_command(main, ["--schedulers", "--rounds", "2", "--json", str(path)]) == 0
    figures = json.loads(path.read_text())["schedulers"]
    assert figures["groups"] == 100
    times = figures["microseconds"]
    loop = times.pop("bare loop")
    assert {bar["measured"] for bar in figures["bars"]} == {time - loop for time in times.values()}
    assert [bar["limit"] for bar in figures["bars"]] == [50.0, 50.0]
    assert "microseconds of WSDSchedule beyond the loop" in capfd.readouterr().out


def test_making_groups_is_timed_beside_a_walk_over_the_same_parameters(tmp_path, capfd):
    path = tmp_path / "figures.json"
    assert run_command(main, ["--param-groups", "--rounds", "2", "--json", str(path)]) == 0
    figures = json.loads(path.read_text())["param_groups"]
    assert figures["parameters"] == 10_000
    assert list(figures["milliseconds"]) == [
        *("bare walk", "built-in rules", "five rules more", "layer decay")
    ]
    limits = {bar["label"]: bar["limit"] for bar in figures["bars"]}
    assert limits["layer decay / bare walk"] == 3.0
    assert limits["seconds of the slowest"] == 0.5
    slowest = max(figures["milliseconds"].values()) / 1000
    assert figures["bars"][-1]["measured"] == pytest.approx(slowest)
    assert "groups of 10,000 parameters" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--optimizer", "adm"], "'adm'; the nearest are adam"),
        (["--lists", "resnet"], "'resnet' is no list; the lists are resnet18, vit-s, vit-b, tiny"),
        (["--lists", ""], "'' is no list"),
        (["--rounds", "1"], "1 is not in the range x>=2"),
        (["--threads", "100000"], "100000 is not in the range"),
        (["--threads", "0"], "0 is not in the range"),
        (["--device", "tpu"], "'tpu' is not one of 'auto', 'cpu', 'cuda'"),
        (["--all", "--optimizer", "adam"], "--all measures every optimizer; leave out --optimizer"),
        (["--all", "--harness"], "--all measures every optimizer; leave out --harness"),
        (["--harness", "--lists", "tiny"], "--harness trains on MNIST; leave out --lists"),
        (["--harness", "--schedulers"], "--harness trains on MNIST; leave out --schedulers"),
        (["--schedulers", "--optimizer", "adam"], "--schedulers has groups of its own; leave out"),
        (["--param-groups", "--all"], "--all measures every optimizer; leave out --param-groups"),
        (["--param-groups", "--lists", "tiny"], "--param-groups has a model of its own; leave out"),
        (["--json", "no-such-folder/figures.json"], "there is no folder no-such-folder"),
        (["--json", "."], "'.' is a directory"),
        (["--model", "fast"], "--model is the network of --harness; give --harness, too"),
        (["--harness", "--model", "large"], "'large' is not one of 'cnn', 'fast'"),
        (["--frobnicate"], "No such option"),
    ],
)
def test_bad_arguments_give_one_line(arguments, message, capfd):
    assert run_command(main, arguments) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert captured.err.startswith("error: ")
    assert message in captured.err


def test_a_harness_without_data_gives_one_line(offline, monkeypatch, tmp_path, capfd):
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    assert run_command(main, ["--harness"]) == 1
    captured = capfd.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert f"neither in {tmp_path} nor within reach of a download" in captured.err


def test_a_command_that_fails_leaves_the_file_of_an_earlier_one(tmp_path, capfd):
    path = tmp_path / "figures.json"
    path.write_text("before")
    assert run_command(main, ["--optimizer", "adm", "--json", str(path)]) == 2
    assert path.read_text() == "before"


def test_the_module_runs_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "experiments.speed", "--rounds", "0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: Invalid value for '--rounds': 0 is not in the range x>=2."
    ]


def test_a_fresh_process_that_dies_is_told_of(tmp_path):
    request = Request("adam", ("default",), [(10,)], "cpu", threads=-1)
    with pytest.raises(FreshProcessError, match="ended with status 1; is there too little memory"):
        measure_fresh(request, tmp_path)


@pytest.mark.slow
def test_ctrl_c_ends_the_command_with_one_line():
    """The whole process group gets the signal, as from a terminal."""
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments.speed", "--lists", "resnet18", "--threads", "1"],
        cwd=ROOT,
        env=os.environ | {"OMP_WAIT_POLICY": "PASSIVE"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Who starts the tests in the background makes them, and their children, deaf to Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        first = process.stderr.readline()
        assert "in a fresh process" in first
        time.sleep(2)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    assert errors.strip() == "error: interrupted"
