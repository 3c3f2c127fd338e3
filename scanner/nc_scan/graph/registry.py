"""The operator registry: functions by (domain, name, since-version), looked up downward from the model's opset.

An operator is one short function written as its specification: its parameters are the operator's inputs, then its
attributes, under their specified names and with their specified defaults. Annotations say what an input is:

* `Tensor` stays a tensor and may carry a gradient;
* `int`, `float`, `bool`, `list[int]` and `list[float]` are read to Python values, at import where they are constant;
* `Tensor | float` is read to a number where it is one constant, and stays a tensor, with its gradient, where it is not.

Inputs bind by position and attributes by name, so `axes: list[int] | None = None` serves the opsets in which axes is an
attribute as well as those in which it is an input.
"""

import functools
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from operator import or_
from typing import Any, Literal, TypeVar

from torch import Tensor

Function = Callable[..., Any]
F = TypeVar("F", bound=Function)
Reader = Callable[[Tensor], Any]

ONNX = ""
ONNX_ML = "ai.onnx.ml"
MICROSOFT = "com.microsoft"
NCHWC = "com.microsoft.nchwc"

# How a tensor input is read where the parameter's annotation asks for a Python value.
_READERS: dict[Any, Reader] = {
    int: lambda tensor: int(tensor.item()),
    float: lambda tensor: float(tensor.item()),
    bool: lambda tensor: bool(tensor.item()),
    list[int]: lambda tensor: [int(value) for value in tensor.flatten().tolist()],
    list[float]: lambda tensor: [float(value) for value in tensor.flatten().tolist()],
}


Gradient = Literal["floats", "integers", "quantizes", "dequantizes", "cast", "none"]


@dataclass(frozen=True)
class Operator:
    """One operator in the versions from `since` up to the next one registered.

    `host` marks operators whose result is worked out from shapes and lives in host memory; `random` those whose
    result must not be folded; `ignores` the attributes that are without effect on inference; `only` those that have one
    supported value. `gradient` says what carries one through it:

    * `floats`: floating point does, integers do not;
    * `integers`: both do, because it moves integers about, or computes on them as it would on floating point;
    * `quantizes`, `dequantizes`: floating point becomes such integers, and they become floating point;
    * `cast`: it depends on the type that is cast to;
    * `none`: its result is piecewise constant in every input, or depends on shapes alone.
    """

    domain: str
    name: str
    since: int
    function: Function
    host: bool = False
    random: bool = False
    ignores: frozenset[str] = frozenset()
    gradient: Gradient = "floats"
    only: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """The function's parameters that an input or an attribute can bind to, by name."""
        return {
            name: parameter
            for name, parameter in inspect.signature(self.function).parameters.items()
            if parameter.kind is not inspect.Parameter.VAR_POSITIONAL
        }

    @cached_property
    def annotations(self) -> dict[str, Any]:
        """The parameters' types without `None`, by name."""
        hints = typing.get_type_hints(self.function)
        return {name: _without_none(hint) for name, hint in hints.items()}

    @cached_property
    def inputs(self) -> tuple[inspect.Parameter, ...]:
        """The parameters that bind by position, the variadic one last."""
        kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
        return tuple(p for p in inspect.signature(self.function).parameters.values() if p.kind in kinds)

    def requires(self, parameter: inspect.Parameter) -> bool:
        """Whether an input must be there: it has no default, and may not be None either."""
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL or parameter.default is not inspect.Parameter.empty:
            return False
        return type(None) not in typing.get_args(typing.get_type_hints(self.function)[parameter.name])

    def reader(self, parameter: str) -> Reader | None:
        """How a tensor bound to `parameter` is read, None where the tensor itself is wanted."""
        return _READERS.get(self.annotations[parameter])

    def early_reader(self, parameter: str) -> Reader | None:
        """How a constant bound to `parameter` is read, None where its tensor is wanted."""
        return Tensor.item if self.annotations[parameter] == Tensor | float else self.reader(parameter)


_OPERATORS: dict[tuple[str, str], list[Operator]] = {}


def op(
    *names: str,
    since: int = 1,
    domain: str = ONNX,
    host: bool = False,
    random: bool = False,
    ignores: tuple[str, ...] = (),
    gradient: Gradient = "floats",
    only: Mapping[str, Any] | None = None,
) -> Callable[[F], F]:
    """Registers a function as the operators `names` of `domain` from version `since` on."""

    def register(function: F) -> F:
        for name in names:
            versions = _OPERATORS.setdefault((domain, name), [])
            if any(known.since == since for known in versions):
                raise ValueError(f"{domain or 'ai.onnx'}::{name} version {since} is registered twice")
            versions.append(
                Operator(domain, name, since, function, host, random, frozenset(ignores), gradient, only or {})
            )
            versions.sort(key=lambda operator: operator.since, reverse=True)
        return function

    return register


def find(domain: str, name: str, version: int) -> Operator | None:
    """The operator as it stands in `version` of `domain`, None where it is not registered."""
    versions = _OPERATORS.get((normal_domain(domain), name), [])
    return next((operator for operator in versions if operator.since <= version), None)


def registered() -> dict[tuple[str, str], list[Operator]]:
    """Every registered operator by (domain, name), newest version first."""
    return {key: list(versions) for key, versions in sorted(_OPERATORS.items())}


def normal_domain(domain: str) -> str:
    """`ai.onnx` is another name of the default domain."""
    return ONNX if domain == "ai.onnx" else domain


def _without_none(hint: Any) -> Any:
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return functools.reduce(or_, [kind for kind in typing.get_args(hint) if kind is not type(None)])
    return hint
