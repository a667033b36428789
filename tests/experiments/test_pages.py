import shutil
import sys
from types import SimpleNamespace

import pytest

import labml_nn_optim
from experiments import library, pages
from experiments.records import save
from tests.experiments.examples import make_record


def chapter(module, text=""):
    name = (module or "index").removeprefix("labml_nn_optim.").replace(".", "/")
    return SimpleNamespace(module=module, text=text, name=name)


def figures(module):
    return list(pages.Plugin().figures(chapter(module)))


def test_an_optimizer_shows_its_state_memory_and_the_command_of_its_runs(results):
    facts = pages.Plugin().facts(chapter("labml_nn_optim.optimizers.radam"))
    assert [(fact.label, str(fact.value)) for fact in facts][:2] == [
        ("State memory", "2 numbers for each parameter (8 bytes in float32)"),
        ("Run it", "<code>python -m experiments.mnist --optimizer radam</code>"),
    ]


@pytest.mark.parametrize(("name", "numbers"), [("adam", 2), ("amsgrad", 3), ("radam", 2)])
def test_state_memory_is_counted(name, numbers):
    assert library.state_numbers(name) == numbers


def test_the_options_of_the_runs_are_in_the_memory_and_in_the_command(results):
    save(make_record(optimizer="sgd", options={"momentum": 0.9}), results)
    facts = pages.Plugin().facts(chapter("labml_nn_optim.optimizers.sgd"))
    assert [str(fact.value) for fact in facts][:2] == [
        "1 number for each parameter (4 bytes in float32) with momentum 0.9",
        "<code>python -m experiments.mnist --optimizer sgd --lr 0.001 --set momentum=0.9</code>",
    ]


def test_state_that_only_half_precision_needs_is_counted_in_half_precision():
    assert library.state_numbers("adam_fp16") == 2
    assert library.state_numbers("adam_fp16", dtype="bfloat16") == 3


def test_one_number_is_not_plural():
    assert library.describe_state(1) == "1 number for each parameter (4 bytes in float32)"
    assert (
        library.describe_state(0.125) == "0.125 numbers for each parameter (0.5 bytes in float32)"
    )


def test_a_program_shows_its_command_and_pages_without_code_show_nothing():
    plugin = pages.Plugin()
    program = chapter("experiments.mnist", 'if __name__ == "__main__":\n    main()\n')
    assert [str(fact.value) for fact in plugin.facts(program)] == [
        "<code>python -m experiments.mnist</code>"
    ]
    assert list(plugin.facts(chapter(None))) == []


def test_what_cannot_be_carried_away_as_a_file_is_a_notebook_all_the_same():
    facts = pages.Plugin().facts(chapter("labml_nn_optim.registry"))
    assert [fact.label for fact in facts] == ["As a notebook"]


def test_a_chapter_without_a_record_has_no_curves(results):
    (playground,) = figures("labml_nn_optim.optimizers.adam")
    assert playground.anchor == "playground"
    save(make_record(optimizer="radam"), results)
    assert figures("labml_nn_optim.optimizers.adam") == [playground]
    assert figures("labml_nn_optim.base") == []


def test_a_chapter_of_a_schedule_shows_its_runs(results):
    (plot,) = figures("labml_nn_optim.schedules.wsd")
    save(make_record(optimizer="adamw", schedule="wsd"), results / "schedules")
    first, runs = figures("labml_nn_optim.schedules.wsd")
    assert first == plot
    assert runs.title == "Runs on MNIST"
    assert len(figures("labml_nn_optim.schedules.cycles")) == 1


@pytest.fixture
def library_copy(tmp_path, monkeypatch):
    """A copy of the library, which is imported in its place."""
    copy = tmp_path / "labml_nn_optim"
    shutil.copytree(labml_nn_optim.__path__[0], copy, ignore=shutil.ignore_patterns("__pycache__"))
    loaded = {name: sys.modules[name] for name in sys.modules if name.startswith("labml_nn_optim")}
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(library, "_seen", {})
    for name in loaded:
        monkeypatch.delitem(sys.modules, name)
    yield copy
    for name in [name for name in sys.modules if name.startswith("labml_nn_optim")]:
        del sys.modules[name]
    sys.modules.update(loaded)


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_changed_library_is_read_anew(library_copy):
    assert library.state_numbers("adam") == 2
    line = '        state["exp_avg"] = torch.zeros_like(param)\n'
    change(library_copy / "optimizers/adam.py", line, line + line.replace("exp_avg", "third"))
    assert library.state_numbers("adam") == 3


def test_a_library_with_another_docstring_is_not_read_anew(library_copy):
    assert library.state_numbers("adam") == 2
    module = sys.modules["labml_nn_optim.optimizers.adam"]
    change(library_copy / "optimizers/adam.py", "title: Adam\n", "title: Adam again\n")
    library.forget_changes()
    assert sys.modules["labml_nn_optim.optimizers.adam"] is module


def test_the_assets_exist():
    assert [path.name for path in pages.Plugin().assets() if path.is_file()] == [
        "curves.css",
        "explore.css",
        "playground.css",
        "results.css",
        "single_file.css",
        "curves.js",
        "explore.js",
        "playground.js",
        "results.js",
        "single_file.js",
    ]
