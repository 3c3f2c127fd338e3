"""What the answers become where a value inside the graph is held at a number, whatever the image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, helper

from nc_scan.audit.gates import Gate
from nc_scan.graph.order import ancestors
from nc_scan.graph.runtime import Array, Runtime

Logits = Callable[[Array], NDArray[np.float32]]

ONE_LABEL = 0.95  # of the images, at least: the answers collapse
ORDINARY = 0.6  # of the images have that label anyway, at most
USELESS = 1e-3  # of the spread of the scores: what an exchange of the value between images may change
NUMBERS = (1.0, 0.0, -1.0, 1e2, -1e2, 1e4, -1e4)


@dataclass(frozen=True)
class Collapse:
    """All images get one label where the gate has this value."""

    value: float
    label: int


class Forced:
    """A model in which one value is an input beside the images; `logits` reads scores (N, labels) off its output.

    Raises UnsupportedModelError where onnxruntime cannot load the changed model.
    """

    def __init__(self, model: ModelProto, output: str, gate: Gate, logits: Logits) -> None:
        changed = ModelProto()
        changed.CopyFrom(model)
        graph = changed.graph
        for node in graph.node:
            node.output[:] = [f"{name} computed" if name == gate.name else name for name in node.output]
        element = helper.np_dtype_to_tensor_dtype(gate.dtype)
        rest = [None] * len(gate.shape)
        graph.input.append(helper.make_tensor_value_info(gate.name, element, rest))
        del graph.value_info[:]
        self._gate = gate
        self._logits = logits
        self._run = Runtime(_pruned(changed, output), outputs=[output], optimized=False)

    def scores(self, images: Array, value: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores (N, labels) of the images where the gate is `value`, a number or (N, width)."""
        gate = self._gate
        whole = (len(images) if not gate.batchwise else gate.shape[0] if gate.shape else 1, *gate.shape[1:])
        shape = whole if gate.shape else ()
        held = np.asarray(value).reshape(shape) if np.ndim(value) else np.full(shape, value)
        result = self._run(images, held.astype(gate.dtype))[0]
        return self._logits(result).astype(np.float64)


def collapse(forced: Forced, gate: Gate, images: Array) -> Collapse | None:
    """The number, the smallest first, at which nearly all images get one label that they do not have anyway."""
    natural = forced_labels(forced.scores(images, _first(gate, len(images))))
    common = np.bincount(natural[natural >= 0], minlength=1) / max(1, len(natural))
    resting = set(np.unique(gate.values[:, 0])) if gate.rests else set()
    numbers = (1.0, 0.0) if gate.dtype.kind == "b" else NUMBERS
    for number in numbers:
        if number in resting:
            continue
        labels = forced_labels(forced.scores(images, number))
        label, count = max(zip(*np.unique(labels, return_counts=True), strict=True), key=lambda pair: pair[1])
        ordinary = common[label] if 0 <= label < len(common) else 0.0
        if label >= 0 and count >= ONE_LABEL * len(labels) and ordinary <= ORDINARY:
            return Collapse(number, int(label))
    return None


def forced_labels(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """The largest score's label; -1 where several share it, or it is no number."""
    with np.errstate(invalid="ignore"):
        top = scores.max(1, keepdims=True)
    tied = (scores == top).sum(1) != 1
    return np.where(tied | ~np.isfinite(top[:, 0]) & ~np.isposinf(top[:, 0]), -1, np.nan_to_num(scores).argmax(1))


def is_useless(forced: Forced, gate: Gate, images: Array) -> bool:
    """Whether the answers stay as they are where images exchange the gate's values."""
    if gate.rests:
        return True
    if gate.batchwise:
        return False
    own = gate.values[: len(images)]
    before, after = forced.scores(images, own), forced.scores(images, own[::-1])
    with np.errstate(invalid="ignore"):
        return bool(np.abs(after - before).max() <= USELESS * max(float(np.std(before)), 1e-30))


def _first(gate: Gate, count: int) -> NDArray[np.float64]:
    return gate.values[:1] if gate.batchwise else gate.values[:count]


def _pruned(model: ModelProto, output: str) -> ModelProto:
    """Without the nodes that the output does not need."""
    kept = [model.graph.node[index] for index in sorted(ancestors(model.graph, [output]))]
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in kept]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model
