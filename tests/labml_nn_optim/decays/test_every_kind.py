"""Every kind of decay works with every optimizer, in every way, and survives copies and files."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch._dynamo.utils import counters
from torch.nn import Parameter

from labml_nn_optim import (
    SGD,
    Adam,
    AdamW,
    CautiousWeightDecay,
    GenericAdaptiveOptimizer,
    L1WeightDecay,
    ProximalWeightDecay,
    WeightDecay,
    WeightDecayToStart,
    get_optimizer,
)
from labml_nn_optim.compiled import apply_rule
from labml_nn_optim.pieces import Listed, Member
from labml_nn_optim.schedule_free import ScheduleFree
from labml_nn_optim.weight_decay import DecayInRule
from tests.labml_nn_optim.examples import (
    WAYS,
    WAYS_OF,
    largest_difference,
    make,
    make_params,
    noisy_gradient,
    train,
)
from tests.labml_nn_optim.test_checkpoints import copy_params, through_a_file

KINDS = {
    "plain": WeightDecay(0.3),
    "cautious": CautiousWeightDecay(0.3),
    "start": WeightDecayToStart(0.3),
    "l1": L1WeightDecay(0.3),
    "proximal": ProximalWeightDecay(0.3),
    "cautious_absolute": CautiousWeightDecay(0.01, absolute=True),
    "start_absolute": WeightDecayToStart(0.01, absolute=True),
    "start_coupled": WeightDecayToStart(0.3, weight_decouple=False),
    "l1_absolute": L1WeightDecay(0.01, absolute=True),
    "proximal_absolute": ProximalWeightDecay(0.01, absolute=True),
    "l1_coupled": L1WeightDecay(0.3, weight_decouple=False),
}
OWN = ["cautious", "start", "l1", "proximal"]
# One that is cut, two that are packed, of which one in another order.
SHAPES: list[tuple[int, ...]] = [(190, 180), (13, 7), ()]
UNCOMPILED = [(name, way) for name, way in WAYS_OF if "compile" not in way and way != "per_tensor"]
every_kind = pytest.mark.parametrize("kind", KINDS)
every_own_kind = pytest.mark.parametrize("kind", OWN)


def params_of(dtype: torch.dtype = torch.float64) -> list[Parameter]:
    params = make_params(dtype, SHAPES)
    return [*params, Parameter(make_params(dtype, [(5, 6)])[0].detach().t())]


def groups_of(kinds: dict[str, WeightDecay], dtype: torch.dtype = torch.float64) -> list[Any]:
    return [{"params": params_of(dtype), "weight_decay": decay} for decay in kinds.values()]


def train_groups(name: str, kinds: dict[str, WeightDecay], **options: Any) -> list[torch.Tensor]:
    return train(make(name, groups_of(kinds), lr=0.05, **options), steps=4)


def kinds_for(name: str) -> dict[str, WeightDecay]:
    """What a schedule-free optimizer refuses, a decay after the update, is left out for it."""
    if not issubclass(get_optimizer(name), ScheduleFree):
        return KINDS
    return {
        kind: decay
        for kind, decay in KINDS.items()
        if not (decay.after_step and decay.weight_decouple)
    }


@pytest.mark.parametrize(("name", "way"), UNCOMPILED)
def test_groups_of_every_kind_go_the_same_in_every_way(name: str, way: str) -> None:
    kinds = kinds_for(name)
    expected = train_groups(name, kinds, per_tensor=True)
    assert largest_difference(train_groups(name, kinds, **WAYS[way]), expected) < 1e-12
    # And no kind is left out: all differ from one another, whatever the rule does with a gradient.
    count = len(params_of())
    ends = [expected[count * place : count * (place + 1)] for place in range(len(kinds))]
    decoupled = [end for end, kind in zip(ends, kinds, strict=True) if "coupled" not in kind]
    for place, end in enumerate(decoupled):
        assert all(largest_difference(end, other) > 1e-6 for other in decoupled[:place])


@every_kind
@pytest.mark.parametrize("way", ["pieces", "flat"])
def test_an_optimizer_given_a_kind_does_as_its_groups_would(kind: str, way: str) -> None:
    decay = KINDS[kind]
    given = train(Adam(params_of(), lr=0.05, weight_decay=decay, **WAYS[way]), steps=4)
    grouped = train(Adam(groups_of({kind: decay}), lr=0.05, **WAYS[way]), steps=4)
    assert largest_difference(given, grouped) == 0


# Of those in half precision one stands for all: the one for which it matters which copy decays.
COMPILED = [*(("adam", "float64", kind) for kind in OWN), ("adam_fp16", "bfloat16", "cautious")]


@pytest.mark.parametrize(("name", "dtype", "kind"), COMPILED)
def test_a_compiled_kind_goes_the_same(name: str, dtype: str, kind: str) -> None:
    def run(**options: bool) -> list[torch.Tensor]:
        groups = groups_of({kind: KINDS[kind]}, getattr(torch, dtype))
        return train(make(name, groups, lr=0.05, **options), steps=4)

    limit = 1e-12 if dtype == "float64" else 0.02
    assert largest_difference(run(compile=True), run(per_tensor=True)) < limit


@every_own_kind
def test_a_schedule_of_the_decay_compiles_nothing_and_0_once_at_most(kind: str) -> None:
    def run(**options: bool) -> tuple[list[torch.Tensor], list[int]]:
        optimizer = Adam(params_of(), lr=0.05, weight_decay=KINDS[kind], **options)
        compiled = []
        for step, value in enumerate((0.3, 0.2, 1, 0.0, 0.7, 0.0), start=1):
            before = counters["stats"]["unique_graphs"]
            optimizer.param_groups[0]["weight_decay"] = value
            found = train(optimizer, steps=1, first=step)
            compiled.append(counters["stats"]["unique_graphs"] - before)
        return found, compiled

    expected, _ = run(per_tensor=True)
    found, compiled = run(compile=True)
    assert largest_difference(found, expected) < 1e-12
    assert compiled[3] <= 1
    assert compiled[1] == compiled[2] == sum(compiled[4:]) == 0


@every_kind
def test_lists_of_tensors_which_a_gpu_runs_give_the_same(kind: str) -> None:
    reference = Adam(params_of(), lr=0.05, weight_decay=KINDS[kind], per_tensor=True)
    expected = train(reference, steps=4)
    optimizer = Adam(params_of(), lr=0.05, weight_decay=KINDS[kind])
    group = optimizer.param_groups[0]
    params = group["params"]
    states: list[dict[str, Any]] = [{} for _ in params]
    for param, state in zip(params, states, strict=True):
        optimizer.init_state(state, group, param.detach())
        KINDS[kind].init_state(state, group, param.detach())
    decay = DecayInRule(KINDS[kind])
    optimizer.weight_decay = decay
    with torch.no_grad():
        for step in range(1, 5):
            for index, param in enumerate(params):
                param.grad = noisy_gradient(param, step, index)
            piece = Listed([Member(*each) for each in zip(params, states, strict=True)])
            operands = piece.load()
            scalars = optimizer.scalars(group, step)
            apply_rule(optimizer.step_param, group | scalars, operands, decay)
            piece.store(operands)
    assert largest_difference([param.detach() for param in params], expected) < 1e-12


@every_own_kind
@pytest.mark.parametrize("way", WAYS)
def test_a_decay_of_0_is_no_decay(kind: str, way: str) -> None:
    if "compile" in way and kind != "cautious":
        pytest.skip("one kind stands for all in compiling")
    none = type(KINDS[kind])(0.0)
    found = train(Adam(params_of(), lr=0.05, weight_decay=none, **WAYS[way]), steps=3)
    plain = train(Adam(params_of(), lr=0.05, per_tensor=True), steps=3)
    assert largest_difference(found, plain) < 1e-12


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@every_own_kind
def test_half_precision_decays_like_float32_that_is_rounded(kind: str, dtype: torch.dtype) -> None:
    halves = params_of(dtype)
    singles = [Parameter(param.detach().float()) for param in halves]
    for params in (halves, singles):
        optimizer = AdamW(params, lr=0.25, weight_decay=KINDS[kind])
        for param in params:
            param.grad = torch.full_like(param, 0.5)
        optimizer.step()
    for half, single in zip(halves, singles, strict=True):
        assert torch.equal(half, single.to(dtype))


@every_own_kind
def test_complex_weights_decay_in_both_parts(kind: str) -> None:
    whole = Parameter(torch.tensor([1.0 - 2.0j, -0.01 + 3.0j], dtype=torch.complex128))
    parts = Parameter(torch.view_as_real(whole.detach()).clone())
    for param in (whole, parts):
        optimizer = SGD([param], lr=0.1, momentum=0.0, weight_decay=KINDS[kind])
        for _ in range(3):
            param.grad = torch.ones_like(param)
            if param.is_complex():
                param.grad = torch.full_like(param, 1.0 + 1.0j)
            optimizer.step()
    torch.testing.assert_close(torch.view_as_real(whole.detach()), parts.detach())


@pytest.mark.parametrize("way", ["pieces", "per_tensor", "flat"])
def test_a_pretrained_body_returns_to_its_start_beside_a_head_that_decays(way: str) -> None:
    body, head = Parameter(torch.full((3,), 2.0)), Parameter(torch.full((3,), 2.0))
    groups = [{"params": [body], "weight_decay": WeightDecayToStart(0.1)}, {"params": [head]}]
    optimizer = Adam(groups, lr=0.5, betas=(0.0, 0.0), weight_decay=0.1, **WAYS[way])
    for gradient in (-1.0, 0.0):
        for param in (body, head):
            param.grad = torch.full((3,), gradient)
        optimizer.step()
    moved = 2 + 0.5
    torch.testing.assert_close(body.detach(), torch.full((3,), moved - 0.05 * 0.5))
    torch.testing.assert_close(head.detach(), torch.full((3,), (2 * 0.95 + 0.5) * 0.95))


def test_a_number_of_a_group_keeps_the_kind_of_the_optimizer() -> None:
    groups = [{"params": [Parameter(torch.ones(1))], "weight_decay": 0.2}]
    optimizer = SGD(groups, lr=0.5, momentum=0.0, weight_decay=L1WeightDecay(0.1))
    optimizer.param_groups[0]["params"][0].grad = torch.zeros(1)
    optimizer.step()
    assert optimizer.param_groups[0]["params"][0].item() == pytest.approx(1 - 0.5 * 0.2)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
@pytest.mark.parametrize("way", ["pieces", "per_tensor", "flat"])
def test_a_copy_keeps_the_kinds_of_its_groups(way: str, copied: Any) -> None:
    optimizer = Adam(groups_of(KINDS), lr=0.05, **WAYS[way])
    train(optimizer, steps=3)
    twin = copied(optimizer)
    found, expected = train(twin, steps=3, first=4), train(optimizer, steps=3, first=4)
    assert largest_difference(found, expected) < 1e-12


@pytest.mark.parametrize("way", ["pieces", "per_tensor", "flat"])
def test_a_checkpoint_brings_the_kinds_of_its_groups_along(way: str) -> None:
    straight = Adam(groups_of(KINDS), lr=0.05, **WAYS[way])
    params = train(straight, steps=3)
    count = len(params_of())
    groups = [
        {"params": copy_params(params[start : start + count])}
        for start in range(0, len(params), count)
    ]
    resumed = Adam(groups, lr=0.5, weight_decay=CautiousWeightDecay(0.5), **WAYS[way])
    resumed.load_state_dict(through_a_file(straight.state_dict()))
    found, expected = train(resumed, steps=3, first=4), train(straight, steps=3, first=4)
    assert largest_difference(found, expected) < 1e-12


def test_a_checkpoint_of_torch_leaves_each_group_its_kind() -> None:
    theirs = torch.optim.AdamW(params_of(), lr=0.05, weight_decay=0.2)
    params = train(theirs, steps=2)
    groups = [{"params": copy_params(params), "weight_decay": CautiousWeightDecay(0.5)}]
    ours = AdamW(groups, lr=0.5)
    ours.load_state_dict(through_a_file(theirs.state_dict()))
    other = AdamW(copy_params(params), lr=0.05, weight_decay=CautiousWeightDecay(0.2))
    other.load_state_dict(through_a_file(theirs.state_dict()))
    found, expected = train(ours, steps=2, first=3), train(other, steps=2, first=3)
    assert largest_difference(found, expected) == 0
    assert ours.param_groups[0]["weight_decay"] == 0.2
    plain = AdamW(copy_params(params), lr=0.05)
    plain.load_state_dict(through_a_file(theirs.state_dict()))
    assert largest_difference(train(plain, steps=2, first=3), expected) > 1e-6


def with_decay(**entries: Any) -> dict[str, Any]:
    saved = through_a_file(AdamW(params_of(), lr=0.05).state_dict())
    saved["param_groups"][0] |= entries
    return saved


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"weight_decay_kind": "MyDecay"}, r"weight_decay_kind must be a known class .* got 'MyDecay'"),
    ({"weight_decay": -1.0}, r"weight_decay must be a finite number >= 0, got -1\.0"),
    (
        {"weight_decay_kind": "CautiousWeightDecay", "decoupled_weight_decay": False},
        "weight_decouple must be True for CautiousWeightDecay",
    ),
]


@pytest.mark.parametrize(("entries", "message"), REFUSED)
def test_a_checkpoint_with_a_decay_that_cannot_be_is_refused(
    entries: dict[str, Any], message: str
) -> None:
    optimizer: GenericAdaptiveOptimizer = AdamW(params_of(), lr=0.5)
    train(optimizer, steps=1)
    before = copy.deepcopy(optimizer.state_dict())
    with pytest.raises(ValueError, match=message) as caught:
        optimizer.load_state_dict(with_decay(**entries))
    assert "\n" not in str(caught.value)
    assert str(optimizer.state_dict()) == str(before)


def test_a_kind_of_this_course_is_found_though_nobody_has_imported_it() -> None:
    program = (
        "import torch\n"
        "from labml_nn_optim import AdamW\n"
        "optimizer = AdamW([torch.nn.Parameter(torch.ones(2))])\n"
        "saved = optimizer.state_dict()\n"
        "saved['param_groups'][0]['weight_decay_kind'] = 'L1WeightDecay'\n"
        "import sys\n"
        "assert 'labml_nn_optim.decays.l1' not in sys.modules\n"
        "optimizer.load_state_dict(saved)\n"
        "assert 'labml_nn_optim.decays.l1' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
