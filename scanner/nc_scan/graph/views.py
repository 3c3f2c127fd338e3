"""Views of a value that exporters spell out in ways which copy it.

x.unbind(0) becomes a Gather, or a Slice and a Squeeze, for each part: apart, each part's gradient fills a tensor as
large as x, and all of them are added up. x.transpose(2, 3) becomes a flattening of the first axes, a Transpose, and a
Reshape back.
"""

from collections import defaultdict
from dataclasses import replace

from torch import Tensor

from nc_scan.graph.nodes import Step
from nc_scan.graph.ops.shape import reshape
from nc_scan.graph.registry import ONNX, Operator
from nc_scan.graph.rewriting import Steps, input_name


def _select(data: Tensor, axis: int, index: int) -> Tensor:
    return data.select(axis, index)


def _select_all(data: Tensor, axis: int, indices: list[int]) -> tuple[Tensor, ...]:
    if sorted(indices) != list(range(data.shape[axis])):
        return tuple(data.select(axis, index) for index in indices)
    parts = data.unbind(axis)
    return tuple(parts[index] for index in indices)


def _transpose_last(x: Tensor, flat: list[int], shape: list[int]) -> Tensor:
    """x reshaped to `flat`, (-1, rows, columns), those two swapped, reshaped to `shape`."""
    if x.dim() == 4 and flat[1:] == [*x.shape[2:]] and shape == [*x.shape[:2], x.shape[3], x.shape[2]]:
        return x.transpose(2, 3)
    return reshape(reshape(x, flat).transpose(1, 2), shape)


# No operators of ONNX's, but what several of them, or those with constant inputs, come to.
_SELECT = Operator(ONNX, "Select", 1, _select)
_SELECT_ALL = Operator(ONNX, "SelectAll", 1, _select_all)
_TRANSPOSE_LAST = Operator(ONNX, "TransposeLast", 1, _transpose_last)


def pick_gathered(graph: Steps, gather: Step) -> None:
    """A Gather of one constant index."""
    index = graph.constant(gather, 1)
    if index is not None and index.dim() == 0:
        _replace(graph, gather, gather, gather.attributes.get("axis", 0), int(index))


def pick_sliced(graph: Steps, squeeze: Step) -> None:
    """A Squeeze of a Slice of length one."""
    cut = graph.writer(input_name(squeeze, 0), "Slice")
    if cut is None or graph.integers(cut, 4, "steps") not in (None, [1]):
        return
    axes = graph.integers(squeeze, 1, "axes")
    bounds = graph.integers(cut, 1, "starts"), graph.integers(cut, 2, "ends")
    if axes is None or len(axes) != 1 or axes != graph.integers(cut, 3, "axes"):
        return
    if bounds[0] and bounds[1] and bounds[0][0] >= 0 and bounds[1][0] == bounds[0][0] + 1:
        _replace(graph, squeeze, cut, axes[0], bounds[0][0])


def _replace(graph: Steps, last: Step, first: Step, axis: int, index: int) -> None:
    sources = [source for source in first.sources if source.position == 0]
    absorbed = [] if first is last else [first]
    attributes = {"axis": axis, "index": index}
    graph.fuse(last, _SELECT, *absorbed, arguments=[None], sources=sources, attributes=attributes)


def join_picks(graph: Steps) -> None:
    """Makes one step of all those that pick from one value along one axis."""
    picks: dict[tuple[str | None, int], list[Step]] = defaultdict(list)
    for step in graph.remaining():
        if step.operator is _SELECT:
            picks[input_name(step, 0), step.attributes["axis"]].append(step)
    for (_, axis), (first, *others) in picks.items():
        if others:
            indices = [step.attributes["index"] for step in (first, *others)]
            outputs = tuple(step.outputs[0] for step in (first, *others))
            attributes = {"axis": axis, "indices": indices}
            graph.fuse(first, _SELECT_ALL, *others, attributes=attributes, outputs=outputs)


def join_transpose(graph: Steps, last: Step) -> None:
    """A Reshape of a Transpose of a Reshape, where the Transpose swaps the last two of three axes."""
    swap = graph.writer(input_name(last, 0), "Transpose")
    first = None if swap is None else graph.writer(input_name(swap, 0), "Reshape")
    if swap is None or first is None or swap.attributes.get("perm") != [0, 2, 1]:
        return
    if any(step.attributes.get("allowzero") for step in (first, last)):
        return
    shape = [replace(source, position=2) for source in last.sources if source.position == 1]
    changes = {"arguments": [None] * 3, "sources": [*first.sources, *shape], "attributes": {}}
    graph.fuse(last, _TRANSPOSE_LAST, first, swap, **changes)
