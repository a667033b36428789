import dataclasses

from experiments.cli import run_command
from experiments.configuration import Configuration
from experiments.records import Record
from experiments.speed_bars import Bar
from experiments.speed_figures import ListFigures, WayFigures
from experiments.speed_first import Compilation


def make_configuration(**changes):
    configuration = Configuration(
        experiment="mnist",
        model="cnn",
        optimizer="adam",
        data="mnist",
        lr=1e-3,
        schedule="linear",
        epochs=3.0,
        batch_size=64,
        seed=0,
        options={},
    )
    return dataclasses.replace(configuration, **changes)


def make_record(points=5, checks=100, value=0.25, **changes):
    configuration = make_configuration(**changes)
    steps = list(range(1, points + 1))
    values = [value] * points
    train = dict.fromkeys(("loss", "lr", "gradient_norm", "update_norm"), values)
    test = {"step": steps[:checks], "loss": values[:checks], "accuracy": values[:checks]}
    return Record(
        experiment="mnist",
        optimizer=configuration.optimizer,
        configuration=configuration.to_dict(),
        code=dict.fromkeys(("optimizer", "schedule", "model"), "0" * 10),
        data={
            "name": "mnist",
            "sha256": "0" * 64,
            "train_samples": 60000,
            "test_samples": 10000,
            "test_subset_samples": 1000,
        },
        environment={
            "device": "cpu",
            "labml_nn_optim": "0.1.0",
            "processes": 1,
            "processor": "some",
            "python": "3.11.7",
            "threads": 1,
            "torch": "2.14.1",
        },
        curves={"train": {"step": steps, **train}, "test": test, "test_subset": test},
        final={"step": points, "train_loss": value, "test_loss": value, "test_accuracy": value},
        times={
            "started": "2026-01-01T00:00:00+00:00",
            "duration_seconds": 1.0,
            "samples_per_second": 2.0,
        },
    )


def make_cifar_record(**changes):
    changes = {"experiment": "cifar", "model": "small", "data": "cifar"} | changes
    record = make_record(**changes)
    data = {"name": changes["data"], "train_samples": 50000}
    return dataclasses.replace(record, experiment="cifar", data=record.data | data)


def assert_refused(command, arguments, message, capfd):
    """Assert that a command prints nothing but one line with `message`, as for wrong arguments."""
    assert run_command(command, arguments) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert message in captured.err


def make_list_figures(optimizer="adam", **ways):
    """Figures of an optimizer on ResNet-18; of each way what is to differ."""
    usual = {"milliseconds": 1.0, "spread": 0.1, "ratios": {}, "rounds_milliseconds": [1.0]}
    return ListFigures(
        optimizer=optimizer,
        list_name="resnet18",
        title="ResNet-18",
        device="cpu",
        rounds=1,
        steps=8,
        ways={
            name: WayFigures(**usual | {"peak_bytes": None, "memory_ratio": None} | way)
            for name, way in ways.items()
        },
        compared_with=["default"],
        fastest="default",
        largest_difference=0.0,
        graphs_while_timing=0,
        compilation=Compilation(seconds=14.0, graphs=1, graphs_later=0),
        bars=[Bar("default / torch loop", 1.0, 0.7)],
    )
