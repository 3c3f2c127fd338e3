"""Does the imported module compute what onnxruntime computes? And if not, from which node on?"""

from collections.abc import Sequence
from dataclasses import dataclass

from onnx import ModelProto
from torch import Tensor, nn

from nc_scan.graph.difference import absolute_tolerance, difference, label_agreement, relative_tolerance
from nc_scan.graph.module import to_torch
from nc_scan.graph.runtime import Array, Runtime
from nc_scan.graph.trace import evaluate, trace
from nc_scan.results import ComparedValue

EXPLAINED_SAMPLES = 4  # all values of the graph are held at once


@dataclass(frozen=True)
class ParityReport:
    """How far the module's first output is from onnxruntime's on the same inputs.

    `tolerance` is absolute, in units of the output. `label_agreement` is the fraction of samples for which both
    predict the same label, ties within the tolerance included.
    """

    max_abs_difference: float
    tolerance: float
    label_agreement: float
    first_divergence: ComparedValue | None = None

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
    tolerance: float | None = None,
    explain: bool = True,
) -> ParityReport:
    """Compares `module`, or a fresh import of `model`, with onnxruntime on the graph's inputs in order.

    `outputs` are the values to compare, of which the first gives the labels along its last axis. The tolerance is
    relative to the largest absolute value of onnxruntime's output, by default RELATIVE_TOLERANCE or, for a quantised
    model, QUANTIZED_RELATIVE_TOLERANCE of `difference`. Where they differ and `explain` is set, the report names the
    first node that diverges. Raises UnsupportedModelError where one of the two cannot run the model.
    """
    relative = relative_tolerance(model) if tolerance is None else tolerance
    theirs = Runtime(model, outputs=outputs)(*inputs)[0]
    module = to_torch(model, outputs=outputs, differentiable=False) if module is None else module
    ours = _first(evaluate(module, inputs))
    allowed = absolute_tolerance(theirs, relative)
    report = ParityReport(difference(ours, theirs), allowed, label_agreement(ours, theirs, allowed))
    if report.ok or not explain:
        return report
    few = [array[:EXPLAINED_SAMPLES] for array in inputs]
    divergence = trace(model, few, outputs=outputs, tolerance=relative).first_divergence
    return ParityReport(report.max_abs_difference, allowed, report.label_agreement, divergence)


def _first(value: Tensor | tuple[Tensor, ...]) -> Tensor:
    return value[0] if isinstance(value, tuple) else value
