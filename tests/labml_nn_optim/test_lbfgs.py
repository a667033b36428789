"""L-BFGS makes torch's moves, meets the Wolfe conditions, and stays where the loss is finite."""

from __future__ import annotations

import copy
import io
import math
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import Parameter

from labml_nn_optim import EMA, LBFGS, Adam, lbfgs
from labml_nn_optim.lbfgs import Trial, cubic_minimum, strong_wolfe, two_loop
from labml_nn_optim.named_state import load_state_dict_by_name
from labml_nn_optim.param_groups.composite import CompositeOptimizer

Loss = Callable[[], Tensor]
Problem = Callable[[], tuple[list[Tensor], Loss]]


def rosenbrock() -> tuple[list[Tensor], Loss]:
    x = Parameter(torch.tensor([-1.2, 1.0], dtype=torch.float64))
    return [x], lambda: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2


def logistic_regression() -> tuple[list[Tensor], Loss]:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(200, 20, generator=generator, dtype=torch.float64)
    noise = torch.randn(200, generator=generator, dtype=torch.float64)
    targets = (inputs.sum(1) + noise > 0).double()
    weight = Parameter(torch.zeros(20, dtype=torch.float64))
    bias = Parameter(torch.zeros((), dtype=torch.float64))

    def loss() -> Tensor:
        logits = inputs @ weight + bias
        fit = nn.functional.binary_cross_entropy_with_logits(logits, targets)
        return fit + 1e-3 * weight.square().sum()

    return [weight, bias], loss


def network() -> tuple[list[Tensor], Loss]:
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1)).double()
    inputs = torch.randn(100, 4, generator=generator, dtype=torch.float64)
    targets = inputs.sum(1, keepdim=True).sin()
    return list(model.parameters()), lambda: (model(inputs) - targets).square().mean()


PROBLEMS: list[Problem] = [rosenbrock, logistic_regression, network]


def closure_of(params: list[Tensor], loss: Loss, seen: list[float] | None = None) -> Any:
    def closure() -> Tensor:
        for param in params:
            param.grad = None
        value = loss()
        value.backward()
        if seen is not None:
            seen.append(value.item())
        return value

    return closure


def path(
    kind: Any, problem: Problem, steps: int, **arguments: Any
) -> tuple[list[Tensor], list[float]]:
    """All parameters after each step, and the losses at all points that were looked at."""
    params, loss = problem()
    optimizer = kind(params, **arguments)
    seen: list[float] = []
    points = []
    for _ in range(steps):
        optimizer.step(closure_of(params, loss, seen))
        points.append(torch.cat([param.detach().reshape(-1) for param in params]))
    return points, seen


def minimize(kind: Any, loss: Callable[[Tensor], Tensor], start: float, **arguments: Any) -> Tensor:
    x = Parameter(torch.tensor([start], dtype=torch.float64))
    kind([x], **arguments).step(closure_of([x], lambda: loss(x).sum()))
    return x.detach()


def barrier(x: Tensor) -> Tensor:
    """Has its minimum at a third, and is NaN from 0 on down."""
    return 3 * x - x.log()


# ## As torch
@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"lr": 0.1, "history_size": 7},
        {"line_search_fn": "strong_wolfe", "history_size": 5},
        {"line_search_fn": "strong_wolfe", "max_iter": 1, "max_eval": 25},
        {"line_search_fn": "strong_wolfe", "max_eval": 4},
        {"line_search_fn": "strong_wolfe", "lr": 30.0, "max_iter": 3, "max_eval": 12},
    ],
)
def test_the_points_are_those_of_torch(problem: Problem, arguments: dict[str, Any]) -> None:
    ours, our_losses = path(LBFGS, problem, 8, **arguments)
    theirs, their_losses = path(torch.optim.LBFGS, problem, 8, **arguments)
    assert len(our_losses) == len(their_losses)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_it_climbs_as_torch_does() -> None:
    ends = []
    for kind in (LBFGS, torch.optim.LBFGS):
        x = Parameter(torch.tensor([0.3, -0.2], dtype=torch.float64))
        optimizer = kind([x], line_search_fn="strong_wolfe", maximize=True)
        optimizer.step(closure_of([x], lambda x=x: x.sum() - x.exp().sum()))
        ends.append(x.detach())
    assert torch.equal(*ends)
    assert ends[0].abs().max() < 1e-5


