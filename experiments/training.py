r"""---
title: The training loop
summary: >-
  One loop trains any model with any optimizer, measures what happens on the way, and can stop
  after any step and go on as if it had not.
chapter: "12.2"
needs: [experiments/mnist]
symbols:
  \theta: parameters
  g: gradients
  \alpha: lr
  t: step
  T: total_steps
---

Training is four lines. Take a batch, compute the loss, compute the gradient, let the optimizer
move the parameters:

$$g_t = \nabla_\theta L_t(\theta_{t-1}), \qquad \theta_t = \theta_{t-1} + u_t(g_1, \dots, g_t)$$

$L_t$ is the mean loss over batch $t$, and the optimizer is the rule that makes the update $u_t$
from the gradients so far. Everything else in this file serves three questions that the four lines
leave open.

- *What happened?* A run that only prints its last accuracy cannot be compared with another one.
  This loop writes down loss, learning rate, and the lengths of gradient and update as it goes, in
  at most 300 places, so that the whole curve fits into a small file.
- *Would it happen again?* The order of the images comes from the seed and the number of the epoch
  and from nothing else. The same seed gives the same numbers to the last digit, on the same
  machine with the same number of threads.
- *Can it stop?* The loop is a generator: it gives back control after every step. Whoever calls it
  may show a progress bar, write a checkpoint, or leave. Nothing of this stands here, and so the
  loop stays short enough to be read in one go.

There is no `DataLoader`. MNIST is 220 MB as float32 and lies in memory (on the GPU, if there is
one) from the beginning; a batch is one indexing operation.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import get_total_norm
from torch.optim.swa_utils import update_bn

from experiments import processes
from experiments.augmentation import AS_IT_IS, Augmentation, View, look
from experiments.data import Data
from experiments.randomness import generator_for
from labml_nn_optim.schedulers.scheduler import Scheduler

# Sixty points an epoch show all that a chart on a screen can show: three epochs make 180, and four
# series of them are some 8 KB of text. Looks at the test images cost time, so there are fewer of them.
POINTS_PER_EPOCH = 60
MOST_POINTS = 300
MOST_CHECKS = 100
CHECKS_PER_EPOCH = 8
SUBSET_SAMPLES = 1000
# Enough for means and variances of which the third digit stands.
STATISTICS_SAMPLES = 5000

# So many steps use the same estimate of the curvature, as in the paper of Sophia.
STEPS_PER_ESTIMATE = 10

# How many images go through the network at once when nothing is learned from them: this changes
# the speed only.
EVALUATION_BATCH = 250


@dataclass(frozen=True)
class Regime:
    r"""## What else belongs to a network

    A recipe is more than an optimizer. What a network is trained with is the same for every optimizer
    that it is trained by.

    * `label_smoothing`: $s$, the part of the target that is spread evenly over all classes: the true
      one gets $1 - s + s / 10$ instead of 1. The loss on the test images is without it
    * `augmentation`: how images are [changed at random](augmentation.py) before each look at them
    * `views`: the looks at a test image whose logits are averaged when the whole test set is read; the
      subset is looked at as it is
    * `mixed`: whether the network computes in bfloat16 where torch's autocast holds that to be safe,
      while parameters and state stay float32
    """

    label_smoothing: float = 0.0
    augmentation: Augmentation | None = None
    views: tuple[View, ...] = (AS_IT_IS,)
    mixed: bool = False

    def precision(self, device: torch.device) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which the network computes."""
        return torch.autocast(device.type, torch.bfloat16, enabled=self.mixed)

    def see(self, images: Tensor, view: View) -> Tensor:
        """Return test images as `view` shows them."""
        padding = self.augmentation.padding if self.augmentation else "reflect"
        return images if view == AS_IT_IS else look(images, view, padding)


