"""Train networks in float64 on random images, alone or with the processes of torchrun."""

import sys
from pathlib import Path
from typing import Any

import torch

from experiments import cifar, mnist, processes
from experiments.augmentation import AS_IT_IS, Augmentation, View
from experiments.batch_norm import synchronised
from experiments.data import Data
from experiments.training import History, Plan, Regime, train
from labml_nn_optim import get_optimizer

CPU = torch.device("cpu")
SIZES = {"mnist": (1, 28, 28), "cifar": (3, 32, 32)}
NETWORKS = {
    "mnist cnn": mnist.Model,
    "mnist fast": mnist.FastModel,
    "cifar small": cifar.SmallModel,
    "cifar fast": cifar.FastModel,
}


def images_of(name: str) -> Data:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(16, *SIZES[name.split()[0]], generator=generator, dtype=torch.float64)
    labels = torch.randint(10, (16,), generator=generator)
    return Data("random", "0" * 64, images[:11], labels[:11], images, labels)


def regime(name: str) -> Regime:
    if name.endswith(("cnn", "small")):
        return Regime()
    return Regime(0.2, Augmentation(shift=1, mirror=True), views=(AS_IT_IS, View(down=1)))


def trained(name: str, optimizer_name: str) -> dict[str, Any]:
    torch.manual_seed(0)
    model = synchronised(NETWORKS[name]().double(), CPU)
    # Batches of 5, 5 and 1: an uneven one, and one that leaves a process without an image.
    plan, history = Plan(samples=11, batch_size=5, epochs=2, seed=0), History(CPU)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = get_optimizer(optimizer_name)(parameters, lr=0.001)
    data = images_of(name)
    for _ in train(model, optimizer, [], data, plan, history, regime(name)):
        pass
    curves = {table: history.curves[table].columns for table in ("train", "test", "test_subset")}
    return {"curves": curves, "state": model.state_dict()}


def main(out: Path) -> None:
    with processes.joined(CPU):
        found = {name: trained(name, "adamw") for name in NETWORKS}
        found["curvature"] = trained("cifar small", "sophia")
        torch.save(found, out / f"{processes.rank()}-of-{processes.size()}.pt")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
