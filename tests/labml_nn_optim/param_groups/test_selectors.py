"""Which parameters a selector chooses, and what is said when it chooses none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from labml_nn_optim.param_groups import (
    Depth,
    Glob,
    LayerDecay,
    Members,
    ModuleType,
    Name,
    Ndim,
    ParameterTable,
    Predicate,
    Regex,
    Rule,
    Selector,
    Substring,
    Tagged,
    param_groups,
)
from tests.ids import repr_without_address
from tests.labml_nn_optim.param_groups.examples import (
    NAMES,
    Block,
    Net,
    Tied,
    chosen,
    entry,
    public,
    refusal,
    scaled,
    tree,
)

BIASES = [name for name in NAMES if name.endswith("bias")]
MATRICES = ["embed.weight", "blocks.0.fc.weight", "blocks.1.fc.weight", "head.weight"]
FIRST_BLOCK = NAMES[1:5]


# ## What they choose
@pytest.mark.parametrize(
    ("selector", "names"),
    [
        (Name("head.bias"), ["head.bias"]),
        (Name("head"), []),
        (Name("*.bias"), []),
        (Glob("*.bias"), BIASES),
        (Glob("blocks.?.fc.*"), [name for name in NAMES if ".fc." in name]),
        (Glob("blocks.[1-9].norm.bias"), ["blocks.1.norm.bias"]),
        (Glob("bias"), []),
        (Glob("*.BIAS"), []),
        (Regex(r"blocks\.0\."), FIRST_BLOCK),
        (Regex(r"^head\.\w+$"), ["head.weight", "head.bias"]),
        (Regex("^bias"), []),
        (Substring("s.0"), FIRST_BLOCK),
        (Substring("*"), []),
        (ModuleType(nn.Embedding), ["embed.weight"]),
        (ModuleType(nn.Embedding, nn.LayerNorm), [NAMES[0], *NAMES[3:5], *NAMES[7:9]]),
        (ModuleType(Block), []),
        (ModuleType(Block, inside=True), NAMES[1:9]),
        (ModuleType(nn.Module), NAMES),
        (Ndim(2), MATRICES),
        (Ndim(at_least=2), MATRICES),
        (Ndim(at_most=1), [name for name in NAMES if name not in MATRICES]),
        (Ndim(at_least=1, at_most=2), NAMES),
        (Ndim(0), []),
        (Depth(0), ["embed.weight"]),
        (Depth(1), FIRST_BLOCK),
        (Depth(at_least=2), NAMES[5:]),
        (Depth(at_most=1, layers=["embed", "head", r"blocks\.(\d)"]), [NAMES[0], *NAMES[9:]]),
        (Predicate(lambda name, param: param.numel() > 16), ["embed.weight"]),
        (Predicate(lambda name, param: name.startswith("head")), ["head.weight", "head.bias"]),
    ],
    ids=repr_without_address,
)
def test_a_selector_chooses_what_it_says(selector: Selector, names: list[str]) -> None:
    assert chosen(Net(), selector) == names


def test_depth_asks_where_the_last_norm_belongs() -> None:
    model = tree(embed=nn.Embedding(2, 2), blocks=nn.ModuleList([Block()]), norm=nn.LayerNorm(4))
    assert chosen(model, Depth(2)) == ["norm.weight", "norm.bias"]
    assert chosen(model, Depth(2, final_norm="last_block")) == []


def test_members_are_modules_and_single_parameters() -> None:
    net = Net()
    assert chosen(net, Members(net.head)) == ["head.weight", "head.bias"]
    assert chosen(net, Members(net.embed.weight, net.blocks[0].norm)) == [NAMES[0], *NAMES[3:5]]
    assert chosen(net, Members(net)) == NAMES


def test_selectors_combine_like_sets() -> None:
    net = Net()
    biases, block = Glob("*.bias"), Substring("s.0")
    assert chosen(net, biases & block) == ["blocks.0.fc.bias", "blocks.0.norm.bias"]
    assert chosen(net, biases | block) == [n for n in NAMES if n in BIASES or n in FIRST_BLOCK]
    assert chosen(net, ~biases) == [name for name in NAMES if name not in BIASES]
    assert chosen(net, ~~biases) == BIASES
    assert chosen(net, ~(biases | block)) == chosen(net, ~biases & ~block)


@pytest.mark.parametrize(
    "other", ["*.bias", nn.LayerNorm, Name("head.bias")], ids=["text", "class", "selector"]
)
def test_the_right_side_may_be_what_a_rule_takes(other: Any) -> None:
    net = Net()
    alone = set(chosen(net, Rule(other, no_decay=True).select))
    assert set(chosen(net, Ndim(1) & other)) == alone
    assert set(chosen(net, Ndim(2) | other)) == alone | set(MATRICES)


def test_a_rule_takes_a_text_for_a_glob_and_things_for_themselves() -> None:
    net = Net()
    for select, names in (
        ("head.*", ["head.weight", "head.bias"]),
        (nn.Embedding, ["embed.weight"]),
        (net.blocks[1].fc, NAMES[5:7]),
        (net.head.bias, ["head.bias"]),
    ):
        assert chosen(net, Rule(select, lr_scale=2.0).select) == names


def test_selectors_say_what_they_are() -> None:
    net = Net()
    assert (
        repr(Glob("*.bias") & ~Ndim(at_least=2)) == "(Glob(pattern='*.bias') & ~Ndim(at_least=2))"
    )
    assert repr(Name("a") | Depth(3)) == "(Name(name='a') | Depth(3))"
    assert repr(ModuleType(nn.Linear, inside=True)) == "ModuleType(Linear, inside=True)"
    assert repr(Members(net.head, net.head.bias)) == "Members(Linear, a parameter of shape (3,))"


# ## When they choose none
@pytest.mark.parametrize(
    ("selector", "hint"),
    [
        (Name("head.wieght"), "the nearest names are head.weight, "),
        (Glob("block.0.fc.*"), "the nearest names are blocks.0.fc.bias, "),
        (Regex(r"block\.1\.fc\.bias$"), "the nearest names are blocks.1.fc.bias, "),
        (Substring("haed"), "the nearest names are head."),
        (Name("#"), "the names are embed.weight, blocks.0.fc.weight, blocks.0.fc.bias, ..."),
        (ModuleType(nn.Conv2d), "the modules are Embedding, LayerNorm, Linear"),
        (Ndim(4), "the parameters have 1, 2 dimensions"),
        (Depth(4), "the depths go from 0 to 3"),
        (Tagged("x"), "the tags given by rules further up are none"),
        (Predicate(lambda name, param: False), "the names are embed.weight, "),
        (~Glob("*"), "Glob(pattern='*') matches all of them"),
        (Ndim(2) & "*.bias", "each part alone does match"),
        (Ndim(2) & "*.baias", "the nearest names are "),
        (Ndim(3) & "*.bias", "the parameters have 1, 2 dimensions"),
        (Ndim(3) | Ndim(4), "the parameters have 1, 2 dimensions"),
        (Members(nn.ReLU()), "Members(ReLU) has none"),
    ],
    ids=repr_without_address,
)
def test_a_rule_that_matches_nothing_says_what_there_is(selector: Selector, hint: str) -> None:
    message = refusal(Net(), Rule(selector, lr_scale=2.0))
    assert message.startswith(f"Rule({selector!r}, lr_scale=2.0) must match a parameter; {hint}")
    assert "\n" not in message


def test_three_names_are_told_the_nearest_first() -> None:
    message = refusal(Net(), Rule("blocks.2.norm.bias", lr_scale=2.0))
    names = "blocks.1.norm.bias, blocks.0.norm.bias, blocks.1.fc.bias"
    assert message.endswith(f"must match a parameter; the nearest names are {names}")


@pytest.mark.parametrize(
    "select", ["head.weight", "head.*", Regex("^head"), Substring("head"), Name("head.weight")]
)
def test_a_rule_for_the_second_name_of_a_tied_parameter_is_told_the_first(select: Any) -> None:
    hint = "head.weight is tied, and goes by the name embed.weight"
    assert refusal(Tied(), Rule(select, lr_scale=2.0)).endswith(f"must match a parameter; {hint}")


def test_a_rule_for_frozen_parameters_only_is_refused() -> None:
    net = Net()
    net.head.requires_grad_(False)
    assert "must match a parameter that is trained, got frozen" in refusal(net, scaled("head.*"))
    param_groups(net, [scaled("*.weight")], lr=1.0)
    param_groups(net, [Rule("head.*", freeze=True)])


def test_a_rule_for_frozen_parameters_is_fine_where_they_are_in_groups() -> None:
    net = Net()
    net.head.requires_grad_(False)
    groups = param_groups(net, [scaled("head.*")], lr=1.0, include_frozen=True)
    assert entry(groups, "lr")["head.weight"] == 2.0


def test_a_rule_that_is_optional_may_match_nothing() -> None:
    net = Net()
    net.head.requires_grad_(False)
    for select in ("haed", "head.*", Depth(9)):
        groups = param_groups(net, [Rule(select, lr_scale=2.0, optional=True)], lr=1.0)
        assert set(entry(groups, "lr").values()) == {1.0}


@pytest.mark.parametrize(
    "last",
    [
        Rule("haed.*", lr_scale=2.0),
        Rule(Substring("head"), weight_decay=0.1),
        Rule("*", weight_decay=0.3),
        Rule("head.*", betas=0.3),
        Rule(Members(nn.Linear(2, 2)), lr_scale=2.0),
        LayerDecay(0.5, layers=["embed"]),
    ],
    ids=["nothing", "shadowed", "decay", "extra", "another model", "layers"],
)
def test_after_an_error_the_model_is_what_it_was(last: Any) -> None:
    net = Net()
    rules = [
        Rule("embed*", freeze=True),
        Rule(Substring("head."), weight_decay=0.2),
        Rule("head.*", betas=(0.9, 0.95)),
        last,
    ]
    with pytest.raises(ValueError, match="must"):
        param_groups(net, rules, lr=1.0, weight_decay=0.5)
    assert all(param.requires_grad for param in net.parameters())
    assert len(param_groups(net, rules[:-1], lr=1.0, weight_decay=0.5).frozen) == 1
    assert not net.embed.weight.requires_grad


# ## Substrings
def test_of_several_substrings_the_longest_has_a_parameter_for_itself() -> None:
    rules = [
        Rule(Substring("blocks"), lr_scale=2.0),
        Rule(Substring("blocks.0.fc"), lr_scale=8.0),
        Rule(Substring("blocks.0"), lr_scale=4.0),
    ]
    for order in (rules, rules[::-1]):
        lrs = entry(param_groups(Net(), order, lr=1.0), "lr")
        assert lrs["blocks.0.fc.weight"] == 8.0
        assert lrs["blocks.0.norm.weight"] == 4.0
        assert lrs["blocks.1.fc.weight"] == 2.0
        assert lrs["head.weight"] == 1.0


def test_of_equally_long_substrings_the_first_in_the_alphabet_has_it() -> None:
    rules = [Rule(Substring("norm"), lr_scale=2.0), Rule(Substring("bias"), lr_scale=4.0)]
    for order in (rules, rules[::-1]):
        lrs = entry(param_groups(Net(), order, lr=1.0), "lr")
        assert lrs["blocks.0.norm.bias"] == 4.0
        assert lrs["blocks.0.norm.weight"] == 2.0


def test_rules_with_the_same_substring_combine() -> None:
    rules = [Rule(Substring("head"), lr_scale=2.0), Rule(Substring("head"), lr_scale=3.0, tags="h")]
    groups = param_groups(Net(), rules, lr=1.0)
    assert entry(groups, "lr")["head.bias"] == 6.0
    assert entry(groups, "tags")["head.bias"] == ("h",)


def test_a_substring_competes_with_substrings_alone() -> None:
    rules = [
        Rule(Substring("head"), lr_scale=2.0),
        Rule("head.weight", lr_scale=3.0),
        Rule(Substring("head.weight") & Ndim(2), lr_scale=5.0),
    ]
    lrs = entry(param_groups(Net(), rules, lr=1.0), "lr")
    assert (lrs["head.weight"], lrs["head.bias"]) == (30.0, 2.0)


def test_a_substring_whose_matches_all_have_a_longer_one_is_refused() -> None:
    rules = [Rule(Substring("embed"), lr_scale=2.0), Rule(Substring("embed.weight"), lr_scale=3.0)]
    message = refusal(Net(), *rules)
    assert message.startswith("Rule(Substring(text='embed'), lr_scale=2.0) must match a parameter")
    assert message.endswith(
        "for which no longer substring does, and none as long that comes first in the alphabet"
    )
    optional = Rule(Substring("embed"), lr_scale=2.0, optional=True)
    assert entry(param_groups(Net(), [optional, rules[1]], lr=1.0), "lr")["embed.weight"] == 3.0


# ## Tags
def test_tags_of_rules_further_up_can_be_selected() -> None:
    rules = [
        Rule("blocks.*", tags="trunk"),
        Rule("*.bias", tags=["bias"]),
        Rule(Tagged("trunk") & ~Tagged("bias"), lr_scale=2.0),
    ]
    lrs = entry(param_groups(Net(), rules, lr=1.0), "lr")
    assert {name for name, lr in lrs.items() if lr == 2.0} == set(NAMES[1:9]) - set(BIASES)


def test_tags_of_rules_further_down_are_not_there_yet() -> None:
    rules = [Rule("head.*", tags="h"), Rule(Tagged("b"), lr_scale=2.0), Rule("blocks.*", tags="b")]
    assert refusal(Net(), *rules).endswith("the tags given by rules further up are h")
    rules[1] = Rule(Tagged("b"), lr_scale=2.0, optional=True)
    assert set(entry(param_groups(Net(), rules, lr=1.0), "lr").values()) == {1.0}


def test_a_substring_that_lost_a_parameter_does_not_tag_it() -> None:
    rules = [
        Rule(Substring("blocks"), tags="outer"),
        Rule(Substring("blocks.0"), tags="inner"),
        Rule(Tagged("outer"), lr_scale=2.0),
    ]
    groups = param_groups(Net(), rules, lr=1.0)
    assert entry(groups, "tags")["blocks.0.fc.bias"] == ("inner",)
    assert entry(groups, "lr")["blocks.0.fc.bias"] == 1.0
    assert entry(groups, "lr")["blocks.1.fc.bias"] == 2.0


# ## Another model
@pytest.mark.parametrize(
    ("member", "what"),
    [
        (nn.Linear(4, 3), "weight of Linear"),
        (Net(), "embed.weight of Net"),
        (nn.Parameter(torch.zeros(2, 3)), "a parameter of shape (2, 3)"),
        (torch.zeros(3), "a parameter of shape (3,)"),
    ],
    ids=["module", "model", "parameter", "tensor"],
)
def test_members_of_another_model_are_refused(member: Any, what: str) -> None:
    message = refusal(Net(), Rule(member, lr_scale=2.0))
    assert message == f"members must be parameters of this very model, got {what}"


def test_members_are_found_under_their_second_name() -> None:
    tied = Tied()
    assert chosen(tied, Members(tied.head)) == ["embed.weight"]


# ## Wrong arguments
@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Name(3), TypeError, "name must be a text, got 3"),
        (lambda: Name(""), ValueError, "name must be a text that is not empty"),
        (lambda: Glob(None), TypeError, "pattern must be a text, got None"),
        (lambda: Glob(""), ValueError, "pattern must be a text that is not empty"),
        (lambda: Regex(b"a"), TypeError, "pattern must be a text, got b'a'"),
        (lambda: Regex("a("), ValueError, "pattern must be a regular expression, got 'a\\('"),
        (lambda: Substring(["a"]), TypeError, "text must be a text"),
        (lambda: Substring(""), ValueError, "text must be a text that is not empty"),
        (lambda: ModuleType(), ValueError, "types must be at least one class of modules"),
        (lambda: ModuleType(nn.ReLU()), TypeError, "types must be classes of modules, got ReLU"),
        (lambda: ModuleType(int), TypeError, "types must be classes of modules, got .*int"),
        (lambda: Ndim(), ValueError, "exactly must be given alone, or at_least, at_most"),
        (lambda: Ndim(2, at_most=3), ValueError, "exactly must be given alone"),
        (lambda: Ndim(-1), ValueError, "exactly must be a whole number >= 0, got -1"),
        (lambda: Ndim(at_least=2.0), TypeError, "at_least must be a whole number >= 0, got 2.0"),
        (lambda: Depth(True), TypeError, "exactly must be a whole number >= 0, got True"),
        (lambda: Depth(1, layers="a"), TypeError, "layers must be a list of regular expressions"),
        (lambda: Depth(1, layers=[]), ValueError, "layers must be at least one"),
        (lambda: Depth(1, layers=["("]), ValueError, "layers must be regular expressions"),
        (
            lambda: Depth(1, final_norm="x"),
            ValueError,
            "final_norm must be one of head, last_block",
        ),
        (lambda: Predicate("x"), TypeError, "test must be a function of name and parameter"),
        (lambda: Tagged(1), TypeError, "tag must be a text, got 1"),
        (lambda: Tagged(""), ValueError, "tag must be a text that is not empty"),
        (lambda: Members(), ValueError, "members must be at least one module or parameter"),
        (lambda: Members("head"), TypeError, "members must be modules or parameters, got 'head'"),
        (lambda: Ndim(1) & 3, TypeError, "select must be a selector, a text, a module or a param"),
        (lambda: Ndim(1) | None, TypeError, "select must be a selector"),
        (lambda: ParameterTable({}), TypeError, "model must be a torch.nn.Module, got a dict"),
    ],
)
def test_wrong_arguments_are_refused_at_once(
    make: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{message}") as caught:
        make()
    assert "\n" not in str(caught.value)


# ## The table
class Odd(nn.Module):
    """Whatever a module may hold."""

    def __init__(self) -> None:
        super().__init__()
        self.register_parameter("nothing", None)
        self.shared = nn.Linear(2, 2)
        self.late = nn.LazyLinear(3)
        self.again = self.shared
        self.none: nn.Module | None = None
        self.register_module("no_module", None)
        self.normed = weight_norm(nn.Linear(2, 2))
        self.spectral = spectral_norm(nn.Conv1d(2, 2, 1))
        self.scalar = nn.Parameter(torch.zeros(()))
        self.list = nn.ParameterList([self.shared.weight, torch.zeros(2), self.scalar])
        self.dict = nn.ParameterDict({"b": torch.zeros(1), "a": torch.zeros(1)})
        self.rnn = nn.LSTM(2, 2, num_layers=2, bidirectional=True)
        self.attention = nn.MultiheadAttention(4, 2, kdim=3, vdim=3)
        self.frozen = nn.Linear(2, 2).requires_grad_(False)
        self.nested = nn.Sequential(nn.Sequential(self.shared, nn.Sequential()), self.normed)


def test_the_walk_takes_the_odd_parameters_that_torchs_walk_takes() -> None:
    model = Odd()
    model.self_made = nn.Parameter(torch.zeros(2))
    table = ParameterTable(model)
    assert table.names == [name for name, _ in model.named_parameters()]
    assert all(a is b for a, b in zip(table.params, model.parameters(), strict=True))
    everywhere = dict(model.named_parameters(remove_duplicate=False))
    assert table.aliases.keys() == everywhere.keys() - set(table.names)
    assert all(everywhere[owner] is everywhere[alias] for alias, owner in table.aliases.items())
    assert len(table) == len(table.names)


PUBLIC = [
    *("torchvision.vit_b_16", "torchvision.swin_v2_t", "torchvision.convnext_tiny"),
    *("torchvision.resnet18", "torchvision.googlenet", "torchvision.maxvit_t"),
    *("torchvision.efficientnet_b0", "torchvision.densenet121", "torchvision.raft_small"),
    *("timm.vit_tiny_patch16_224", "timm.swin_tiny_patch4_window7_224", "timm.convnext_tiny"),
    *("timm.resnet50", "timm.beit_base_patch16_224", "timm.cait_xxs24_224", "timm.mobilevit_s"),
    *("timm.efficientformer_l1", "timm.coat_tiny", "timm.levit_128s", "timm.volo_d1_224"),
]
SMALL = [
    Net(),
    Tied(),
    nn.TransformerDecoderLayer(8, 2, 16),
    nn.Linear(2, 2, bias=False),
]


def name_of(model: nn.Module | str) -> str:
    return model if isinstance(model, str) else type(model).__name__


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("model", [*PUBLIC, *SMALL, nn.ReLU()], ids=name_of)
def test_the_walk_is_torchs(model: nn.Module | str) -> None:
    if isinstance(model, str):
        model = public(model)
    table = ParameterTable(model)
    assert table.names == [name for name, _ in model.named_parameters()]
    assert all(a is b for a, b in zip(table.params, model.parameters(), strict=True))
    modules = dict(model.named_modules(remove_duplicate=False))
    owners = [modules[name.rpartition(".")[0]] for name in table.names]
    assert all(a is b for a, b in zip(table.modules, owners, strict=True))
    assert table.ndims == [param.ndim for param in model.parameters()]


def test_and_or_and_not_are_refused_since_python_would_drop_a_selector() -> None:
    for wrong in (
        lambda: Glob("a") or Glob("b"),
        lambda: Glob("a") and Glob("b"),
        lambda: not Glob("a"),
    ):
        with pytest.raises(TypeError, match=r"combined with &, \| and ~"):
            wrong()
