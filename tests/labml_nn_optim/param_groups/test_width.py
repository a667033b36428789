"""Rates and variances that follow the width of a model."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from labml_nn_optim import AdamW
from labml_nn_optim.param_groups import Rule, WidthScaling, param_groups


class MLP(nn.Module):
    """Two hidden layers, a normalization, and ten classes."""

    def __init__(self, width: int, classes: int = 10, inner: int = 1) -> None:
        super().__init__()
        self.fc1 = nn.Linear(20, width)
        self.norm = nn.LayerNorm(width)
        self.fc2 = nn.Linear(width, inner * width)
        self.head = nn.Linear(inner * width, classes)

    def hidden(self, inputs: Tensor) -> Tensor:
        """What the second layer makes, before its ReLU."""
        out: Tensor = self.fc2(self.norm(self.fc1(inputs)).relu())
        return out

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits."""
        out: Tensor = self.head(self.hidden(inputs).relu())
        return out


class Transformer(nn.Module):
    """A block between an embedding and an output, tied or not."""

    def __init__(self, width: int, *, tied: bool = False) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, width)
        self.position = nn.Parameter(torch.zeros(1, 12, width))
        self.block = nn.TransformerEncoderLayer(width, 2, 4 * width)
        self.proj = nn.Parameter(torch.randn(width, 5))
        self.head = nn.Linear(width, 50, bias=False)
        if tied:
            self.head.weight = self.embed.weight


def groups_of(model: nn.Module, scaling: WidthScaling, **options: Any) -> dict[str, dict[str, Any]]:
    groups = param_groups(model, [scaling], lr=1.0, weight_decay=0.5, **options)
    return {name: group for group in groups for name in group["param_names"]}


def lr_scales(model: nn.Module, scaling: WidthScaling, **options: Any) -> dict[str, float]:
    return {name: group["lr"] for name, group in groups_of(model, scaling, **options).items()}


def except_for(model: nn.Module, default: float, **others: float) -> dict[str, float]:
    """The scale of each parameter; names have `__` for a dot."""
    named = {name.replace("__", "."): scale for name, scale in others.items()}
    assert set(named) <= {name for name, _ in model.named_parameters()}
    return {name: named.get(name, default) for name, _ in model.named_parameters()}


def test_under_adam_what_has_a_wide_input_is_slowed_by_the_factor_of_its_width() -> None:
    model = MLP(64)
    found = lr_scales(model, WidthScaling(MLP(16)))
    assert found == except_for(model, 1.0, fc2__weight=1 / 4, head__weight=1 / 4)


def test_under_sgd_inputs_and_vectors_are_sped_up_and_outputs_slowed_down() -> None:
    model = MLP(64)
    found = lr_scales(model, WidthScaling(MLP(16), "sgd"))
    assert found == except_for(model, 4.0, fc2__weight=1.0, head__weight=1 / 4, head__bias=1.0)


HIDDEN = {
    "block__self_attn__in_proj_weight": 1 / 4,
    "block__self_attn__out_proj__weight": 1 / 4,
    "block__linear1__weight": 1 / 4,
    "block__linear2__weight": 1 / 4,
}


def test_in_a_transformer_embeddings_keep_their_rate_and_the_head_does_not() -> None:
    model = Transformer(64)
    found = lr_scales(model, WidthScaling(Transformer(16)))
    assert found == except_for(model, 1.0, **HIDDEN, head__weight=1 / 4)


def test_a_parameter_that_no_layer_holds_is_an_output_if_it_is_said_to_be() -> None:
    model = Transformer(64)
    found = lr_scales(model, WidthScaling(Transformer(16), outputs="proj"))
    assert found == except_for(model, 1.0, **HIDDEN, head__weight=1 / 4, proj=1 / 4)


def test_an_output_that_the_model_divides_by_itself_has_the_rate_of_an_input() -> None:
    model = MLP(64)
    adam = WidthScaling(MLP(16), output_multiplier=True)
    assert lr_scales(model, adam) == except_for(model, 1.0, fc2__weight=1 / 4)
    sgd = WidthScaling(MLP(16), "sgd", output_multiplier=True)
    assert lr_scales(model, sgd) == except_for(model, 4.0, fc2__weight=1.0, head__bias=1.0)


def test_a_tied_output_needs_the_multiplier() -> None:
    model, base = Transformer(64, tied=True), Transformer(16, tied=True)
    with pytest.raises(ValueError, match=r"output_multiplier must be True .* head\.weight is tied"):
        lr_scales(model, WidthScaling(base))
    found = lr_scales(model, WidthScaling(base, output_multiplier=True))
    assert found == except_for(model, 1.0, **HIDDEN)


def test_convolutions_are_like_matrices_and_transposed_ones_lead_the_other_way() -> None:
    def make(width: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(3, width, 3),
            nn.Conv2d(width, width, 3, groups=width),
            nn.Conv2d(width, 2 * width, 3),
            nn.ConvTranspose2d(2 * width, width, 3),
            nn.ConvTranspose2d(width, 3, 3),
        )

    model = make(8)
    expected = {name: 1.0 for name, _ in model.named_parameters()}
    expected |= {"2.weight": 1 / 2, "3.weight": 1 / 2, "4.weight": 1 / 2}
    assert lr_scales(model, WidthScaling(make(4))) == expected