def test_a_complex_parameter_is_two_real_ones() -> None:
    target = torch.tensor([1 + 2j, -3j], dtype=torch.complex128)
    scale = torch.tensor([1.0, 30.0], dtype=torch.float64)
    ends = []
    for kind in (LBFGS, torch.optim.LBFGS):
        z = Parameter(torch.zeros(2, dtype=torch.complex128))
        optimizer = kind([z], line_search_fn="strong_wolfe")
        optimizer.step(closure_of([z], lambda z=z: ((z - target).abs() ** 2 * scale).sum()))
        ends.append(z.detach())
    assert torch.equal(*ends)
    torch.testing.assert_close(ends[0], target)


def test_unused_sparse_and_empty_parameters() -> None:
    table = nn.Embedding(4, 2, sparse=True, dtype=torch.float64)
    unused, empty = Parameter(torch.ones(3)), Parameter(torch.ones(0, 2))
    params = [empty, table.weight, unused]
    optimizer = LBFGS(params, line_search_fn="strong_wolfe")
    rows = torch.tensor([0, 2])
    before = table.weight.detach().clone()
    optimizer.step(closure_of(params, lambda: (table(rows) - 5).square().sum()))
    torch.testing.assert_close(table.weight.detach()[rows], torch.full((2, 2), 5.0).double())
    assert torch.equal(table.weight.detach()[[1, 3]], before[[1, 3]])
    assert torch.equal(unused.detach(), torch.ones(3))
    group = {"params": []}
    assert LBFGS([group]).step(lambda: 3.0) == 3.0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_vectors_of_half_precision_are_in_float32(dtype: torch.dtype) -> None:
    # 100 gradients of 100 have a sum of squares that float16 cannot hold.
    x = Parameter(torch.full((100,), 0.5, dtype=dtype))
    optimizer = LBFGS([x], line_search_fn="strong_wolfe")
    optimizer.step(closure_of([x], lambda: 100 * x.float().square().sum()))
    assert x.detach().abs().max() < 1e-3
    assert optimizer.state[x]["prev_flat_grad"].dtype == torch.float32
    twin = LBFGS([Parameter(x.detach().clone())])
    twin.load_state_dict(optimizer.state_dict())
    (state,) = twin.state.values()
    assert torch.equal(state["old_dirs"][0], optimizer.state[x]["old_dirs"][0])
    assert state["old_dirs"][0].dtype == torch.float32


def test_a_small_loss_is_below_the_tolerances() -> None:
    def end(scale: float, **arguments: Any) -> float:
        params, loss = rosenbrock()
        optimizer = LBFGS(params, line_search_fn="strong_wolfe", **arguments)
        for _ in range(20):
            optimizer.step(closure_of(params, lambda: scale * loss()))
        return loss().item()

    assert end(1.0) < 1e-9
    assert 1e-4 < end(1e-6) < 1e-2
    assert end(1e-8) == pytest.approx(24.2)
    assert end(1e-8, tolerance_grad=0.0, tolerance_change=0.0) < 1e-9


def test_it_forgets_in_a_way_that_torch_understands() -> None:
    x = Parameter(torch.tensor([10.0], dtype=torch.float64))
    optimizer = LBFGS([x])
    closure = closure_of([x], lambda: barrier(x).sum())
    optimizer.step(closure)
    twin = torch.optim.LBFGS([x])
    twin.load_state_dict(optimizer.state_dict())
    twin.param_groups[0]["max_iter"] = 1
    twin.step(closure)
    assert x.item() == pytest.approx(8.0)


