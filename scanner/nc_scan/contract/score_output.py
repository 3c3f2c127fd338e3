"""Which value of a graph holds the label scores, and the logits behind them."""

from __future__ import annotations

import re
from dataclasses import dataclass

import onnx
from onnx import GraphProto, NodeProto, ValueInfoProto

from nc_scan.contract.image_input import FLOATS, describe, dimensions
from nc_scan.errors import NotScannableError, OverrideError
from nc_scan.graph.walk import RESHAPES
from nc_scan.results import OutputKind

KINDS: dict[str, OutputKind] = {"Softmax": "probabilities", "LogSoftmax": "log-probabilities", "Sigmoid": "sigmoid"}
# What may stand between the scores and the output.
TRANSPARENT = RESHAPES | {"Identity", "Cast", "QuantizeLinear", "DequantizeLinear"}  # keep which label is which
SPEAKING = re.compile(r"logit|prob|score|class|softmax|label|pred", re.IGNORECASE)
CHOICES = ("ArgMax", "TopK", "ZipMap")  # hand out what they choose from the scores that they read
SEQUENCE_TYPES = ("sequence_type", "map_type", "optional_type")


@dataclass(frozen=True)
class ScoreOutput:
    """`output` is what the deployed model hands out, of `kind`; `scores`, of `scores_kind`, what the loss reads.

    `read_by` names another output that is computed from this one, by more than an activation.
    """

    output: str
    kind: OutputKind
    scores: str
    scores_kind: OutputKind
    evidence: dict[str, str]
    read_by: str | None = None


def find_score_outputs(graph: GraphProto, wanted: str | None = None) -> tuple[ScoreOutput, ...]:
    """The outputs that can be a score a label, each with the logits before its Softmax or Sigmoid if there are any.

    Outputs of the same scores, such as logits and probabilities, count once. First come those that no other output is
    computed from, a speaking name before others; then those that are. Where the graph hands out a choice (ArgMax, TopK,
    ZipMap) from scores that it does not hand out, the scores are what that node reads. `wanted`, the name of an output,
    overrides all of this. Raises NotScannableError where no output can hold label scores, OverrideError for an unknown
    `wanted`.
    """
    producers = {name: node for node in graph.node for name in node.output}
    if wanted is not None:
        if wanted not in {value.name for value in graph.output}:
            raise OverrideError(f"no output is named {wanted!r}; there are {', '.join(v.name for v in graph.output)}")
        return (_score_output(wanted, "given by the user", producers),)
    heads = _heads(graph, producers)
    if not heads:
        listed = ", ".join(f"{value.name} {describe(value)}" for value in graph.output)
        raise NotScannableError(f"no image classifier: no output holds a score a label{_looks(graph)}: {listed}")
    return tuple(_score_output(name, why, producers, read_by) for name, why, read_by in heads)


def _score_output(name: str, why: str, producers: dict[str, NodeProto], read_by: str | None = None) -> ScoreOutput:
    kind, scores = _before_activation(name, producers)
    if scores is None:
        evidence = {"output": why, "output kind": "no Softmax or Sigmoid before the output"}
        return ScoreOutput(name, "logits", name, "logits", evidence, read_by)
    evidence = {"output": why, "output kind": f"{_name(kind)} before the output, tapped before it"}
    return ScoreOutput(name, kind, scores, "logits", evidence, read_by)


def _heads(graph: GraphProto, producers: dict[str, NodeProto]) -> list[tuple[str, str, str | None]]:
    """The values that may hold scores, the best first, why, and the output that is computed from each if one is."""
    choices = {value.name: node for value in graph.output if (node := _chosen_from(value.name, producers)) is not None}
    names = [value.name for value in graph.output if value.name not in choices and _may_be_scores(value)]
    reader = {
        name: next((other for other in names if other != name and _depends(other, name, producers)), None)
        for name in names
    }
    last = [name for name in names if reader[name] is None]
    last.sort(key=lambda name: not SPEAKING.search(name))
    heads: dict[str, tuple[str, str, str | None]] = {}
    for name in [*last, *(name for name in names if name not in last)]:
        heads.setdefault(_same_scores(name, producers), (name, _why(name, names, last), reader[name]))
    for node in choices.values():
        why = f"what the {node.op_type} before the output reads"
        heads.setdefault(_same_scores(node.input[0], producers), (node.input[0], why, None))
    return list(heads.values())


def _why(name: str, names: list[str], last: list[str]) -> str:
    if len(names) == 1:
        return "the only output that can be (batch, labels)"
    if name not in last:
        return "an output that another one reads"
    if len(last) == 1:
        return "the output that all others lead to"
    return f"one of {len(last)} outputs that can be (batch, labels)"


def _same_scores(name: str, producers: dict[str, NodeProto]) -> str:
    """The value that a value is, but for an activation of all labels alike and the form: its order is the same."""
    node = producers.get(name)
    while node is not None and node.op_type in (*TRANSPARENT, *KINDS) and node.input:
        name = node.input[0]
        node = producers.get(name)
    return name


def _may_be_scores(value: ValueInfoProto) -> bool:
    """(batch, labels), with further axes of one element; or one number a sample."""
    tensor = value.type.tensor_type
    if value.type.WhichOneof("value") in SEQUENCE_TYPES or tensor.elem_type not in FLOATS:
        return False
    if not tensor.HasField("shape"):
        return True
    shape = dimensions(value)
    return len(shape) >= 1 and sum(size != 1 for size in shape[1:]) <= 1


def _looks(graph: GraphProto) -> str:
    """What a graph without label scores may be."""
    axes = {len(dimensions(value)) for value in graph.output}
    if 4 in axes:
        return " (looks like segmentation or image generation)"
    return " (looks like detection)" if 3 in axes else ""


def _chosen_from(name: str, producers: dict[str, NodeProto]) -> NodeProto | None:
    """The node that chooses the value from scores, if one does."""
    node = _behind_transparent(name, producers)
    return node if node is not None and node.op_type in CHOICES else None


def _depends(name: str, ancestor: str, producers: dict[str, NodeProto]) -> bool:
    """Whether the value is computed from the ancestor."""
    pending, seen = [name], set()
    while pending:
        node = producers.get(pending.pop())
        for source in node.input if node is not None else ():
            if source == ancestor:
                return True
            if source not in seen:
                seen.add(source)
                pending.append(source)
    return False


def _before_activation(name: str, producers: dict[str, NodeProto]) -> tuple[OutputKind, str | None]:
    node = _behind_transparent(name, producers)
    if node is None or node.op_type not in KINDS:
        return "logits", None
    axis = next((onnx.helper.get_attribute_value(a) for a in node.attribute if a.name == "axis"), -1)
    return (KINDS[node.op_type], node.input[0]) if axis in (-1, 1) else ("logits", None)


def _behind_transparent(name: str, producers: dict[str, NodeProto]) -> NodeProto | None:
    node = producers.get(name)
    while node is not None and node.op_type in TRANSPARENT and node.input:
        node = producers.get(node.input[0])
    return node


def _name(kind: OutputKind) -> str:
    return next(operator for operator, meaning in KINDS.items() if meaning == kind)
