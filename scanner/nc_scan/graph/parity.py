"""Does the imported module compute what onnxruntime computes? And if not, from which node on?"""

from collections.abc import Sequence

from onnx import ModelProto
from torch import Tensor, nn

from nc_scan.graph.difference import absolute_tolerance, difference, label_agreement, relative_tolerance
from nc_scan.graph.module import to_torch
from nc_scan.graph.runtime import Array, Runtime
from nc_scan.graph.trace import evaluate, trace
from nc_scan.results import Parity

EXPLAINED_SAMPLES = 4  # all values of the graph are held at once


def compare(
    model: ModelProto,
    inputs: Sequence[Array],
    *,
    module: nn.Module | None = None,
    outputs: Sequence[str] | None = None,
    tolerance: float | None = None,
    explain: bool = True,
    batch: int | None = None,
) -> Parity:
    """Compares `module`, or a fresh import of `model`, with onnxruntime on the graph's inputs in order.

    `outputs` are the values to compare, of which the first gives the labels along its last axis. The tolerance is
    relative to the largest absolute value of onnxruntime's output, by default RELATIVE_TOLERANCE or, for a quantised
    model, QUANTIZED_RELATIVE_TOLERANCE of `difference`. Where they differ and `explain` is set, the result names the
    first node that diverges. Raises UnsupportedModelError where one of the two cannot run the model.
    """
    relative = relative_tolerance(model) if tolerance is None else tolerance
    theirs = Runtime(model, outputs=outputs, batch=batch)(*inputs)[0]
    module = to_torch(model, outputs=outputs, differentiable=False) if module is None else module
    ours = _first(evaluate(module, inputs))
    allowed = absolute_tolerance(theirs, relative)
    distance, same_label = difference(ours, theirs), label_agreement(ours, theirs, allowed)
    agrees = distance <= allowed and same_label == 1.0
    node = None
    if not agrees and explain:
        few = [array[:EXPLAINED_SAMPLES] for array in inputs]
        first = trace(model, few, outputs=outputs, tolerance=relative).first_divergence
        node = f"{first.operator} {first.node} ({first.value})" if first else None
    return Parity(agrees, distance, allowed, same_label, node)


def _first(value: Tensor | tuple[Tensor, ...]) -> Tensor:
    return value[0] if isinstance(value, tuple) else value
