r"""---
title: Moved and mirrored images
summary: >-
  A cat that is moved by two pixels is the same cat: images are changed at random before every look
  at them, and at the end several views of one image are averaged.
chapter: "12.13"
needs: [experiments/cifar, experiments/training]
---

CIFAR-10 has 50,000 images, and a network that sees each of them many times begins to know them by
heart. So it does not get to see the same image twice: each time the image is moved by up to two
pixels, up or down, left or right, and mirrored every other time. That makes 50 images of one.

Which change an image gets follows from seed and epoch alone, as [the order of the images](training.py)
does. A run that goes on in the middle of an epoch draws the same changes again, and a GPU sees the same
images as a CPU.

There are no workers. The images lie on the device as one tensor, and a batch of them is moved by one
indexing operation: `unfold` shows all windows of the size of an image in the padded one without
copying anything, and every image picks its window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from experiments.randomness import generator_for


class View(NamedTuple):
    """One way to look at an image: moved down and to the right by pixels, and mirrored or not."""

    down: int = 0
    right: int = 0
    mirrored: bool = False


AS_IT_IS = View()


@dataclass(frozen=True)
class Augmentation:
    """## What may happen to an image

    * `shift`: pixels that an image is moved at most, in each direction; any number is equally likely
    * `mirror`: whether it is mirrored in every other epoch
    * `padding`: what comes in at the edges: `reflect` repeats the image backwards, `background` is its
      least value in the batch, which for handwritten digits is the paper
    """

    shift: int
    mirror: bool
    padding: str = "reflect"

    def draw(self, samples: int, seed: int, epoch: int) -> Tensor:
        """## Drawn for a whole epoch

        Return the changes of all images in one epoch, int64, shape `[samples, 3]`: down, right, and
        1 for mirrored.

        Mirroring alternates. A coin thrown anew in each epoch would show a quarter of the images
        three times in a row from the same side; here a coin is thrown for the first epoch, and then
        each image turns around every time. It is a trick of the speed runs on CIFAR-10 [1].

        [1] Keller Jordan, *94% on CIFAR-10 in 3.29 Seconds on a Single GPU*, 2024, arXiv:2404.00498.
        """
        generator = generator_for(seed, "moves", epoch)
        moves = torch.randint(-self.shift, self.shift + 1, (samples, 2), generator=generator)
        first = torch.randint(0, 2, (samples, 1), generator=generator_for(seed, "mirror"))
        return torch.cat([moves, (first + epoch) % 2 * int(self.mirror)], dim=1)

    def apply(self, images: Tensor, changes: Tensor) -> Tensor:
        """Return the images of a batch, each changed as its row of `changes` says.

        * `images`: shape `[batch, channels, height, width]`
        * `changes`: rows of `draw`, on the same device
        """
        if self.shift:
            windows = windows_of(images, self.shift, self.padding)
            rows = torch.arange(len(images), device=images.device)
            down, right = self.shift - changes[:, 0], self.shift - changes[:, 1]
            images = windows[rows, :, down, right]
        if self.mirror:
            mirrored = changes[:, 2].bool().view(-1, 1, 1, 1)
            images = torch.where(mirrored, images.flip(3), images)
        return images.contiguous(memory_format=torch.channels_last)


def windows_of(images: Tensor, shift: int, padding: str) -> Tensor:
    """Return all windows, a view of shape `[batch, channels, moves, moves, height, width]`.

    `moves` is `2 * shift + 1`; the window in the middle is the image as it is.
    """
    sides = (shift,) * 4
    if padding == "reflect":
        padded = functional.pad(images, sides, mode="reflect")
    else:
        padded = functional.pad(images, sides, value=float(images.min()))
    _, _, height, width = images.shape
    return padded.unfold(2, height, 1).unfold(3, width, 1)


def look(images: Tensor, view: View, padding: str) -> Tensor:
    """## Several looks at one image

    Return all images as `view` shows them.

    A network is not quite sure of what it sees. Shown the mirrored image, it errs a little
    differently, and the mean of its logits errs less. This costs one more pass for each view whenever
    the whole test set is read, and no training.
    """
    augmentation = Augmentation(max(abs(view.down), abs(view.right)), view.mirrored, padding)
    changes = torch.tensor(view, dtype=torch.int64, device=images.device)
    return augmentation.apply(images, changes.expand(len(images), -1))