def test_layers_that_grow_by_different_factors_have_their_own() -> None:
    model, base = MLP(32, inner=3), MLP(16)
    adam = WidthScaling(base, uniform=False)
    assert lr_scales(model, adam) == except_for(model, 1.0, fc2__weight=1 / 2, head__weight=1 / 6)
    sgd = WidthScaling(base, "sgd", uniform=False)
    assert lr_scales(model, sgd)["fc2.weight"] == 3.0


def test_the_direction_of_a_transposed_convolution_counts_where_factors_differ() -> None:
    model, base = nn.ConvTranspose1d(8, 12, 3), nn.ConvTranspose1d(4, 4, 3)
    assert lr_scales(model, WidthScaling(base, uniform=False))["weight"] == 1 / 2


def test_a_model_of_the_width_of_the_base_is_left_alone() -> None:
    model = MLP(16)
    (group, bare) = param_groups(model, [WidthScaling(MLP(16))], lr=1.0, weight_decay=0.5)
    assert "lr_scale" not in group
    assert "lr_scale" not in bare
    before = {name: value.clone() for name, value in model.state_dict().items()}
    WidthScaling(MLP(16)).scale_init_(model)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_rate_times_decay_is_the_same_at_every_width(optimizer: str) -> None:
    options = {
        "exclude_bias_from_weight_decay": False,
        "exclude_normalization_params_from_weight_decay": False,
    }
    groups = groups_of(MLP(64), WidthScaling(MLP(16), optimizer), **options)
    assert {group["lr"] * group["weight_decay"] for group in groups.values()} == {0.5}
    assert len({group["lr"] for group in groups.values()}) > 1


def test_the_decay_is_left_as_it_is_on_demand() -> None:
    groups = groups_of(MLP(64), WidthScaling(MLP(16), scale_decay=False))
    assert groups["fc2.weight"]["weight_decay"] == 0.5
    assert "weight_decay_scale" not in groups["fc2.weight"]


def test_what_has_no_decay_gets_none_back_because_its_rate_is_scaled() -> None:
    groups = groups_of(MLP(64), WidthScaling(MLP(16), "sgd"))
    for name in ("fc1.bias", "norm.weight", "norm.bias", "fc2.bias"):
        assert (groups[name]["lr"], groups[name]["weight_decay"]) == (4.0, 0.0)


def test_a_decay_of_its_own_is_scaled_with_the_rate_before_and_after() -> None:
    scaling, own = WidthScaling(MLP(16)), Rule("head.weight", weight_decay=0.1)
    for rules in ([scaling, own], [own, scaling]):
        groups = param_groups(MLP(64), rules, lr=1.0, weight_decay=0.5)
        (head,) = [group for group in groups if "head.weight" in group["param_names"]]
        assert head["weight_decay"] == pytest.approx(0.4)


def test_other_scales_multiply_with_that_of_the_width() -> None:
    rules = [WidthScaling(MLP(16)), Rule("head.*", lr_scale=10)]
    groups = param_groups(MLP(64), rules, lr=1.0, weight_decay=0.0)
    found = {name: group["lr"] for group in groups for name in group["param_names"]}
    assert (found["head.weight"], found["head.bias"]) == (2.5, 10)


def test_frozen_parameters_do_not_matter() -> None:
    model = MLP(64)
    model.fc2.requires_grad_(False)
    assert "fc2.weight" not in lr_scales(model, WidthScaling(MLP(16)))


def test_a_base_without_memory_is_enough() -> None:
    with torch.device("meta"):
        base = MLP(16)
    model = MLP(64)
    assert lr_scales(model, WidthScaling(base)) == lr_scales(model, WidthScaling(MLP(16)))
    WidthScaling(base).scale_init_(model)


@pytest.mark.parametrize(("multiplier", "power"), [(False, -0.5), (True, 0.5)])
def test_the_start_of_outputs_and_biases_is_rescaled(multiplier: bool, power: float) -> None:
    model = MLP(64).double()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    WidthScaling(MLP(16), output_multiplier=multiplier).scale_init_(model)
    factors = except_for(model, 1.0, fc2__bias=4**0.5, head__bias=4**0.5, head__weight=4**power)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name] * factors[name])


def test_the_variances_are_those_of_the_table() -> None:
    torch.manual_seed(0)
    widths = (64, 1024)
    models = [MLP(width, classes=1000) for width in widths]
    for model in models:
        WidthScaling(models[0]).scale_init_(model)
    ratios = {
        name: (models[1].get_parameter(name).var() / param.var()).item()
        for name, param in models[0].named_parameters()
        if "norm" not in name
    }
    expected = {
        "fc1.weight": 1.0,
        "fc2.weight": 1 / 16,
        "head.weight": 1 / 16**2,
        "head.bias": 1.0,
    }
    assert {name: ratios[name] for name in expected} == pytest.approx(expected, rel=0.15)
    assert ratios["fc2.bias"] == pytest.approx(1.0, rel=0.5)


