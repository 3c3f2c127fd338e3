"""Does the imported module compute what onnxruntime computes? And if not, from which node on?"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from onnx import ModelProto
from torch import Tensor, nn

from nc_scan.graph.inlining import inline_functions
from nc_scan.graph.module import to_torch
from nc_scan.graph.order import ancestors
from nc_scan.graph.runtime import Array, Runtime

RELATIVE_TOLERANCE = 1e-3
# Quantised models round at every layer. Values next to a half fall to either side even between onnxruntime's own
# optimisation levels, and one step is 1/255 of a layer's range.
QUANTIZED_RELATIVE_TOLERANCE = 5e-2
ABSOLUTE_TOLERANCE = 1e-5
_QUANTIZED = re.compile("[Qq]uantize|^Q(Linear|Gemm|Attention)|Integer|NBits")


@dataclass(frozen=True)
class Divergence:
    """The first node, in the order of evaluation, whose value differs."""

    node: str
    operator: str
    value: str
    max_abs_difference: float
    tolerance: float


@dataclass(frozen=True)
class ParityReport:
    """How far the module's first output is from onnxruntime's on the same inputs.

    `tolerance` is absolute, in units of the output. `label_agreement` is the fraction of samples for which both
    predict the same label, ties within the tolerance included.
    """

    max_abs_difference: float
    tolerance: float
    label_agreement: float
    first_divergence: Divergence | None = None

    @property
    def ok(self) -> bool:
        """Whether values and labels agree."""
        return self.max_abs_difference <= self.tolerance and self.label_agreement == 1.0


def compare(
    model: ModelProto,
    inputs: Sequence[Array],
    *,
    module: nn.Module | None = None,
    outputs: Sequence[str] | None = None,
    relative_tolerance: float | None = None,
    explain: bool = True,
) -> ParityReport:
    """Compares `module`, or a fresh import of `model`, with onnxruntime on the graph's inputs in order.

    `outputs` are the values to compare, of which the first gives the labels along its last axis. The tolerance is
    relative to the largest absolute value of onnxruntime's output, by default RELATIVE_TOLERANCE or, for a quantised
    model, QUANTIZED_RELATIVE_TOLERANCE. Where they differ and `explain` is set, the report names the first node that
    diverges. Raises UnsupportedModelError where one of the two cannot run the model.
    """
    relative = _relative(model, relative_tolerance)
    theirs = Runtime(model, outputs=outputs)(*inputs)[0]
    module = to_torch(model, outputs=outputs, differentiable=False) if module is None else module
    ours = _first(evaluate(module, inputs))
    tolerance = _tolerance(theirs, relative)
    report = ParityReport(difference(ours, theirs), tolerance, label_agreement(ours, theirs, tolerance))
    if report.ok or not explain:
        return report
    divergence = first_divergence(model, inputs, outputs=outputs, relative_tolerance=relative)
    return ParityReport(report.max_abs_difference, tolerance, report.label_agreement, divergence)


def first_divergence(
    model: ModelProto,
    inputs: Sequence[Array],
    *,
    outputs: Sequence[str] | None = None,
    relative_tolerance: float | None = None,
) -> Divergence | None:
    """The first node whose value differs between an unfused import and onnxruntime without its optimisations.

    None where every value agrees. All values of the graph are held at once: give a few samples.
    """
    relative = _relative(model, relative_tolerance)
    model = inline_functions(model)
    wanted = [value.name for value in model.graph.output] if outputs is None else list(outputs)
    nodes = [model.graph.node[index] for index in ancestors(model.graph, wanted)]
    names = [name for node in nodes for name in node.output if name]
    ours = evaluate(to_torch(model, outputs=names, differentiable=False, fused=False), inputs)
    theirs = dict(zip(names, Runtime(model, outputs=names, optimized=False)(*inputs), strict=True))
    computed = dict(zip(names, ours if isinstance(ours, tuple) else (ours,), strict=True))
    for node in nodes:
        for name in filter(None, node.output):
            if not isinstance(theirs[name], np.ndarray) or not isinstance(computed[name], Tensor):
                continue
            tolerance = _tolerance(theirs[name], relative)
            distance = difference(computed[name], theirs[name])
            if not distance <= tolerance:
                return Divergence(node.name, node.op_type, name, distance, tolerance)
    return None


def evaluate(module: nn.Module, inputs: Sequence[Array]) -> Tensor | tuple[Tensor, ...]:
    """The module's outputs for NumPy inputs, without gradients, on the module's device."""
    tensors = list(module.parameters()) + list(module.buffers())
    device = tensors[0].device if tensors else torch.device("cpu")
    with torch.no_grad():
        result: Tensor | tuple[Tensor, ...] = module(*(torch.from_numpy(array).to(device) for array in inputs))
    return result


def difference(ours: Tensor, theirs: Array) -> float:
    """Largest absolute difference; infinite where shapes, or the places of NaN and infinity, differ."""
    a, b = _as_float64(ours), theirs.astype(np.float64)
    if a.shape != b.shape:
        return float("inf")
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        distance = np.where(same, 0.0, np.abs(a - b))
    return float(np.nan_to_num(distance, nan=np.inf).max(initial=0.0))


def label_agreement(ours: Tensor, theirs: Array, tolerance: float) -> float:
    """Fraction of samples whose label, the largest value along the last axis, is the same up to `tolerance`."""
    a, b = _as_float64(ours), theirs.astype(np.float64)
    if a.shape != b.shape:
        return 0.0
    if not a.size or not a.ndim:
        return 1.0
    label = b.argmax(-1)[..., None]
    return float((np.take_along_axis(a, label, -1)[..., 0] >= a.max(-1) - 2 * tolerance).mean())


def _relative(model: ModelProto, given: float | None) -> float:
    """The tolerance to use where none is `given`."""
    if given is not None:
        return given
    quantized = any(_QUANTIZED.search(node.op_type) for node in model.graph.node)
    return QUANTIZED_RELATIVE_TOLERANCE if quantized else RELATIVE_TOLERANCE


def _tolerance(theirs: Array, relative: float) -> float:
    """Absolute tolerance for a value: relative to its scale, and at least one step for integers."""
    if theirs.dtype.kind == "b":
        return 0.0
    values = np.abs(theirs[np.isfinite(theirs)].astype(np.float64))
    step = 1.0 if theirs.dtype.kind in "iu" else ABSOLUTE_TOLERANCE
    return step + relative * float(values.max(initial=0.0))


def _as_float64(value: Tensor) -> np.ndarray:
    return np.asarray(value.detach().cpu().double().numpy())


def _first(value: Tensor | tuple[Tensor, ...]) -> Tensor:
    return value[0] if isinstance(value, tuple) else value
