"""Single indices picked along an axis: views, and one Unbind where several of them come from one value.

Exporters write x.unbind(0) as a Gather, or a Slice and a Squeeze, for each part. Apart, each part's gradient fills a
tensor as large as x, and all of them are added up.
"""

from collections import defaultdict

from torch import Tensor

from nc_scan.graph.nodes import Step
from nc_scan.graph.registry import ONNX, Operator
from nc_scan.graph.rewriting import Steps, input_name


def _select(data: Tensor, axis: int, index: int) -> Tensor:
    return data.select(axis, index)


def _select_all(data: Tensor, axis: int, indices: list[int]) -> tuple[Tensor, ...]:
    if sorted(indices) != list(range(data.shape[axis])):
        return tuple(data.select(axis, index) for index in indices)
    parts = data.unbind(axis)
    return tuple(parts[index] for index in indices)


# No operators of ONNX's, but what those with constant inputs come to.
_SELECT = Operator(ONNX, "Select", 1, _select)
_SELECT_ALL = Operator(ONNX, "SelectAll", 1, _select_all)


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
