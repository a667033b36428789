"""Parameter groups: which parameter gets which learning rate, decay and anything else."""

from __future__ import annotations

from labml_nn_optim.param_groups.composite import CompositeOptimizer, split_by_tag
from labml_nn_optim.param_groups.constructor import LearningRateDecayOptimWrapperConstructor
from labml_nn_optim.param_groups.groups import Applied, ParamGroups, param_groups
from labml_nn_optim.param_groups.layer_decay import LayerDecay
from labml_nn_optim.param_groups.modifiers import (
    LrScaleByNameModifier,
    ParamGroupModifierBase,
    ParamGroupModifierConfig,
    WeightDecayByNameModifier,
)
from labml_nn_optim.param_groups.no_decay import Biases, Normalization, built_in_rules
from labml_nn_optim.param_groups.report import describe, description
from labml_nn_optim.param_groups.rules import Outcome, Rule, RuleFamily
from labml_nn_optim.param_groups.selectors import (
    Depth,
    Glob,
    Members,
    ModuleType,
    Name,
    Ndim,
    ParameterTable,
    Predicate,
    Regex,
    Selector,
    Substring,
    Tagged,
)
from labml_nn_optim.param_groups.width import WidthScaling

__all__ = [
    "Applied",
    "Biases",
    "CompositeOptimizer",
    "Depth",
    "Glob",
    "LayerDecay",
    "LearningRateDecayOptimWrapperConstructor",
    "LrScaleByNameModifier",
    "Members",
    "ModuleType",
    "Name",
    "Ndim",
    "Normalization",
    "Outcome",
    "ParamGroupModifierBase",
    "ParamGroupModifierConfig",
    "ParamGroups",
    "ParameterTable",
    "Predicate",
    "Regex",
    "Rule",
    "RuleFamily",
    "Selector",
    "Substring",
    "Tagged",
    "WeightDecayByNameModifier",
    "WidthScaling",
    "built_in_rules",
    "describe",
    "description",
    "param_groups",
    "split_by_tag",
]