PLAIN = Regime()


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedulers: Sequence[Scheduler],
    data: Data,
    plan: Plan,
    history: History,
    regime: Regime = PLAIN,
) -> Iterator[int]:
    r"""## The loop

    Train from the step after `history.step` to the last, and yield the number of each step when
    it is done. `model`, `optimizer` and `schedulers` are changed in place; what was measured is in
    `history`.
    """
    device = data.train_labels.device
    changes = Changes(regime.augmentation, plan, device)
    for step, batch in batches(plan, history.step, device):
        ours = processes.share(batch)
        images = changes.apply(data.train_images, ours, step)
        if isinstance(optimizer, UsesCurvature) and plan.estimates_curvature(step):
            with regime.precision(device):
                estimate_curvature(model, optimizer, images, plan.seed, step)
        # Gradients add up in PyTorch. Without this line every step would follow the sum of
        # all the gradients so far.
        optimizer.zero_grad()
        # The network gives ten numbers for an image. `cross_entropy` makes probabilities of them
        # by a softmax and returns the mean of $-\log p$ of the true digits: $\log 10 = 2.30$ for a
        # network that knows nothing, 0 for one that is right and sure. It is computed in float32
        # whatever the parameters are.
        with regime.precision(device):
            logits = model(images).float()
        loss = part_of_mean(
            logits, data.train_labels[ours], len(batch), label_smoothing=regime.label_smoothing
        )
        loss.backward()
        add_over_processes(model, loss)
        history.add_loss(loss)
        # The step itself. Every n-th is watched, and the others cost nothing extra.
        if plan.measures(step):
            row = measured_step(model, optimizer)
            history.curves["train"].append(step, loss=history.take_mean_loss(), **row)
        else:
            optimizer.step()
        advance(schedulers)
        if plan.checks(step):
            with at_its_average(model, optimizer, data, regime):
                check(model, data, history, step, regime, whole=plan.evaluates(step))
        history.step = step
        yield step


def part_of_mean(
    logits: Tensor, labels: Tensor, samples: int, *, label_smoothing: float = 0.0
) -> Tensor:
    r"""## One batch, several processes

    Return what these logits give to the mean loss over a batch of `samples` images, a tensor of
    shape `[]`: with all images of the batch, the mean itself.

    `torchrun` starts a run several times, and the processes share out every batch. With two of them,
    each takes 32 of 64 images. The last batch of an epoch may be odd, 17 and 16 of 33. Two means would
    then count an image of the smaller part for more than one of the larger. So each process divides its
    sum by 33, not by 17 or 16, and the parts are added:

    $$L_t(\theta) = \frac{1}{33} \sum_{i=1}^{33} \ell_i(\theta) = \frac{1}{33} \sum_{i=1}^{17} \ell_i(\theta) + \frac{1}{33} \sum_{i=18}^{33} \ell_i(\theta)$$

    The gradient of a sum is the sum of the gradients. The processes add theirs up, and each does the
    same step with the same numbers. Loss and parameters are those of one process but for rounding, as
    long as nothing else looks at the batch as a whole. Batch norm does: its means have to be
    [taken over all processes](batch_norm.py) too.
    """
    # An empty part has no mean.
    reduction = "mean" if len(labels) else "sum"
    loss = functional.cross_entropy(
        logits, labels, reduction=reduction, label_smoothing=label_smoothing
    )
    return loss * (len(labels) / samples)


def add_over_processes(model: nn.Module, loss: Tensor) -> None:
    """Replace the gradients and the loss by their sums over the processes.

    `DistributedDataParallel` would take the mean of them, and wrap the model. One sum of all numbers
    at once does what is needed, and the loss goes along.
    """
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    processes.add_up([*gradients, loss.detach()])


def advance(schedulers: Sequence[Scheduler]) -> None:
    r"""## How the learning rate falls

    Let each scheduler count the step that was done, and write the value of the next one.

    Why fall at all? Near a minimum, a gradient from 64 images is mostly noise: which images
    happened to be in the batch. A constant $\alpha$ keeps $\theta$ jumping about at a distance from
    the minimum that grows with $\alpha$. Where the last jump lands is luck, and it shows in the
    test accuracy. A falling rate lets the jumps die away.

    How it falls is not decided here. A [schedule](../labml_nn_optim/schedules/base.py) is a function
    of the step and of $T$, and has a chapter of its own. So has the
    [scheduler](../labml_nn_optim/schedulers/scheduler.py) that writes its values into the optimizer:
    $\alpha$ times a factor that is 1 at its highest. A second one may do the same with the weight
    decay.
    """
    for scheduler in schedulers:
        scheduler.step()


