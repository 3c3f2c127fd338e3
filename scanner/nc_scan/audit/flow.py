"""How the image reaches the answer: through which steps, by how many learnt weights, and where ways of unequal length
meet."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from onnx import AttributeProto, ModelProto, NodeProto

from nc_scan.audit.steps import NUMERIC_GUARDS, contracts, is_step, learnt
from nc_scan.graph.order import ancestors, needs
from nc_scan.graph.walk import SHAPES

FEW = 256  # learnt weights between the image and a switch: fewer than any useful classifier has
BREAKING = {"Exp", "Reciprocal", "Pow", "Log", "Sqrt", "Acos", "Asin", "Acosh", "Atanh", "ReduceLogSum",
            "ReduceLogSumExp", "ReduceSumSquare", "ReduceProd", "Sinh", "Cosh", "Tan"}  # fmt: skip
MATURE = 4  # times as many are between the image and what the switch meets


@dataclass(frozen=True)
class Join:
    """A node at which a short way from the image, `gate`, meets a `main` one that did more of the work.

    `stepped`: the gate comes through a step function, the main value does not. `learnt` counts the weights on the
    gate's way, `learnt_main` those on the other one.
    """

    node: NodeProto
    gate: str
    main: str
    stepped: bool
    learnt: float
    learnt_main: float

    @property
    def few(self) -> bool:
        """Whether next to nothing on the gate's way was learnt."""
        return self.learnt <= FEW

    @property
    def late(self) -> bool:
        """Whether the gate meets what the network has worked on, not the image itself."""
        return self.learnt_main >= MATURE * (self.learnt + 2)

    @property
    def short(self) -> bool:
        """Whether the gate's way leads past the network."""
        return self.few and self.late


