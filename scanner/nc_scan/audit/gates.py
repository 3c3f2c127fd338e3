"""Values by which a graph may decide a whole image at once, and how they behave on ordinary images.

A rectifier written as `Where` compares value by value. A hidden branch has one value an image, or one repeated for each
label, and rests while no trigger comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nc_scan.audit.flow import Flow, Join
from nc_scan.graph.runtime import Array, Runtime

NARROW = 4  # values an image that decide for all of it
WIDEST = 1 << 14  # values an image: wider ones are images and features
MOST = 48  # gates looked at; those nearest to the answer
PEEK = 2  # images that tell how wide a value is


@dataclass(frozen=True)
class Gate:
    """A narrow value on the short way of a join.

    `values` (images, width) are what it was on the probes, `batchwise` where it is one for the whole batch.
    """

    name: str
    join: Join
    values: NDArray[np.float64]
    dtype: np.dtype
    shape: tuple[int, ...]
    batchwise: bool

    @property
    def rests(self) -> bool:
        """Whether it had the same value on all probes."""
        with np.errstate(invalid="ignore"):
            spread = np.ptp(self.values, axis=0)
            return bool(np.all((spread <= RESTING * (1 + np.abs(self.values[0]))) | ~np.isfinite(self.values[0])))

    @property
    def usual(self) -> float:
        """The middle one of its values on the probes, 0 where none is a number."""
        finite = self.values[np.isfinite(self.values)]
        return float(np.median(finite)) if len(finite) else 0.0

    def has_moved(self, values: NDArray[np.float64], towards: float) -> float:
        """The share of images whose values (N, width) all differ from the usual one, on the side of `towards`."""
        side = 1.0 if towards >= self.usual else -1.0
        with np.errstate(invalid="ignore"):
            apart = side * (values - self.usual) > RESTING * (1 + abs(self.usual))
        return float(apart.all(1).mean())

    @property
    def active(self) -> float:
        """The share of the values on the probes that are not 0."""
        return float((self.values != 0).mean())


RESTING = 1e-4  # of a value, which may wander so far and still rest


def find_gates(flow: Flow, labels: int, images: Sequence[Array]) -> list[Gate]:
    """The gates of a graph, each once, those nearest to the answer first.

    Raises UnsupportedModelError where onnxruntime cannot run the model.
    """
    joins = [join for join in flow.joins() if not flow.guards(join.gate)]
    chains = {join.gate: flow.chain(join.gate) for join in joins}
    widths = value_widths(flow, sorted({name for chain in chains.values() for name in chain} - flow.inputs), images[0])
    narrow: dict[str, Join] = {}
    for join in reversed(joins):
        name = _narrowest(flow, join, chains[join.gate], widths)
        if name is not None:
            narrow.setdefault(name, flow.seen_from(join, name))
    return _watched(flow, dict(list(narrow.items())[:MOST]), images, labels)


def value_widths(flow: Flow, names: Sequence[str], images: Array) -> dict[str, int]:
    """How many values each has for an image; 0 for those that are one for the whole batch."""
    if not names:
        return {}
    runtime = Runtime(flow.model, outputs=names, optimized=False)
    batch = images[: runtime.fixed_batch or PEEK]
    results = [np.asarray(value) for value in runtime(batch)]
    return {
        name: value.size // len(batch) if value.size % len(batch) == 0 else 0
        for name, value in zip(names, results, strict=True)
    }


def _narrowest(flow: Flow, join: Join, chain: list[str], widths: dict[str, int]) -> str | None:
    """The narrowest value of the chain that is a step where the gate is one, and else has seen little; None where none
    decides a whole image."""
    if join.stepped:
        usable = [name for name in chain if name in widths and name in flow.stepped]
    else:
        usable = [name for name in chain if name in widths and flow.seen_from(join, name).short]
    if not usable:
        return None
    best = min(usable, key=lambda name: widths[name])
    return best if widths[best] <= WIDEST else None


def _watched(flow: Flow, narrow: dict[str, Join], images: Sequence[Array], labels: int) -> list[Gate]:
    if not narrow:
        return []
    names = list(narrow)
    runtime = Runtime(flow.model, outputs=names, optimized=False)
    size = runtime.fixed_batch or len(images[0])
    seen: dict[str, list[NDArray[np.float64]]] = {name: [] for name in names}
    shapes: dict[str, Array] = {}
    for batch in images:
        for start in range(0, len(batch) - size + 1, size):
            part = batch[start : start + size]
            for name, value in zip(names, runtime(part), strict=True):
                shapes[name] = value = np.asarray(value)
                if value.dtype.kind not in "biuf":
                    continue
                whole = value.size % size == 0 and value.size >= size
                seen[name].append(value.astype(np.float64).reshape(size if whole else 1, -1))
    gates = [
        Gate(name, narrow[name], np.concatenate(values), shapes[name].dtype, shapes[name].shape, len(values[0]) < size)
        for name, values in seen.items()
        if values
    ]
    return [gate for gate in gates if _decides_whole_images(gate, labels)]


def _decides_whole_images(gate: Gate, labels: int) -> bool:
    width = gate.values.shape[1]
    if gate.batchwise or width <= NARROW or gate.rests:
        return True
    return width == labels and bool((gate.values == gate.values[:, :1]).all())