def batches(plan: Plan, done: int, device: torch.device) -> Iterator[tuple[int, Tensor]]:
    """Yield the number of every step after `done`, and the indices of its images.

    The last batch of an epoch is short if the batch size does not divide the number of images. It
    is used all the same: every image counts once in every epoch.
    """
    for step in range(done + 1, plan.total_steps + 1):
        epoch, position = divmod(step - 1, plan.steps_per_epoch)
        if position == 0 or step == done + 1:
            order = shuffled(plan.samples, plan.seed, epoch).to(device)
        yield step, order[position * plan.batch_size : (position + 1) * plan.batch_size]


class Changes:
    """The random changes of the images, drawn anew for each epoch; none without an augmentation."""

    def __init__(self, augmentation: Augmentation | None, plan: Plan, device: torch.device) -> None:
        self.augmentation = augmentation
        self.plan = plan
        self.device = device
        self.epoch: int | None = None

    def apply(self, images: Tensor, batch: Tensor, step: int) -> Tensor:
        """Return the images of a batch, changed if they are to be."""
        if self.augmentation is None:
            return images[batch]
        epoch = (step - 1) // self.plan.steps_per_epoch
        if epoch != self.epoch:
            drawn = self.augmentation.draw(self.plan.samples, self.plan.seed, epoch)
            self.epoch, self.drawn = epoch, drawn.to(self.device)
        return self.augmentation.apply(images[batch], self.drawn[batch])


def shuffled(samples: int, seed: int, epoch: int) -> Tensor:
    """## The order of the images

    Return the numbers from 0 to `samples - 1` in the random order of one epoch, int64, shape
    `[samples]`.

    The usual way is one generator that runs on from epoch to epoch. Then the order of the third
    epoch depends on everything that drew a random number before it, and a run that starts again in
    the middle has to replay all of that. Here each epoch has a generator of its own, and its order
    is known without the epochs before. It is drawn on the CPU, so that a GPU sees the same batches.
    """
    return torch.randperm(samples, generator=generator_for(seed, epoch))


def measured_step(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, float]:
    r"""## A step that is watched

    Do one step, and return the learning rate $\alpha_t$, the length of the gradient
    $\lVert g_t \rVert$, and the length of the update $\lVert \theta_t - \theta_{t-1} \rVert$. Both
    lengths run over all parameters as if they were one vector.

    The two lengths side by side tell optimizers apart. SGD's update is $\alpha$ times the
    gradient, so the curves have the same shape. Adam's hardly depends on the length of the
    gradient: each parameter moves by about $\alpha$, whether its gradient is large or small.
    """
    parameters = list(model.parameters())
    lr = float(optimizer.param_groups[0]["lr"])
    gradients = [p.grad.float() for p in parameters if p.grad is not None]
    gradient_norm = get_total_norm(gradients).item()
    # The update is what the parameters have moved by, so a copy from before is needed.
    before = [p.detach().to(torch.float32, copy=True) for p in parameters]
    optimizer.step()
    updates = [p.detach() - old for p, old in zip(parameters, before, strict=True)]
    update_norm = get_total_norm(updates).item()
    return {"lr": lr, "gradient_norm": gradient_norm, "update_norm": update_norm}


@runtime_checkable
class UsesCurvature(Protocol):
    """An optimizer that asks for more than the gradient: how curved the loss is.

    The loop knows such an optimizer by its method, not by its name.
    """

    def update_hessian(self, n_tokens: int) -> None:
        """Read the gradients of a mean loss over `n_tokens` samples with drawn labels."""

    def zero_grad(self) -> None:
        """Forget all gradients."""


