"""Steps replaced by cheaper ones that compute the same function."""

import math
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from nc_scan.graph.nodes import Source, Step
from nc_scan.graph.registry import ONNX, Operator, find
from nc_scan.graph.rewriting import Steps, input_name
from nc_scan.graph.views import join_picks, join_transpose, pick_gathered, pick_sliced


def _linear(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    return F.linear(x, w.T, b)


def _attention(
    query: Tensor,
    transposed_key: Tensor,
    value: Tensor,
    query_factor: Tensor | None = None,
    key_factor: Tensor | None = None,
    *,
    axis: int,
) -> Tensor:
    """softmax(query @ transposed_key) @ value along `axis` of the scores, both multiplied by their factors before."""
    query, scale = _scaled(query, query_factor, 1.0)
    transposed_key, scale = _scaled(transposed_key, key_factor, scale)
    if query.dim() != 4 or transposed_key.shape[:2] != query.shape[:2]:
        return torch.softmax(scale * (query @ transposed_key), axis) @ value
    return F.scaled_dot_product_attention(query, transposed_key.transpose(-1, -2), value, scale=scale)


def _scaled(x: Tensor, factor: Tensor | None, scale: float) -> tuple[Tensor, float]:
    """A factor of one number at hand goes into the scale, any other into x."""
    if factor is None:
        return x, scale
    x, factor = (factor, x) if factor.dim() > x.dim() else (x, factor)
    at_hand = factor.numel() == 1 and factor.device.type == "cpu" and not factor.requires_grad
    return (x, scale * float(factor)) if at_hand else (x * factor, scale)


# No operators of ONNX's, but what several of them come to.
_LINEAR = Operator(ONNX, "Linear", 1, _linear)
_ATTENTION = Operator(ONNX, "SoftmaxAttention", 1, _attention)


def fuse(steps: list[Step], constants: dict[str, Tensor], kept: set[str]) -> list[Step]:
    """Folds BatchNormalization into the convolution before it, and joins what exporters spell out.

    That is linear layers, Gelu, Swish, attention, and the picking of one index. `kept` are the values that must stay
    computed; `constants` gains the folded weights.
    """
    patterns = {
        "BatchNormalization": _fold_batch_normalization,
        "Mul": _join_gated,
        "Add": _join_linear,
        "MatMul": _join_attention,
        "Gather": pick_gathered,
        "Squeeze": pick_sliced,
        "Reshape": join_transpose,
    }
    graph = Steps(steps, constants, kept)
    for step in steps:
        if step.operator.domain == ONNX and step.operator.name in patterns:
            patterns[step.operator.name](graph, step)
    join_picks(graph)
    return graph.remaining()


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


def _join_attention(graph: Steps, step: Step) -> None:
    """softmax(q @ k^T) @ v."""
    softmax = graph.writer(input_name(step, 0), "Softmax")
    scores = None if softmax is None else graph.writer(input_name(softmax, 0), "MatMul")
    if softmax is None or scores is None:
        return
    # Before version 13 axes are taken together from `axis` on, by default from the second.
    axis = softmax.attributes.get("axis", -1 if softmax.operator.since >= 13 else 1)
    if axis not in (-1, 3):
        return
    names = [input_name(scores, 0), input_name(scores, 1), input_name(step, 1), None, None]
    products = [graph.writer(name, "Mul") for name in names[:2]]
    for position, product in enumerate(products):
        if product is not None:
            names[position], names[3 + position] = input_name(product, 0), input_name(product, 1)
    absorbed = [softmax, scores, *filter(None, products)]
    sources = [Source(index, name, None) for index, name in enumerate(names) if name]
    graph.fuse(step, _ATTENTION, *absorbed, arguments=[None] * 5, sources=sources, attributes={"axis": axis})


def _join_gated(graph: Steps, step: Step) -> None:
    """x times a function of x."""
    for position in (0, 1):
        gate = graph.writer(input_name(step, 1 - position), "Sigmoid", "HardSigmoid")
        if gate is not None and input_name(gate, 0) == input_name(step, position):
            _join_swish(graph, step, gate)
            return
    _join_gelu(graph, step)


def _join_swish(graph: Steps, step: Step, gate: Step) -> None:
    """x * sigmoid(x), or x * hard sigmoid(x) with the slope of HardSwish."""
    hard = gate.operator.name == "HardSigmoid"
    slope, height = gate.attributes.get("alpha", 0.2), gate.attributes.get("beta", 0.5)
    swish = find(ONNX, "HardSwish", 14) if hard else find(ONNX, "Swish", 24)
    if swish is not None and (not hard or (math.isclose(slope, 1 / 6, rel_tol=1e-6) and height == 0.5)):
        sources = [Source(0, input_name(gate, 0) or "", None)]
        graph.fuse(step, swish, gate, arguments=[None], sources=sources, attributes={})


def _join_gelu(graph: Steps, step: Step) -> None:
    """x * (1 + erf(x / sqrt 2)) / 2, its three factors in any of the orders that exporters write."""
    for position in (0, 1):
        product = graph.writer(input_name(step, position), "Mul")
        if product is None:
            continue
        factors = [input_name(step, 1 - position), input_name(product, 0), input_name(product, 1)]
        rest = [name for name in factors if not _is(graph.constants.get(name or ""), 0.5)]
        for x, factor in (rest, rest[::-1]) if len(rest) == 2 else ():
            inner, others = _erf_argument(graph, factor)
            if inner is not None and inner == x:
                _replace_by_gelu(graph, step, inner, product, *others)
                return


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
