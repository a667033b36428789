"""SAM and ASAM: where the second gradient is taken, what it leads to, and what is left afterwards."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import pytorch_optimizer
import pytorch_optimizer.optimizer.sam
import torch
from torch import Tensor, nn
from torch.nn import Parameter

from labml_nn_optim import EMA, SAM, SGD
from labml_nn_optim.wrappers import frozen_statistics
from tests.labml_nn_optim.examples import (
    SMALL_SHAPES,
    largest_difference,
    make_params,
    noisy_gradient,
)

STEPS = 100
DOUBLE = torch.float64


def set_gradients(params: list[Parameter], step: int) -> None:
    for index, param in enumerate(params):
        param.grad = noisy_gradient(param, step, index) + param.detach() ** 3


def ours(**arguments: Any) -> list[Tensor]:
    params = make_params(shapes=SMALL_SHAPES)
    optimizer = SAM(SGD(params, lr=0.02, momentum=0.9), **arguments)
    for step in range(STEPS):

        def closure(step: int = step) -> float:
            set_gradients(params, step)
            return float(step)

        assert optimizer.step(closure) == step
    return [param.detach() for param in params]


def theirs(**arguments: Any) -> list[Tensor]:
    params = make_params(shapes=SMALL_SHAPES)
    optimizer = pytorch_optimizer.SAM(params, torch.optim.SGD, lr=0.02, momentum=0.9, **arguments)
    for step in range(STEPS):
        set_gradients(params, step)
        optimizer.first_step()
        set_gradients(params, step)
        optimizer.second_step()
    return [param.detach() for param in params]


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("rho", [0.05, 0.5])
def test_pytorch_optimizer_has_the_same_but_for_a_norm_in_float32(
    rho: float, adaptive: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = ours(rho=rho, adaptive=adaptive, eta=0.0)
    assert 1e-11 < largest_difference(weights, theirs(rho=rho, adaptive=adaptive)) < 1e-5

    def norm(groups: Any, weight_adaptive: bool = False) -> Tensor:
        squares = [
            (param.grad * (param.abs() if group["adaptive"] else 1)).square().sum()
            for group in groups
            for param in group["params"]
        ]
        return torch.stack(squares).sum().reshape(1)

    module = pytorch_optimizer.optimizer.sam
    monkeypatch.setattr(module, "get_global_gradient_norm", norm)
    assert largest_difference(weights, theirs(rho=rho, adaptive=adaptive)) < 1e-12


def test_a_step_of_others_returns_nothing() -> None:
    param = Parameter(torch.ones(1))
    param.grad = torch.ones(1)
    optimizer = pytorch_optimizer.SAM([param], torch.optim.SGD, lr=0.1)

    def closure() -> float:
        param.grad = torch.ones(1)
        return 3.0

    assert optimizer.step(closure) is None
    assert SAM(SGD([param], lr=0.1)).step(closure) == 3.0


def shifted(gradients: list[list[float]], **arguments: Any) -> list[Tensor]:
    """How far parameters at 2 go up."""
    params = [Parameter(torch.full((len(each),), 2.0, dtype=DOUBLE)) for each in gradients]
    for param, gradient in zip(params, gradients, strict=True):
        param.grad = torch.tensor(gradient, dtype=DOUBLE)
    SAM(SGD(params, lr=0.1), **arguments).ascend()
    return [param.detach() - 2 for param in params]


def test_the_ascent_is_as_long_as_rho_over_all_parameters() -> None:
    first, second = shifted([[3.0], [4.0, 0.0]], rho=0.5)
    assert first.tolist() == pytest.approx([0.3])
    assert second.tolist() == pytest.approx([0.4, 0.0])


def test_the_adaptive_ascent_measures_in_sizes_of_the_weights() -> None:
    (shift,) = shifted([[3.0, 4.0]], rho=0.5, adaptive=True, eta=0.1)
    size = 2.1
    assert (shift / size).norm().item() == pytest.approx(0.5)
    assert shift.tolist() == pytest.approx([0.3 * size, 0.4 * size])


def test_no_gradient_no_ascent() -> None:
    (shift,) = shifted([[0.0, 0.0]], rho=0.5)
    assert shift.tolist() == [0.0, 0.0]
    used, unused = (Parameter(torch.ones(2)) for _ in range(2))
    used.grad = torch.ones(2)
    optimizer = SAM(SGD([used, unused], lr=0.1))
    optimizer.ascend()
    optimizer.descend()
    assert unused.tolist() == [1.0, 1.0]


# What the gradient up there is
def network(scale: float = 1.0) -> nn.Sequential:
    torch.manual_seed(1)
    first, last = nn.Linear(10, 32, bias=False), nn.Linear(32, 1, bias=False)
    model = nn.Sequential(first, nn.ReLU(), last).double()
    with torch.no_grad():
        first.weight.mul_(scale)
        last.weight.div_(scale)
    return model


def loss_of(model: nn.Module) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(64, 10, generator=generator, dtype=DOUBLE)
    targets = torch.randn(64, 1, generator=generator, dtype=DOUBLE)
    return nn.functional.mse_loss(model(inputs), targets)


def flat(tensors: Any) -> Tensor:
    return torch.cat([each.reshape(-1) for each in tensors])


def up_there(model: nn.Module, **arguments: Any) -> tuple[float, Tensor]:
    """By how much the loss is higher up there, and its gradient."""
    optimizer = SAM(SGD(model.parameters(), lr=0.0), **arguments)
    loss = loss_of(model)
    loss.backward()
    optimizer.ascend()
    optimizer.zero_grad()
    loss_up = loss_of(model)
    loss_up.backward()
    gradient = flat(param.grad for param in model.parameters())
    optimizer.come_back()
    return (loss_up - loss).item(), gradient


def test_it_is_that_of_the_loss_plus_rho_times_the_length_of_the_gradient() -> None:
    errors = []
    for rho in (0.1, 0.01):
        model = network()
        _, gradient = up_there(model, rho=rho)
        params = list(model.parameters())
        loss = loss_of(model)
        length = flat(torch.autograd.grad(loss, params, create_graph=True)).norm()
        expected = flat(torch.autograd.grad(loss + rho * length, params))
        errors.append((gradient - expected).norm().item())
    # An error of the second order.
    assert errors[0] / errors[1] == pytest.approx(100, rel=0.05)


def test_scales_of_layers_change_sam_and_not_asam() -> None:
    sharpness = [up_there(network(scale), rho=0.05)[0] for scale in (1, 10)]
    assert sharpness[1] > 10 * sharpness[0]
    adaptive = [
        up_there(network(scale), rho=0.5, adaptive=True, eta=0.0)[0] for scale in (1, 10, 30)
    ]
    assert adaptive == pytest.approx([adaptive[0]] * 3)
    with_eta = [up_there(network(scale), rho=0.5, adaptive=True)[0] for scale in (1, 30)]
    assert with_eta[1] > 3 * with_eta[0]


def slide(rho: float, steps: int = 10_000) -> list[float]:
    """Where the two weights of a network of two layers end whose product is to be 1."""
    weights = Parameter(torch.tensor([3.0, 0.5], dtype=DOUBLE))
    inside = SGD([weights], lr=0.02)
    optimizer: Any = SAM(inside, rho=rho) if rho else inside

    def closure() -> float:
        optimizer.zero_grad()
        loss = 0.5 * (weights[0] * weights[1] - 1).square()
        loss.backward()
        return loss.item()

    for _ in range(steps if rho else 500):
        optimizer.step(closure)
    return [round(each, 2) for each in weights.tolist()]


def test_it_slides_along_a_valley_to_where_it_is_flat() -> None:
    assert slide(0.0) == [2.98, 0.34]
    assert slide(0.1, 2000) == [1.95, 0.51]
    assert slide(0.2, 10_000) == [0.99, 0.99]


def end_on_the_line(rho: float) -> float:
    """Where a weight ends that starts in the narrow hole of the chapter's line."""
    x = Parameter(torch.tensor(-1.1, dtype=DOUBLE))
    optimizer = SAM(SGD([x], lr=0.02), rho=rho)

    def closure() -> float:
        optimizer.zero_grad()
        narrow = torch.exp(-((x + 1) ** 2) / (2 * 0.15**2))
        wide = torch.exp(-((x - 1) ** 2) / (2 * 0.9**2))
        loss = 1.1 - narrow - 0.9 * wide
        loss.backward()
        return loss.item()

    for _ in range(200):
        optimizer.step(closure)
    return x.item()


