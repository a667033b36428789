"""Any rule may be run with caution, which leaves out what the gradient contradicts."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import pytorch_optimizer
import timm.optim
import torch
import torch.distributed as dist
from timm.optim.adamw import AdamWLegacy
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Replicate, Shard, distribute_tensor
from torch.nn import Parameter
from torch.testing._internal.distributed.fake_pg import FakeStore

from labml_nn_optim import (
    ADOPT,
    SGD,
    AdamW,
    CautiousWeightDecay,
    GenericAdaptiveOptimizer,
    L1WeightDecay,
    LaProp,
    Lion,
    NAdamW,
    ProximalWeightDecay,
    Signum,
    StableAdamW,
    WeightDecay,
    get_optimizer,
)
from tests.labml_nn_optim.examples import (
    NAMES,
    SMALL_SHAPES,
    largest_difference,
    make,
    make_params,
    noise,
    train,
)

# Stacks of two and of three, scalars, an empty matrix, and one without its like.
REPEATED: list[tuple[int, ...]] = [
    (13, 7),
    (5,),
    (),
    (13, 7),
    (5,),
    (13, 7),
    (),
    (0, 2),
    (20, 30),
]
NOT_COMPILED: dict[str, dict[str, bool]] = {"pieces": {}, "per_tensor": {"per_tensor": True}}
RULES = ["ada_belief", "adam", "ademamix", "adopt", "amsgrad", "grams", "laprop", "lion", "nadam"]
RULES += ["radam", "rprop", "sgd", "signum", "stable_adamw", "yogi"]
MOMENTUM = {"momentum": 0.9}

every_way = pytest.mark.parametrize("way", NOT_COMPILED)


def vector(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def masked(update: Tensor, grad: Tensor) -> Tensor:
    """The update as the paper has it, written as a loop over elements."""
    kept = [float(u * g > 0) for u, g in zip(update.flatten(), grad.flatten(), strict=True)]
    share = max(sum(kept) / max(1, len(kept)), 1e-3)
    return update * torch.tensor(kept, dtype=update.dtype).view(update.shape) / share


PAIRS: dict[str, tuple[Callable[..., Any], dict[str, Any], Callable[..., Any], dict[str, Any]]] = {
    "adamw": (AdamW, {}, AdamWLegacy, {}),
    "nadamw": (NAdamW, {}, timm.optim.NAdamW, {}),
    "lion": (Lion, {}, timm.optim.Lion, {}),
    "momentum": (SGD, MOMENTUM, timm.optim.SGDW, MOMENTUM),
    "nesterov": (
        SGD,
        MOMENTUM | {"nesterov": True},
        timm.optim.SGDW,
        MOMENTUM | {"nesterov": True},
    ),
    "adopt": (ADOPT, {"clip_exponent": 0.333}, timm.optim.Adopt, {"decoupled": True}),
    "laprop": (LaProp, {}, timm.optim.LaProp, {}),
}


@every_way
@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.usefixtures("float64_by_default")
def test_a_hundred_noisy_steps_equal_those_of_timm(name: str, way: str) -> None:
    kind, ours, public, theirs = PAIRS[name]
    # timm's LaProp decays after its step.
    for decay in (0.0,) if name == "laprop" else (0.0, 0.1):
        found = train(
            kind(
                make_params(shapes=REPEATED),
                lr=0.02,
                weight_decay=decay,
                cautious=True,
                **ours,
                **NOT_COMPILED[way],
            ),
            steps=100,
        )
        expected = train(
            public(
                make_params(shapes=REPEATED), lr=0.02, weight_decay=decay, caution=True, **theirs
            ),
            steps=100,
        )
        assert largest_difference(found, expected) < 1e-12, decay


@every_way
@pytest.mark.parametrize("name", RULES)
def test_a_cautious_step_is_the_step_of_the_rule_masked(name: str, way: str) -> None:
    arguments = {"lr": 0.02} | (MOMENTUM if name == "sgd" else {})
    params = make_params(shapes=REPEATED)
    cautious = make(name, params, **arguments, weight_decay=0.0, cautious=True, **NOT_COMPILED[way])
    train(cautious, steps=3)
    plain_params = [Parameter(param.detach().clone()) for param in params]
    plain = make(name, plain_params, **arguments, weight_decay=0.0)
    plain.load_state_dict(copy.deepcopy(cautious.state_dict()))
    before = [param.detach().clone() for param in params]
    for optimizer in (plain, cautious):
        for index, param in enumerate(optimizer.param_groups[0]["params"]):
            param.grad = noise(param.shape, 4, index).clone()
        optimizer.step()
    for old, moved, param in zip(before, plain_params, params, strict=True):
        assert param.grad is not None
        expected = old - masked(old - moved.detach(), param.grad)
        torch.testing.assert_close(param.detach(), expected, rtol=1e-11, atol=1e-13)


@every_way
def test_to_maximize_is_to_descend_on_the_negated_gradient(way: str) -> None:
    def run(sign: float, maximize: bool) -> list[Tensor]:
        params = make_params(shapes=REPEATED)
        optimizer = AdamW(params, lr=0.02, cautious=True, maximize=maximize, **NOT_COMPILED[way])
        for step in range(1, 6):
            for index, param in enumerate(params):
                param.grad = sign * noise(param.shape, step, index)
            optimizer.step()
        return [param.detach() for param in params]

    assert largest_difference(run(1.0, maximize=True), run(-1.0, maximize=False)) == 0


# The second step of SGD with momentum, on one vector: the velocity is 0.9 of the first gradient and the second.
START, FIRST, SECOND = (
    vector(1.0, -2.0, 3.0, -4.0),
    vector(1.0, 1.0, -1.0, 2.0),
    vector(1.0, -0.5, 0.2, 1.0),
)


def second_step(decay: WeightDecay | float, start: Tensor, way: str) -> Tensor:
    param = Parameter(start.clone())
    optimizer = SGD(
        [param], lr=0.1, momentum=0.9, weight_decay=0.0, cautious=True, **NOT_COMPILED[way]
    )
    param.grad = FIRST.clone()
    optimizer.step()
    other = Parameter(start.clone())
    made = SGD(
        [other], lr=0.1, momentum=0.9, weight_decay=decay, cautious=True, **NOT_COMPILED[way]
    )
    made.state[other].update(optimizer.state[param])
    other.grad = SECOND.clone()
    made.step()
    return other.detach()


UPDATE = 0.1 * (0.9 * FIRST + SECOND)
CAUTIOUS = masked(UPDATE, SECOND)
COUPLED = SECOND + 0.5 * START
BY_HAND: dict[str, tuple[WeightDecay | float, Tensor]] = {
    "none": (0.0, START - CAUTIOUS),
    "decoupled": (0.5, 0.95 * START - CAUTIOUS),
    "absolute": (WeightDecay(0.5, absolute=True), 0.5 * START - CAUTIOUS),
    "coupled": (
        WeightDecay(0.5, weight_decouple=False),
        START - masked(0.1 * (0.9 * FIRST + COUPLED), COUPLED),
    ),
    # Those that act after the update see the one that is masked.
    "proximal": (ProximalWeightDecay(0.5), (START - CAUTIOUS) / 1.05),
    "l1": (
        L1WeightDecay(0.5),
        (START - CAUTIOUS).sign() * ((START - CAUTIOUS).abs() - 0.05).clamp_min(0),
    ),
    "cautious": (
        CautiousWeightDecay(0.5),
        START - CAUTIOUS - 0.05 * START * (CAUTIOUS * START >= 0),
    ),
}


@every_way
@pytest.mark.parametrize("kind", BY_HAND)
def test_decay_is_not_masked(kind: str, way: str) -> None:
    assert (UPDATE * SECOND > 0).tolist() == [True, False, False, True]
    decay, expected = BY_HAND[kind]
    torch.testing.assert_close(second_step(decay, START, way), expected, rtol=1e-13, atol=1e-15)


def test_decay_itself_is_no_part_of_the_update_that_is_compared() -> None:
    # It pulls the weight of 10 down by 5, and the update goes up by 1.
    param = Parameter(vector(10.0))
    param.grad = vector(-1.0)
    SGD([param], lr=1.0, weight_decay=0.5, cautious=True).step()
    assert param.item() == 6.0


def feed(optimizer: torch.optim.Optimizer, *gradients: Tensor) -> Tensor:
    (param,) = optimizer.param_groups[0]["params"]
    for gradient in gradients:
        before = param.detach().clone()
        param.grad = gradient.clone()
        optimizer.step()
    moved: Tensor = before - param.detach()
    return moved


def momentum(size: int, **arguments: Any) -> SGD:
    param = Parameter(torch.zeros(size, dtype=torch.float64))
    return SGD([param], lr=1.0, momentum=0.9, cautious=True, **arguments)


def test_what_is_left_is_divided_by_its_share() -> None:
    assert feed(momentum(4), vector(1, 1, 1, 1), vector(1, -0.5, -0.5, -0.5)).tolist() == (
        pytest.approx([4 * 1.9, 0, 0, 0])
    )


def test_the_share_is_taken_to_be_at_least_a_thousandth() -> None:
    second = torch.full((4000,), -0.5, dtype=torch.float64)
    second[0] = 1.0
    moved = feed(momentum(4000), torch.ones(4000, dtype=torch.float64), second)
    assert moved[0].item() == pytest.approx(1000 * 1.9)
    assert not moved[1:].any()


def test_where_everything_disagrees_nothing_moves() -> None:
    assert not feed(momentum(3), vector(1, 1, 1), vector(-0.5, -0.5, -0.1)).any()


def test_a_gradient_of_zero_does_not_agree() -> None:
    assert feed(momentum(2), vector(1, 1), vector(1, 0)).tolist() == pytest.approx([3.8, 0])


def test_each_tensor_of_a_stack_has_a_share_of_its_own() -> None:
    params = [Parameter(torch.zeros(2, dtype=torch.float64)) for _ in range(2)]
    optimizer = SGD(params, lr=1.0, momentum=0.9, cautious=True)
    for step in range(3):
        before = [param.detach().clone() for param in params]
        params[0].grad = vector(1, 1)
        params[1].grad = vector(1, -0.5) if step == 2 else vector(1, 1)
        optimizer.step()
    assert (before[0] - params[0].detach()).tolist() == pytest.approx([2.71, 2.71])
    assert (before[1] - params[1].detach()).tolist() == pytest.approx([2 * 2.71, 0])


def test_momentum_itself_is_what_it_would_be_without_caution() -> None:
    def run(cautious: bool) -> list[Tensor]:
        params = make_params(shapes=REPEATED)
        optimizer = AdamW(params, lr=0.02, cautious=cautious)
        for step in range(1, 6):
            for index, param in enumerate(params):
                param.grad = noise(param.shape, step, index).clone()
            optimizer.step()
        return [optimizer.state[param]["exp_avg"] for param in params]

    assert largest_difference(run(True), run(False)) == 0


def test_an_optimizer_without_momentum_has_nothing_to_leave_out() -> None:
    def run(cautious: bool) -> list[Tensor]:
        return train(SGD(make_params(shapes=REPEATED), lr=0.1, cautious=cautious), steps=5)

    assert largest_difference(run(True), run(False)) < 1e-15


def test_a_ball_stops_where_it_has_passed_the_bottom_and_waits_for_its_momentum_to_turn() -> None:
    def path(cautious: bool) -> list[float]:
        param = Parameter(vector(1.0))
        optimizer = SGD([param], lr=0.01, momentum=0.9, cautious=cautious)
        seen = [1.0]
        for _ in range(60):
            param.grad = param.detach().clone()
            optimizer.step()
            seen.append(param.item())
        return seen

    assert min(path(False)) == pytest.approx(-0.153, abs=1e-3)
    found = path(True)
    assert min(found) == found[24] == found[51] == pytest.approx(-0.016, abs=1e-3)
    assert found[52] > found[51]


def test_in_an_embedding_the_rows_of_a_batch_are_driven_a_hundred_times_as_far() -> None:
    def length(kind: Callable[..., torch.optim.Optimizer], **arguments: Any) -> float:
        table = Parameter(torch.zeros(1000, 8))
        optimizer = kind([table], lr=1.0, weight_decay=0.0, **arguments)
        generator = torch.Generator().manual_seed(0)
        for _ in range(3):
            rows = torch.randperm(1000, generator=generator)[:10]
            table.grad = torch.zeros_like(table)
            table.grad[rows] = torch.randn(10, 8, generator=generator)
            before = table.detach().clone()
            optimizer.step()
        return float((before - table.detach())[rows].square().mean().sqrt())

    ours = length(AdamW, cautious=True)
    assert ours == pytest.approx(length(AdamWLegacy, caution=True), rel=1e-3)
    assert ours > 90 * length(AdamW)


def test_pytorch_optimizer_adds_one_to_the_number_that_agree() -> None:
    def first(kind: Callable[..., torch.optim.Optimizer], size: int) -> float:
        param = Parameter(torch.zeros(size, dtype=torch.float64))
        param.grad = torch.ones_like(param)
        kind([param], lr=1.0, weight_decay=0.0, cautious=True).step()
        return -param[0].item()

    assert first(Lion, 4) == 1.0
    assert first(pytorch_optimizer.Lion, 4) == pytest.approx(0.8)
    assert first(pytorch_optimizer.Lion, 1) == pytest.approx(0.5)


# ## Half precision and complex numbers
@every_way
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_is_computed_in_float32_and_rounded(dtype: torch.dtype, way: str) -> None:
    low = make_params(dtype, REPEATED)
    optimizer = AdamW(low, lr=0.02, cautious=True, **NOT_COMPILED[way])
    for step in range(1, 6):
        high = [Parameter(param.detach().float()) for param in low]
        reference = AdamW(high, lr=0.02, cautious=True, per_tensor=True)
        for ours, theirs in zip(low, high, strict=True):
            reference.state[theirs].update(copy.deepcopy(optimizer.state.get(ours, {})))
        for index, (ours, theirs) in enumerate(zip(low, high, strict=True)):
            ours.grad = noise(ours.shape, step, index).to(dtype)
            theirs.grad = ours.grad.float()
        optimizer.step()
        reference.step()
        for ours, theirs in zip(low, high, strict=True):
            torch.testing.assert_close(ours.detach(), theirs.detach().to(dtype))
    assert {state["exp_avg"].dtype for state in optimizer.state.values()} == {torch.float32}


@every_way
def test_complex_parameters_are_masked_as_two_real_numbers(way: str) -> None:
    (start,) = make_params(shapes=[(6, 2)])
    real = Parameter(start.detach().clone())
    both = Parameter(torch.view_as_complex(start.detach().clone()))
    for param in (real, both):
        optimizer = AdamW([param], lr=0.02, cautious=True, **NOT_COMPILED[way])
        for step in range(1, 6):
            gradient = noise(real.shape, step, 0)
            param.grad = torch.view_as_complex(gradient) if param is both else gradient
            optimizer.step()
    torch.testing.assert_close(torch.view_as_real(both.detach()), real.detach())


# ## Copies and checkpoints
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))], ids=["copy", "pickle"]
)
def test_a_copy_is_cautious_too(copied: Callable[[Any], Any]) -> None:
    optimizer = AdamW(make_params(shapes=REPEATED), lr=0.02, cautious=True)
    train(optimizer, steps=3)
    other = copied(optimizer)
    assert other.cautious
    difference = largest_difference(
        train(other, steps=3, first=4), train(optimizer, steps=3, first=4)
    )
    assert difference < 1e-15


@every_way
def test_training_goes_on_from_a_checkpoint(way: str) -> None:
    straight = AdamW(make_params(shapes=REPEATED), lr=0.02, cautious=True)
    params = [Parameter(param) for param in train(straight, steps=3)]
    resumed = AdamW(params, lr=0.5, cautious=True, **NOT_COMPILED[way])
    resumed.load_state_dict(copy.deepcopy(straight.state_dict()))
    difference = largest_difference(
        train(resumed, steps=3, first=4), train(straight, steps=3, first=4)
    )
    assert difference < 1e-14


def test_a_checkpoint_does_not_say_whether_there_was_caution() -> None:
    cautious = AdamW(make_params(shapes=REPEATED), cautious=True)
    train(cautious, steps=2)
    plain = AdamW(make_params(shapes=REPEATED))
    plain.load_state_dict(cautious.state_dict())
    assert not plain.cautious


# ## What is refused
class WithoutDecay(GenericAdaptiveOptimizer):
    """Descent along the sign, which does not ask for its decay."""

    beta_count = 0
    has_eps = False

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        param.sub_(grad.sign().mul(group["lr"]))


def test_a_rule_that_does_not_call_its_decay_is_refused() -> None:
    param = Parameter(torch.zeros(3))
    param.grad = torch.ones(3)
    optimizer = WithoutDecay([param], cautious=True)
    with pytest.raises(TypeError, match=r"cautious must be False for a rule that does not call"):
        optimizer.step()
    assert isinstance(optimizer.weight_decay, WeightDecay)


@pytest.mark.parametrize("kind", [AdamW, Lion, Signum])
@pytest.mark.parametrize("way", ["compile", "flat"])
def test_ways_that_cut_or_join_tensors_are_refused(kind: Any, way: str) -> None:
    with pytest.raises(ValueError, match="compile and flat must be False when cautious is True"):
        kind([Parameter(torch.zeros(3))], cautious=True, **{way: True})


def test_the_option_is_a_flag() -> None:
    with pytest.raises(TypeError, match="cautious must be True or False, got 1"):
        AdamW([Parameter(torch.zeros(3))], cautious=1)  # type: ignore[arg-type]


@pytest.fixture
def two_processes() -> Iterator[None]:
    """A group that counts two processes, of which this is one, and sends nothing."""
    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=2)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("two_processes")
def test_a_part_of_a_parameter_is_refused_and_a_replica_is_not() -> None:
    mesh = init_device_mesh("cpu", (2,))
    shard = Parameter(distribute_tensor(torch.zeros(4, 2), mesh, [Shard(0)]))
    with pytest.raises(ValueError, match="AdamW needs whole parameters"):
        AdamW([shard], cautious=True)
    replica = Parameter(distribute_tensor(torch.zeros(4, 2), mesh, [Replicate()]))
    assert AdamW([replica], cautious=True).cautious
    assert AdamW([shard]).param_groups


def test_a_rule_that_needs_whole_tensors_anyway_may_be_cautious() -> None:
    assert not get_optimizer("stable_adamw").elementwise
    optimizer = StableAdamW(make_params(shapes=REPEATED), lr=0.02, cautious=True)
    assert all(param.isfinite().all() for param in train(optimizer, steps=3))


# Without momentum the update has the sign of the gradient; these two are cautious as they are.
UNCHANGED = [
    "adadelta",
    "adafactor",
    "adagrad",
    "asgd",
    "cautious_adamw",
    "dog",
    "dowg",
    "grams",
    "rmsprop",
    "sgd",
]
REFUSING = ["schedule_free_adamw", "schedule_free_sgd", "soap"]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in REFUSING])
def test_every_optimizer_that_does_not_refuse_changes_if_it_has_momentum(name: str) -> None:
    def run(**options: bool) -> list[torch.Tensor]:
        return train(make(name, make_params(shapes=SMALL_SHAPES), lr=0.02, **options), steps=4)

    assert (largest_difference(run(cautious=True), run()) < 1e-12) == (name in UNCHANGED)


@pytest.mark.parametrize("name", REFUSING)
def test_an_optimizer_whose_decay_comes_last_or_that_averages_refuses(name: str) -> None:
    with pytest.raises(ValueError, match="cautious must be False for"):
        make(name, make_params(), cautious=True)
