"""Which value of a graph holds the label scores, and the logits behind them."""

from __future__ import annotations

from dataclasses import dataclass

import onnx
from onnx import GraphProto, NodeProto, ValueInfoProto

from nc_scan.contract.image_input import FLOATS, describe
from nc_scan.errors import NotScannableError
from nc_scan.results import OutputKind

KINDS: dict[str, OutputKind] = {"Softmax": "probabilities", "LogSoftmax": "log-probabilities"}
TRANSPARENT = ("Identity", "Cast", "Flatten", "Squeeze", "Reshape")  # may stand between the scores and the output


@dataclass(frozen=True)
class ScoreOutput:
    """`output` is the graph's own output, `scores` the value that the loss reads: its logits."""

    output: str
    scores: str
    kind: OutputKind
    evidence: dict[str, str]


def find_score_output(graph: GraphProto) -> ScoreOutput:
    """The first floating-point output that can be (batch, labels), and the logits before its Softmax, if any.

    Raises NotScannableError where no output can hold label scores.
    """
    candidates = [value for value in graph.output if _may_be_scores(value)]
    if not candidates:
        listed = ", ".join(f"{value.name} {describe(value)}" for value in graph.output)
        raise NotScannableError(f"no image classifier: no output holds a score a label; the model has: {listed}")
    output = candidates[0].name
    evidence = {"output": "the only output" if len(graph.output) == 1 else "the first output of shape (batch, labels)"}
    producers = {name: node for node in graph.node for name in node.output}
    softmax = _softmax_behind(output, producers)
    if softmax is None:
        evidence["output kind"] = "no Softmax before the output"
        return ScoreOutput(output, output, "logits", evidence)
    evidence["output kind"] = f"{softmax.op_type} before the output, tapped before it"
    return ScoreOutput(output, softmax.input[0], KINDS[softmax.op_type], evidence)


def _may_be_scores(value: ValueInfoProto) -> bool:
    tensor = value.type.tensor_type
    if tensor.elem_type not in FLOATS:
        return False
    return not tensor.HasField("shape") or len(tensor.shape.dim) == 2


def _softmax_behind(name: str, producers: dict[str, NodeProto]) -> NodeProto | None:
    node = producers.get(name)
    while node is not None and node.op_type in TRANSPARENT and node.input:
        node = producers.get(node.input[0])
    if node is None or node.op_type not in KINDS:
        return None
    axis = next((onnx.helper.get_attribute_value(a) for a in node.attribute if a.name == "axis"), -1)
    return node if axis in (-1, 1) else None