def test_it_stays_in_a_hole_or_stalls_at_the_distance_rho_from_its_bottom() -> None:
    assert end_on_the_line(0.4) == pytest.approx(-1.0, abs=0.02)
    for rho in (0.45, 0.5):
        assert end_on_the_line(rho) == pytest.approx(-0.9957 + rho, abs=1e-3)


def test_in_a_bowl_it_jumps_to_and_fro() -> None:
    param = Parameter(torch.ones(1, dtype=DOUBLE))
    optimizer = SAM(SGD([param], lr=0.1), rho=0.05)

    def closure() -> float:
        param.grad = param.detach().clone()
        return 0.0

    places = []
    for _ in range(1002):
        optimizer.step(closure)
        places.append(param.item())
    width = 0.1 * 0.05 / (2 - 0.1)
    assert sorted(places[-2:]) == pytest.approx([-width, width])


# Halves of a step
def halves(model: nn.Module, optimizer: SAM, loss: Callable[[], Tensor]) -> None:
    optimizer.zero_grad()
    loss().backward()
    optimizer.ascend()
    optimizer.zero_grad()
    loss().backward()
    optimizer.descend()


def test_halves_of_a_step_are_a_step() -> None:
    found = []
    for with_closure in (True, False):
        model = network()
        optimizer = SAM(SGD(model.parameters(), lr=0.1, momentum=0.9))

        def closure(model: nn.Module = model, optimizer: SAM = optimizer) -> float:
            optimizer.zero_grad()
            loss = loss_of(model)
            loss.backward()
            return loss.item()

        for _ in range(3):
            if with_closure:
                optimizer.step(closure)
            else:
                halves(model, optimizer, lambda model=model: loss_of(model))
        found.append([param.detach() for param in model.parameters()])
    assert largest_difference(*found) == 0