# ## The direction
def test_with_exact_steps_a_quadratic_in_n_directions_ends_after_n_steps() -> None:
    generator = torch.Generator().manual_seed(0)
    factor = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    hessian = factor @ factor.T + 0.1 * torch.eye(6, dtype=torch.float64)
    x = torch.ones(6, dtype=torch.float64)
    moves: list[Tensor] = []
    changes: list[Tensor] = []
    rhos: list[float] = []
    norms = []
    for _ in range(7):
        grad = hessian @ x
        norms.append(grad.norm().item())
        scale = 1.0 if not moves else 1 / (rhos[-1] * changes[-1].square().sum().item())
        direction = two_loop(grad, moves, changes, rhos, scale)
        step = -grad.dot(direction) / direction.dot(hessian @ direction)
        moves.append(direction * step)
        changes.append(hessian @ moves[-1])
        rhos.append(1 / changes[-1].dot(moves[-1]).item())
        x = x + moves[-1]
    assert norms[5] > 1e-4 * norms[0]
    assert norms[6] < 1e-8 * norms[0]


def test_the_direction_is_that_of_the_bfgs_formula_and_meets_the_secant_equation() -> None:
    generator = torch.Generator().manual_seed(0)

    def draw() -> Tensor:
        return torch.randn(5, generator=generator, dtype=torch.float64)

    moves = [draw() for _ in range(3)]
    changes = [move + 0.1 * draw() for move in moves]
    rhos = [1 / change.dot(move).item() for change, move in zip(changes, moves, strict=True)]
    matrix = 0.7 * torch.eye(5, dtype=torch.float64)
    for move, change, rho in zip(moves, changes, rhos, strict=True):
        project = torch.eye(5, dtype=torch.float64) - rho * torch.outer(change, move)
        matrix = project.T @ matrix @ project + rho * torch.outer(move, move)
    grad = draw()
    found = two_loop(grad, moves, changes, rhos, 0.7)
    torch.testing.assert_close(found, -matrix @ grad)
    found = two_loop(changes[-1], moves, changes, rhos, 0.7)
    torch.testing.assert_close(found, -moves[-1])


# ## The line search
def on_a_line(phi: Callable[[Tensor], Tensor]) -> Callable[[float], Trial]:
    def evaluate(step: float) -> Trial:
        t = torch.tensor(step, dtype=torch.float64, requires_grad=True)
        value = phi(t)
        (slope,) = torch.autograd.grad(value, t)
        return Trial(step, value.item(), slope.item(), slope.reshape(1))

    return evaluate


LINES: dict[str, Callable[[Tensor], Tensor]] = {
    "bowl": lambda t: (t - 1) ** 2,
    "quartic": lambda t: (t - 3) ** 4 + 0.1 * t,
    "waves": lambda t: 0.1 * (t - 2) ** 2 + 0.3 * (3 * t).cos() - 0.5 * t.atan(),
    "narrow": lambda t: -t / (t**2 + 2),
    "log": lambda t: 3 * t - (t + 0.01).log(),
    "exponential": lambda t: (t - 5).exp() - t,
    "wall": lambda t: -t + torch.where(t > 0.7, torch.inf, 0.0) + 2 * t**2,
    "cliff": lambda t: -t.sqrt().clamp_min(1e-3) * 0 - t + t**2 - 1e-3 * (2 - t).sqrt(),
}


@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 7.0, 1000.0])
@pytest.mark.parametrize("line", LINES)
def test_the_step_meets_the_strong_wolfe_conditions(line: str, first: float) -> None:
    evaluate = on_a_line(LINES[line])
    start = evaluate(1e-12)._replace(step=0.0)
    found, trials = strong_wolfe(evaluate, start, first, max_trials=60)
    assert trials <= 61
    assert found.loss <= start.loss + 1e-4 * found.step * start.slope
    assert abs(found.slope) <= 0.9 * abs(start.slope)


