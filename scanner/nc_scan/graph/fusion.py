"""Steps replaced by cheaper ones that compute the same function."""

import math
from collections import Counter
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from nc_scan.graph.nodes import Source, Step
from nc_scan.graph.registry import ONNX, Operator, find


def _linear(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    return F.linear(x, w.T, b)


_LINEAR = Operator(ONNX, "Linear", 1, _linear)  # no operator of ONNX's, the meeting of two


class Steps:
    """The steps of a graph in order, with who writes and how many read each value."""

    def __init__(self, steps: list[Step], constants: dict[str, Tensor], kept: set[str]) -> None:
        self.steps = steps
        self.constants = constants
        self._writers = {name: step for step in steps for name in step.outputs}
        self._readers = Counter(name for step in steps for name in [*(s.name for s in step.sources), *step.captured])
        self._readers.update(kept)
        self._gone: set[int] = set()

    def writer(self, name: str | None, *operators: str) -> Step | None:
        """The step that writes `name`, if it is one of `operators` and nothing else reads the value."""
        step = self._writers.get(name or "")
        if step is None or step.operator.domain != ONNX or step.operator.name not in operators:
            return None
        return step if self._readers[name or ""] == 1 else None

    def constant(self, step: Step, position: int) -> Tensor | None:
        """The constant that enters a step at `position`."""
        return self.constants.get(input_name(step, position) or "")

    def add(self, name: str, value: Tensor) -> str:
        """Adds a constant under a name of its own."""
        while name in self.constants or name in self._writers:
            name += "'"
        self.constants[name] = value
        return name

    def fuse(self, last: Step, operator: Operator, *absorbed: Step, **changes: object) -> None:
        """Makes `last` compute what it and the `absorbed` steps computed."""
        self._gone.update(id(step) for step in absorbed)
        vars(last).update(operator=operator, **changes)

    def remaining(self) -> list[Step]:
        """The steps that have not been absorbed."""
        return [step for step in self.steps if id(step) not in self._gone]


def fuse(steps: list[Step], constants: dict[str, Tensor], kept: set[str]) -> list[Step]:
    """Folds BatchNormalization into the convolution before it and joins linear layers and Gelus that are spelt out.

    `kept` are the values that must stay computed; `constants` gains the folded weights.
    """
    graph = Steps(steps, constants, kept)
    for step in steps:
        if step.operator.domain == ONNX and step.operator.name == "BatchNormalization":
            _fold_batch_normalization(graph, step)
        elif step.operator.domain == ONNX and step.operator.name == "Mul":
            _join_gelu(graph, step)
        elif step.operator.domain == ONNX and step.operator.name == "Add":
            _join_linear(graph, step)
    return graph.remaining()


def input_name(step: Step, position: int) -> str | None:
    """The name of the value that enters a step at `position`."""
    return next((source.name for source in step.sources if source.position == position), None)


def _fold_batch_normalization(graph: Steps, step: Step) -> None:
    """A convolution with weights w' = w * s and bias b' = (b - mean) * s + shift, where s = scale / sqrt(var + eps)."""
    conv = graph.writer(input_name(step, 0), "Conv")
    if conv is None or step.attributes.get("training_mode"):
        return
    weight, bias = graph.constant(conv, 1), graph.constant(conv, 2)
    moments = [graph.constant(step, position) for position in range(1, 5)]
    if weight is None or (bias is None and input_name(conv, 2)) or any(moment is None for moment in moments):
        return
    gain, shift, mean, variance = (moment.double() for moment in moments if moment is not None)
    factor = gain / torch.sqrt(variance + step.attributes.get("epsilon", 1e-5))
    before = torch.zeros_like(mean) if bias is None else bias.double()
    name = input_name(conv, 1) or ""
    folded = (weight.double() * factor.reshape(-1, *[1] * (weight.dim() - 1))).to(weight.dtype)
    names = graph.add(name, folded), graph.add(name, ((before - mean) * factor + shift).to(weight.dtype))
    sources = [replace(source, position=0) for source in conv.sources if source.position == 0]
    sources += [Source(position, name, None) for position, name in enumerate(names, start=1)]
    changes = {"arguments": [None] * 3, "sources": sources, "attributes": conv.attributes}
    graph.fuse(step, conv.operator, conv, **changes)


def _join_linear(graph: Steps, step: Step) -> None:
    """x @ w + b with a matrix and a vector that are constant."""
    for position in (0, 1):
        product, bias = graph.writer(input_name(step, 1 - position), "MatMul"), graph.constant(step, position)
        weight = None if product is None else graph.constant(product, 1)
        if product is None or bias is None or weight is None or weight.dim() != 2 or bias.shape != weight.shape[1:]:
            continue
        names = input_name(product, 0), input_name(product, 1), input_name(step, position)
        sources = [Source(index, name or "", None) for index, name in enumerate(names)]
        graph.fuse(step, _LINEAR, product, arguments=[None] * 3, sources=sources)
        return


def _join_gelu(graph: Steps, step: Step) -> None:
    """x * (1 + erf(x / sqrt 2)) / 2, with its factors in either of the orders that exporters write."""
    for position in (0, 1):
        half, product = graph.constant(step, position), graph.writer(input_name(step, 1 - position), "Mul")
        if _is(half, 0.5) and product is not None:
            x, others = _gelu_argument(graph, product)
            if x is not None:
                _replace_by_gelu(graph, step, x, product, *others)
            return
        if product is not None:  # (x / 2) * (1 + erf)
            x = next((input_name(product, p) for p in (0, 1) if _is(graph.constant(product, 1 - p), 0.5)), None)
            inner, others = _erf_argument(graph, input_name(step, position))
            if x is not None and inner == x:
                _replace_by_gelu(graph, step, x, product, *others)
                return


def _gelu_argument(graph: Steps, product: Step) -> tuple[str | None, list[Step]]:
    """x of x * (1 + erf(x / sqrt 2)), and the steps that compute the second factor."""
    for position in (0, 1):
        inner, steps = _erf_argument(graph, input_name(product, position))
        if inner is not None and inner == input_name(product, 1 - position):
            return inner, steps
    return None, []


def _erf_argument(graph: Steps, name: str | None) -> tuple[str | None, list[Step]]:
    """x of 1 + erf(x / sqrt 2), and the steps that compute it."""
    add = graph.writer(name, "Add")
    if add is None:
        return None, []
    for position in (0, 1):
        erf = graph.writer(input_name(add, position), "Erf")
        if erf is None or not _is(graph.constant(add, 1 - position), 1.0):
            continue
        scaled = graph.writer(input_name(erf, 0), "Div", "Mul")
        if scaled is None:
            return None, []
        root = math.sqrt(2) if scaled.operator.name == "Div" else math.sqrt(0.5)
        if _is(graph.constant(scaled, 1), root):
            return input_name(scaled, 0), [add, erf, scaled]
        if scaled.operator.name == "Mul" and _is(graph.constant(scaled, 0), root):
            return input_name(scaled, 1), [add, erf, scaled]
    return None, []


def _replace_by_gelu(graph: Steps, step: Step, x: str, *absorbed: Step) -> None:
    gelu = find(ONNX, "Gelu", 20)
    if gelu is not None:
        graph.fuse(step, gelu, *absorbed, arguments=[None], sources=[Source(0, x, None)], attributes={})


def _is(constant: Tensor | None, value: float) -> bool:
    """Whether a constant is this one number, to the precision of half-width floating point."""
    return constant is not None and constant.numel() == 1 and math.isclose(float(constant), value, rel_tol=1e-3)
