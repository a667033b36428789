import itertools
import math
import os
import pickle
from pathlib import Path
from statistics import median

import pytest
import torch

import experiments.cifar
from experiments.cifar import CIFAR, FastModel, SmallModel, main, whiten
from experiments.cli import run_command
from experiments.comparison import apart
from experiments.curves import group_by_rate
from experiments.data import CIFAR_FILES, CIFAR_FOLDER, DataError, load_cifar
from experiments.records import load_all
from experiments.sensitivity import best, losses_by_rate

TEXT = " ".join(experiments.cifar.__doc__.split())
RESULTS = Path(experiments.cifar.__file__).parent / "results" / "cifar"
ROOT = Path(os.environ.get("LABML_NN_OPTIM_DATA", "data"))
needs_cifar = pytest.mark.skipif(
    not (ROOT / CIFAR_FOLDER).is_dir(), reason="LABML_NN_OPTIM_DATA holds no CIFAR-10"
)


@pytest.fixture(scope="module")
def cifar():
    return load_cifar(ROOT)


def test_the_networks_have_the_parameters_that_their_tables_say():
    assert sum(p.numel() for p in SmallModel().parameters()) == 464_842
    fast = list(FastModel().parameters())
    assert sum(p.numel() for p in fast) == 1_972_792
    assert sum(p.numel() for p in fast if not p.requires_grad) == 1_440
    names = [name for name, p in FastModel().named_parameters() if not p.requires_grad]
    assert "whiten.weight" in names
    for model in (SmallModel(), FastModel()):
        assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


@needs_cifar
def test_the_images_are_those_of_the_files_and_normalised(cifar):
    assert cifar.train_images.shape == (50_000, 3, 32, 32)
    assert cifar.test_images.shape == (10_000, 3, 32, 32)
    assert torch.bincount(cifar.train_labels).tolist() == [5000] * 10
    mean = cifar.train_images.double().mean(dim=(0, 2, 3))
    assert mean.tolist() == pytest.approx([0, 0, 0], abs=1e-3)
    deviation = cifar.train_images.double().std(dim=(0, 2, 3))
    assert deviation.tolist() == pytest.approx([1, 1, 1], abs=1e-3)


@needs_cifar
def test_whitened_patches_have_variance_one_and_are_not_correlated(cifar):
    model = FastModel()
    whiten(model, cifar)
    images = cifar.train_images[:5000]
    outputs = torch.nn.functional.conv2d(images, model.whiten.weight[:12])
    flat = outputs.transpose(0, 1).flatten(1).double()
    moments = flat @ flat.T / flat.shape[1]
    # What varies much has variance 1; the constant under the root holds the rest below it.
    assert moments.diagonal()[0].item() == pytest.approx(1, abs=1e-3)
    assert (moments - moments.diagonal().diag()).abs().max().item() < 1e-4


def test_a_file_that_is_not_the_original_is_refused_before_it_is_unpickled(tmp_path):
    folder = tmp_path / CIFAR_FOLDER
    folder.mkdir()

    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    for name in CIFAR_FILES:
        (folder / name).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DataError, match="data_batch_1 has a wrong checksum"):
        load_cifar(tmp_path)
    assert not (tmp_path / "sprung").exists()


def test_missing_files_without_network_are_one_line_that_says_what_to_do(tmp_path, offline, capsys):
    status = run_command(main, ["--data-root", str(tmp_path), "--out", str(tmp_path / "out")])
    assert status == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "CIFAR-10 is not in" in line
    assert "--data-root" in line


@needs_cifar
def test_a_short_run_of_the_small_network_learns_and_leaves_a_record(tmp_path):
    arguments = ["--optimizer", "adamw", "--lr", "0.01", "--epochs", "0.05", "--no-curves"]
    status = run_command(main, [*arguments, "--data-root", str(ROOT), "--out", str(tmp_path)])
    assert status == 0
    (record,) = load_all(tmp_path)
    assert record.configuration["model"] == "small"
    assert record.final["test_accuracy"] > 0.13


def test_what_a_network_is_trained_with_does_not_depend_on_the_optimizer():
    smoothing = {name: recipe.regime.label_smoothing for name, recipe in CIFAR.recipes.items()}
    assert smoothing == {"small": 0.0, "fast": 0.2, "vit": 0.0}
    assert len(CIFAR.recipes["fast"].regime.views) == 6


LABELS = {
    "NorMuon": "normuon",
    "Muon": "muon",
    "Kron": "kron",
    "SOAP": "soap",
    "Schedule-free AdamW, 100 steps of warm-up": "schedule_free_adamw",
    "Shampoo": "shampoo",
    "RAdam": "radam",
    "NAdam": "nadam",
    "Adam, 100 steps of warm-up": "adam_warmup",
    "AdamW": "adamw",
    "Adam": "adam",
    "Lion": "lion",
    "SGD, momentum 0.9": "sgd",
    "Adagrad": "adagrad",
    "Rprop": "rprop",
}


@pytest.fixture(scope="module")
def committed_runs():
    runs = load_all(RESULTS)
    return {
        name: [run for run in runs if run.optimizer == name] for name in {r.optimizer for r in runs}
    }


def percents(runs):
    return sorted(100 * run.final["test_accuracy"] for run in runs)