def test_a_tighter_condition_on_the_slope_comes_nearer_to_the_minimum() -> None:
    evaluate = on_a_line(LINES["exponential"])
    found, _ = strong_wolfe(evaluate, evaluate(0.0), 1.0, c2=1e-3)
    assert found.step == pytest.approx(5.0, abs=2e-3)


def test_without_trials_left_the_better_end_is_returned() -> None:
    evaluate = on_a_line(LINES["bowl"])
    start = evaluate(0.0)
    assert strong_wolfe(evaluate, start, 50.0, max_trials=0)[0] is start
    assert strong_wolfe(evaluate, start, 0.01, max_trials=0)[0].step == 0.01


def test_the_cubic_is_exact_for_a_cubic() -> None:
    evaluate = on_a_line(lambda t: t**3 - 3 * t)
    for ends in ((0.5, 2.0), (2.0, 0.5)):
        assert cubic_minimum(*map(evaluate, ends), 0.5, 2.0) == pytest.approx(1.0)
    assert cubic_minimum(evaluate(0.5), evaluate(2.0), 1.5, 2.0) == 1.5
    # No minimum, no width, and no number.
    down = on_a_line(lambda t: -(t**3) - t)
    assert cubic_minimum(down(0.0), down(1.0), 2.0, 4.0) == 3.0
    assert cubic_minimum(down(1.0), down(1.0), 2.0, 4.0) == 3.0
    infinite = down(1.0)._replace(loss=math.inf)
    assert cubic_minimum(down(0.0), infinite, 2.0, 4.0) == 3.0


# ## Where the loss is not finite
def test_a_loss_of_nan_is_too_far() -> None:
    arguments = {"line_search_fn": "strong_wolfe"}
    assert minimize(LBFGS, barrier, 10.0, **arguments).item() == pytest.approx(1 / 3, abs=1e-5)
    # torch goes on, ever farther.
    assert minimize(torch.optim.LBFGS, barrier, 10.0, **arguments).item() < -1e18


def test_an_infinite_loss_is_too_far() -> None:
    def walled(x: Tensor) -> Tensor:
        return torch.where(x <= 0, torch.inf, 3 * x - x.clamp_min(1e-300).log())

    arguments = {"line_search_fn": "strong_wolfe"}
    assert minimize(LBFGS, walled, 10.0, **arguments).item() == pytest.approx(1 / 3, abs=1e-5)
    assert minimize(torch.optim.LBFGS, walled, 10.0, **arguments).isnan().all()


def test_where_every_trial_is_nan_nothing_moves() -> None:
    found = minimize(
        LBFGS, lambda x: 2 - (1 - x).sqrt() - x, 1.0 - 1e-9, lr=1e12, line_search_fn="strong_wolfe"
    )
    assert found.isfinite().all()


def test_without_a_line_search_it_goes_back_and_forgets_the_direction() -> None:
    x = Parameter(torch.tensor([10.0], dtype=torch.float64))
    optimizer = LBFGS([x])
    closure = closure_of([x], lambda: barrier(x).sum())
    assert optimizer.step(closure).item() == pytest.approx(30 - math.log(10))
    # One step of length 1, and then one to -251.
    assert x.item() == pytest.approx(9.0)
    assert "d" not in optimizer.state[x]
    assert optimizer.state[x]["func_evals"] == 3
    optimizer.step(closure)
    assert x.item() == pytest.approx(8.0)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("line_search_fn", [None, "strong_wolfe"])
def test_a_loss_that_is_not_finite_at_the_start_moves_nothing(
    value: float, line_search_fn: str | None
) -> None:
    x = Parameter(torch.ones(2))
    optimizer = LBFGS([x], line_search_fn=line_search_fn)
    given = optimizer.step(closure_of([x], lambda: x.sum() * value))
    assert not given.isfinite()
    assert torch.equal(x.detach(), torch.ones(2))


