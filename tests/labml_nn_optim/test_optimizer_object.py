"""An optimizer of ours behaves where torch's do."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import Parameter

from labml_nn_optim import GenericAdaptiveOptimizer, get_optimizer
from tests.labml_nn_optim.examples import (
    DECAY,
    NAMES,
    WAYS,
    WAYS_OF,
    largest_difference,
    make,
    make_params,
    noisy_gradient,
    params_for,
    train,
)

every_name = pytest.mark.parametrize("name", NAMES)
every_way_of_every_name = pytest.mark.parametrize(("name", "way"), WAYS_OF)
# Rprop's learning rate is the length of the first step and nothing later; schedule-free optimizers go on
# averaging at a rate of 0.
DISOBEY_LR = ("rprop", "schedule_free_adamw", "schedule_free_sgd")
OBEYS_LR = pytest.mark.parametrize("name", [name for name in NAMES if name not in DISOBEY_LR])
RATES = (0.1, 0.03, 0.3, 0.01, 1.0, 0.003, 10.0, 100.0)
# With the default of 0.999 their own warm-up is longer than these trainings.
SHORT_WARM_UP = {name: {"betas": (0.9, 0.95)} for name in ("ada_belief", "radam")}


def bowl(param: Parameter) -> torch.Tensor:
    return ((param - torch.arange(param.numel(), dtype=param.dtype)) ** 2).sum()


def final_loss(
    name: str,
    lr: float,
    start: torch.Tensor,
    loss: Callable[[torch.Tensor], torch.Tensor],
    steps: int,
) -> float:
    """The loss after `steps` with a learning rate that falls linearly to 0."""
    param = Parameter(start.clone())
    optimizer = make(name, [param], lr=lr, weight_decay=0.0, **SHORT_WARM_UP.get(name, {}))
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    for step in range(steps):
        if hasattr(optimizer, "update_hessian") and step % 10 == 0:
            param.grad = torch.autograd.grad(loss(param), param)[0]
            optimizer.update_hessian(1)
        optimizer.zero_grad()
        loss(param).backward()
        optimizer.step()
        scheduler.step()
    return float(loss(param).detach())


@every_name
def test_the_valley_of_rosenbrock_is_descended(name: str) -> None:
    def valley(point: torch.Tensor) -> torch.Tensor:
        return (1 - point[0]) ** 2 + 10 * (point[1] - point[0] ** 2) ** 2

    start = torch.tensor([-1.0, 1.5], dtype=torch.float64)
    assert float(valley(start)) == pytest.approx(6.5)
    assert any(final_loss(name, lr, start, valley, steps=800) < 0.1 for lr in RATES)


@every_name
def test_a_small_logistic_regression_is_learnt(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(200, 3, generator=generator)
    labels = (inputs @ torch.tensor([2.0, -1.0, 0.5]) > 0).float()

    def loss(weights: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.binary_cross_entropy_with_logits(inputs @ weights, labels)

    start = torch.zeros(3)
    assert float(loss(start)) == pytest.approx(0.693, abs=1e-3)
    assert any(final_loss(name, lr, start, loss, steps=200) < 0.1 for lr in RATES)


@every_way_of_every_name
def test_maximize_climbs_as_minimizing_the_negative_descends(name: str, way: str) -> None:
    if "compile" in way and name != "adam":
        pytest.skip("one optimizer stands for all in compiling for a negated gradient")
    descending, climbing = params_for(name), params_for(name)
    down = make(name, descending, lr=0.02, **DECAY, **WAYS[way])
    up = make(name, climbing, lr=0.02, **DECAY, maximize=True, **WAYS[way])
    for step in range(1, 6):
        for index, (a, b) in enumerate(zip(descending, climbing, strict=True)):
            a.grad = noisy_gradient(a, step, index)
            b.grad = -a.grad
        down.step()
        up.step()
    assert largest_difference(climbing, descending) < 1e-12


@every_name
def test_a_closure_is_called_with_gradients_on_and_its_loss_returned(name: str) -> None:
    param = Parameter(torch.ones(3))
    optimizer = make(name, [param], lr=0.1)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = bowl(param)
        loss.backward()
        return loss

    losses = [optimizer.step(closure).item() for _ in range(4)]
    assert losses[0] == pytest.approx(2.0)
    assert losses[3] < 2.0
    assert optimizer.step() is None


@every_way_of_every_name
def test_a_group_added_later_starts_at_step_one(name: str, way: str) -> None:
    first, second = make_params(shapes=[(70, 60), (5,)])
    optimizer = make(name, [first], lr=0.02, **DECAY, **WAYS[way])
    train(optimizer, steps=3)
    optimizer.add_param_group({"params": [second], "lr": 0.1})
    train(optimizer, steps=2, first=4)
    assert [float(optimizer.state[p]["step"]) for p in (first, second)] == [5, 2]


@every_way_of_every_name
def test_a_tensor_as_learning_rate_means_its_value(name: str, way: str) -> None:
    plain = train(make(name, params_for(name), lr=0.02, **DECAY, **WAYS[way]), steps=4)
    lr = torch.tensor(0.02, dtype=torch.float64)
    found = train(make(name, params_for(name), lr=lr, weight_decay=0.1, **WAYS[way]), steps=4)
    assert largest_difference(found, plain) < 1e-12


@OBEYS_LR
def test_a_schedulers_learning_rate_is_obeyed(name: str) -> None:
    param = Parameter(torch.ones(4))
    optimizer = make(name, [param], lr=0.1)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: float(step < 2))
    moved = []
    for _ in range(4):
        before = param.detach().clone()
        param.grad = torch.ones(4)
        optimizer.step()
        scheduler.step()
        moved.append(not torch.equal(before, param))
    assert moved[1:] == [True, False, False]


@every_name
def test_a_cycle_of_learning_rate_and_momentum_can_be_run(name: str) -> None:
    param = Parameter(torch.ones(4))
    optimizer = make(name, [param], lr=0.1)
    group = optimizer.param_groups[0]
    cycles = "betas" in group or bool(group.get("momentum"))
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.1, total_steps=5, cycle_momentum=cycles
    )
    for _ in range(4):
        param.grad = param.detach().clone()
        optimizer.step()
        scheduler.step()
    assert torch.isfinite(param).all()


@every_way_of_every_name
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_a_copy_goes_on_as_the_original(name: str, way: str, copied: Any) -> None:
    # A negated gradient is compiled anew, and one optimizer stands for all there.
    maximize = "compile" not in way or name == "adam"
    optimizer = make(name, params_for(name), lr=0.02, **DECAY, maximize=maximize, **WAYS[way])
    train(optimizer, steps=3)
    twin = copied(optimizer)
    assert (
        largest_difference(train(twin, steps=3, first=4), train(optimizer, steps=3, first=4))
        < 1e-15
    )


@every_name
def test_hooks_run_around_every_step(name: str) -> None:
    param = Parameter(torch.ones(2))
    optimizer = make(name, [param])
    seen: list[str] = []
    optimizer.register_step_pre_hook(lambda *_: seen.append("before"))
    optimizer.register_step_post_hook(lambda *_: seen.append("after"))
    param.grad = torch.ones(2)
    optimizer.step()
    assert seen == ["before", "after"]


@every_name
def test_a_gradient_scaler_skips_the_step_of_an_overflow(name: str) -> None:
    param = Parameter(torch.ones(2))
    optimizer = make(name, [param], lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    moved = []
    for factor in (1.0, 1.0, float("inf"), 1.0):
        before = param.detach().clone()
        optimizer.zero_grad()
        scaler.scale(param.sum() * factor).backward()
        scaler.step(optimizer)
        scaler.update()
        moved.append(not torch.equal(param, before))
    assert moved[1:] == [True, False, True]


@every_way_of_every_name
def test_lr_zero_moves_nothing_but_counts_the_step(name: str, way: str) -> None:
    params = params_for(name)
    before = [param.detach().clone() for param in params]
    optimizer = make(name, params, lr=0.0, **DECAY, **WAYS[way])
    train(optimizer, steps=3)
    assert name == "rprop" or all(map(torch.equal, params, before))
    assert {float(state["step"]) for state in optimizer.state.values()} == {3.0}


@every_way_of_every_name
def test_parameters_without_gradient_get_neither_state_nor_decay(name: str, way: str) -> None:
    used, unused = make_params(shapes=[(70, 60), (3,)])
    before = unused.detach().clone()
    optimizer = make(name, [used, unused], lr=0.1, **DECAY, **WAYS[way])
    used.grad = torch.ones_like(used)
    optimizer.step()
    assert unused not in optimizer.state
    assert torch.equal(unused, before)


@every_way_of_every_name
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_keeps_its_state_in_float32_and_makes_no_nan(
    name: str, way: str, dtype: torch.dtype
) -> None:
    if "compile" in way and name != "adam":
        pytest.skip("one optimizer stands for all in compiling for half precision")
    params = params_for(name, dtype)
    optimizer = make(name, params, lr=0.02, **DECAY, **WAYS[way])
    for gradient in (0.0, 1e-4, 100.0):
        for param in params:
            param.grad = torch.full_like(param, gradient)
        optimizer.step()
    for param in params:
        assert param.dtype == dtype
        assert torch.isfinite(param).all()
        single = ("step", *get_optimizer(name).scalar_state)
        dtypes = {value.dtype for key, value in optimizer.state[param].items() if key not in single}
        assert dtypes <= ({torch.float32, torch.uint8} if name == "adam_8bit" else {torch.float32})


@every_name
def test_sparse_gradients_are_refused_in_one_line(name: str) -> None:
    table = torch.nn.Embedding(5, 2, sparse=True)
    optimizer = make(name, table.parameters())
    table(torch.tensor([1])).sum().backward()
    with pytest.raises(ValueError, match=r"takes dense gradients, got torch\.sparse_coo") as caught:
        optimizer.step()
    assert "\n" not in str(caught.value)


@every_way_of_every_name
def test_gradients_laid_out_unlike_their_parameter_are_understood(name: str, way: str) -> None:
    def run(contiguous: bool, **options: bool) -> list[torch.Tensor]:
        param = make_params(shapes=[(70, 60)])[0]
        optimizer = make(name, [param], lr=0.02, **DECAY, **options)
        for step in range(3):
            gradient = noisy_gradient(param.t(), step, 0).t()
            param.grad = gradient.contiguous() if contiguous else gradient
            optimizer.step()
        return [param.detach()]

    assert largest_difference(run(False, **WAYS[way]), run(True, per_tensor=True)) < 1e-12


class NormalizedDescent(GenericAdaptiveOptimizer):
    elementwise = False
    beta_count = 0
    has_eps = False

    def step_param(self, state: Any, group: Any, grad: Any, param: Any) -> None:
        param.add_(grad, alpha=-group["lr"] / float(grad.norm()))


def test_a_rule_that_needs_whole_tensors_gets_them_whole() -> None:
    param = Parameter(torch.zeros(900, 900, dtype=torch.float64))
    optimizer = NormalizedDescent([param], lr=2.0)
    for _ in range(2):
        param.grad = torch.full((900, 900), 7.0, dtype=torch.float64)
        optimizer.step()
    assert float(param.detach().norm()) == pytest.approx(4.0, rel=1e-5)
    with pytest.raises(ValueError, match="compile and flat must be False for NormalizedDescent"):
        NormalizedDescent([param], compile=True)
