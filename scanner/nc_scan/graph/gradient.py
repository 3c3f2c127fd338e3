"""Does a gradient reach the outputs from the inputs? Decided on the graph, before anything runs.

A value carries a gradient as FLOAT, or as INTEGER where the model computes in integers that the importer holds as
floating point: the uint8 image before its Cast, and everything between QuantizeLinear and DequantizeLinear or between
casts to integers and back, through which gradients pass straight.
"""

from collections.abc import Iterable
from enum import Enum

import torch

from nc_scan.errors import UnsupportedModelError
from nc_scan.graph.nodes import Step
from nc_scan.graph.straight_through import cast_through


class Carry(Enum):
    """How a value carries its gradient."""

    FLOAT = "float"
    INTEGER = "integer"


def require_gradient(inputs: Iterable[tuple[str, bool]], outputs: Iterable[str], steps: Iterable[Step]) -> None:
    """Raises UnsupportedModelError where no output carries a gradient from `inputs`, (name, is floating point) each."""
    carries = {name: Carry.FLOAT if floating else Carry.INTEGER for name, floating in inputs}
    end: Step | None = None
    for step in steps:
        carry = _carry(step, carries)
        if carry is not None:
            carries.update(dict.fromkeys(filter(None, step.outputs), carry))
        elif any(name in carries for name in step.tensors):
            end = step
    outputs = list(outputs)
    if not any(name in carries for name in outputs):
        where = (
            f"the gradient ends at {end.label}; choose a value before it as output" if end else "no input leads there"
        )
        raise UnsupportedModelError(f"'{outputs[0]}' cannot be differentiated by the input: {where}")


def _carry(step: Step, carries: dict[str, Carry]) -> Carry | None:
    incoming = {carries[name] for name in (*step.tensors, *step.captured) if name in carries}
    gradient = step.operator.gradient
    if not incoming or gradient == "none":
        return None
    if gradient == "cast":
        to: torch.dtype | None = step.attributes.get("to")
        if to is None or to.is_floating_point:
            return Carry.FLOAT
        passes = Carry.INTEGER in incoming or step.operator.function is cast_through
        return Carry.INTEGER if passes and to != torch.bool else None
    if gradient == "quantizes" or (gradient == "integers" and incoming == {Carry.INTEGER}):
        return Carry.INTEGER
    return Carry.FLOAT if Carry.FLOAT in incoming or gradient == "dequantizes" else None