@pytest.mark.parametrize("line_search_fn", [None, "strong_wolfe"])
def test_a_closure_that_raises_leaves_everything_as_it_was(line_search_fn: str | None) -> None:
    params, loss = rosenbrock()
    optimizer = LBFGS(params, line_search_fn=line_search_fn)
    closure = closure_of(params, loss)
    optimizer.step(closure)
    before, saved = params[0].detach().clone(), copy.deepcopy(optimizer.state_dict())
    calls = 0

    def failing() -> Tensor:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyError("batch")
        return closure()

    with pytest.raises(KeyError):
        optimizer.step(failing)
    assert torch.equal(params[0].detach(), before)
    now = optimizer.state_dict()["state"][0]
    assert now["n_iter"] == saved["state"][0]["n_iter"]
    assert torch.equal(now["d"], saved["state"][0]["d"])


# ## Checkpoints
def through_a_file(value: Any) -> Any:
    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize("target", [LBFGS, torch.optim.LBFGS])
@pytest.mark.parametrize("source", [LBFGS, torch.optim.LBFGS])
@pytest.mark.parametrize("line_search_fn", [None, "strong_wolfe"])
def test_a_checkpoint_goes_on_with_the_same_numbers(
    source: Any, target: Any, line_search_fn: str | None
) -> None:
    arguments = {"max_iter": 3, "line_search_fn": line_search_fn}
    params, loss = network()
    optimizer = source(params, **arguments)
    for _ in range(3):
        optimizer.step(closure_of(params, loss))
    saved = through_a_file(optimizer.state_dict())
    others, other_loss = network()
    with torch.no_grad():
        for other, param in zip(others, params, strict=True):
            other.copy_(param)
    twin = target(others, **arguments)
    twin.load_state_dict(saved)
    for _ in range(3):
        optimizer.step(closure_of(params, loss))
        twin.step(closure_of(others, other_loss))
    for other, param in zip(others, params, strict=True):
        assert torch.equal(other, param)
    assert twin.state[others[0]]["n_iter"] == optimizer.state[params[0]]["n_iter"]
    assert twin.state[others[0]]["func_evals"] == optimizer.state[params[0]]["func_evals"]


def test_a_state_dict_in_memory_does_not_change_with_later_steps() -> None:
    params, loss = rosenbrock()
    optimizer = LBFGS(params, max_iter=3)
    optimizer.step(closure_of(params, loss))
    held = optimizer.state_dict()
    kept = copy.deepcopy(held)
    optimizer.step(closure_of(params, loss))
    assert len(held["state"][0]["old_dirs"]) == len(kept["state"][0]["old_dirs"])
    assert torch.equal(held["state"][0]["prev_flat_grad"], kept["state"][0]["prev_flat_grad"])


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))]
)
def test_a_copy_makes_the_same_steps(duplicate: Any) -> None:
    params, loss = rosenbrock()
    optimizer = LBFGS(params, max_iter=3, line_search_fn="strong_wolfe")
    optimizer.step(closure_of(params, loss))
    twin = duplicate(optimizer)
    (other,) = twin.param_groups[0]["params"]
    optimizer.step(closure_of(params, loss))
    twin.step(
        closure_of([other], lambda: 100 * (other[1] - other[0] ** 2) ** 2 + (1 - other[0]) ** 2)
    )
    assert torch.equal(other, params[0])


def test_a_checkpoint_of_another_length_is_refused_and_changes_nothing() -> None:
    params, loss = rosenbrock()
    optimizer = LBFGS(params)
    optimizer.step(closure_of(params, loss))
    other = LBFGS([Parameter(torch.zeros(3))])
    with pytest.raises(ValueError, match="state_dict must hold vectors of 3 numbers, got 2"):
        other.load_state_dict(optimizer.state_dict())
    assert not other.state


def test_names_in_the_same_order_load() -> None:
    params = [Parameter(torch.zeros(2)), Parameter(torch.ones(2))]
    optimizer = LBFGS(list(zip("ab", params, strict=True)))
    optimizer.step(closure_of(params, lambda: (params[0] - 2 * params[1]).square().sum()))
    twin = LBFGS(list(zip("ab", params, strict=True)))
    load_state_dict_by_name(twin, optimizer.state_dict())
    assert torch.equal(twin.state[params[0]]["d"], optimizer.state[params[0]]["d"])


