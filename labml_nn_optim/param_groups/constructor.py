r"""
---
title: mmpretrain's constructor
summary: LearningRateDecayOptimWrapperConstructor reads mmpretrain's configuration of layer decay and weight decay, and builds the optimizer with the same groups.
chapter: "11.8"
needs: [param_groups/layer_decay]
verified_against:
  implementation: the groups recorded from mmpretrain's LearningRateDecayOptimWrapperConstructor
  difference: "0"
---

# The key that does nothing

A configuration for fine-tuning, as mmpretrain reads it:

```python
optim_wrapper = dict(
    optimizer=dict(type="AdamW", lr=1e-3, weight_decay=0.05),
    constructor="LearningRateDecayOptimWrapperConstructor",
    paramwise_cfg=dict(
        layer_decay_rate=0.75, bias_lr_mult=2.0, custom_keys={"head": dict(lr_mult=10.0)}
    ),
)
```

The rate falls by layers. The biases are not twice as fast, and the head is not ten times as fast: `bias_lr_mult` and
`lr_mult` belong to the constructor that this one is made from, and this one does not read them. Nothing says so when it runs; a line of its
documentation does, for `lr_mult`. The 10
is even written into the group of the head, under the name `lr_mult`, where no optimizer looks.

This class reads the same configuration and builds the same groups. It warns of `bias_lr_mult`, of `dwconv_decay_mult`, and of a custom key that
matches nothing. An `lr_mult` it passes on without a word, as documented. With
`repair=True` the keys do what their names say.

```python
optimizer = LearningRateDecayOptimWrapperConstructor(optim_wrapper)(model)
```

For new code a list of [rules](rules.py) says the same and more. This class is for configurations that exist.

## The rule

The learning rate of a parameter at depth $d$ of $D$ is

$$\alpha_d = \alpha\, r^{D - 1 - d}$$

with $r$ the `layer_decay_rate`; see [Layer-wise learning rates](layer_decay.py). Nothing else changes it.

The weight decay is $\lambda$ times the multiplier of the first of these that fits:

1. `custom_keys`: the longest key that is a part of the name, of equally long ones the first in the alphabet. Its
   `decay_mult` is 1 if not given: a key that sets something else takes a bias or a normalization back into
   the full decay. All its other entries go into the group, except `lr`, `lr_scale`, `layer_id` and `param_name`,
   which the depth decides.
2. `norm_decay_mult`: weights and biases of batch, instance, group and layer normalization.
3. `bias_decay_mult`: what is called `bias`.
4. `flat_decay_mult`: what has one dimension.

Each parameter has a group of its own, in the order of `named_parameters()`. Frozen ones have none.

## What is repaired

| | mmpretrain, and the default here | `repair=True` |
|---|---|---|
| `lr_mult` in a custom key | an entry of the group, without effect | multiplies the rate |
| `bias_lr_mult`, `dwconv_decay_mult` | no effect; here a warning | biases outside of normalization; depthwise convolutions |
| `bias_decay_mult` without `norm_decay_mult` | hits biases of normalization, too | leaves them out, as documented |
| RMSNorm, norms of one's own | no normalization | [by the name of the class](depth.py#is_norm) |
| `".cls_token"`, where that is a parameter of the root | no match; here a warning | matches: names begin with a dot, as in mmengine |
| a custom key without a match | silent; here a warning | an error |
| no `paramwise_cfg`, or an empty one | one plain group, no depths | a group for each parameter |

Four faults are mended in any case, since they end a run or do nothing. An optimizer without `weight_decay` raised a `KeyError` as soon
as any key was set. A parameter used twice raised torch's error about groups that overlap. `flat_decay_mult` without a
`weight_decay` was dropped; it is an error like the other multipliers. A model without `get_layer_depth` was refused; its
depths are found by [structure](depth.py), or by a list of patterns.

`dcn_offset_lr_mult` is refused: torch has no such module. So is an entry of the wrapper such as `clip_grad`: that
belongs to the training loop, and there is no wrapper here.

## After the start

mmengine's schedulers start from each group's own rate, as torch's do. With an absolute `eta_min` they end all groups at the same
value, and the layers lose their proportions: [the chapter on layer decay](layer_decay.py) has the numbers. This
library's [Scheduler](../schedulers/scheduler.py) scales the floor with the group.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm
from torch.optim.optimizer import Optimizer

from labml_nn_optim.checks import require_flag, require_number
from labml_nn_optim.param_groups.depth import FINAL_NORMS, LayerPatterns, Layers, by_model, is_norm
from labml_nn_optim.param_groups.groups import param_groups
from labml_nn_optim.param_groups.no_decay import is_bias
from labml_nn_optim.param_groups.rules import Rule
from labml_nn_optim.param_groups.selectors import Chosen, ParameterTable
from labml_nn_optim.registry import get_optimizer, optimizer_names

__all__ = ["LearningRateDecayOptimWrapperConstructor"]

DECAYS = ("norm_decay_mult", "bias_decay_mult", "flat_decay_mult")
MULTIPLIERS = ("decay_mult", "lr_mult")
IGNORED = ("bias_lr_mult", "dwconv_decay_mult")
KEYS = ("layer_decay_rate", *DECAYS, "custom_keys", *IGNORED, "bypass_duplicate")
OF_DEPTH = ("lr", "lr_scale", "layer_id", "param_name")
WRAPPER_KEYS = ("optimizer", "paramwise_cfg", "type", "constructor")
NORMS = (_BatchNorm, _InstanceNorm, nn.GroupNorm, nn.LayerNorm)


class LearningRateDecayOptimWrapperConstructor:
    r"""Builds an optimizer with a group for each parameter, from mmpretrain's configuration.

    - `optim_wrapper_cfg`: a dictionary with `optimizer`, itself one with `type`, `lr` and other arguments.
      The type is a class, a name of this library, or one of `torch.optim`; `"torch.optim.AdamW"` is
      torch's for sure
    - `paramwise_cfg`: `layer_decay_rate`, `norm_decay_mult`, `bias_decay_mult`, `flat_decay_mult`,
      `custom_keys`; it may stand in `optim_wrapper_cfg` as well. Without any there is one plain group
    - `layers`, `final_norm`: how the depth is found, see [LayerDecay](layer_decay.py#LayerDecay)
    - `repair`: do what mmengine's constructor does with the keys that mmpretrain's ignores, and what its
      documentation says of biases

    Each group has `lr`, `weight_decay`, `lr_scale`, `layer_id` and `param_name`, and what `custom_keys` says
    besides `decay_mult`.

    Raises `TypeError` for a configuration that is no dictionary, `ValueError` for keys and values that
    are not allowed.
    """

    def __init__(
        self,
        optim_wrapper_cfg: Mapping[str, Any],
        paramwise_cfg: Mapping[str, Any] | None = None,
        *,
        layers: LayerPatterns | None = None,
        final_norm: str = FINAL_NORMS[0],
        repair: bool = False,
    ) -> None:
        require_flag("repair", repair)
        require_keys("optim_wrapper_cfg", optim_wrapper_cfg, WRAPPER_KEYS)
        require_mapping("optimizer", optim_wrapper_cfg.get("optimizer"))
        if paramwise_cfg is not None and optim_wrapper_cfg.get("paramwise_cfg") is not None:
            raise ValueError(
                f"paramwise_cfg must be given once, got {paramwise_cfg!r} besides another"
            )
        if paramwise_cfg is None:
            paramwise_cfg = optim_wrapper_cfg.get("paramwise_cfg")
        require_keys("paramwise_cfg", {} if paramwise_cfg is None else paramwise_cfg, KEYS)
        self.optimizer_cfg = dict(optim_wrapper_cfg["optimizer"])
        self.paramwise_cfg = dict(paramwise_cfg or {})
        self.layers = layers
        self.final_norm = final_norm
        self.repair = repair
        self.kind = find_optimizer(self.optimizer_cfg.pop("type", None))
        self.base_lr = self.optimizer_cfg.get("lr")
        self.base_wd = self.optimizer_cfg.get("weight_decay")
        self.layer_decay_rate: float = self.paramwise_cfg.get("layer_decay_rate", 1.0)
        self.custom_keys: dict[str, dict[str, Any]] = self.paramwise_cfg.get("custom_keys", {})
        self._check()

    def _check(self) -> None:
        require_number("lr", self.base_lr)
        if self.base_wd is not None:
            require_number("weight_decay", self.base_wd)
        require_number("layer_decay_rate", self.layer_decay_rate, above=0.0)
        require_mapping("custom_keys", self.custom_keys)
        multipliers = {key: self.paramwise_cfg.get(key) for key in (*DECAYS, *IGNORED)}
        for key, value in self.custom_keys.items():
            require_mapping(f"custom_keys[{key!r}]", value)
            for name in value:
                near = difflib.get_close_matches(name, MULTIPLIERS, n=1, cutoff=0.8)
                if near and name not in MULTIPLIERS:
                    raise ValueError(
                        f"custom_keys[{key!r}] must have an entry that is read, got {name!r}; "
                        f"did you mean {near[0]}?"
                    )
            multipliers |= {f"custom_keys[{key!r}].{each}": value.get(each) for each in MULTIPLIERS}
        for name, number in multipliers.items():
            if number is None:
                continue
            require_number(name, number)
            if self.base_wd is None and "decay_mult" in name:
                raise ValueError(f"weight_decay must be given for {name}, got None")
        idle = [name for name in IGNORED if multipliers[name] is not None]
        if idle and not self.repair:
            warnings.warn(f"{', '.join(idle)} does nothing without repair=True", stacklevel=3)

    def __call__(self, model: nn.Module) -> Optimizer:
        """Return the optimizer of the parameters of `model`, or of `model.module` if it is wrapped."""
        wrapped = getattr(model, "module", model)
        if not self.paramwise_cfg and not self.repair:
            return self.kind(wrapped.parameters(), **self.optimizer_cfg)
        params: list[dict[str, Any]] = []
        self.add_params(params, wrapped)
        return self.kind(params, **self.optimizer_cfg)

    def add_params(
        self,
        params: list[dict[str, Any]],
        module: nn.Module,
        prefix: str = "",
        get_layer_depth: Callable[[str], tuple[int, int]] | None = None,
    ) -> None:
        """Append a group for each parameter of `module` that is trained to `params`.

        - `prefix`: what stands before the names, such as `"backbone"`
        - `get_layer_depth`: returns depth and number of layers for a name with its prefix
        """
        table = ParameterTable(module)
        before = f"{prefix}." if prefix else ""
        names = [before + name for name in table.names]
        if get_layer_depth is not None:
            layers = by_model(names, get_layer_depth)
        else:
            layers = table.layers(self.layers, self.final_norm)
        groups = param_groups(
            module,
            [*self._depth_rules(layers), *self._decay_rules(table, names)],
            lr=self.base_lr,
            weight_decay=self.base_wd,
            exclude_bias_from_weight_decay=False,
            exclude_normalization_params_from_weight_decay=False,
            merge=False,
        )
        for group in groups:
            group["param_names"] = [before + name for name in group["param_names"]]
            (group["param_name"],) = group["param_names"]
            group.setdefault("lr_scale", 1.0)
            group.setdefault("original_lr", self.base_lr)
        params += groups

    # ## The rules
    #
    # mmpretrain's configuration, written in [rules](rules.py) about rows of the table.
    def _depth_rules(self, layers: Layers) -> Iterator[Rule]:
        rate, last = self.layer_decay_rate, layers.num_layers - 1
        for depth in sorted(set(layers.depths)):
            rows = frozenset(row for row, each in enumerate(layers.depths) if each == depth)
            select = Chosen(rows, f"depth {depth}")
            yield Rule(select, lr_scale=rate ** (last - depth), layer_id=depth, optional=True)

    def _decay_rules(self, table: ParameterTable, names: Sequence[str]) -> Iterator[Rule]:
        # The first that matches has the parameter for itself.
        left = set(range(len(table)))
        for key in sorted(sorted(self.custom_keys), key=len, reverse=True):
            rows = {row for row in left if self._is_custom(key, names[row])}
            left -= rows
            if not rows:
                self._complain(
                    f"custom_keys must each match a parameter, got {key!r}; {table.nearest(key)}"
                )
            yield self._custom_rule(key, rows)
        for name, is_meant in self._tests().items():
            mult = self.paramwise_cfg.get(name)
            if mult is None:
                continue
            rows = {row for row in left if is_meant(table, row)}
            if name != "bias_lr_mult":
                left -= rows
            action = "lr_scale" if name == "bias_lr_mult" else "weight_decay_scale"
            yield Rule(Chosen(frozenset(rows), name), optional=True, **{action: mult})

    def _is_custom(self, key: str, name: str) -> bool:
        # mmengine's names begin with a dot.
        return key in (f".{name}" if self.repair else name)

    def _custom_rule(self, key: str, rows: set[int]) -> Rule:
        entries = {
            name: value for name, value in self.custom_keys[key].items() if name not in OF_DEPTH
        }
        mult = entries.pop("decay_mult", 1.0)
        lr_scale = entries.pop("lr_mult", 1.0) if self.repair else 1.0
        # A decay that is set has nothing to be multiplied with.
        scales = (
            {}
            if self.base_wd is None or "weight_decay" in entries
            else {"weight_decay_scale": mult}
        )
        select = Chosen(frozenset(rows), f"custom_keys[{key!r}]")
        rule = Rule(select, lr_scale=lr_scale, optional=True, **scales)
        rule.actions |= entries
        return rule

    def _tests(self) -> dict[str, Callable[[ParameterTable, int], bool]]:
        """Return what each multiplier is for, in the order in which they are tried."""
        tests: dict[str, Callable[[ParameterTable, int], bool]] = {
            "norm_decay_mult": lambda table, row: self._is_norm(table.modules[row]),
            "bias_decay_mult": self._is_bias,
            "flat_decay_mult": lambda table, row: table.ndims[row] == 1,
        }
        if self.repair:
            depthwise = {"dwconv_decay_mult": lambda table, row: is_depthwise(table.modules[row])}
            flat = {"flat_decay_mult": tests.pop("flat_decay_mult")}
            tests = {"bias_lr_mult": self._is_bias, **tests, **depthwise, **flat}
        return tests

    def _is_norm(self, module: nn.Module) -> bool:
        return is_norm(module) if self.repair else isinstance(module, NORMS)

    def _is_bias(self, table: ParameterTable, row: int) -> bool:
        # The documentation leaves the biases of normalization out; mmpretrain's code does not.
        left_out = self.repair and self._is_norm(table.modules[row])
        return is_bias(table.names[row]) and not left_out

    def _complain(self, message: str) -> None:
        if self.repair:
            raise ValueError(message)
        warnings.warn(message, stacklevel=2)


def is_depthwise(module: nn.Module) -> bool:
    """Whether a convolution has a filter of its own for each channel."""
    return isinstance(module, nn.Conv2d) and module.in_channels == module.groups


# ## Checks
def require_mapping(name: str, value: Any) -> None:
    """Raise `TypeError` unless `value` is a dictionary."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a dict, got {value!r}")


