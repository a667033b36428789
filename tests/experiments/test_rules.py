import pytest

from experiments.mnist import Model
from experiments.optimizers import OptionError, choose_optimizer
from experiments.rules import choose_rules


def groups(*texts, settings=("weight_decay=0.1",)):
    choice = choose_optimizer("adamw", 1e-3, settings)
    return list(choose_rules(texts).groups(Model(), choice))


def test_without_rules_all_parameters_are_one_group():
    assert len(groups()) == 8


def test_the_built_in_rules_leave_biases_without_decay():
    decays = {
        name: group["weight_decay"] for group in groups("built-in") for name in group["param_names"]
    }
    assert {decay for name, decay in decays.items() if name.endswith("bias")} == {0.0}
    assert {decay for name, decay in decays.items() if name.endswith("weight")} == {0.1}


def test_a_pattern_scales_the_rate_of_what_it_matches():
    rates = {
        name: group["lr"]
        for group in groups("output.*:lr_scale=10")
        for name in group["param_names"]
    }
    assert rates["output.weight"] == pytest.approx(1e-2)
    assert rates["hidden.weight"] == pytest.approx(1e-3)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("nothing", "write built-in, layer-decay=0.75 or PATTERN"),
        ("layer-decay=much", "layer-decay=much"),
        ("output.*:lr=10", "Rule has no argument lr"),
        ("output.*:lr_scale", "write name=value"),
        ("heads.*:lr_scale=10", "heads.*"),
    ],
)
def test_a_wrong_rule_is_one_line(rule, message):
    with pytest.raises(OptionError) as error:
        groups(rule)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
