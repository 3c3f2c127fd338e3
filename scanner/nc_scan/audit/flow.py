"""Which values of a graph depend on the image, and which the answer depends on."""

from __future__ import annotations

from onnx import ModelProto, NodeProto

from nc_scan.graph.inlining import inline_functions
from nc_scan.graph.order import ancestors, needs
from nc_scan.graph.walk import SHAPES


class Flow:
    """The main graph of a model, its functions inlined.

    Attributes:
        model: the inlined model.
        nodes: those that the answer depends on, in order.
        read: the values that any output depends on.
        from_image: the values that depend on what the image shows.
        producers: the node behind a value.
    """

    def __init__(self, model: ModelProto, output: str) -> None:
        self.model = inline_functions(model)
        graph = self.model.graph
        self.nodes = [graph.node[index] for index in ancestors(graph, [output])]
        outputs = [value.name for value in graph.output]
        self.read = {name for index in ancestors(graph, outputs) for name in needs(graph.node[index])} | set(outputs)
        self.producers: dict[str, NodeProto] = {name: node for node in self.nodes for name in node.output if name}
        weights = {tensor.name for tensor in graph.initializer}
        self.from_image = {value.name for value in graph.input} - weights
        for node in self.nodes:
            if node.op_type not in SHAPES and not self.from_image.isdisjoint(needs(node)):
                self.from_image.update(filter(None, node.output))
