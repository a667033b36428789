import os
from pathlib import Path

import pytest
import torch

from experiments import committed, explore
from experiments.data import MNIST_FILES, ROOT_VARIABLE, Data
from tests.forked import start_module

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory, monkeypatch):
    """Keep caches and labml's folder out of the home folder, and torch's threads as they were."""
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def mnist_root():
    """The folder of the real MNIST files; tests that need them are skipped without it."""
    candidates = [os.environ.get(ROOT_VARIABLE), ROOT.parent / "shared" / "data"]
    for candidate in filter(None, candidates):
        raw = Path(candidate) / "MNIST" / "raw"
        if all((raw / f"{name}.gz").is_file() for name in MNIST_FILES):
            return Path(candidate)
    pytest.skip(f"MNIST is not at hand; set {ROOT_VARIABLE}")


@pytest.fixture
def results(tmp_path, monkeypatch):
    """The folder of the committed records of MNIST, which starts empty beside that of CIFAR-10."""
    folder = tmp_path / "results" / "mnist"
    folder.mkdir(parents=True)
    monkeypatch.setattr(committed, "RESULTS", folder.parent)
    monkeypatch.setattr(explore, "MADE", tmp_path / "explore")
    return folder


@pytest.fixture
def offline(monkeypatch):
    """Send every download to a closed port, in this process and in those that it starts."""
    for variable in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    # urllib keeps the first opener it makes, and that one its proxies.
    monkeypatch.setattr("urllib.request._opener", None)


@pytest.fixture
def start_mnist(tmp_path):
    """Start `python -m experiments.mnist` as a process of its own, on the digits."""
    started = []

    def start(*arguments):
        process = start_module("experiments.mnist", "--threads", "1", *arguments)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def small_data():
    """Ninety images of three kinds that a linear model tells apart."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(90) % 3
    images = torch.randn(90, 1, 4, 4, generator=generator) + labels.view(-1, 1, 1, 1) * 2
    return Data("small", "0" * 64, images[:60], labels[:60], images[60:], labels[60:])
