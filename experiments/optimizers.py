"""From the command line to an optimizer: names and values, checked before anything runs."""

from __future__ import annotations

import ast
import difflib
import inspect
import math
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from labml_nn_optim import GenericAdaptiveOptimizer, get_optimizer


class OptionError(ValueError):
    """A name or value is wrong; the message is one line."""


@dataclass(frozen=True)
class OptimizerChoice:
    """An optimizer's class and the arguments to make it with.

    * `name`: the name of its file, such as `radam`
    * `lr`: the learning rate, the class's own default if none was given
    * `options`: all other arguments that were set
    """

    name: str
    kind: type[GenericAdaptiveOptimizer]
    lr: float
    options: dict[str, Any]

    def make(
        self, parameters: Iterable[nn.Parameter], *, total_steps: int | None = None
    ) -> torch.optim.Optimizer:
        """Return an optimizer of these parameters.

        One with a schedule inside that ends is told how many steps the run has, unless its
        `total_steps` was set by name. Raises `OptionError` for what the optimizer refuses.
        """
        options = dict(self.options)
        if total_steps is not None and "total_steps" in argument_names(self.kind):
            options.setdefault("total_steps", total_steps)
        try:
            optimizer: torch.optim.Optimizer = self.kind(parameters, lr=self.lr, **options)
        except (TypeError, ValueError, RuntimeError) as error:
            message = " ".join(str(error).split())
            raise OptionError(f"{self.kind.__name__}: {message}") from None
        return optimizer


def choose_optimizer(
    name: str, lr: float | None, settings: Sequence[str], *, compiled: bool = False
) -> OptimizerChoice:
    """Return the optimizer that `--optimizer`, `--lr`, `--set` and `--compile` describe.

    * `settings`: strings of the form `name=value`, the value a Python literal

    Raises `OptionError` for a name or value that the optimizer does not take. The optimizer is
    made once on a dummy parameter, so that its own checks have run when this returns.
    """
    try:
        kind = get_optimizer(name)
    except ValueError as error:
        raise OptionError(f"--optimizer: {error}") from None
    allowed = argument_names(kind)
    options = parse_settings(settings, allowed, kind.__name__)
    if lr is not None and "lr" in options:
        raise OptionError("lr is set twice, by --lr and by --set")
    if compiled and not options.setdefault("compile", True):
        raise OptionError("--compile and --set compile=False contradict each other")
    rate = options.pop("lr", lr)
    if rate is None:
        rate = inspect.signature(kind).parameters["lr"].default
    if rate is inspect.Parameter.empty:
        raise OptionError(f"{kind.__name__} has no learning rate of its own; give one with --lr")
    choice = OptimizerChoice(kind.__module__.rpartition(".")[2], kind, rate, options)
    choice.make([nn.Parameter(torch.zeros(2, 2))])
    return choice


def optimizer_choice(name: str, lr: float, options: Mapping[str, Any]) -> OptimizerChoice:
    """Return the optimizer of a configuration, whose arguments have been checked before."""
    return OptimizerChoice(name, get_optimizer(name), lr, dict(options))


def argument_names(kind: type) -> list[str]:
    """Return the names of the constructor's arguments, without the parameters to optimize.

    Keyword arguments that are declared through `**options: Unpack[SomeTypedDict]` count too.
    """
    names = []
    hints = typing.get_type_hints(kind.__init__)
    for name, parameter in list(inspect.signature(kind).parameters.items())[1:]:
        if parameter.kind is not parameter.VAR_KEYWORD:
            names.append(name)
        elif typing.get_origin(hint := hints.get(name)) is typing.Unpack:
            names.extend(typing.get_type_hints(typing.get_args(hint)[0]))
    return names


def sets(name: str, settings: Sequence[str]) -> bool:
    """Return whether one of the `name=value` strings sets that argument."""
    return any(setting.partition("=")[0].strip() == name for setting in settings)


def parse_settings(
    settings: Sequence[str],
    allowed: Sequence[str],
    owner: str,
    *,
    option: str = "--set",
    bare_words: bool = False,
) -> dict[str, Any]:
    """Return the names and values of `name=value` strings; raises `OptionError`.

    * `option`: which option the strings came with, for messages
    * `bare_words`: whether a value that is no Python literal is text, such as `1-sqrt`
    """
    options: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = (part.strip() for part in setting.partition("="))
        given = f"{option} {setting}"
        if not equals or not name or not text:
            example = "tail=cosine" if bare_words else "betas=0.9,0.99"
            raise OptionError(f"{given}: write name=value, such as {example}")
        if name not in allowed:
            near = difflib.get_close_matches(name, allowed, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(allowed)}"
            raise OptionError(f"{given}: {owner} has no argument {name}; {hint}")
        if name in options:
            raise OptionError(f"{given}: {name} is set twice")
        options[name] = parse_value(given, text, bare_words=bare_words)
    return options


def parse_value(given: str, text: str, *, bare_words: bool = False) -> Any:
    """Return the value that a text is as a Python literal; raises `OptionError`.

    * `given`: what the text stands in, for messages
    * `bare_words`: whether a text that is no literal is a value, too
    """
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        if bare_words:
            return text
        proper = {"true": "True", "false": "False", "none": "None"}.get(text.lower())
        hint = f"write {proper}" if proper else "write a number, True, 0.9,0.99 or 'text'"
        raise OptionError(f"{given}: {text} is no Python value; {hint}") from None
    if not _recordable(value):
        raise OptionError(
            f"{given}: only finite numbers, text, True, False, None, and tuples of these"
        )
    return value


def _recordable(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(_recordable(element) for element in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int | str)