def test_the_order_of_halves_is_watched() -> None:
    param = Parameter(torch.ones(1))
    param.grad = torch.ones(1)
    optimizer = SAM(SGD([param], lr=0.1))
    with pytest.raises(ValueError, match=r"closure must compute the loss .* got None"):
        optimizer.step()
    with pytest.raises(RuntimeError, match="descend must follow ascend, got none"):
        optimizer.descend()
    optimizer.ascend()
    with pytest.raises(RuntimeError, match="ascend must be followed by descend or come_back"):
        optimizer.ascend()
    optimizer.come_back()
    optimizer.come_back()
    assert param.item() == 1.0


def test_an_error_in_the_second_pass_brings_the_weights_back() -> None:
    param = Parameter(torch.tensor([0.1, 0.7]))
    before = param.detach().clone()
    optimizer = SAM(SGD([param], lr=0.1), rho=0.3)
    calls: list[int] = []

    def closure() -> float:
        calls.append(1)
        if len(calls) == 2:
            raise KeyError
        param.grad = torch.ones(2)
        return 0.0

    with pytest.raises(KeyError):
        optimizer.step(closure)
    assert torch.equal(param.detach(), before)
    optimizer.ascend()


# Clipping and accumulation
def clipped(where: str) -> list[float]:
    param = Parameter(torch.tensor([3.0, 4.0], dtype=DOUBLE))
    optimizer = SAM(SGD([param], lr=1.0), rho=5.0)

    def gradient() -> None:
        param.grad = param.detach().clone()

    def clip() -> None:
        nn.utils.clip_grad_norm_([param], 1.0)

    gradient()
    if where == "before ascend":
        clip()
    optimizer.ascend()
    gradient()
    if where == "before descend":
        clip()
    optimizer.descend()
    return param.tolist()


def test_a_clip_before_the_ascent_does_nothing_and_one_before_the_descent_clips() -> None:
    assert clipped("nowhere") == pytest.approx([3 - 6.0, 4 - 8.0])
    assert clipped("before ascend") == pytest.approx(clipped("nowhere"))
    assert clipped("before descend") == pytest.approx([3 - 0.6, 4 - 0.8], abs=1e-5)


def test_accumulated_micro_batches_are_one_batch() -> None:
    inputs = torch.randn(8, 10, generator=torch.Generator().manual_seed(2), dtype=DOUBLE)
    found = []
    for pieces in (1, 4):
        model = network()
        optimizer = SAM(SGD(model.parameters(), lr=0.1))

        def closure(
            model: nn.Module = model, optimizer: SAM = optimizer, pieces: int = pieces
        ) -> float:
            optimizer.zero_grad()
            for part in inputs.chunk(pieces):
                (model(part).square().mean() / pieces).backward()
            return 0.0

        optimizer.step(closure)
        found.append([param.detach() for param in model.parameters()])
    assert largest_difference(*found) < 1e-14


