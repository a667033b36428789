import dataclasses
import shutil

import pytest
import torch
from torch import nn

from experiments.catalog import CATALOG
from experiments.code_versions import OPTIMIZER_FOLDER, ROOT, code_versions, parts
from experiments.configuration import Configuration
from experiments.grids import RESULTS
from experiments.optimizers import choose_optimizer
from experiments.outdated import out_of_date
from experiments.records import load
from experiments.runner import Run, Task
from experiments.schedules import SCHEDULES
from labml_nn_optim import get_optimizer
from labml_nn_optim.registry import optimizer_names
from tests.experiments.examples import make_configuration, make_record

ADAM = "labml_nn_optim/optimizers/adam.py"
PROGRESS = "labml_nn_optim/schedules/progress.py"
MNIST = "experiments/mnist.py"
CIFAR = "experiments/cifar.py"
VIT = "experiments/vit.py"


@pytest.fixture
def root(tmp_path):
    """A copy of the source files, which a test may edit."""
    for folder in ("labml_nn_optim", "experiments"):
        ignored = shutil.ignore_patterns("results", "assets", "__pycache__")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    return tmp_path


def edit(root, file, old, new):
    path = root / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def versions(root=ROOT, **changes):
    configuration = make_configuration(**changes)
    recipe = CATALOG[configuration.experiment].recipes[configuration.model]
    return code_versions(configuration, recipe, root)


def changed(root, **changes):
    """Return the parts of a run's code that are not the same below `root`."""
    now, there = versions(**changes), versions(root, **changes)
    return {part for part, version in now.items() if version != there[part]}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (ADAM, "\n---\n\n", "\n---\n\nOne more sentence.\n\n"),
        (ADAM, 'r"""Move one parameter', 'r"""Move a single parameter'),
        (ADAM, "        exp_avg.lerp_(", "        # A comment.\n\n        exp_avg.lerp_("),
        (ADAM, '__all__ = ["Adam"]', 'UNUSED = 3\n\n__all__ = ["Adam"]'),
        (PROGRESS, '"""Down a line."""', '"""Down a straight line."""'),
        (MNIST, '"""## The network\n', '"""## The small network\n'),
        (MNIST, "nn.Linear(500, 10)", "nn.Linear(\n            500,\n            10,\n        )"),
    ],
)
def test_prose_layout_and_what_is_not_in_use_are_no_part_of_the_code(root, file, old, new):
    edit(root, file, old, new)
    assert changed(root) == set()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (
            "labml_nn_optim/base.py",
            "beta_count: ClassVar[int] = 2",
            "beta_count: ClassVar[int] = 1",
        ),
        ("labml_nn_optim/stacks.py", "ON_CPU = 131_072", "ON_CPU = 65_536"),
        ("labml_nn_optim/schedules/base.py", "end_value: float = 1e-6", "end_value: float = 1e-5"),
        ("labml_nn_optim/weight_decay.py", "def amount(", "def quantity("),
        ("experiments/training.py", "def train(", "def learn("),
    ],
)
def test_what_all_runs_share_is_no_part_of_the_code(root, file, old, new):
    edit(root, file, old, new)
    assert changed(root) == set()


def test_a_constant_of_a_rule_changes_the_optimizers_that_are_made_from_it_and_no_other(root):
    edit(root, ADAM, "eps: float = 1e-8", "eps: float = 1e-7")
    assert changed(root) == {"optimizer"}
    touched = {name for name in optimizer_names() if changed(root, optimizer=name)}
    assert {"adam", "amsgrad", "adamw", "adam_warmup_cosine_decay"} <= touched
    assert touched.isdisjoint({"sgd", "laprop", "yogi"})


def test_a_rule_that_is_called_and_not_inherited_from_counts_too(root):
    edit(root, "labml_nn_optim/optimizers/radam.py", "2 / (1 - beta2) - 1", "2 / (1 - beta2) - 2")
    assert changed(root, optimizer="ada_belief") == {"optimizer"}


