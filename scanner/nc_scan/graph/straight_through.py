"""Rounding that lets the gradient straight through, as that of quantisers does.

A step's own gradient is 0 everywhere. A graph that rounds its scores, or the image that it reads, would stop a search
without computing anything else; rounding can even hand on another gradient than that of what it computes. So the
gradient passes Floor, Ceil, Round and casts to integers as if they were not there (Bengio, Leonard and Courville 2013).
"""

from dataclasses import replace

import torch
from torch import Tensor

from nc_scan.graph.nodes import Step
from nc_scan.graph.registry import ONNX

# What computes the same on whole numbers in floating point, or turns them back.
READERS = frozenset(["Cast", "Add", "Sub", "Mul", "Neg", "Abs", "Max", "Min", "Clip", "Identity", "Reshape", "Flatten",
                     "Transpose", "Squeeze", "Unsqueeze", "Slice", "Concat", "ReduceMax", "ReduceMin"])  # fmt: skip


def through(rounded: Tensor, x: Tensor) -> Tensor:
    """The values of `rounded`, with the gradient of `x`."""
    return x + (rounded - x).detach() if x.requires_grad else rounded


def cast_through(x: Tensor, to: torch.dtype, saturate: int = 1) -> Tensor:  # noqa: ARG001
    """A cast to integers that keeps them in floating point where a gradient is to pass."""
    if x.is_floating_point() and x.requires_grad:
        return through(torch.trunc(x), x)
    return x.to(to)


def pass_casts(steps: list[Step], kept: set[str]) -> None:
    """Lets the gradient through casts to integers, where all that reads them computes alike in floating point."""
    readers: dict[str, list[Step]] = {}
    for step in steps:
        for name in step.reads:
            readers.setdefault(name, []).append(step)
    for step in reversed(steps):
        if _is_cast_to_integers(step) and step.outputs[0] not in kept and _computes_alike(step, readers):
            step.operator = replace(step.operator, function=cast_through)


def _is_cast_to_integers(step: Step) -> bool:
    to = step.attributes.get("to")
    named = step.operator.domain == ONNX and step.operator.name == "Cast"
    return named and to is not None and not to.is_floating_point and to != torch.bool and not step.host


def _computes_alike(step: Step, readers: dict[str, list[Step]]) -> bool:
    """Whether nothing between the cast and the next one to floating point asks for integers."""
    pending, seen = [step.outputs[0]], set()
    while pending:
        for reader in readers.get(pending.pop(), []):
            name = reader.operator.name
            if reader.operator.domain != ONNX or name not in READERS or reader.bodies:
                return False
            floating = name == "Cast" and reader.attributes["to"].is_floating_point
            if not floating and id(reader) not in seen:
                seen.add(id(reader))
                pending += [output for output in reader.outputs if output]
    return True