# Scalers
def test_a_scaler_refuses_closures() -> None:
    param = Parameter(torch.ones(1))
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale(torch.ones(1))
    with pytest.raises(RuntimeError, match="Closure use is not currently supported"):
        scaler.step(SAM(SGD([param], lr=0.1)), closure=lambda: 0.0)


@pytest.mark.parametrize("overflow", [None, "first", "second"])
def test_the_halves_with_a_scaler(overflow: str | None) -> None:
    param = Parameter(torch.tensor([3.0, 4.0]))
    optimizer = SAM(SGD([param], lr=0.5), rho=1.0)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)

    def backward(name: str) -> None:
        optimizer.zero_grad()
        scaler.scale(0.5 * param.square().sum()).backward()
        if name == overflow and param.grad is not None:
            param.grad.fill_(math.inf)

    backward("first")
    scaler.unscale_(optimizer)
    optimizer.ascend()
    scaler.update()
    backward("second")
    scaler.step(optimizer)
    scaler.update()
    optimizer.come_back()
    if overflow is None:
        assert param.tolist() == pytest.approx([3 - 0.5 * 3.6, 4 - 0.5 * 4.8])
    else:
        assert param.tolist() == [3.0, 4.0]
        assert scaler.get_scale() < 1024.0


# Batch normalization
@pytest.mark.parametrize("momentum", [0.1, None])
def test_statistics_follow_the_first_pass_only(momentum: float | None) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3, momentum=momentum))
    inputs = torch.randn(32, 4)
    expected = nn.BatchNorm1d(3, momentum=momentum)
    with torch.no_grad():
        expected(model[0](inputs))
    optimizer = SAM(SGD(model.parameters(), lr=0.1), rho=5.0, model=model)

    def closure() -> float:
        optimizer.zero_grad()
        loss = model(inputs).pow(3).mean()
        loss.backward()
        return loss.item()

    optimizer.step(closure)
    torch.testing.assert_close(model[1].running_var, expected.running_var)
    assert model[1].num_batches_tracked == 1
    optimizer.model = None
    optimizer.step(closure)
    assert model[1].num_batches_tracked == 3


def test_statistics_are_used_all_the_same_where_a_layer_is_frozen() -> None:
    layer = nn.BatchNorm1d(3)
    layer.eval()
    inputs = torch.randn(8, 3)
    with frozen_statistics(layer):
        torch.testing.assert_close(layer(inputs), inputs, atol=1e-4, rtol=1e-4)
    assert layer.track_running_stats


def test_an_average_around_it_sees_the_weights_and_not_those_up_there() -> None:
    param = Parameter(torch.ones(1, dtype=DOUBLE))
    optimizer = EMA(SAM(SGD([param], lr=0.1), rho=5.0))

    def closure() -> float:
        param.grad = param.detach().clone()
        return 0.0

    optimizer.step(closure)
    assert optimizer.average[param].item() == param.item()


def test_a_schedule_moves_the_rate_and_not_rho() -> None:
    param = Parameter(torch.tensor([1.0], dtype=DOUBLE))
    optimizer = SAM(SGD([param], lr=0.1), rho=0.5)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5**step)
    moved = []

    def closure() -> float:
        param.grad = param.detach().clone()
        return 0.0

    for _ in range(2):
        before = param.item()
        optimizer.step(closure)
        scheduler.step()
        moved.append((before - param.item()) / (before + 0.5))
    assert moved == pytest.approx([0.1, 0.05])


def test_the_copy_of_the_weights_lives_within_the_step() -> None:
    param = Parameter(torch.ones(1))
    optimizer = SAM(SGD([param], lr=0.1))

    def closure() -> float:
        param.grad = torch.ones(1)
        return 0.0

    optimizer.step(closure)
    assert not optimizer.kept_weights


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"rho": -0.1}, ValueError, r"rho must be a finite number >= 0, got -0\.1"),
        ({"rho": "small"}, TypeError, "rho must be"),
        ({"adaptive": 1}, TypeError, "adaptive must be"),
        ({"eta": math.nan}, ValueError, "eta must be"),
    ],
)
def test_bad_arguments_are_named(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        SAM(SGD([Parameter(torch.zeros(1))], lr=0.1), **arguments)