def test_what_a_rule_uses_from_beside_the_optimizers_counts(root):
    edit(root, "labml_nn_optim/orthogonal.py", "= (3.4445,", "= (3.4,")
    touched = {name for name in optimizer_names() if changed(root, optimizer=name)}
    assert "muon" in touched
    assert touched.isdisjoint({"adam", "sgd", "soap", "stable_adamw"})


def test_a_constant_that_a_rule_uses_counts(root):
    edit(
        root,
        "labml_nn_optim/optimizers/adam_warmup_cosine_decay.py",
        "\nFLOOR = ",
        "\nFLOOR = 2 * ",
    )
    assert changed(root, optimizer="adam_warmup_cosine_decay") == {"optimizer"}


@pytest.mark.parametrize("name", optimizer_names())
def test_every_file_that_an_optimizer_inherits_from_is_one_of_its_files(name):
    configuration = make_configuration(optimizer=name)
    files = parts(configuration, CATALOG["mnist"].recipe)["optimizer"].used_files()
    modules = [kind.__module__ for kind in get_optimizer(name).__mro__]
    inherited = [f"{module.replace('.', '/')}.py" for module in modules]
    assert files[0] == inherited[0]
    assert {file for file in inherited if file.startswith(OPTIMIZER_FOLDER)} <= set(files)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_file_that_a_schedule_inherits_from_is_one_of_its_files_but_the_common_base(name):
    configuration = make_configuration(schedule=name)
    files = parts(configuration, CATALOG["mnist"].recipe)["schedule"].used_files()
    modules = [kind.__module__ for kind in SCHEDULES[name][0].__mro__]
    inherited = {f"{module.replace('.', '/')}.py" for module in modules}
    base = "labml_nn_optim/schedules/base.py"
    assert base not in files
    assert {file for file in inherited if file.startswith("labml")} - {base} <= set(files)


def test_a_change_of_a_curve_changes_the_schedules_that_run_along_it(root):
    edit(root, PROGRESS, "step / max(1, points - 1)", "step / max(1, points)")
    assert changed(root, schedule="linear") == {"schedule"}
    assert changed(root, schedule="warmup-cosine") == {"schedule"}
    assert changed(root, schedule="constant") == set()


def test_the_schedule_of_the_weight_decay_counts(root):
    edit(root, "labml_nn_optim/schedules/values.py", "float(self.value)", "2 * float(self.value)")
    assert changed(root, schedule="linear") == set()
    assert changed(root, schedule="linear", wd_schedule="constant") == {"schedule"}


def test_the_arguments_that_a_schedule_has_unless_they_are_set_count(monkeypatch):
    before = versions(schedule="wsd")
    kind, defaults = SCHEDULES["wsd"]
    monkeypatch.setitem(SCHEDULES, "wsd", (kind, defaults | {"warmup_percent": 0.1}))
    after = versions(schedule="wsd")
    assert after == before | {"schedule": after["schedule"]} != before


@pytest.mark.parametrize(
    ("file", "old", "new", "touched"),
    [
        (MNIST, "nn.Conv2d(24, 32,", "nn.Conv2d(24, 33,", "mnist fast"),
        (MNIST, "nn.Linear(500, 10)", "nn.Linear(501, 10)", "mnist cnn"),
        (CIFAR, "nn.Linear(256, 10, bias=False)", "nn.Linear(256, 10)", "cifar fast"),
        (CIFAR, "momentum=0.4", "momentum=0.5", "cifar fast"),
        (CIFAR, "WHITENED_IMAGES = 5000", "WHITENED_IMAGES = 50", "cifar fast"),
        (CIFAR, "values + 5e-4", "values + 5e-3", "cifar fast"),
        (CIFAR, "x + self.second", "x - self.second", "cifar small"),
        (VIT, "nn.Linear(width, 10)", "nn.Linear(width, 10, bias=False)", "cifar vit"),
        (VIT, "functional.gelu", "functional.relu", "cifar vit"),
    ],
)
def test_a_change_of_a_network_leaves_the_others_of_its_file_as_they_are(
    root, file, old, new, touched
):
    edit(root, file, old, new)
    found = {
        f"{experiment.name} {model}": changed(root, experiment=experiment.name, model=model)
        for experiment in CATALOG.values()
        for model in experiment.recipes
    }
    assert {name for name, parts in found.items() if parts} == {touched}
    assert found[touched] == {"model"}