def estimate_curvature(
    model: nn.Module, optimizer: UsesCurvature, images: Tensor, seed: int, step: int
) -> None:
    r"""## A second backward pass, for the curvature

    Let `optimizer` read the gradients of a loss whose labels are drawn from the model's own
    probabilities. This happens before the steps 1, 11, 21, ...: an estimate that came after the
    first step would leave that step without one. The loss and the lengths that are written down stay
    those of the true labels.

    Why not use the gradients of the true labels, which are there for nothing? Let a network be sure
    of a digit, and wrong. Its probabilities hardly change with its logits, so the loss is almost a
    straight slope. But the gradient is as long as it can be, and its square would report a steep
    curve.

    With a drawn label the network is its own judge: where it is sure, the label is nearly always
    the one that it expects, and the gradient is short. The mean of $g g^\top$ over such labels is
    the *Gauss-Newton matrix*, which is the Hessian without the part that can be negative. With the
    true labels it is the *empirical Fisher matrix*, another matrix.
    [Sophia](../labml_nn_optim/optimizers/sophia.py) has the derivation, and says what the number of
    images $B$ in `update_hessian` is for.
    """
    optimizer.zero_grad()
    logits = model(images).float()
    # As with the order of the images, the labels follow from seed and step alone. They are drawn
    # on the CPU. A network that has diverged gives NaN; the run goes on, so that its record shows it.
    # Several processes draw the labels of the whole batch, and each uses those of its part.
    samples = processes.total(len(images))
    probabilities = processes.whole(logits.detach().softmax(dim=1), samples)
    generator = generator_for(seed, "labels", step)
    labels = torch.multinomial(probabilities.cpu().nan_to_num(1.0), 1, generator=generator)
    ours = processes.share(labels.squeeze(1)).to(logits.device)
    loss = part_of_mean(logits, ours, samples)
    loss.backward()
    add_over_processes(model, loss)
    optimizer.update_hessian(samples)


@runtime_checkable
class HasModes(Protocol):
    """An optimizer that trains with other weights than those that it is looking for."""

    def train(self) -> None:
        """Put the weights into the parameters at which gradients are wanted."""

    def eval(self) -> None:
        """Put the weights into the parameters that are to be used."""