@pytest.mark.parametrize("label", LABELS)
def test_the_chapter_states_the_committed_accuracies(committed_runs, label):
    runs = committed_runs[LABELS[label]]
    low, middle, high = percents(runs)
    row = (
        f"| {label} | {runs[0].configuration['lr']:g} | {middle:.1f} % | {low:.1f} to {high:.1f} |"
    )
    assert row in experiments.cifar.__doc__


def training_loss(runs):
    return median(run.final["train_loss"] for run in runs)


def loss_of_the_third_epoch(run):
    """The mean over steps: a row has the mean of the steps since the row before."""
    steps, losses = run.curves["train"]["step"], run.curves["train"]["loss"]
    rows = list(zip([0, *steps], steps, losses, strict=False))
    third = [(step - before, loss) for before, step, loss in rows if step > 2 * steps[-1] / 3]
    return sum(count * loss for count, loss in third) / sum(count for count, _ in third)


def ends(numbers):
    return [f"{number:.2f}" for number in (min(numbers), max(numbers))]


@pytest.fixture(scope="module")
def ranked(committed_runs):
    return sorted(committed_runs.values(), key=lambda runs: -percents(runs)[1])


def names_of(runs_of_each):
    return [runs[0].optimizer for runs in runs_of_each]


def test_the_chapter_says_how_far_apart_the_best_are(committed_runs, ranked):
    assert f"each of {len(committed_runs)} optimizers" in experiments.cifar.__doc__
    assert names_of(ranked[:4]) == ["normuon", "muon", "kron", "soap"]
    assert names_of(ranked).index("shampoo") == 5
    worst = min(percents(runs)[0] for runs in ranked[:2])
    others = max(percents(runs)[2] for runs in ranked[2:])
    assert [f"{percent:.1f}" for percent in (worst, others)] == ["82.7", "82.0"]
    assert f"{percents(committed_runs['scion'])[1]:.1f}" == "78.9"
    of_matrices = [*ranked[:4], committed_runs["shampoo"]]
    assert ends([training_loss(runs) for runs in of_matrices]) == ["0.44", "0.56"]
    assert min(training_loss(runs) for runs in ranked if runs not in of_matrices) > 0.55
    epochs = {
        runs[0].optimizer: median(loss_of_the_third_epoch(run) for run in runs) for runs in ranked
    }
    assert ends([epochs.pop(name) for name in names_of(of_matrices)]) == ["0.52", "0.57"]
    assert f"{min(epochs.values()):.2f}" == "0.58"


def test_the_chapter_says_how_close_the_next_are(committed_runs, ranked):
    close = ranked[4:28]
    assert [f"{percents(runs)[1]:.1f}" for runs in (close[0], close[-1])] == ["81.2", "79.1"]
    assert f"{max(percents(runs)[2] - percents(runs)[0] for runs in close):.1f}" == "1.6"
    assert f"one of {math.comb(len(close), 2)} pairs" in experiments.cifar.__doc__
    assert ends([training_loss(runs) for runs in close]) == ["0.52", "0.62"]
    pairs = list(itertools.combinations(map(percents, close), 2))
    assert f"pairs. {sum(apart(*pair) for pair in pairs)} of them lie apart" in TEXT
    assert percents(committed_runs["nadam"])[0] > percents(committed_runs["adam"])[2]
    adam = percents(committed_runs["adam"])[1]
    gains = [
        percents(committed_runs[name])[1] - adam for name in ("adam_warmup", "ada_belief", "radam")
    ]
    assert [f"{gain:.1f}" for gain in (min(gains), max(gains))] == ["0.9", "1.6"]
    cosine = percents(committed_runs["adam_warmup_cosine_decay"])[1]
    assert f"{cosine - adam:.1f}" == "0.1"


def test_the_chapter_says_who_has_not_learned_enough(committed_runs, ranked):
    first = names_of(ranked).index("prodigy")
    assert names_of(ranked[-2:]) == ["dowg", "rprop"]
    slow = ranked[first:-1]
    assert ends([training_loss(runs) for runs in slow]) == ["0.66", "0.90"]
    tested = [median(run.final["test_loss"] for run in runs) for runs in slow]
    assert ends(tested) == ["0.66", "0.87"]
    expected = {"sgd": "75.7", "asgd": "69.2", "dowg": "69.0", "dog": "74.3"}
    medians = {name: f"{percents(committed_runs[name])[1]:.1f}" for name in expected}
    assert medians == expected


def test_the_chapter_says_what_the_next_point_of_the_grid_costs():
    costs = {}
    for search in group_by_rate(load_all(RESULTS / "sweep")).values():
        losses = losses_by_rate(search)
        rates = list(losses)
        chosen = rates.index(best(losses))
        costs[search[0].optimizer] = losses[rates[chosen + 1]] / losses[rates[chosen]] - 1
        if search[0].optimizer == "sgd":
            assert losses[30 * rates[chosen]] == pytest.approx(math.log(10), abs=2e-3)
    assert {name for name, cost in costs.items() if cost == math.inf} == {"dog", "dowg"}
    finite = [100 * cost for cost in costs.values() if cost < math.inf]
    assert [f"{cost:.0f}" for cost in (min(finite), max(finite))] == ["1", "51"]