def test_what_a_network_is_trained_with_belongs_to_it():
    recipe = CATALOG["mnist"].recipe
    other = dataclasses.replace(recipe.regime, label_smoothing=0.1)
    configuration = make_configuration()
    before = code_versions(configuration, recipe)
    after = code_versions(configuration, dataclasses.replace(recipe, regime=other))
    assert after == before | {"model": after["model"]} != before


NAMELESS = lambda: nn.Linear(2, 2)  # noqa: E731


def test_a_network_whose_code_cannot_be_found_is_refused():
    recipe = dataclasses.replace(CATALOG["mnist"].recipe, make_model=NAMELESS)
    with pytest.raises(ValueError, match=r"lambda.* must be .* at the top level of tests"):
        code_versions(make_configuration(), recipe)


def test_a_record_is_told_which_parts_of_its_code_have_changed_and_where_they_stand(root):
    record = dataclasses.replace(make_record(optimizer="adamw"), code=versions(optimizer="adamw"))
    assert out_of_date(record) == []
    edit(root, ADAM, "eps: float = 1e-8", "eps: float = 1e-7")
    edit(root, MNIST, "nn.Linear(500, 10)", "nn.Linear(501, 10)")
    assert out_of_date(record, root) == [
        f"optimizer adamw has changed since (labml_nn_optim/optimizers/adamw.py, {ADAM})",
        f"model cnn of mnist has changed since ({MNIST})",
    ]


def test_a_run_leaves_the_versions_of_its_code_in_its_record(start_mnist, tmp_path):
    out = tmp_path / "out"
    command = [
        "--data",
        "digits",
        "--epochs",
        0.1,
        "--schedule",
        "wsd",
        "--no-curves",
        "--out",
        out,
    ]
    process = start_mnist(*command, "--optimizer", "amsgrad")
    assert process.wait() == 0
    (path,) = out.glob("*.json")
    assert load(path).code == versions(optimizer="amsgrad", schedule="wsd")
    assert out_of_date(load(path)) == []


def make_model():
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 3))


def test_a_run_that_older_code_has_begun_says_so_and_stays_one_of_the_older_code(
    small_data, tmp_path
):
    configuration = Configuration("some", "cnn", "adam", "small", 0.1, "linear", 2.0, 30, 0)
    choice = choose_optimizer("adam", 0.1, ())
    task = Task(configuration, make_model, choice, small_data, torch.device("cpu"), tmp_path)
    begun = Run(task)
    next(begun.steps())
    begun.code = begun.code | {"optimizer": "0" * 10}
    begun.save_checkpoint()
    resumed, notices = Run(task), []
    resumed.resume(notices.append)
    assert "the optimizer has changed since the checkpoint was made" in notices[0]
    assert len(notices) == 2
    for _ in resumed.steps():
        pass
    assert resumed.record().code == begun.code


def test_the_committed_records_are_of_the_code_of_today():
    paths = [path for name in CATALOG for path in (RESULTS / name).rglob("*.json")]
    lines = [
        f"{path.relative_to(ROOT)}: {line}"
        for path in sorted(paths)
        for line in out_of_date(load(path))
    ]
    assert paths
    assert not lines, "\n".join([f"`make results` renews {len(lines)} records or parts:", *lines])
