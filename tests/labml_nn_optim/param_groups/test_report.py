"""The table that tells what a recipe does."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest
import torch
from torch import nn

from labml_nn_optim import AdamW, WeightDecay
from labml_nn_optim.param_groups import (
    LayerDecay,
    LrScaleByNameModifier,
    Rule,
    describe,
    description,
    param_groups,
)
from tests.ids import repr_without_address
from tests.labml_nn_optim.param_groups.examples import NAMES, Net

RULES = [
    Rule("embed.*", freeze=True),
    Rule("head.*", lr_scale=10, tags=["new", "head"]),
    Rule("blocks.0.fc.*", betas=(0.5, 0.75)),
    Rule("blocks.*.fc.bias", weight_decay=0.25),
    Rule("zz", lr_scale=2, optional=True),
]

TABLE = """\
group     lr  lr_scale  weight_decay  tensors  parameters  examples
    0  0.001         1          0.05        1          16  betas=(0.5, 0.75)  blocks.0.fc.weight
    1  0.001         1          0.25        1           4  betas=(0.5, 0.75)  blocks.0.fc.bias
    2  0.001         1             0        4          16  blocks.0.norm.weight, blocks.0.norm.bias, and 2 more
    3  0.001         1          0.05        1          16  blocks.1.fc.weight
    4  0.001         1          0.25        1           4  blocks.1.fc.bias
    5   0.01        10          0.05        1          12  tags=head+new  head.weight
    6   0.01        10             0        1           3  tags=head+new  head.bias
                               total       10          71"""

REMARKS = """\
Rule(Biases(), weight_decay=0.0) (built in): 5 tensors, 19 parameters
Rule(Normalization(), weight_decay=0.0) (built in): 2 tensors, 8 parameters
Rule(Glob(pattern='embed.*'), freeze=True): 1 tensor, 20 parameters
Rule(Glob(pattern='head.*'), lr_scale=10, tags=['head', 'new']): 2 tensors, 15 parameters
Rule(Glob(pattern='blocks.0.fc.*'), betas=(0.5, 0.75)): 2 tensors, 20 parameters
Rule(Glob(pattern='blocks.*.fc.bias'), weight_decay=0.25): 2 tensors, 8 parameters
Rule(Glob(pattern='zz'), lr_scale=2): 0 tensors, 0 parameters
not trained: embed.weight"""


def groups() -> Any:
    return param_groups(Net(), RULES, lr=1e-3, weight_decay=0.05)


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_groups_are_a_table_with_what_each_rule_did_below() -> None:
    assert description(groups()) == f"{TABLE}\n\n{REMARKS}"


@pytest.mark.parametrize("kind", [torch.optim.AdamW, AdamW])
def test_an_optimizer_is_a_table(kind: Any) -> None:
    assert description(kind(groups())) == TABLE


def test_a_plain_list_of_groups_is_a_table() -> None:
    assert description(list(groups())) == TABLE


def test_the_table_shows_what_a_group_has_now() -> None:
    optimizer = torch.optim.SGD(groups())
    optimizer.param_groups[0]["lr"] = torch.tensor(1 / 3)
    optimizer.param_groups[0]["weight_decay"] = 1e-9
    assert lines(description(optimizer))[1][1:4] == ["0.333", "1", "1e-09"]


def test_groups_without_names_are_told_by_shapes() -> None:
    text = description(torch.optim.SGD(Net().parameters(), lr=0.1))
    assert text == (
        "group   lr  lr_scale  weight_decay  tensors  parameters  examples\n"
        "    0  0.1         1             0       11          91  (5, 4), (4, 4), and 9 more\n"
        "                             total       11          91"
    )


def test_what_is_not_given_is_a_dash_and_large_numbers_have_commas() -> None:
    text = description([{"params": [torch.zeros(1234, 1000, device="meta")]}])
    assert text.splitlines()[1:] == [
        "    0   -         1             -        1   1,234,000  (1234, 1000)",
        "                            total        1   1,234,000",
    ]


def test_two_examples_are_named_and_the_others_counted() -> None:
    text = description(param_groups(Net().head, lr=1.0, exclude_bias_from_weight_decay=False))
    assert text.splitlines()[1].endswith("  weight, bias")
    assert "(1,), (1,), and 1 more" in description([{"params": [torch.zeros(1)] * 3}])


def test_a_single_tensor_is_a_group_of_one() -> None:
    table = lines(description([{"params": torch.zeros(2, 3), "lr": 0.1}]))
    assert table[1] == ["0", "0.1", "1", "-", "1", "6", "(2,", "3)"]


def test_a_decay_that_is_an_object_is_shown_with_its_class() -> None:
    made = param_groups(Net(), weight_decay=WeightDecay(0.1, absolute=True))
    table = description(made).splitlines()
    assert table[1].split("  ")[-1].startswith("embed.weight")
    assert "  0.1 WeightDecay  " in table[1]
    assert "  0 WeightDecay  " in table[2]


def test_own_names_of_groups_are_shown() -> None:
    made = [{"params": [torch.zeros(1)], "name": "old&slow", "lr": 1.0}]
    assert description(made).splitlines()[1].endswith("  old  slow  (1,)")


def test_no_groups_are_an_empty_table() -> None:
    assert lines(description([]))[-1] == ["total", "0", "0"]


def test_rules_of_a_family_are_told_one_by_one() -> None:
    made = param_groups(Net(), [LayerDecay(0.5), LrScaleByNameModifier("head.bias", 2.0)], lr=1.0)
    assert description(made).splitlines()[-5:] == [
        "Rule(depth 0, lr_scale=0.125): 1 tensor, 20 parameters",
        "Rule(depth 1, lr_scale=0.25): 4 tensors, 28 parameters",
        "Rule(depth 2, lr_scale=0.5): 4 tensors, 28 parameters",
        "Rule(depth 3, lr_scale=1.0): 2 tensors, 15 parameters",
        "Rule(LrScaleByNameModifier('head.bias', 2.0): head.bias, lr_scale=2.0): "
        "1 tensor, 3 parameters",
    ]


def test_one_tensor_and_one_number_are_no_plural() -> None:
    net = nn.Sequential(nn.Linear(2, 1))
    made = param_groups(net, [Rule("0.bias", lr_scale=2.0)], lr=1.0)
    assert description(made).splitlines()[-1].endswith(": 1 tensor, 1 parameter")


def test_of_many_frozen_parameters_eight_are_named() -> None:
    net = Net()
    assert description(param_groups(net, [Rule("blocks.*", freeze=True)])).splitlines()[-1] == (
        f"not trained: {', '.join(NAMES[1:9])}"
    )
    net.embed.requires_grad_(False)
    net.head.bias.requires_grad_(False)
    assert description(param_groups(net)).splitlines()[-1] == (
        f"not trained: {', '.join(NAMES[:8])}, and 2 more"
    )


def test_describing_prints(capsys: pytest.CaptureFixture[str]) -> None:
    made = groups()
    describe(made)
    assert capsys.readouterr().out == f"{description(made)}\n"
    file = io.StringIO()
    describe(made, file)
    assert file.getvalue() == f"{description(made)}\n"
    describe(made, file=sys.stderr)
    assert capsys.readouterr().err == f"{description(made)}\n"


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        3,
        "groups",
        {"params": []},
        [3],
        [{"lr": 1.0}],
        [{"params": 3}],
        [{"params": [3]}],
        [{"params": iter([torch.zeros(1)])}],
        [torch.zeros(1)],
        nn.ReLU(),
        iter([]),
    ],
    ids=repr_without_address,
)
def test_what_are_no_groups_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"^groups must be parameter groups or an optimizer, got "):
        description(wrong)
