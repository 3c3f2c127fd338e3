"""The order of nodes: topological, whatever the order in the file, and only what the chosen outputs need."""

from collections.abc import Iterable, Iterator

from onnx import AttributeProto, GraphProto, NodeProto

from nc_scan.errors import ModelFileError


def subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    """The bodies that a control-flow node carries in its attributes."""
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        elif attribute.type == AttributeProto.GRAPHS:
            yield from attribute.graphs


def captured(graph: GraphProto) -> set[str]:
    """Names of the outer values that a body uses."""
    known = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    known |= {tensor.values.name for tensor in graph.sparse_initializer}
    known |= {name for node in graph.node for name in node.output}
    used = {name for node in graph.node for name in needs(node)} | {value.name for value in graph.output}
    return used - known - {""}


def needs(node: NodeProto) -> list[str]:
    """Every value that a node reads, those read by its bodies included."""
    names = [name for name in node.input if name]
    for body in subgraphs(node):
        names += sorted(captured(body))
    return names


def ancestors(graph: GraphProto, targets: Iterable[str]) -> list[int]:
    """Indices of the nodes that `targets` depend on, each after all nodes that it reads from.

    Raises ModelFileError where nodes form a cycle or two of them write the same value.
    """
    producers: dict[str, int] = {}
    for index, node in enumerate(graph.node):
        for name in filter(None, node.output):
            if producers.setdefault(name, index) != index:
                raise ModelFileError(f"two nodes write the value '{name}'")
    done: set[int] = set()
    open_: set[int] = set()
    order: list[int] = []
    # Depth first with a stack of its own: graphs are deeper than Python's recursion limit.
    stack = [(producers[name], False) for name in reversed(list(targets)) if name in producers]
    while stack:
        index, complete = stack.pop()
        if complete:
            open_.discard(index)
            done.add(index)
            order.append(index)
        elif index not in done:
            if index in open_:
                raise ModelFileError(f"the nodes around '{graph.node[index].output[0]}' form a cycle")
            open_.add(index)
            stack.append((index, True))
            needed = [producers[name] for name in needs(graph.node[index]) if name in producers]
            if any(other in open_ for other in needed):
                raise ModelFileError(f"the nodes around '{graph.node[index].output[0]}' form a cycle")
            stack += [(other, False) for other in reversed(needed) if other not in done]
    return order


def sort_nodes(graph: GraphProto) -> bool:
    """Sorts a graph's nodes in place where a node stands before one that it reads from; says whether it had to."""
    position = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    if all(position.get(name, -1) < index for index, node in enumerate(graph.node) for name in needs(node)):
        return False
    order = ancestors(graph, [name for node in graph.node for name in node.output if name])
    nodes = [NodeProto.FromString(graph.node[index].SerializeToString()) for index in order]
    del graph.node[:]
    graph.node.extend(nodes)
    return True