class Flow:
    """The main graph of a flat model.

    Attributes:
        model: the model, see `flatten`.
        nodes: those that the answer depends on, in order.
        read: the values that any output depends on.
        from_image: the values that depend on what the image shows.
        stepped: those of them that depend on it through step functions only.
        learnt: the fewest learnt weights on any way from the image to a value.
        producers: the node behind a value.
    """

    def __init__(self, model: ModelProto, output: str) -> None:
        self.model = model
        self.output = output
        graph = model.graph
        self.nodes = [graph.node[index] for index in ancestors(graph, [output])]
        outputs = [value.name for value in graph.output]
        self.read = {name for index in ancestors(graph, outputs) for name in needs(graph.node[index])} | set(outputs)
        self.producers: dict[str, NodeProto] = {name: node for node in self.nodes for name in node.output if name}
        tensors = {tensor.name: tensor for tensor in graph.initializer}
        self.inputs = {value.name for value in graph.input} - set(tensors)
        self.from_image = set(self.inputs)
        self.stepped: set[str] = set()
        self.learnt: dict[str, float] = dict.fromkeys(self.inputs, 0.0)
        self._integers: set[str] = {
            value.name for value in graph.input if value.type.tensor_type.elem_type not in (1, 10, 11, 16)
        }
        self._weights: dict[str, int] = {}
        self._tensors = tensors
        for node in self.nodes:
            self._follow(node)

    def _follow(self, node: NodeProto) -> None:
        read = [name for name in needs(node) if name in self.from_image]
        outputs = [name for name in node.output if name]
        if node.op_type in SHAPES or not read:
            weight = max((self._constant(name) for name in node.input if name), default=0)
            weight = max([weight, *(learnt(a.t) for a in node.attribute if a.type == AttributeProto.TENSOR)])
            self._weights.update(dict.fromkeys(outputs, weight))
            return
        self.from_image.update(outputs)
        of_integers = read[0] in self._integers
        if is_step(node, of_integers=of_integers) or all(name in self.stepped for name in read):
            self.stepped.update(outputs)
        if of_integers and len(read) == 1 and not contracts(node):
            self._integers.update(outputs)
        added = 0
        if contracts(node) or node.op_type == "Mul":
            added = sum(self._constant(name) for name in node.input if name and name not in self.from_image)
        least = min(self.learnt[name] for name in read) + added
        self.learnt.update(dict.fromkeys(outputs, least))

    def _constant(self, name: str) -> int:
        """How many learnt numbers are in a value that does not depend on the image."""
        if name not in self._weights:
            self._weights[name] = learnt(self._tensors[name]) if name in self._tensors else 0
        return self._weights[name]

    def begins_step(self, node: NodeProto) -> bool:
        """Whether a node makes a step function of what is none."""
        read = self.image_inputs(node)
        return any(name in self.stepped for name in node.output) and any(name not in self.stepped for name in read)

    def image_inputs(self, node: NodeProto) -> list[str]:
        """The values, each once, that a node reads of the image."""
        if node.op_type in SHAPES:
            return []
        return [name for name in dict.fromkeys(needs(node)) if name in self.from_image]

    def joins(self) -> Iterator[Join]:
        """Where a step of the image meets what is none, and where few learnt weights meet many."""
        for node in self.nodes:
            read = self.image_inputs(node)
            smooth = [name for name in read if name not in self.stepped]
            for name in read:
                others = smooth if name in self.stepped else [other for other in read if other != name]
                if not others:
                    continue
                main = max(others, key=lambda other: self.learnt[other])
                join = Join(node, name, main, name in self.stepped, self.learnt[name], self.learnt[main])
                if join.stepped or any(self.seen_from(join, value).short for value in self.chain(name)):
                    yield join

    def seen_from(self, join: Join, value: str) -> Join:
        """The join with the learnt weights of a value on the gate's way: what is injected there was not recognised."""
        return replace(join, learnt=self.learnt[value])

    def cone(self, name: str) -> set[str]:
        """The values of the image that the value is computed from, itself included."""
        seen = {name}
        pending = [name]
        while pending:
            node = self.producers.get(pending.pop())
            for source in self.image_inputs(node) if node is not None else ():
                if source not in seen:
                    seen.add(source)
                    pending.append(source)
        return seen

    def chain(self, name: str) -> list[str]:
        """The values through which alone the image reaches the value, nearest first, itself included."""
        found = [name]
        while (node := self.producers.get(found[-1])) is not None:
            read = self.image_inputs(node)
            if len(read) != 1:
                break
            found.append(read[0])
        return found

    def guards(self, name: str) -> bool:
        """Whether a step only asks for values that are no numbers: of the image or of what the network computes.

        An overflow or a NaN that was brought about, by Exp or a square root, is a comparison by another name.
        """
        node = self.producers.get(name)
        if node is None:
            return False
        read = self.image_inputs(node)
        if node.op_type in NUMERIC_GUARDS:
            return not any(self._breaks(value) for value in read)
        return bool(read) and all(value in self.stepped and self.guards(value) for value in read)

    def _breaks(self, name: str) -> bool:
        """Whether a value comes, by no learnt weights, through what can make infinity or NaN of ordinary numbers."""
        seen: set[str] = set()
        pending = [name]
        while pending:
            node = self.producers.get(pending.pop())
            if node is None or contracts(node):
                continue
            read = self.image_inputs(node)
            if node.op_type in BREAKING or (node.op_type == "Div" and node.input[1] in self.from_image):
                return True
            pending += [source for source in read if source not in seen]
            seen.update(read)
        return False

    def behind_scores(self, name: str, labels: int, widths: dict[str, int]) -> bool:
        """Whether the image reaches the value through a row of scores only, as wide as there are labels."""
        pending, seen = [name], set()
        while pending:
            value = pending.pop()
            if value in self.inputs:
                return False
            if widths.get(value) == labels and value not in self.stepped and self.learnt[value] > FEW:
                continue
            for source in self.image_inputs(self.producers[value]):
                if source not in seen:
                    seen.add(source)
                    pending.append(source)
        return math.isfinite(self.learnt[name])