def require_keys(name: str, value: Any, allowed: Sequence[str]) -> None:
    """Raise unless `value` is a dictionary with allowed keys only."""
    require_mapping(name, value)
    for key in value:
        if key not in allowed:
            raise ValueError(
                f"{name} must have no other keys than {', '.join(allowed)}, got {key!r}"
            )


def find_optimizer(name: Any) -> type[Optimizer]:
    """Return the optimizer class of a name, ours before torch's, or the class that is given.

    Raises `TypeError` for what is neither, `ValueError` for a name that nobody has.
    """
    if isinstance(name, type) and issubclass(name, Optimizer):
        return name
    if not isinstance(name, str):
        raise TypeError(f"type must be the name or class of an optimizer, got {name!r}")
    own = {each.replace("_", "") for each in optimizer_names()}
    if name.lower().replace("_", "") in own:
        return get_optimizer(name)
    torchs = {
        each: kind
        for each, kind in vars(torch.optim).items()
        if isinstance(kind, type) and issubclass(kind, Optimizer)
    }
    found: type[Optimizer] | None = torchs.get(name.removeprefix("torch.optim."))
    if found is None:
        near = difflib.get_close_matches(
            name.lower(), [*own, *map(str.lower, torchs)], n=3, cutoff=0.4
        )
        raise ValueError(
            f"type must be an optimizer of this library or of torch.optim, got {name!r}"
            + (f"; the nearest are {', '.join(near)}" if near else "")
        )
    return found


