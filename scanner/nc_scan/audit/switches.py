"""Comparisons on the image that choose between values: a hidden branch looks like this, and no ordinary layer does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from nc_scan.audit.flow import Flow
from nc_scan.graph.runtime import Runtime
from nc_scan.graph.walk import ARRANGES
from nc_scan.results import Finding

Batch = NDArray[Any]

LOGIC = {"And", "Or", "Xor", "Not"}
NUMERIC_GUARDS = {"IsNaN", "IsInf"}  # exporters write them around attention
COMPARISONS = {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"} | LOGIC | NUMERIC_GUARDS
# What hands truth values on in another arrangement.


@dataclass
class Watch:
    """What a condition was on the images: how often true, of how many, for how many values an image."""

    true: int = 0
    total: int = 0
    images: int = 0
    varies: bool = False  # within an image

    def see(self, values: NDArray[Any], images: int) -> None:
        flat = values.astype(bool).reshape(images, -1) if values.size % images == 0 else values.reshape(1, -1)
        self.true += int(flat.sum())
        self.total += flat.size
        self.images += images
        self.varies |= bool((flat.any(1) != flat.all(1)).any())


def switches(flow: Flow, labels: int, images: Sequence[Batch]) -> Iterator[Finding]:
    """A warning for a condition that decides a whole image at once; a note for one that never changes.

    A rectifier written as `Where` compares value by value, and some values are above and some below. A branch that
    waits for a trigger has one value an image, or one repeated for each label, and rests while no trigger comes.
    """
    conditions = list(_conditions(flow))
    for name, watch in _watch(flow, conditions, images).items():
        share, node = watch.true / watch.total, flow.producers[name]
        often = f"true for {share:.0%} of {watch.images} probes"
        if (not watch.varies and watch.total / watch.images in {1, labels}) or watch.total < watch.images:
            message = f"the graph decides by a comparison on the image which answer to give ({node.op_type}, {often})"
            yield Finding("image-switch", "warning", message, _place(node, name))
        elif watch.true in (0, watch.total):
            message = f"a comparison on the image comes out the same for all probes ({node.op_type}, {often})"
            yield Finding("dormant-comparison", "note", message, _place(node, name))


def _conditions(flow: Flow) -> Iterator[str]:
    """The truth values that depend on the image and choose between values, or are counted with."""
    seen: set[str] = set()
    for node in flow.nodes:
        name = node.input[0] if node.input and _chooses(flow, node) else ""
        if name in flow.from_image and name in flow.producers and name not in seen and not _guards(flow, name):
            seen.add(name)
            yield name


def _chooses(flow: Flow, node: NodeProto) -> bool:
    return node.op_type in {"Where", "If"} or (node.op_type == "Cast" and _is_truth(flow, node.input[0]))


def _is_truth(flow: Flow, name: str) -> bool:
    node = flow.producers.get(name)
    while node is not None and node.op_type in ARRANGES:
        node = flow.producers.get(node.input[0])
    return node is not None and node.op_type in COMPARISONS


def _guards(flow: Flow, name: str) -> bool:
    """Whether a condition only asks for values that are no numbers."""
    node = flow.producers.get(name)
    if node is None:
        return False
    return node.op_type in NUMERIC_GUARDS or (
        node.op_type in LOGIC and all(_guards(flow, source) for source in node.input)
    )


def _watch(flow: Flow, conditions: Sequence[str], images: Sequence[Batch]) -> dict[str, Watch]:
    watches = {name: Watch() for name in conditions}
    if not conditions:
        return watches
    runtime = Runtime(flow.model, outputs=conditions, optimized=False)
    for batch in images:
        size = runtime.fixed_batch or len(batch)
        for start in range(0, len(batch) - size + 1, size):
            part = batch[start : start + size]
            for name, values in zip(conditions, runtime(part), strict=True):
                watches[name].see(np.asarray(values), len(part))
    return {name: watch for name, watch in watches.items() if watch.total}


def _place(node: NodeProto, value: str) -> str:
    return f"{node.name or node.op_type} ({value})"
