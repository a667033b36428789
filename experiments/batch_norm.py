r"""Batch norm over a batch that several processes share.

Mean and variance of a channel are those of the whole batch. A process that took those of its own part
would train another network: with two processes and batches of 128, one with batches of 64.
`torch.nn.SyncBatchNorm` does this on GPUs and refuses a CPU, so on a CPU its place is taken here.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from experiments import processes


class BatchNorm(nn.BatchNorm2d):
    r"""`nn.BatchNorm2d` whose means in training run over the images of all processes.

    Sum and sum of squared distances need two calls: the mean comes first, because
    $\overline{x^2} - \bar x^2$ would lose the variance of a channel that lies far from 0. autograd makes
    the backward pass of it: what flows back through a sum is summed over the processes in its turn.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised features, of the shape and type of `input`: `[batch, channels, h, w]`."""
        if not self.training:
            return super().forward(input)
        precise = input.to(torch.promote_types(input.dtype, torch.float32))
        count = input.new_tensor(input.numel() / input.shape[1], dtype=precise.dtype)
        sums, count = _add(precise.sum(dim=(0, 2, 3))), _add(count)
        mean = sums / count
        centred = precise - mean.view(1, -1, 1, 1)
        variance = _add(centred.square().sum(dim=(0, 2, 3))) / count
        self._remember(mean.detach(), variance.detach(), count)
        scale = (variance + self.eps).rsqrt() * self.weight
        bias = self.bias.to(precise.dtype).view(1, -1, 1, 1)
        return torch.addcmul(bias, centred, scale.view(1, -1, 1, 1)).to(input.dtype)

    def _remember(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """Move the running statistics; the running variance is the unbiased one, as torch's."""
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
        unbiased = variance * count / (count - 1)
        self.running_var.lerp_(unbiased.to(self.running_var.dtype), self.momentum)


def synchronised(model: nn.Module, device: torch.device) -> nn.Module:
    """Return `model` with norms over the batches of all processes; parameters and names stay.

    With one process it is returned as it is.
    """
    if processes.size() == 1:
        return model
    if device.type == "cuda":
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        return converted
    for module in model.modules():
        for name, child in module.named_children():
            if type(child) is nn.BatchNorm2d:
                setattr(module, name, _converted(child))
    return model


def _converted(norm: nn.BatchNorm2d) -> BatchNorm:
    """Return a norm with the parameters and buffers of `norm` themselves."""
    result = BatchNorm(norm.num_features, eps=norm.eps, momentum=norm.momentum)
    result.weight, result.bias = norm.weight, norm.bias
    result.running_mean, result.running_var = norm.running_mean, norm.running_var
    result.num_batches_tracked = norm.num_batches_tracked
    return result.train(norm.training)


class _Sum(torch.autograd.Function):
    """The sum over the processes. Each has a loss of its own, whose sum is the loss."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        added = tensor.clone()
        processes.add_up([added])
        return added

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        added = gradient.clone()
        processes.add_up([added])
        return added


def _add(tensor: Tensor) -> Tensor:
    added: Tensor = _Sum.apply(tensor)
    return added
