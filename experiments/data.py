"""Where the images come from: MNIST, CIFAR-10, or scikit-learn's digits where MNIST cannot be had.

A data set is four tensors that lie on the device from the first step to the last. MNIST is 220 MB
in float32, so nothing is gained by loading it piece by piece, and no worker has to be waited for.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.client
import os
import pickle
import shutil
import socket
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import torch
from platformdirs import user_cache_dir
from torch import Tensor
from torch.nn import functional

ROOT_VARIABLE = "LABML_NN_OPTIM_DATA"
DOWNLOAD_TIMEOUT = 15.0
"""Seconds without an answer after which a server counts as out of reach."""

MNIST_FILES = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""The four files and the sha256 of their bytes after decompression."""

CIFAR_FOLDER = "cifar-10-batches-py"
CIFAR_FILES = {
    "data_batch_1": "54636561a3ce25bd3e19253c6b0d8538147b0ae398331ac4a2d86c6d987368cd",
    "data_batch_2": "766b2cef9fbc745cf056b3152224f7cf77163b330ea9a15f9392beb8b89bc5a8",
    "data_batch_3": "0f00d98ebfb30b3ec0ad19f9756dc2630b89003e10525f5e148445e82aa6a1f9",
    "data_batch_4": "3f7bb240661948b8f4d53e36ec720d8306f5668bd0071dcb4e6c947f78e9682b",
    "data_batch_5": "d91802434d8376bbaeeadf58a737e3a1b12ac839077e931237e0dcd43adcb154",
    "test_batch": "f53d8d457504f7cff4ea9e021afcf0e0ad8e24a91f3fc42091b8adef61157831",
}
"""The six files, the test images last, and the sha256 of their bytes."""

# Mean and standard deviation of all training pixels of each channel, on the scale from 0 to 1.
MNIST_PIXELS = ((0.1307,), (0.3081,))
DIGITS_PIXELS = ((0.3054,), (0.3239,))
CIFAR_PIXELS = ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
DIGITS_TRAIN = 1437
"""The first four fifths: the digits stand in their writers' order, so most of the rest are new."""

HELD_OUT = "-held-out"
"""What the name of a data set ends with whose test images are training images held back."""
HELD_OUT_SHARE = 6
"""One of so many training images is held back: 10,000 of MNIST's 60,000."""


class DataError(Exception):
    """The data cannot be had; the message is one line that says what to do."""


class DataNotFoundError(DataError):
    """The files are neither here nor within reach of a download."""


@dataclass(frozen=True)
class Data:
    """Images and labels for training and for testing.

    * `name`: `mnist`, `digits` or `cifar`, with `-held-out` at the end where the test images are training
      images held back
    * `sha256`: checksum of the bytes that the tensors were made from
    * `train_images`, `test_images`: float32, shape `[samples, 1, 28, 28]`, for CIFAR-10
      `[samples, 3, 32, 32]`, normalised
    * `train_labels`, `test_labels`: int64, shape `[samples]`, 0 to 9
    """

    name: str
    sha256: str
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor

    def to(self, device: torch.device, dtype: torch.dtype = torch.float32) -> Data:
        """Return the same data with all four tensors on `device`, and the images in `dtype`."""
        return Data(
            self.name,
            self.sha256,
            self.train_images.to(device, dtype),
            self.train_labels.to(device),
            self.test_images.to(device, dtype),
            self.test_labels.to(device),
        )

    def hold_out(self) -> Data:
        """Return the same data with the last sixth of the training images in place of the tests.

        What is chosen by trial, such as a learning rate, is chosen on these, so that the test
        images have decided nothing when they are looked at.
        """
        kept = len(self.train_labels) - len(self.train_labels) // HELD_OUT_SHARE
        return Data(
            self.name + HELD_OUT,
            self.sha256,
            self.train_images[:kept],
            self.train_labels[:kept],
            self.train_images[kept:],
            self.train_labels[kept:],
        )

    def describe(self) -> dict[str, str | int]:
        """Return what a record says about the data."""
        return {
            "name": self.name,
            "sha256": self.sha256,
            "train_samples": len(self.train_labels),
            "test_samples": len(self.test_labels),
        }


def data_root(explicit: Path | None = None) -> Path:
    """Return `explicit`, else `$LABML_NN_OPTIM_DATA`, else the user's cache folder."""
    if explicit is not None:
        return explicit
    if from_environment := os.environ.get(ROOT_VARIABLE):
        return Path(from_environment)
    return Path(user_cache_dir("labml-nn-optim", appauthor=False))


def load_mnist(root: Path) -> Data:
    """Load MNIST from `root`, after a download if files are missing.

    The files are looked for under `root/MNIST/raw`, plain or as `.gz`: torchvision's own layout.

    Raises `DataNotFoundError` if files are missing and cannot be downloaded, and `DataError` if one
    is damaged or is not the original.
    """
    raw = root / "MNIST" / "raw"
    if any(_find(raw, name) is None for name in MNIST_FILES):
        _download_mnist(root, raw)
    contents = {name: _read(raw, name) for name in MNIST_FILES}
    return Data(
        "mnist",
        _sha256(*contents.values()),
        _normalise(
            _idx(contents["train-images-idx3-ubyte"]).view(-1, 1, 28, 28) / 255, MNIST_PIXELS
        ),
        _idx(contents["train-labels-idx1-ubyte"]).long(),
        _normalise(
            _idx(contents["t10k-images-idx3-ubyte"]).view(-1, 1, 28, 28) / 255, MNIST_PIXELS
        ),
        _idx(contents["t10k-labels-idx1-ubyte"]).long(),
    )


