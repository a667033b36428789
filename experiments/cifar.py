r"""---
title: "CIFAR-10: ten kinds of things, three networks"
summary: >-
  A residual network that a CPU trains in minutes, one for a GPU after the speed runs, and a small
  transformer learn to tell airplanes from frogs with any optimizer of this course.
paper:
  title: Learning multiple layers of features from tiny images
  authors: Alex Krizhevsky
  year: 2009
  venue: University of Toronto
  url: https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf
chapter: "12.11"
needs: [experiments/mnist, experiments/training, experiments/sweep]
---

On MNIST twenty-eight optimizers of this course came out within 0.14 points: the task is too easy to tell most of them apart.
Here 32 x 32 pixels in colour show one of ten kinds of things, from airplane to truck, from any side
and before any background.

## What came out

The small network, three passes over the images, three seeds, each of 49 optimizers at the rate that a [search](sweep.py)
chose: one pass, one seed, 10,000 training images held back. The rate falls to 0 along a line, if the optimizer has no
schedule of its own. The weights decay where the optimizer's default says so: AdamW's do, Adam's and SGD's do not. Fifteen of
[all](../docs_src/experiments/results.md):

| | rate | test accuracy, median | range |
|---|---|---|---|
| NorMuon | 0.01 | 83.0 % | 82.7 to 83.5 |
| Muon | 0.01 | 83.0 % | 82.8 to 83.3 |
| Kron | 0.003 | 81.9 % | 81.5 to 82.0 |
| SOAP | 0.01 | 81.6 % | 80.9 to 81.6 |
| Schedule-free AdamW, 100 steps of warm-up | 0.03 | 81.2 % | 81.0 to 81.8 |
| Shampoo | 0.003 | 81.1 % | 80.5 to 81.4 |
| RAdam | 0.03 | 81.0 % | 79.8 to 81.1 |
| NAdam | 0.003 | 80.9 % | 80.7 to 81.7 |
| Adam, 100 steps of warm-up | 0.01 | 80.3 % | 80.1 to 80.7 |
| AdamW | 0.003 | 79.8 % | 79.3 to 80.3 |
| Adam | 0.003 | 79.5 % | 79.4 to 80.1 |
| Lion | 0.001 | 76.5 % | 76.3 to 77.2 |
| SGD, momentum 0.9 | 0.01 | 75.7 % | 75.1 to 75.8 |
| Adagrad | 0.01 | 74.7 % | 74.1 to 74.9 |
| Rprop | 0.003 | 46.8 % | 44.3 to 47.1 |

- **Muon and NorMuon stand apart.** Their worst seed, 82.7 %, is better than the best of all others, 82.0 %. [Kron](../labml_nn_optim/optimizers/kron.py)
  and [SOAP](../labml_nn_optim/optimizers/soap.py) come next, and [Shampoo](../labml_nn_optim/optimizers/shampoo.py) two places behind. All five work on matrices, and
  fit the images sooner: over the third epoch their mean training losses, medians of three seeds, are 0.52 to 0.57, that of no other is below 0.58. In the last steps
  alone they are 0.44 to 0.56, and SOAP is not ahead: others begin at 0.55. On MNIST, where little is left to fit, none of the five could be
  told from Adam. A matrix alone does not do it: Scion, with the radius that suited MNIST, has 78.9 %. And only the number of steps is equal here, [not their
  cost](speed.py).
- **Twenty-four more are close.** Their medians, Shampoo's among them, lie between 79.1 and 81.2 %, and a range of three seeds is up to 1.6 points wide. Most
  of these [cannot be told apart](comparison.py). NAdam's worst seed is better than Adam's best, but that is one of 276 pairs. 109 of them lie apart like this,
  where equals would in one of ten: not all are equal, but one pair alone may be luck.
- **Who begins softly takes the larger rate.** Adam is best at 0.003. With a warm-up it is best at 0.01; RAdam, and AdaBelief with RAdam's
  factor, are best at 0.03. The medians of the three are 0.9 to 1.6 points above Adam's, though two of the ranges overlap with its own. With a
  warm-up and a cosine, at 0.01 too, it is 0.1. NAdam gains as much at Adam's own rate, so this is not the only way.
- **Those at the end have not learned enough.** From Prodigy down to DoWG, with Rprop left out, the training loss of the last steps is 0.66 to 0.90; the twenty-four have
  0.52 to 0.62. Their test losses, 0.66 to 0.87, are as near to it as those of the twenty-four are to theirs: they have not learned too much by heart, they are slower.
  Whether they come nearer in thirty passes was not measured.
- **Momentum is worth six points to SGD.** With momentum it has 75.7 %. Descent without it has 69.2 % at its best rate ([ASGD](../labml_nn_optim/optimizers/asgd.py), which averages nothing here).
  DoWG, which has none either and needs no rate, has 69.0 %. But [DoG](../labml_nn_optim/optimizers/dog.py), without momentum too, has 74.3 % with a tuned factor.
- **Rprop is not made for batches.** It takes a change of sign for a step too far, and in the gradients of 128 images [signs change by
  chance](../labml_nn_optim/optimizers/rprop.py).
- **A slope rather than a cliff.** On MNIST the next point of the grid often learns nothing. Here the held-out loss is 1 to 51 % higher there, and only DoG and DoWG, at three times their factor, diverge. One reason may be
  batch norm: where a step makes weights too long, the norm divides by their length. SGD's loss reaches 2.30, $\log 10$, at thirty times its best
  rate.

## Run it

```sh
python -m experiments.cifar --optimizer adamw --lr 0.003 --epochs 3 --dtype mixed --threads 1
python -m experiments.cifar --optimizer sgd --lr 0.01 --set momentum=0.9 --epochs 10
python -m experiments.cifar --model fast --device cuda
torchrun --nproc-per-node 2 -m experiments.cifar --optimizer adamw
```

The first line is the first run behind AdamW's row above; a run took one and a quarter to six and a half minutes, with another beside it on two cores. In the last line two processes [share each
batch](training.py) of 128. Batch norm takes its means over both, so the run is the same but for rounding. The options are those of [the experiment on MNIST](mnist.py), the [loop](training.py) is the same, and so
are the records. `--dtype mixed`, as in the table above, lets the network compute in bfloat16, which has the exponents of
float32: no loss has to be scaled. On an AMD EPYC with instructions for such numbers, forward and backward pass of
128 images take 80 milliseconds instead of 150 on one thread, 52 instead of 83 on two.

The author of the data set states no licence. It is downloaded from his page if it is not there,
and cited as the report above.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from experiments.augmentation import Augmentation, View
from experiments.cli import experiment_command, run_command
from experiments.data import HELD_OUT, Data, load_cifar
from experiments.experiment import Experiment, Recipe
from experiments.runner import Notice
from experiments.training import Regime
from experiments.vit import ViT


class Convolution(nn.Module):
    """A convolution of 3 x 3 without bias, the maximum over 2 x 2 if `pool`, batch norm and ReLU."""

    def __init__(self, inputs: int, outputs: int, *, pool: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.pool = pool

    def forward(self, images: Tensor) -> Tensor:
        """Return the features, with half the height and width if there is a maximum."""
        x = self.conv(images)
        x = functional.max_pool2d(x, 2) if self.pool else x
        return functional.relu(self.norm(x))


class Residual(nn.Module):
    r"""## What a residual block is for

    Return $x + f(x)$, where $f$ is two convolutions, each with batch norm and ReLU.

    A block need not learn what it should pass on, only what it should add. The gradient finds the same
    short way back, past the convolutions. Without it a network of 34 layers had a higher *training* error than
    one of 18 (He and others, 2015, arXiv:1512.03385). Whether two blocks need it was not tried.

    $f$ ends in a ReLU, so a block can add and never subtract. Behind the first block, the norm of the next convolution
    takes the mean out again.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = Convolution(channels, channels)
        self.second = Convolution(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the shape of `x`."""
        result: Tensor = x + self.second(self.first(x))
        return result


class SmallModel(nn.Module):
    """## The network for a CPU

    | layer | output | parameters |
    |---|---|---|
    | input | 3 x 32 x 32 | |
    | convolution, 4 x 4, at every second place | 32 x 16 x 16 | 1,600 |
    | convolution on 16 x 16, maximum over 2 x 2 | 64 x 8 x 8 | 18,560 |
    | residual block | 64 x 8 x 8 | 73,984 |
    | convolution on 8 x 8, maximum over 2 x 2 | 128 x 4 x 4 | 73,984 |
    | residual block | 128 x 4 x 4 | 295,424 |
    | maximum over the image | 128 | |
    | linear | 10 | 1,290 |

    The 464,842 parameters are hardly more than those of the network for MNIST, but they are used
    differently: nearly all of them in convolutions, which are computed at many places of the image.

    What costs a CPU its time is large images, more than multiplications. A network whose first two
    convolutions saw all 32 x 32 pixels, with 1.25 times the multiplications, took 1.6 times as long. So the
    first convolution is computed at every second row and column only; with 4 x 4 it still sees all pixels.

    The maximum comes before the norm, so that norm and ReLU have a quarter of the numbers to work on. No convolution has a
    bias: the norm behind it would take it out.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, kernel_size=4, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(32)
        self.body = nn.Sequential(
            Convolution(32, 64, pool=True),
            Residual(64),
            Convolution(64, 128, pool=True),
            Residual(128),
        )
        self.head = nn.Linear(128, 10)
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, shape `[batch, 10]`, of images of shape `[batch, 3, 32, 32]`."""
        x = self.body(functional.relu(self.norm(self.stem(images))))
        logits: Tensor = self.head(x.amax(dim=(2, 3)))
        return logits


class Group(nn.Module):
    """Two convolutions, each with batch norm and GELU, and the maximum over 2 x 2 after the first."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False)
        self.first_norm = shifting_norm(outputs)
        self.second = nn.Conv2d(outputs, outputs, kernel_size=3, padding=1, bias=False)
        self.second_norm = shifting_norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features, with half the height and width."""
        x = functional.gelu(self.first_norm(functional.max_pool2d(self.first(x), 2)))
        return functional.gelu(self.second_norm(self.second(x)))


def shifting_norm(channels: int) -> nn.BatchNorm2d:
    """Return a batch norm that learns a bias and no scale, and remembers the last few batches.

    The scale is left at 1, as in the speed runs. Behind a ReLU the next convolution could do what it
    does; behind GELU it nearly can. The running means are taken with a weight of 0.4 for the newest batch, not
    torch's 0.1: they are 1.5 steps old on average, not nine, while the weights move fast.
    """
    norm = nn.BatchNorm2d(channels, eps=1e-12, momentum=0.4)
    norm.weight.requires_grad_(False)
    return norm


class FastModel(nn.Module):
    """## The network for a GPU

    This is the network of the speed runs on CIFAR-10 [1]: 94 % in seconds, on one GPU. Here it was never trained to
    the end: there was no GPU, and no optimizer was tuned for it.

    | layer | output | parameters |
    |---|---|---|
    | input | 3 x 32 x 32 | |
    | whitening, 2 x 2, GELU | 24 x 31 x 31 | 312 |
    | group | 64 x 15 x 15 | 50,944 |
    | group | 256 x 7 x 7 | 738,304 |
    | group | 256 x 3 x 3 | 1,180,672 |
    | maximum over 3 x 3 | 256 | |
    | linear, no bias, divided by 9 | 10 | 2,560 |

    Of the 1,972,792 parameters 1,440 are not trained: the filters of the whitening and the scales of the norms.

    **Whitening.** Neighbouring pixels are nearly equal: of the 12 directions in the space of 2 x 2 patches, the first
    holds 85 % of the mean square. A gradient step moves the weights that read such inputs along that one direction and hardly along
    the others. The first layer projects the patches onto these directions and divides
    each by its root mean square, so that all count alike. It is computed
    from 5000 training images and never trained; only its bias is, for the first three epochs in the
    speed runs, here for the whole run.

    **Convolutions that begin as the identity.** The first filters of a convolution, as many as it has
    inputs, begin by passing one channel on, so the signal and the gradient arrive from the first step.

    **Divided by 9.** The logits of 2000 images begin with a standard deviation of 0.11 to 0.15 (three seeds), and the loss with
    2.30 to 2.32, that of a network that knows nothing. Not divided, it begins with 2.6 to 2.9: sure, and wrong.

    [1] Keller Jordan, *94% on CIFAR-10 in 3.29 Seconds on a Single GPU*, 2024, arXiv:2404.00498.
    """

    def __init__(self) -> None:
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, kernel_size=2)
        self.whiten.weight.requires_grad_(False)
        self.body = nn.Sequential(Group(24, 64), Group(64, 256), Group(256, 256))
        self.head = nn.Linear(256, 10, bias=False)
        for module in self.body.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.dirac_(module.weight[: module.in_channels])
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, shape `[batch, 10]`, of images of shape `[batch, 3, 32, 32]`."""
        x = self.body(functional.gelu(self.whiten(images)))
        logits: Tensor = self.head(x.amax(dim=(2, 3))) / 9
        return logits


WHITENED_IMAGES = 5000


@torch.no_grad()
def whiten(model: nn.Module, data: Data) -> None:
    r"""### The whitening

    Set the first layer of a `FastModel` from the training images.

    The $n$ patches of 2 x 2 pixels and 3 channels are vectors $x$ of 12 numbers; the mean of each channel over the training images has been
    taken out. With the eigenvectors
    $v_i$ and the eigenvalues $\mu_i$ of $C = \frac{1}{n} \sum x x^\top$ the filters are
    $v_i / \sqrt{\mu_i + \epsilon}$. What two of them give has a mean product of $v_i^\top C v_j$ over the two roots, which is zero for
    $i \neq j$. Each filter is there with the other sign, too, because GELU nearly silences negative numbers: 24 filters.

    $\epsilon = 0.0005$ keeps directions in which nothing
    varies from being blown up. It matters for the last two of the twelve: their $\mu_i$ are 0.0016 and 0.00058, and what comes
    out has a mean square of $\mu_i / (\mu_i + \epsilon)$, 0.76 and 0.54. For the others it is 0.89 to 1.
    """
    assert isinstance(model, FastModel)
    images = data.train_images[:WHITENED_IMAGES].float()
    patches = functional.unfold(images, kernel_size=2).transpose(1, 2).reshape(-1, 12).double()
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    filters = (vectors / (values + 5e-4).sqrt()).T.flip(0).view(12, 3, 2, 2)
    model.whiten.weight.copy_(torch.cat([filters, -filters]))
    assert model.whiten.bias is not None
    model.whiten.bias.zero_()


def load_data(choice: str, root: Path, notice: Notice) -> Data:
    """## The data

    50,000 images to learn from and 10,000 to be tested on, as many of each of the ten kinds. Each channel is
    normalized by its mean and standard deviation over the training images.

    `cifar-held-out` leaves the test images alone: it trains on the first five sixths of the training
    images and is tested on the others. [The sweep](sweep.py) chooses learning rates with it.
    """
    data = load_cifar(root)
    return data.hold_out() if choice.endswith(HELD_OUT) else data


# ## Why these settings
#
# The small network learns from images that are moved by up to two pixels and mirrored, and is tested on
# the test images as they are, with the plain loss: what is compared is the optimizer.
#
# The fast one has what the speed runs have around it: labels smoothed by a fifth, moved and
# mirrored images, and the eight epochs of 25 steps of the later ones, with Muon. At the end the logits of six [views](augmentation.py) are averaged: the image, the
# image moved by a pixel up and to the left and down and to the right, and the mirror images of the three. (The
# speed runs give the two moved views half of the weight together; here all count the same.) Their
# optimizers are not built in. The first ones had more that is left out here: larger rates for the biases of the norms, an average of the weights,
# mirror images that alternate from epoch to epoch.
#
# `vit` is the [small transformer](vit.py), with the images of the small network.
CIFAR = Experiment(
    name="cifar",
    recipes={
        "small": Recipe(
            SmallModel,
            epochs=5,
            batch_size=128,
            regime=Regime(augmentation=Augmentation(shift=2, mirror=True)),
        ),
        "fast": Recipe(
            FastModel,
            epochs=8,
            batch_size=2000,
            regime=Regime(
                label_smoothing=0.2,
                augmentation=Augmentation(shift=2, mirror=True),
                views=tuple(
                    View(move, move, mirrored) for move in (0, -1, 1) for mirrored in (False, True)
                ),
            ),
            prepare=whiten,
            dtype="mixed",
        ),
        "vit": Recipe(
            ViT,
            epochs=3,
            batch_size=128,
            regime=Regime(augmentation=Augmentation(shift=2, mirror=True)),
            optimizer="adamw",
            lr=1e-3,
            schedule="warmup-cosine",
            dtype="mixed",
        ),
    },
    load_data=load_data,
    data_choices=("cifar", "cifar-held-out"),
    target=0.7,
)

main = experiment_command(CIFAR)

if __name__ == "__main__":
    sys.exit(run_command(main))

# ## Traps
#
# - *The running means of batch norm arrive late.* After 20 steps of 128 images (AdamW, 0.003) the small network reads
#   18 and 24 % of 2000 test images with seeds 0 and 1. With the means of these images themselves it is 35 and 33 %: the network has
#   learned, its running means have not. torch gives the newest batch a weight of 0.1, so 12 % of the start, mean 0 and variance 1, are
#   still there, and what is not is nine steps old on average. With a weight of 0.4 the same networks read 35 and 32 %. Keras writes 0.6 for this 0.4: the weight of what is kept.
# - *A smoothed loss does not go to zero.* With $s = 0.2$ the target is 0.82 for the true kind and 0.02 for the others. The
#   loss in training cannot fall below 0.87, the entropy of that, and a network that gave every test image 0.82 for the true kind would have a test loss of
#   $-\log 0.82 = 0.20$. Compare the fast network with the small one by accuracy.
# - *Held back is less.* `cifar-held-out` trains on 41,667 images, 326 steps an epoch instead of 391. The learning rate falls over fewer
#   steps, so a rate that was chosen there is the best for a somewhat shorter run.
#
# ## Exercises
#
# **1.** Where are the multiplications of the small network, and where its parameters?
#
# ::: solution
# A convolution of $9\, c\, d$ weights on $h \times w$ places takes $9\, c\, d\, h\, w$ multiplications. The first convolution has
# $48 \cdot 32 \cdot 16^2 = 0.39$ million. Each of the next four rows has $9 \cdot 32 \cdot 64 \cdot 16^2 = 4.72$
# million: where the places become four times fewer, the weights become four times more. Of the parameters 64 % sit in the last block.
# :::
#
# **2.** AdamW is 4.1 points above SGD, and 0.35 above Adam. How much of that could be the choice of the 10,000 test images?
#
# ::: solution
# At 80 % an accuracy has a standard error of $\sqrt{0.8 \cdot 0.2 / 10000} = 0.40$ points. A difference has $\sqrt 2$ times that, 0.57, if
# the two networks erred independently, and less since they err on the same images. 4.1 is seven times as much: the images cannot have made it. 0.35 is less than one
# standard error: another 10,000 images could turn it round. Seeds and the choice of rates come on top of that.
# :::
#
# **3.** After how many steps is less than 1 % of a running mean left of its start, with a weight of 0.1 and of 0.4? How long are
# the two recipes?
#
# ::: solution
# $0.9^n < 0.01$ from $n = 44$ on, $0.6^n$ from 10 on. The fast recipe has 200 steps, the small one 1955. With 0.1 the fast
# one would have its start in its means for nearly two of its eight epochs.
# :::
