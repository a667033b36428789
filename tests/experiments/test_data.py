import functools
import gzip
import hashlib
import http.server
import shutil
import threading

import pytest
import sklearn.datasets
import torch
from torchvision.datasets import MNIST

from experiments import data
from experiments.data import DataError, DataNotFoundError, data_root, load_digits, load_mnist
from experiments.mnist import load_data


@pytest.fixture
def writable_root(mnist_root, tmp_path):
    shutil.copytree(mnist_root, tmp_path / "data", ignore=shutil.ignore_patterns("cifar*"))
    raw = tmp_path / "data" / "MNIST" / "raw"
    for path in [raw.parent.parent, raw.parent, raw, *raw.iterdir()]:
        path.chmod(0o755)
    return tmp_path / "data"


def test_mnist_is_60000_normalised_training_images_and_10000_test_images(mnist_root):
    loaded = load_mnist(mnist_root)
    assert loaded.describe() == {
        "name": "mnist",
        "sha256": "b2d8f5bf39174ee5ffeefa97e42d673c35432b411bb5d1f74fbbeddae7f1690a",
        "train_samples": 60000,
        "test_samples": 10000,
    }
    assert loaded.train_images.shape == (60000, 1, 28, 28)
    assert loaded.test_images.dtype == torch.float32
    assert loaded.train_images.mean().item() == pytest.approx(0, abs=1e-3)
    assert loaded.train_images.std().item() == pytest.approx(1, abs=1e-3)
    assert loaded.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert loaded.test_labels.bincount().sum() == 10000


def test_images_are_those_of_torchvision(writable_root):
    ours = load_mnist(writable_root)
    # torchvision unpacks the files beside themselves, and ours then reads what it has unpacked.
    theirs = MNIST(writable_root, train=False, download=True)
    (mean,), (deviation,) = data.MNIST_PIXELS
    expected = (theirs.data.unsqueeze(1) / 255 - mean) / deviation
    assert torch.equal(ours.test_images, expected)
    assert torch.equal(ours.test_labels, theirs.targets)
    for packed in (writable_root / "MNIST" / "raw").glob("*.gz"):
        packed.unlink()
    assert load_mnist(writable_root).sha256 == ours.sha256


def test_digits_are_enlarged_and_normalised_and_need_no_file():
    digits = load_digits()
    assert digits.train_images.shape == (1437, 1, 28, 28)
    assert len(digits.test_labels) == 360
    assert digits.train_images.mean().item() == pytest.approx(0, abs=1e-3)
    assert digits.train_images.std().item() == pytest.approx(1, abs=1e-3)
    assert digits.train_labels[:10].tolist() == list(range(10))
    assert digits.sha256 == "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"


def test_digits_are_those_that_scikit_learn_loads():
    theirs = sklearn.datasets.load_digits()
    content = theirs.images.astype("uint8").tobytes() + theirs.target.astype("uint8").tobytes()
    assert load_digits().sha256 == hashlib.sha256(content).hexdigest()


def test_the_explicit_folder_wins_over_the_variable_and_the_variable_over_the_cache(
    tmp_path, monkeypatch
):
    monkeypatch.delenv(data.ROOT_VARIABLE, raising=False)
    assert data_root().name == "labml-nn-optim"
    monkeypatch.setenv(data.ROOT_VARIABLE, "/from/variable")
    assert str(data_root()) == "/from/variable"
    assert data_root(tmp_path) == tmp_path


def test_a_changed_file_is_refused_in_one_line_that_names_it(writable_root):
    path = writable_root / "MNIST" / "raw" / "t10k-labels-idx1-ubyte.gz"
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[-1] ^= 1
    path.write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(DataError, match=r"labels-idx1-ubyte\.gz has a wrong checksum") as caught:
        load_mnist(writable_root)
    assert not isinstance(caught.value, DataNotFoundError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", [lambda b: b[:1000], lambda b: b"x" + b[1:], lambda b: b""])
def test_a_damaged_file_is_refused_in_one_line_that_names_it(writable_root, damage):
    path = writable_root / "MNIST" / "raw" / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte\.gz") as caught:
        load_mnist(writable_root)
    assert "\n" not in str(caught.value)


def test_without_files_and_network_one_line_says_what_to_do(tmp_path, offline, capfd):
    with pytest.raises(DataNotFoundError, match="--data-root") as caught:
        load_mnist(tmp_path / "nothing")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "nothing").exists()


@pytest.fixture
def mirror(mnist_root, monkeypatch):
    """A server of the four files on this machine, in the place of torchvision's mirrors."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    handler = functools.partial(Quiet, directory=mnist_root / "MNIST" / "raw")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setattr(MNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_missing_files_are_downloaded_with_a_progress_bar(tmp_path, mirror, capfd):
    loaded = load_mnist(tmp_path)
    assert len(loaded.train_labels) == 60000
    assert "100%" in capfd.readouterr().err
    names = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert names == sorted(f"{name}.gz" for name in data.MNIST_FILES)


def test_a_download_with_a_wrong_checksum_leaves_nothing_behind(tmp_path, mirror, monkeypatch):
    resources = [(name, "0" * 32) for name, _ in MNIST.resources]
    monkeypatch.setattr(MNIST, "resources", resources)
    with pytest.raises(DataNotFoundError):
        load_mnist(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_held_out_images_are_the_last_sixth_of_the_training_images(mnist_root):
    whole = load_mnist(mnist_root)
    held_out = whole.hold_out()
    assert held_out.describe() == whole.describe() | {
        "name": "mnist-held-out",
        "train_samples": 50000,
        "test_samples": 10000,
    }
    assert torch.equal(torch.cat([held_out.train_images, held_out.test_images]), whole.train_images)
    assert torch.equal(torch.cat([held_out.train_labels, held_out.test_labels]), whole.train_labels)


def test_the_choice_of_data_says_whether_images_are_held_out(tmp_path):
    digits = load_data("digits-held-out", tmp_path, pytest.fail)
    assert (digits.name, len(digits.train_labels), len(digits.test_labels)) == (
        "digits-held-out",
        1198,
        239,
    )