def test_names_in_another_order_are_refused() -> None:
    a, b = Parameter(torch.zeros(2)), Parameter(torch.ones(2))
    optimizer = LBFGS([("a", a), ("b", b)])
    optimizer.step(closure_of([a, b], lambda: (a - 2 * b).square().sum()))
    saved = optimizer.state_dict()
    turned = LBFGS([("b", b), ("a", a)])
    for load in (turned.load_state_dict, lambda saved: load_state_dict_by_name(turned, saved)):
        with pytest.raises(ValueError, match="the same order for LBFGS"):
            load(saved)


# ## What is refused
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"lr": -1.0}, ValueError, r"lr must be a finite number >= 0, got -1\.0"),
        ({"lr": "fast"}, TypeError, r"lr must be a finite number >= 0, got 'fast'"),
        ({"max_iter": 0}, ValueError, r"max_iter must be a whole number >= 1, got 0"),
        ({"max_iter": 2.5}, TypeError, r"max_iter must be a whole number >= 1, got 2\.5"),
        ({"max_eval": 0}, ValueError, r"max_eval must be a whole number >= 1, got 0"),
        ({"history_size": 0}, ValueError, r"history_size must be a whole number >= 1, got 0"),
        ({"tolerance_grad": -1e-9}, ValueError, r"tolerance_grad must be a finite number >= 0"),
        ({"tolerance_change": math.nan}, ValueError, r"tolerance_change must be a finite number"),
        (
            {"line_search_fn": "armijo"},
            ValueError,
            r"line_search_fn must be 'strong_wolfe' or None, got 'armijo'",
        ),
        ({"maximize": 1}, TypeError, r"maximize must be True or False, got 1"),
    ],
)
def test_a_bad_argument_is_named(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{message}"):
        LBFGS([Parameter(torch.zeros(2))], **arguments)


def test_several_groups_are_refused() -> None:
    params = [Parameter(torch.zeros(2)), Parameter(torch.zeros(2))]
    with pytest.raises(ValueError, match=r"^params must be one group for LBFGS, got several$"):
        LBFGS([{"params": [param]} for param in params])
    optimizer = LBFGS(params[:1])
    with pytest.raises(ValueError, match="one group for LBFGS"):
        optimizer.add_param_group({"params": params[1:]})
    assert len(optimizer.param_groups) == 1


def test_parameters_on_several_devices_are_refused() -> None:
    params = [Parameter(torch.zeros(2)), Parameter(torch.zeros(2, device="meta"))]
    with pytest.raises(
        ValueError, match=r"^params must be on one device for LBFGS, got cpu, meta$"
    ):
        LBFGS(params)


def test_sharded_parameters_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lbfgs, "is_distributed", lambda _: True)
    with pytest.raises(ValueError, match=r"^params must be plain tensors for LBFGS, got a DTensor"):
        LBFGS([Parameter(torch.zeros(2))])


def test_a_closure_is_needed_and_known_to_be() -> None:
    optimizer = LBFGS([Parameter(torch.zeros(2))])
    with pytest.raises(
        TypeError, match=r"^closure must compute the loss and its gradients, got No"
    ):
        optimizer.step(None)
    with pytest.raises(ValueError, match="without a closure, got LBFGS"):
        CompositeOptimizer([optimizer, Adam([Parameter(torch.zeros(2))])])


# ## Around it
def test_schedulers_and_wrappers_work() -> None:
    params, loss = rosenbrock()
    optimizer = LBFGS(params, lr=0.5)
    scheduler = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=2)
    averaged = EMA(optimizer, decay=0.5)
    for _ in range(4):
        averaged.step(closure_of(params, loss))
        scheduler.step()
    assert optimizer.param_groups[0]["lr"] == 0.5
    assert loss().item() < 1e-3