@contextlib.contextmanager
def at_its_average(
    model: nn.Module, optimizer: torch.optim.Optimizer, data: Data, regime: Regime
) -> Iterator[None]:
    """## Weights for training, weights for use

    A [schedule-free](../labml_nn_optim/schedule_free.py) optimizer computes gradients at one point and
    looks for another, an average. The test images are for the average, so it is put into the model for as
    long as they are looked at.

    Batch normalization has measured means and variances at the first point. For the average they are
    measured again, on a few thousand training images, and the ones for training come back afterwards.
    For any other optimizer all this does nothing.
    """
    if not isinstance(optimizer, HasModes):
        yield
        return
    optimizer.eval()
    layers = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    measured = [buffer for layer in layers for buffer in layer.buffers()]
    held = [buffer.clone() for buffer in measured]
    if layers:
        some = data.train_images[:: max(1, len(data.train_images) // STATISTICS_SAMPLES)]
        views = (regime.see(images, AS_IT_IS) for images in some.split(EVALUATION_BATCH))
        with regime.precision(some.device):
            update_bn(views, model)
    yield
    optimizer.train()
    for buffer, before in zip(measured, held, strict=True):
        buffer.copy_(before)


@torch.inference_mode()
def evaluate(
    model: nn.Module, images: Tensor, labels: Tensor, regime: Regime = PLAIN
) -> tuple[Tensor, Tensor]:
    """## Looking at the test images

    Return the loss of every image, and 1 where the largest logit is that of the true label, else
    0; two float32 tensors of shape `[images]`.

    Several processes share the images out, and each gets what all have found.

    Nothing is learned here: no gradients are kept, and layers that behave differently in training
    (dropout, batch normalisation) are told so. Afterwards the model is as it was.
    """
    was_training = model.training
    model.eval()
    losses, correct = [], []
    ours = processes.share(images), processes.share(labels)
    parts = zip(*(samples.split(EVALUATION_BATCH) for samples in ours), strict=True)
    for some_images, some_labels in parts:
        with regime.precision(images.device):
            looks = [model(regime.see(some_images, view)).float() for view in regime.views]
        logits = torch.stack(looks).mean(dim=0)
        losses.append(functional.cross_entropy(logits, some_labels, reduction="none"))
        correct.append((logits.argmax(dim=1) == some_labels).float())
    model.train(was_training)
    together = torch.stack([torch.cat(losses), torch.cat(correct)], dim=1)
    all_losses, all_correct = processes.whole(together, len(labels)).unbind(dim=1)
    return all_losses, all_correct


def check(
    model: nn.Module,
    data: Data,
    history: History,
    step: int,
    regime: Regime = PLAIN,
    *,
    whole: bool,
) -> None:
    """Write down loss and accuracy on the subset, and on the whole test set if `whole`."""
    stride = subset_stride(len(data.test_labels))
    if whole:
        losses, correct = evaluate(model, data.test_images, data.test_labels, regime)
        row = {"loss": losses.mean().item(), "accuracy": correct.mean().item()}
        history.curves["test"].append(step, **row)
    if whole and len(regime.views) == 1:
        # The subset is a part of what has just been seen.
        losses, correct = losses[::stride], correct[::stride]
    else:
        losses, correct = evaluate(
            model,
            data.test_images[::stride],
            data.test_labels[::stride],
            dataclasses.replace(regime, views=(AS_IT_IS,)),
        )
    row = {"loss": losses.mean().item(), "accuracy": correct.mean().item()}
    history.curves["test_subset"].append(step, **row)


def subset_stride(samples: int) -> int:
    """Return the distance from one image of the subset to the next.

    Not simply the first thousand: the first half of MNIST's test set was written by other people
    than the second, and is easier.
    """
    return max(1, samples // SUBSET_SAMPLES)


# ## In which data type
#
# `--dtype bfloat16` makes parameters, images and gradients bfloat16: half the memory, eight bits of
# precision. An update that is less than 0.2 % of a weight is then lost in rounding, which is what
# [AdamFP16](../labml_nn_optim/optimizers/adam_fp16.py) is for. float16 is no choice here: its
# gradients underflow unless the loss is scaled.
#
# `--dtype mixed` leaves parameters, gradients and state in float32, and lets the network compute in
# bfloat16 where torch's autocast does: in convolutions and matrix products.
DTYPES: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "mixed": torch.float32,
}


@dataclass(frozen=True)
class Plan:
    """## How long to train, and where to look

    A plan answers every question that begins with a step number. It holds no state, so a run
    that was broken off asks the same plan and gets the same answers.

    * `samples`: images in the training set
    * `batch_size`: images in a batch; the last batch of an epoch may hold fewer
    * `epochs`: passes over the training set; 0.5 stops in the middle of the first
    * `seed`: decides the order of the images
    """

    samples: int
    batch_size: int
    epochs: float
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        """Batches that it takes to see every image once: 938 for 60,000 images by 64."""
        return math.ceil(self.samples / self.batch_size)

    @property
    def total_steps(self) -> int:
        """The number of the last step, $T$."""
        return max(1, round(self.epochs * self.steps_per_epoch))

    def samples_after(self, step: int) -> int:
        """Return how many images have been seen after `step`, over all epochs."""
        epochs, position = divmod(step, self.steps_per_epoch)
        return epochs * self.samples + position * self.batch_size

    def measures(self, step: int) -> bool:
        """Return whether loss and norms are written down at `step`.

        The first and the last step always are, and between them every n-th, with the smallest n
        that keeps to `POINTS_PER_EPOCH` and to `MOST_POINTS`. A run of less than an epoch has as
        many points as one epoch.
        """
        points = min(MOST_POINTS, POINTS_PER_EPOCH * math.ceil(self.epochs))
        every = math.ceil(self.total_steps / (points - 2))
        return step == 1 or step % every == 0 or step == self.total_steps

    def estimates_curvature(self, step: int) -> bool:
        """Return whether the curvature is estimated anew before `step`, for who uses it."""
        return step % STEPS_PER_ESTIMATE == 1

    def evaluates(self, step: int) -> bool:
        """Return whether the whole test set is looked at after `step`: at the end of each epoch."""
        every = math.ceil(self.epochs / (MOST_CHECKS - 2)) * self.steps_per_epoch
        return step % every == 0 or step == self.total_steps

    def checks(self, step: int) -> bool:
        """Return whether the subset of the test images is looked at after `step`.

        Three epochs would give three points, too few for a curve. A thousand of the ten thousand
        images cost a tenth, and so there are eight looks in an epoch.
        """
        per_epoch = min(CHECKS_PER_EPOCH, int((MOST_CHECKS - 2) / self.epochs))
        if self.evaluates(step) or per_epoch < 2:
            return self.evaluates(step)
        return step % self.steps_per_epoch % math.ceil(self.steps_per_epoch / per_epoch) == 0


class Table:
    """A table of numbers that grows by rows; its first column is the step."""

    def __init__(self, *names: str) -> None:
        self.columns: dict[str, list[float]] = {name: [] for name in ("step", *names)}

    def append(self, step: int, **values: float) -> None:
        """Add the row of `step`."""
        for name, value in {"step": step, **values}.items():
            self.columns[name].append(value)

    def at(self, step: int) -> dict[str, float] | None:
        """Return the last row if it is that of `step`."""
        if not self.columns["step"] or self.columns["step"][-1] != step:
            return None
        return {name: column[-1] for name, column in self.columns.items()}


class History:
    """## What a run remembers

    Model and optimizer keep their own state. What is left is the number of steps done, the
    curves so far, and the losses since the last point of the curve. A checkpoint that holds these
    three can go on at any step, also in the middle of an epoch or between two points.
    """

    def __init__(self, device: torch.device) -> None:
        self.step = 0
        self.curves = {
            "train": Table("loss", "lr", "gradient_norm", "update_norm"),
            "test": Table("loss", "accuracy"),
            "test_subset": Table("loss", "accuracy"),
        }
        self.loss_sum = torch.zeros((), device=device)
        self.loss_count = 0

    def add_loss(self, loss: Tensor) -> None:
        """Add the loss of one batch, a tensor of shape `[]`.

        It is added on the device. Reading it as a number would make the CPU wait for the GPU
        at every step.
        """
        self.loss_sum += loss.detach()
        self.loss_count += 1

    def take_mean_loss(self) -> float:
        """Return the mean of the losses since the last call.

        The loss of one batch jumps; the mean of the batches between two points of the curve
        jumps less, and it is there for the taking.
        """
        mean = self.loss_sum.item() / self.loss_count
        self.loss_sum.zero_()
        self.loss_count = 0
        return mean

    def state_dict(self) -> dict[str, Any]:
        """Return everything as tensors, numbers and lists, for a checkpoint."""
        return {
            "step": self.step,
            "curves": {name: table.columns for name, table in self.curves.items()},
            "loss_sum": self.loss_sum,
            "loss_count": self.loss_count,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.step = state["step"]
        for name, columns in state["curves"].items():
            self.curves[name].columns = {key: list(column) for key, column in columns.items()}
        self.loss_sum.copy_(state["loss_sum"])
        self.loss_count = state["loss_count"]


# ## What this loop does not do
#
# - *Choose the best epoch.* The accuracy that counts is that of the last step, whatever came
#   before. Who takes the best of many looks at the test set reports a number that new images will
#   not give.
# - *Choose a learning rate.* Nothing is tuned here while it runs. [A search](sweep.py) runs this loop
#   on images held back from training, and keeps the test set for the end.
# - *Judge from one seed.* Two seeds of the same optimizer differ, and a difference between two
#   optimizers that is no larger than that means nothing. Run three, and look at the band.
#
# ## Exercises
#
# **1.** The learning rate of every step is known before the first one, and yet each scheduler has a
# place in the checkpoint. What must it remember, and what would a schedule need that halves the rate
# when the loss stops falling?
#
# ::: solution
# One number: how many steps are done. The rate follows from it, because a schedule is a function of
# the step alone. The scheduler also writes its schedule down, so that it can warn who goes on with
# another one. A schedule that depends on what it has seen needs what it has seen: the least loss so
# far, how long ago it was, and how often the rate was halved.
# :::
#
# **2.** `add_loss` adds in float32. After how many batches would that be a problem, and why is it
# none here?
#
# ::: solution
# float32 holds 24 bits. Once the sum is $2^{24}$ times as large as the next loss, adding it
# changes nothing, and long before that its last digits are lost. Here the sum starts again at
# every point of the curve: after sixteen batches in a run of 2814 steps.
# :::
