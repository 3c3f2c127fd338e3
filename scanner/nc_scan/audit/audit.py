"""The audit of a graph.

The trigger search follows gradients. A backdoor can also be written into the graph itself: a comparison that recognises
the trigger and a `Where` or `If` that replaces the answer ("architectural" backdoors, Bober-Irizar et al. 2023;
Langford et al. 2024). A comparison has no gradient, so that the search is blind for it; the audit looks for it instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nc_scan.audit.flow import Flow
from nc_scan.audit.parts import chance, odd_weights, unread_weights
from nc_scan.audit.switches import Batch, switches
from nc_scan.results import Finding

if TYPE_CHECKING:
    from onnx import ModelProto


def audit(model: ModelProto, output: str, labels: int, images: Sequence[Batch]) -> tuple[Finding, ...]:
    """Findings, warnings first.

    Args:
        model: checked, its nodes in order.
        output: the output with the answer.
        labels: how many scores it has for an image.
        images: batches of the model's input, on which the comparisons in the graph are watched.

    Raises UnsupportedModelError where onnxruntime cannot run the model.
    """
    flow = Flow(model, output)
    found = [*switches(flow, labels, images), *chance(flow), *unread_weights(flow), *odd_weights(flow)]
    return tuple(sorted(found, key=lambda finding: finding.severity != "warning"))
