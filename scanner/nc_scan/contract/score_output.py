"""Which value of a graph holds the label scores, and the logits behind them."""

from __future__ import annotations

import re
from dataclasses import dataclass

import onnx
from onnx import GraphProto, NodeProto, ValueInfoProto

from nc_scan.contract.image_input import FLOATS, describe, dimensions
from nc_scan.errors import NotScannableError, OverrideError
from nc_scan.results import OutputKind

KINDS: dict[str, OutputKind] = {"Softmax": "probabilities", "LogSoftmax": "log-probabilities", "Sigmoid": "sigmoid"}
TRANSPARENT = ("Identity", "Cast", "Flatten", "Squeeze", "Reshape")  # may stand between the scores and the output
SPEAKING = re.compile(r"logit|prob|score|class|softmax|label|pred", re.IGNORECASE)
CHOICES = ("ArgMax", "TopK", "ZipMap")  # hand out what they choose from the scores that they read
SEQUENCE_TYPES = ("sequence_type", "map_type", "optional_type")


@dataclass(frozen=True)
class ScoreOutput:
    """`output` is what the deployed model hands out, of `kind`; `scores`, of `scores_kind`, what the loss reads.

    `alternatives` names other outputs that could hold label scores as well.
    """

    output: str
    kind: OutputKind
    scores: str
    scores_kind: OutputKind
    evidence: dict[str, str]
    alternatives: tuple[str, ...] = ()


def find_score_output(graph: GraphProto, wanted: str | None = None) -> ScoreOutput:
    """The output that can be a score a label, and the logits before its Softmax or Sigmoid, if there are any.

    Of several outputs it is the one that no other is computed from, then the one with a speaking name, then the first.
    Where the graph hands out nothing but a choice (ArgMax, TopK, ZipMap), the scores are what that node reads.
    `wanted`, the name of an output, overrides all of this. Raises NotScannableError where no output can hold label
    scores, OverrideError for an unknown `wanted`.
    """
    producers = {name: node for node in graph.node for name in node.output}
    names, why = _candidates(graph, producers)
    if wanted is not None:
        if wanted not in {value.name for value in graph.output}:
            raise OverrideError(f"no output is named {wanted!r}; there are {', '.join(v.name for v in graph.output)}")
        names, why = [wanted], "given by the user"
    if not names:
        listed = ", ".join(f"{value.name} {describe(value)}" for value in graph.output)
        raise NotScannableError(f"no image classifier: no output holds a score a label{_looks(graph)}: {listed}")
    evidence = {"output": why}
    kind, scores = _before_activation(names[0], producers)
    if scores is None:
        evidence["output kind"] = "no Softmax or Sigmoid before the output"
        return ScoreOutput(names[0], "logits", names[0], "logits", evidence, tuple(names[1:]))
    evidence["output kind"] = f"{_name(kind)} before the output, tapped before it"
    return ScoreOutput(names[0], kind, scores, "logits", evidence, tuple(names[1:]))


def _candidates(graph: GraphProto, producers: dict[str, NodeProto]) -> tuple[list[str], str]:
    """The outputs that may hold scores, the best first, and why it is the best."""
    chosen = {value.name: _chosen_from(value.name, producers) for value in graph.output}
    names = [value.name for value in graph.output if chosen[value.name] is None and _may_be_scores(value)]
    if len(graph.output) == 1 and names:
        return names, "the only output"
    if not names:
        read = dict.fromkeys(node.input[0] for node in chosen.values() if node is not None)
        operators = dict.fromkeys(node.op_type for node in chosen.values() if node is not None)
        return list(read)[:1], f"what the {' and '.join(operators)} before the output reads"
    if len(names) == 1:
        return names, "the only output that can be (batch, labels)"
    last = [name for name in names if not any(_depends(other, name, producers) for other in names if other != name)]
    if len(last) == 1:
        return last, "the output that all others lead to"
    speaking = [name for name in last if SPEAKING.search(name)]
    if len(speaking) == 1:
        return [*speaking, *(name for name in last if name not in speaking)], "the name of the output"
    return last, "the first of several outputs that can be (batch, labels)"


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