def load_cifar(root: Path) -> Data:
    """Load CIFAR-10 from `root`, after a download if files are missing.

    The files are looked for under `root/cifar-10-batches-py`, torchvision's own layout. They are
    pickles, and a pickle can run anything, so none is opened whose checksum is not the original's.

    Raises `DataNotFoundError` if files are missing and cannot be downloaded, and `DataError` if one
    is damaged or is not the original.
    """
    folder = root / CIFAR_FOLDER
    if not all((folder / name).is_file() for name in CIFAR_FILES):
        _download_cifar(root, folder)
    contents = [_read_checked(folder / name, sha256) for name, sha256 in CIFAR_FILES.items()]
    batches = [pickle.loads(content, encoding="latin1") for content in contents]
    images = [_cifar_images(batch["data"]) for batch in batches]
    labels = [torch.tensor(batch["labels"]) for batch in batches]
    return Data(
        "cifar",
        _sha256(*contents),
        torch.cat(images[:-1]),
        torch.cat(labels[:-1]),
        images[-1],
        labels[-1],
    )


def _cifar_images(pixels: np.ndarray) -> Tensor:
    """Return the images of one file, in the order in memory in which convolutions are fastest."""
    images = torch.from_numpy(pixels).view(-1, 3, 32, 32)
    images = images.contiguous(memory_format=torch.channels_last)
    return _normalise(images / 255, CIFAR_PIXELS)


def load_digits() -> Data:
    """Load the 1797 real handwritten digits of scikit-learn, 8x8 pixels, enlarged to 28x28."""
    # Its file alone is read: to import scikit-learn takes as long as to import torch.
    path = distribution("scikit-learn").locate_file("sklearn/datasets/data/digits.csv.gz")
    table = np.loadtxt(path, dtype=np.uint8, delimiter=",")
    pixels, targets = table[:, :-1].reshape(-1, 8, 8), table[:, -1]
    small = torch.from_numpy(pixels).unsqueeze(1) / 16
    large = functional.interpolate(small, size=(28, 28), mode="bilinear", align_corners=False)
    images = _normalise(large, DIGITS_PIXELS)
    labels = torch.from_numpy(targets).long()
    return Data(
        "digits",
        _sha256(pixels.tobytes(), targets.tobytes()),
        images[:DIGITS_TRAIN],
        labels[:DIGITS_TRAIN],
        images[DIGITS_TRAIN:],
        labels[DIGITS_TRAIN:],
    )


def _find(raw: Path, name: str) -> Path | None:
    candidates = (raw / f"{name}.gz", raw / name)
    return next((path for path in candidates if path.is_file()), None)


def _read(raw: Path, name: str) -> bytes:
    """Return the decompressed bytes of one of MNIST's files, after a look at their checksum."""
    path = _find(raw, name)
    if path is None:
        raise DataNotFoundError(f"{raw / name}.gz does not exist")
    return _read_checked(path, MNIST_FILES[name])


def _read_checked(path: Path, sha256: str) -> bytes:
    """Return the bytes of a file, decompressed if it is a `.gz`, after a look at their checksum."""
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read ({_one_line(error)}); delete it to download it anew"
        ) from None
    if _sha256(content) != sha256:
        raise DataError(f"{path} has a wrong checksum; delete it to download it anew")
    return content


def _idx(content: bytes) -> Tensor:
    """Return the values of an IDX file, flat, after its 4 bytes and 4 for each dimension."""
    rank = content[3]
    return torch.frombuffer(bytearray(content[4 + 4 * rank :]), dtype=torch.uint8)


def _normalise(images: Tensor, pixels: tuple[tuple[float, ...], tuple[float, ...]]) -> Tensor:
    mean, standard_deviation = (torch.tensor(values).view(1, -1, 1, 1) for values in pixels)
    return (images - mean) / standard_deviation


def _sha256(*contents: bytes) -> str:
    digest = hashlib.sha256()
    for content in contents:
        digest.update(content)
    return digest.hexdigest()


def _download_mnist(root: Path, raw: Path) -> None:
    from torchvision.datasets import MNIST

    names = {f"MNIST/raw/{name}.gz": f"{name}.gz" for name in MNIST_FILES}
    advice = (
        f"put the four .gz files into {raw}, name a folder with --data-root, or use --data digits"
    )
    _download(MNIST, "MNIST", root, raw, names, advice)


def _download_cifar(root: Path, folder: Path) -> None:
    from torchvision.datasets import CIFAR10

    names = {f"{CIFAR_FOLDER}/{name}": name for name in CIFAR_FILES}
    advice = f"put the six files into {folder}, or name a folder with --data-root"
    _download(CIFAR10, "CIFAR-10", root, folder, names, advice)


def _download(
    source: Callable[..., object],
    title: str,
    root: Path,
    folder: Path,
    names: Mapping[str, str],
    advice: str,
) -> None:
    """Let torchvision download a data set into a temporary folder, then move the files to `folder`.

    A download that breaks off leaves nothing behind.

    * `source`: torchvision's data set
    * `names`: where torchvision puts each file, and what it is called in `folder`
    * `advice`: what to do without a network, the end of the error's message
    """
    try:
        with tempfile.TemporaryDirectory() as temporary, _socket_timeout():
            source(temporary, train=True, download=True)
            folder.mkdir(parents=True, exist_ok=True)
            for place, name in names.items():
                arriving = folder / f"{name}.part"
                shutil.copyfile(Path(temporary) / place, arriving)
                arriving.replace(folder / name)
    except (RuntimeError, OSError, http.client.HTTPException) as error:
        raise DataNotFoundError(
            f"{title} is not in {root} and could not be downloaded ({_one_line(error)}); {advice}"
        ) from None


@contextlib.contextmanager
def _socket_timeout() -> Iterator[None]:
    """Give up on silent servers: torchvision sets no time limit of its own."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _one_line(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return text.strip().splitlines()[-1]
