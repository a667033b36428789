"""Half-precision parameters may be rounded by chance, or keep what rounding loses."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor
from torch.nn import Parameter
from torch.testing._internal.distributed.fake_pg import FakeStore

from labml_nn_optim import (
    SGD,
    Adam,
    AdamW,
    GenericAdaptiveOptimizer,
    Lion,
    ScheduleFreeAdamW,
    StableAdamW,
    plan,
)
from labml_nn_optim.pieces import Listed
from labml_nn_optim.rounding import COMPENSATION, dice, round_by_chance
from tests.labml_nn_optim.examples import (
    DECAY,
    NAMES,
    SMALL_SHAPES,
    WAYS,
    largest_difference,
    make,
    make_params,
    noise,
    train,
)

HALF = [torch.bfloat16, torch.float16]
OTHERS = ["stochastic", "kahan"]
# Joined, cut or whole: with these a rule sees the same numbers, to the last bit.
EQUAL_WAYS = {way: options for way, options in WAYS.items() if "compile" not in way}
# Two vectors that are stacked, a matrix with rows in another order, one that is cut into two parts.
SHAPES: list[tuple[int, ...]] = [(250, 280), (20, 170), (5,), (), (13, 7), (5,), (0, 3), (13, 7)]

every_half = pytest.mark.parametrize("dtype", HALF, ids=str)
every_other = pytest.mark.parametrize("rounding", OTHERS)
every_way = pytest.mark.parametrize("way", EQUAL_WAYS)


# ## Rounding by chance
def drawn(values: Tensor, dtype: torch.dtype, times: int) -> Tensor:
    """Each number, rounded `times` times, in float64."""
    places = torch.arange(values.numel()).view(values.shape)
    rounded = [round_by_chance(values, places, step, dtype) for step in range(times)]
    return torch.stack(rounded).double()


def spacing_of(values: Tensor, dtype: torch.dtype) -> Tensor:
    """The distance of the two neighbours, computed from the exponent."""
    bits, lowest = (8, -133) if dtype == torch.bfloat16 else (11, -24)
    exponents = values.double().abs().log2().floor().sub(bits - 1)
    return torch.exp2(exponents.clamp_min(lowest))


def samples() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    sizes = torch.logspace(-9, 4, 400)
    return sizes * torch.randn(400, generator=generator).sign()


@every_half
def test_the_mean_of_many_roundings_is_the_number(dtype: torch.dtype) -> None:
    values, times = samples(), 4000
    found = drawn(values, dtype, times)
    spacing = spacing_of(values, dtype)
    assert ((found - values).abs() < spacing).all()
    assert torch.equal(found.float().to(dtype).double(), found)
    share = (values.double() / spacing).frac().abs()
    spread = spacing * (share * (1 - share) / times).sqrt()
    errors = (found.mean(0) - values).abs()
    assert (errors <= 4.5 * spread + spacing * 2e-4).all()
    # As the deviations of 400 means should be.
    clear = share * (1 - share) > 0.01
    assert float((errors / spread)[clear].square().mean()) == pytest.approx(1, abs=0.25)


def test_the_smallest_numbers_of_bfloat16_are_rounded_without_bias() -> None:
    least = 2.0**-133
    values = torch.tensor([0.25 * least, -0.5 * least, 7.75 * least])
    found = drawn(values, torch.bfloat16, 4000) / least
    assert found.mean(0).tolist() == pytest.approx([0.25, -0.5, 7.75], abs=0.03)
    assert set(found.flatten().tolist()) <= {0.0, 1.0, -1.0, 7.0, 8.0}


@every_half
def test_numbers_that_need_no_rounding_stay(dtype: torch.dtype) -> None:
    limits = torch.finfo(dtype)
    every = torch.arange(-(2**15), 2**15).to(torch.int16).view(dtype)
    exact = every[every.isfinite()].float()
    assert {limits.max, limits.min, limits.smallest_normal, 0.0} <= set(exact.tolist())
    for step in range(3):
        found = round_by_chance(exact, torch.arange(exact.numel()), step, dtype)
        assert torch.equal(found, exact)


@every_half
def test_what_is_not_finite_stays(dtype: torch.dtype) -> None:
    infinite = torch.tensor([torch.inf, -torch.inf])
    # NaNs whose lower bits are all ones, or the only ones: a sum of bits would make zeros and infinities.
    bits = torch.tensor([0x7FFFFFFF, -1, 0x7F800001, 0x7FC00000], dtype=torch.int32)
    for step in range(20):
        assert torch.equal(round_by_chance(infinite, torch.arange(2), step, dtype), infinite)
        found = round_by_chance(bits.view(torch.float32), torch.arange(4), step, dtype)
        assert found.isnan().all()


def test_beyond_the_largest_number_lies_infinity() -> None:
    found = drawn(torch.tensor([65510.0, 65530.0, -70000.0]), torch.float16, 400)
    assert set(found[:, 0].tolist()) == {65504.0, 65536.0}
    assert found[:, 2].max() < -65504
    assert torch.tensor(65536.0).half().isinf()


# ## The dice
def test_dice_are_even_and_do_not_know_of_each_other() -> None:
    size = 1 << 18
    first, second = dice(torch.arange(size), 1), dice(torch.arange(size), 2)
    assert first.min() == 0
    assert first.max() == 65535
    counts = torch.bincount(first >> 8, minlength=256).double()
    expected = size / 256
    # The sum has the mean 255 and the standard deviation 23.
    assert 140 < float(((counts - expected).square() / expected).sum()) < 370
    one, other = (each.double() / 65535 - 0.5 for each in (first, second))
    pairs = [(one, other), *((one[lag:], one[:-lag]) for lag in (1, 2, 7, 512, 1000))]
    for left, right in pairs:
        assert abs(float((left * right).mean() * 12)) < 5 / size**0.5


def test_dice_depend_on_the_place_and_the_step_alone() -> None:
    places = torch.tensor([[0, 1], [10**12, 7]])
    assert torch.equal(dice(places, 3), dice(places.t().contiguous(), 3).t())
    assert dice(torch.arange(50), 3).tolist() == [by_hand(place, 3) for place in range(50)]
    assert dice(torch.tensor([10**12]), 0).tolist() == [by_hand(10**12, 0)]


def by_hand(place: int, step: int) -> int:
    """The dice in whole numbers of any size."""
    ones = 2**64 - 1
    first, second, third = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
    key = (step + 1) * first & ones
    key = (key ^ key >> 30) * second & ones
    key = (key ^ key >> 27) * third & ones
    key ^= key >> 31
    mixed = (place * first + key) & ones
    # torch shifts the sign in.
    sign = (2**32 - 1) << 32 if mixed >> 63 else 0
    return ((mixed ^ (mixed >> 32 | sign)) * second & ones) >> 48


# ## All ways give the same
@every_way
@every_other
@every_half
@pytest.mark.parametrize("name", ["adamw", "lion", "stable_adamw"])
def test_every_way_rounds_alike(name: str, dtype: torch.dtype, rounding: str, way: str) -> None:
    if name == "stable_adamw" and way == "flat":
        pytest.skip("a rule on whole tensors is not run on a flat buffer")

    def run(**options: Any) -> list[Tensor]:
        params = [*make_params(dtype, SHAPES), *make_params(dtype)[-2:]]
        return train(make(name, params, lr=1e-3, rounding=rounding, **DECAY, **options), steps=4)

    assert largest_difference(run(**EQUAL_WAYS[way]), run(per_tensor=True)) == 0


@every_other
@pytest.mark.parametrize("way", ["compile", "compile_flat"])
def test_a_compiled_rule_rounds_alike_up_to_its_own_rounding(rounding: str, way: str) -> None:
    def run(**options: Any) -> list[Tensor]:
        params = make_params(torch.bfloat16)
        return train(make("adam", params, lr=0.02, rounding=rounding, **DECAY, **options), steps=4)

    found, expected = run(**WAYS[way]), run(per_tensor=True)
    # The kernel's float32 differs in the last bit, which turns the coin now and then.
    different = sum(int((a != b).sum()) for a, b in zip(found, expected, strict=True))
    assert different < 1e-3 * sum(each.numel() for each in expected)
    assert largest_difference(found, expected) <= 2.0**-7


@every_other
def test_lists_round_like_single_tensors(rounding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(**options: Any) -> list[Tensor]:
        params = make_params(torch.bfloat16, SHAPES)
        return train(AdamW(params, lr=1e-3, rounding=rounding, **options), steps=4)

    expected = run(per_tensor=True)
    monkeypatch.setattr(plan, "_cut", lambda members, layout: [Listed(members)])
    assert largest_difference(run(), expected) == 0


@every_other
@pytest.mark.parametrize("name", NAMES)
def test_every_optimizer_takes_every_rounding(name: str, rounding: str) -> None:
    def run(**options: Any) -> list[Tensor]:
        params = make_params(torch.bfloat16, [*SMALL_SHAPES, (13, 7), (40, 30)])
        return train(make(name, params, lr=0.02, weight_decay=0.1, **options), steps=3)

    found = run(rounding=rounding)
    assert largest_difference(found, run(rounding=rounding, per_tensor=True)) == 0
    assert all(param.isfinite().all() for param in found)
    # A copy in float32 loses nothing that could be kept, and trust ratios make tiny steps here.
    if rounding == "stochastic" or name not in ("adam_fp16", "lars"):
        assert largest_difference(found, run()) > 0


@every_other
def test_cautious_updates_are_rounded_too(rounding: str) -> None:
    def run(**options: Any) -> list[Tensor]:
        params = make_params(torch.bfloat16, SHAPES)
        return train(AdamW(params, lr=1e-3, cautious=True, **options), steps=4)

    found = run(rounding=rounding)
    assert largest_difference(found, run(rounding=rounding, per_tensor=True)) == 0
    assert largest_difference(found, run()) > 0


def test_two_groups_have_dice_of_their_own() -> None:
    params = [Parameter(torch.ones(1000, dtype=torch.bfloat16)) for _ in range(2)]
    optimizer = SGD([{"params": [param]} for param in params], lr=1e-3, rounding="stochastic")
    for param in params:
        param.grad = torch.ones_like(param)
    optimizer.step()
    moved = [param != 1 for param in params]
    assert not torch.equal(*moved)
    assert all(200 < int(each.sum()) < 320 for each in moved)


# ## What it is for
def weights(dtype: torch.dtype) -> Parameter:
    generator = torch.Generator().manual_seed(2)
    return Parameter((0.1 * torch.randn(2000, generator=generator)).to(torch.bfloat16).to(dtype))


def small_steps(
    kind: Callable[..., Any], dtype: torch.dtype, **options: Any
) -> tuple[Tensor, Mapping[str, Any]]:
    """A thousand steps with gradients that do not depend on the parameters."""
    param = weights(dtype)
    optimizer = kind([param], lr=1e-5, **options)
    for step in range(1000):
        param.grad = noise(param.shape, step % 64, 0).add(0.3).to(torch.bfloat16).to(dtype)
        optimizer.step()
    return param.detach().double(), optimizer.state[param]


@pytest.mark.parametrize("kind", [AdamW, Lion, StableAdamW])
def test_kahan_is_float32_up_to_the_precision_of_the_pair(kind: Callable[..., Any]) -> None:
    expected, _ = small_steps(kind, torch.float32)
    param, state = small_steps(kind, torch.bfloat16, rounding="kahan")
    pair = param + state[COMPENSATION].double()
    start = weights(torch.float32).detach().double()
    # Every step rounds the compensation, by half of its spacing at most.
    bound = 1000 * start.abs().maximum(expected.abs()) * 2.0**-17
    errors = (pair - expected).abs()
    assert (errors <= bound + 1e-7).all()
    moved = float((expected - start).square().mean())
    assert float(errors.square().mean()) < 0.002 * moved
    # What is kept is never more than rounding loses.
    assert (pair.sub(param).abs() <= spacing_of(param, torch.bfloat16) / 2).all()
    nearest, _ = small_steps(kind, torch.bfloat16)
    assert float((nearest - expected).square().mean()) > 0.3 * moved


@pytest.mark.parametrize("kind", [AdamW, Lion, StableAdamW])
def test_stochastic_rounding_is_float32_on_average(kind: Callable[..., Any]) -> None:
    expected, _ = small_steps(kind, torch.float32)
    found, _ = small_steps(kind, torch.bfloat16, rounding="stochastic")
    errors, start = found - expected, weights(torch.float32).detach().double()
    drift = float((expected - start).mean())
    assert abs(drift) > 1e-3
    assert abs(float(errors.mean())) < 4 * float(errors.std()) / 2000**0.5
    assert float(errors.mean()) == pytest.approx(0, abs=0.1 * abs(drift))


def test_an_update_under_half_a_spacing_is_lost_but_not_with_these() -> None:
    def run(rounding: str) -> Tensor:
        param = Parameter(torch.ones(4000, dtype=torch.bfloat16))
        optimizer = Lion([param], lr=1e-4, rounding=rounding)
        for _ in range(1000):
            param.grad = torch.ones_like(param)
            optimizer.step()
        return param.detach().float()

    assert (run("nearest") == 1).all()
    assert run("kahan").mean().item() == pytest.approx(0.9, abs=2.0**-8)
    found = run("stochastic")
    assert found.mean().item() == pytest.approx(0.9, abs=5 * 0.02 / 4000**0.5)
    # A step of $\alpha$ in a spacing of $2^{-8}$ has the variance $\alpha (2^{-8} - \alpha)$.
    assert found.std().item() == pytest.approx((1000 * 1e-4 * (2.0**-8 - 1e-4)) ** 0.5, rel=0.05)


def test_decay_alone_moves_nothing_but_with_these() -> None:
    def run(rounding: str) -> float:
        param = Parameter(torch.full((4000,), 0.75, dtype=torch.bfloat16))
        optimizer = AdamW([param], lr=1e-3, weight_decay=0.1, rounding=rounding)
        for _ in range(2000):
            param.grad = torch.zeros_like(param)
            optimizer.step()
        return param.detach().float().mean().item()

    expected = 0.75 * (1 - 1e-4) ** 2000
    assert run("nearest") == 0.75
    assert run("kahan") == pytest.approx(expected, abs=2.0**-9)
    assert run("stochastic") == pytest.approx(expected, abs=0.002)


@every_other
@every_way
def test_float32_and_float64_are_left_alone(rounding: str, way: str) -> None:
    for dtype in (torch.float32, torch.float64):
        optimizer = AdamW(make_params(dtype), lr=0.02, rounding=rounding, **EQUAL_WAYS[way])
        found = train(optimizer, steps=3)
        plain = train(AdamW(make_params(dtype), lr=0.02, **EQUAL_WAYS[way]), steps=3)
        assert largest_difference(found, plain) == 0
        assert all(COMPENSATION not in state for state in optimizer.state.values())


class Names(GenericAdaptiveOptimizer):
    """Descent that notes what state it is given."""

    beta_count = 0
    has_eps = False
    seen: frozenset[str] = frozenset()

    def step_param(
        self, state: dict[str, Any], group: Mapping[str, Any], grad: Any, param: Any
    ) -> None:
        Names.seen = frozenset(state)
        param.sub_(grad.mul(group["lr"]))


@every_way
def test_a_rule_does_not_see_the_compensation(way: str) -> None:
    optimizer = Names(make_params(torch.bfloat16), rounding="kahan", **EQUAL_WAYS[way])
    train(optimizer, steps=2)
    assert Names.seen == frozenset()
    assert {state[COMPENSATION].dtype for state in optimizer.state.values()} == {torch.bfloat16}


def test_an_infinite_weight_stays_infinite_and_leaves_no_nan_behind() -> None:
    param = Parameter(torch.tensor([torch.inf, 65504.0, torch.nan, 1.0], dtype=torch.float16))
    optimizer = SGD([param], lr=1.0, rounding="kahan")
    for _ in range(3):
        param.grad = torch.tensor([0.0, -100.0, 0.0, 0.0], dtype=torch.float16)
        optimizer.step()
    assert param[:2].tolist() == [torch.inf, torch.inf]
    assert param[2].isnan()
    assert optimizer.state[param][COMPENSATION].tolist() == [0.0, 0.0, 0.0, 0.0]


# ## Copies and checkpoints
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))], ids=["copy", "pickle"]
)
@every_other
def test_a_copy_rounds_alike(copied: Callable[[Any], Any], rounding: str) -> None:
    optimizer = AdamW(make_params(torch.bfloat16, SHAPES), lr=1e-3, rounding=rounding)
    train(optimizer, steps=3)
    other = copied(optimizer)
    assert other.rounding == rounding
    expected = train(optimizer, steps=3, first=4)
    assert largest_difference(train(other, steps=3, first=4), expected) == 0


@every_way
@every_other
@every_half
def test_training_goes_on_from_a_checkpoint(dtype: torch.dtype, rounding: str, way: str) -> None:
    straight = AdamW(make_params(dtype), lr=1e-3, rounding=rounding)
    params = [Parameter(param) for param in train(straight, steps=3)]
    saved = copy.deepcopy(straight.state_dict())
    resumed = AdamW(params, lr=0.5, rounding=rounding, **EQUAL_WAYS[way])
    resumed.load_state_dict(saved)
    for key, own in resumed.state_dict()["state"].items():
        assert {name: value.dtype for name, value in own.items()} == {
            name: value.dtype for name, value in saved["state"][key].items()
        }
    expected = train(straight, steps=3, first=4)
    assert largest_difference(train(resumed, steps=3, first=4), expected) == 0


def test_what_was_loaded_is_not_shared_with_the_checkpoint() -> None:
    straight = AdamW(make_params(torch.bfloat16, SMALL_SHAPES), rounding="kahan")
    train(straight, steps=2)
    saved = copy.deepcopy(straight.state_dict())
    before = saved["state"][0][COMPENSATION].clone()
    resumed = AdamW(make_params(torch.bfloat16, SMALL_SHAPES), rounding="kahan")
    resumed.load_state_dict(saved)
    train(resumed, steps=2)
    assert torch.equal(saved["state"][0][COMPENSATION], before)


@every_way
def test_a_checkpoint_without_compensation_starts_with_none_lost(way: str) -> None:
    plain = AdamW(make_params(torch.bfloat16), lr=1e-3)
    params = train(plain, steps=3)
    resumed = AdamW(
        [Parameter(param) for param in params], lr=1e-3, rounding="kahan", **EQUAL_WAYS[way]
    )
    resumed.load_state_dict(copy.deepcopy(plain.state_dict()))
    # The first step from there is the same: nothing is kept yet.
    expected = train(plain, steps=1, first=4)
    assert largest_difference(train(resumed, steps=1, first=4), expected) == 0
    assert any(state[COMPENSATION].any() for state in resumed.state.values())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
def test_a_compensation_that_nothing_would_keep_up_is_dropped(dtype: torch.dtype) -> None:
    straight = AdamW(make_params(torch.bfloat16, SMALL_SHAPES), rounding="kahan")
    train(straight, steps=2)
    rounding = "stochastic" if dtype == torch.bfloat16 else "kahan"
    other = AdamW(make_params(dtype, SMALL_SHAPES), rounding=rounding)
    other.load_state_dict(copy.deepcopy(straight.state_dict()))
    assert all(set(state) == {"step", "exp_avg", "exp_avg_sq"} for state in other.state.values())


def test_what_was_kept_of_a_weight_that_is_overwritten_can_be_deleted() -> None:
    param = Parameter(torch.ones(3, dtype=torch.bfloat16))
    optimizer = SGD([param], lr=1e-4, rounding="kahan")
    for _ in range(15):
        param.grad = torch.ones_like(param)
        optimizer.step()
    assert optimizer.state[param][COMPENSATION].tolist() == pytest.approx([-0.0015] * 3, abs=1e-5)
    param.data.zero_()
    param.grad = torch.zeros_like(param)
    optimizer.step()
    assert param.tolist() == pytest.approx([-0.0015] * 3, abs=1e-5)
    param.data.zero_()
    del optimizer.state[param][COMPENSATION]
    optimizer.step()
    assert param.tolist() == [0.0, 0.0, 0.0]


def test_a_parameter_that_gets_its_first_gradient_late_is_compensated_too() -> None:
    params = make_params(torch.bfloat16, [(5,), (5,)])
    optimizer = Lion(params, lr=1e-4, rounding="kahan")
    for step in range(4):
        for index, param in enumerate(params):
            param.grad = torch.ones_like(param) if step >= 2 * index else None
        optimizer.step()
    assert all(state[COMPENSATION].any() for state in optimizer.state.values())


@every_other
def test_a_schedule_free_optimizer_changes_its_mode(rounding: str) -> None:
    optimizer = ScheduleFreeAdamW(
        make_params(torch.bfloat16, SMALL_SHAPES), lr=0.02, rounding=rounding
    )
    found = train(optimizer, steps=3)
    optimizer.eval()
    optimizer.train()
    back = [param.detach() for param in optimizer.param_groups[0]["params"]]
    assert largest_difference(back, found) <= 2.0**-7


# ## Shards
@pytest.fixture
def second_of_two() -> Iterator[None]:
    """A group that counts two processes, of which this is the second, and sends nothing."""
    dist.init_process_group("fake", store=FakeStore(), rank=1, world_size=2)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("second_of_two")
@every_other
@pytest.mark.parametrize("placement", [Shard(0), Replicate()], ids=str)
def test_a_process_rounds_its_rows_as_they_are_rounded_in_the_whole(
    rounding: str, placement: Any
) -> None:
    mesh = init_device_mesh("cpu", (2,))
    whole = make_params(torch.bfloat16, [(6, 4), (5,), (3, 2, 2)])

    def spread(tensor: Tensor) -> DTensor:
        return distribute_tensor(tensor.detach(), mesh, [placement], src_data_rank=None)

    parts = [Parameter(spread(param)) for param in whole]
    optimizers = [Adam(params, lr=1e-3, rounding=rounding) for params in (whole, parts)]
    for step in range(4):
        for index, (param, part) in enumerate(zip(whole, parts, strict=True)):
            param.grad = noise(param.shape, step, index).to(torch.bfloat16)
            part.grad = spread(param.grad)
        for optimizer in optimizers:
            optimizer.step()
    for param, part in zip(whole, parts, strict=True):
        assert torch.equal(part.to_local(), spread(param).to_local())
        if rounding == "kahan":
            assert optimizers[1].state[part][COMPENSATION].placements == part.placements


# ## What is refused
@pytest.mark.parametrize("value", ["up", None, True])
def test_another_rounding_is_refused(value: Any) -> None:
    message = f"rounding must be one of nearest, stochastic, kahan, got {value!r}"
    with pytest.raises(ValueError, match=message):
        AdamW([Parameter(torch.zeros(3))], rounding=value)