# ## Traps
#
# - **A short custom key.** `"fc"` is a part of `blocks.3.mlp.fc1`, and `"head"` of `blocks.3.attn.heads`. Write enough of the
#   name, with its dots.
# - **`layer_decay_rate` above 1** is allowed, and makes the first layers the fastest.
# - **A group for each parameter** is slow for optimizers that work group by group: a network of 150 tensors has 150
#   groups. [param_groups](groups.py#param_groups) merges them.
#
# ## Exercises
#
# **1.** `norm_decay_mult=0`, and a custom key `{"layers.1": dict(note=3)}`. Which decay has `layers.1.norm.weight`?
#
# ::: solution
# The full one. The custom key fits first, and its `decay_mult` is 1 if not given. To keep the decay off, write
# `dict(note=3, decay_mult=0)`, which takes it off the matrices of that layer as well.
# :::
#
# **2.** Write the configuration at the head of this page with rules, so that the head really is ten times as fast.
#
# ::: solution
# ```python
# from torch import nn
# from labml_nn_optim.param_groups import LayerDecay, Rule, Substring, param_groups
#
#
# class Net(nn.Module):
#     def __init__(self):
#         super().__init__()
#         self.embed = nn.Linear(2, 2)
#         self.blocks = nn.ModuleList([nn.Sequential(nn.Linear(2, 2)) for _ in range(2)])
#         self.head = nn.Linear(2, 2)
#
#
# groups = param_groups(
#     Net(),
#     [LayerDecay(0.75), Rule(Substring("head"), lr_scale=10), Rule("*.bias", lr_scale=2)],
#     lr=1e-3,
#     weight_decay=0.05,
#     exclude_bias_from_weight_decay=False,
# )
# rates = {name: group["lr"] for group in groups for name in group["param_names"]}
# assert abs(rates["head.weight"] - 0.01) < 1e-12
# assert abs(rates["blocks.1.0.bias"] - 0.75 * 2e-3) < 1e-12
# ```
# :::
