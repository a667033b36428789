"""The data are the 1797 handwritten digits of scikit-learn, 8 by 8 pixels; the last 360 are for the test. The network has
64 hidden units. The seed is fixed, so one machine prints the same numbers each time. In the row of bars, each bar is the mean loss of a tenth of the
batches.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

digits = load_digits()
images = torch.tensor(digits.data, dtype=torch.float32) / 16
labels = torch.tensor(digits.target)
train_images, test_images = images[:1437], images[1437:]
train_labels, test_labels = labels[:1437], labels[1437:]

STEPS = 225


def new_network() -> nn.Sequential:
    """Return the network, with the same weights each time."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def digit_batches() -> Iterator[Tensor]:
    """Yield which images are in each batch of 32: five times through the data, which makes 225 batches."""
    order = torch.Generator().manual_seed(0)
    for _ in range(5):
        yield from torch.randperm(len(train_images), generator=order).split(32)


def loss_of(model: nn.Module, batch: Tensor) -> Tensor:
    """Return the mean loss over a batch."""
    return functional.cross_entropy(model(train_images[batch]), train_labels[batch])


def learn(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Iterable[Tensor] | None = None,
    after_step: Callable[[int], object] = lambda done: None,
) -> list[float]:
    """Train on `batches`, or else those above, and return their losses. `after_step` is told how many steps are done."""
    losses = []
    for done, batch in enumerate(digit_batches() if batches is None else batches, 1):
        optimizer.zero_grad()
        loss = loss_of(model, batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if done < STEPS:
            after_step(done)
    return losses


def train(
    name: str,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    after_step: Callable[[int], object] = lambda done: None,
) -> None:
    """Train, and print how it went."""
    report(name, model, learn(model, optimizer, after_step=after_step))


@torch.no_grad()
def report(name: str, model: nn.Module, losses: Sequence[float]) -> None:
    """Print the loss of the first batch, that of all training images now, and the share of test images read correctly."""
    after = loss_of(model, torch.arange(len(train_images)))
    right = (model(test_images).argmax(dim=1) == test_labels).float().mean()
    print(f"{name:<24} {bars(losses)}  loss {losses[0]:.3f} -> {after:.3f}  test {right:.1%}")


def bars(values: Sequence[float], count: int = 10) -> str:
    """Return numbers as a row of bars, the mean of as many as share one; the highest is the largest mean."""
    parts = torch.tensor(values, dtype=torch.float64).tensor_split(min(count, len(values)))
    means = [part.mean().item() for part in parts]
    return "".join("▁▂▃▄▅▆▇█"[round(7 * mean / (max(means) or 1))] for mean in means)
