"""The network is in float16, and torch's Adam would add updates to it that round away. The loss is scaled up, so that small gradients are not 0."""

from torch import nn
from torch.nn import functional

from experiments.notebooks.programs.digits import (
    digit_batches,
    new_network,
    report,
    train_images,
    train_labels,
)
from labml_nn_optim.optimizers.adam_fp16 import AdamFP16, GradScalerFP16

model = new_network().half()
optimizer = AdamFP16(model.parameters(), lr=0.003)
scaler = GradScalerFP16("cpu", init_scale=1024.0)
losses = []
for batch in digit_batches():
    optimizer.zero_grad()
    logits = model(train_images[batch].half()).float()
    loss = functional.cross_entropy(logits, train_labels[batch])
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    losses.append(loss.item())


class InHalf(nn.Module):
    """The network for images in float32."""

    def forward(self, images):
        """Return the logits."""
        return model(images.half()).float()


report("AdamFP16", InHalf(), losses)