def changes_by_one_step(width: int, scaling: WidthScaling | None) -> tuple[float, float]:
    """How far a step of Adam moves hidden values and logits, in the mean."""
    torch.manual_seed(width)
    model = MLP(width)
    if scaling:
        scaling.scale_init_(model)
    groups = param_groups(model, [scaling] if scaling else [], lr=0.002, weight_decay=0.0)
    inputs, targets = torch.randn(64, 20), torch.randint(10, (64,))
    before = model.hidden(inputs), model(inputs)
    functional.cross_entropy(before[1], targets).backward()
    AdamW(groups).step()
    after = model.hidden(inputs), model(inputs)
    hidden, logits = (
        (new - old).abs().mean().item() for new, old in zip(after, before, strict=True)
    )
    return hidden, logits


def test_a_step_of_adam_moves_hidden_values_and_logits_alike_at_every_width() -> None:
    narrow, wide = (changes_by_one_step(width, WidthScaling(MLP(32))) for width in (64, 1024))
    assert 0.5 < wide[0] / narrow[0] < 2
    assert 0.5 < wide[1] / narrow[1] < 2


def test_without_scaling_a_step_of_adam_moves_them_further_the_wider_the_network_is() -> None:
    narrow, wide = (changes_by_one_step(width, None) for width in (64, 1024))
    assert wide[0] / narrow[0] > 8
    assert wide[1] / narrow[1] > 8


def test_the_multiplier_in_the_model_and_the_smaller_output_train_alike() -> None:
    class Divided(MLP):
        def forward(self, inputs: Tensor) -> Tensor:
            out: Tensor = self.head(self.hidden(inputs).relu() / 4)
            return out

    results = []
    for kind, multiplier in ((MLP, False), (Divided, True)):
        torch.manual_seed(0)
        model = kind(64).double()
        scaling = WidthScaling(MLP(16), output_multiplier=multiplier)
        scaling.scale_init_(model)
        groups = param_groups(model, [scaling], lr=0.01, weight_decay=0.1)
        optimizer = AdamW(groups, eps=1e-30)
        generator = torch.Generator().manual_seed(1)
        inputs = torch.randn(32, 20, generator=generator, dtype=torch.float64)
        for _ in range(5):
            optimizer.zero_grad()
            functional.cross_entropy(model(inputs), torch.arange(32) % 10).backward()
            optimizer.step()
        results.append(model(inputs).detach())
    torch.testing.assert_close(*results, rtol=1e-10, atol=1e-10)


class Other(MLP):
    """An MLP with a parameter more."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.extra = nn.Parameter(torch.zeros(width))


class Cube(nn.Module):
    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(shape))


@pytest.mark.parametrize(
    ("model", "base", "message"),
    [
        (Other(64), MLP(16), "base_model must have the parameters of the model, got no extra"),
        (MLP(64), Other(16), "model must have the parameters of base_model, got no extra"),
        (
            Cube(4, 4),
            Cube(4, 4, 1),
            "base_model must have as many dimensions as the model, got (4, 4, 1) for weight of (4, 4)",
        ),
        (
            MLP(16),
            MLP(64),
            "base_model must not be wider than the model, got (64, 20) for fc1.weight of (16, 20)",
        ),
        (
            MLP(64, classes=1000),
            MLP(16),
            "base_model must be narrower by one factor unless uniform=False, got 4 for fc1.weight, "
            "100 for head.weight",
        ),
        (
            Cube(4, 4, 4),
            Cube(2, 2, 2),
            "base_model must differ in at most two dimensions, got (2, 2, 2) for weight of (4, 4, 4)",
        ),
    ],
)
def test_a_base_that_does_not_fit_is_refused(
    model: nn.Module, base: nn.Module, message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        lr_scales(model, WidthScaling(base))
    with pytest.raises(ValueError, match=re.escape(message)):
        WidthScaling(base).scale_init_(model)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ("heads.*", "outputs must match a parameter; the nearest names are"),
        ("fc2.weight", "outputs must grow in one dimension, got fc2.weight, which does in two"),
    ],
)
def test_outputs_that_are_none_are_refused(outputs: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lr_scales(MLP(64), WidthScaling(MLP(16), outputs=outputs))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_model": 64}, "base_model must be a torch.nn.Module, got 64"),
        ({"optimizer": "muon"}, "optimizer must be one of adam, sgd, got 'muon'"),
        ({"scale_decay": 1}, "scale_decay must be True or False, got 1"),
        ({"output_multiplier": 4}, "output_multiplier must be True or False, got 4"),
        ({"uniform": None}, "uniform must be True or False, got None"),
        ({"outputs": 3}, "select must be a selector"),
    ],
)
def test_bad_arguments_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        WidthScaling(**{"base_model": MLP(16)} | options)
