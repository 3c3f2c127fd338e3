"""How far the importer's values are from onnxruntime's, and how far they may be."""

import re

import numpy as np
from onnx import ModelProto
from torch import Tensor

from nc_scan.graph.runtime import Array

RELATIVE_TOLERANCE = 1e-3
# Quantised models round at every layer. Values next to a half fall to either side even between onnxruntime's own
# optimisation levels, and one step is 1/255 of a layer's range.
QUANTIZED_RELATIVE_TOLERANCE = 5e-2
ABSOLUTE_TOLERANCE = 1e-5
_QUANTIZED = re.compile("[Qq]uantize|^Q(Linear|Gemm|Attention)|Integer|NBits")


def relative_tolerance(model: ModelProto) -> float:
    """The tolerance relative to a value's scale that a model's arithmetic asks for."""
    quantized = any(_QUANTIZED.search(node.op_type) for node in model.graph.node)
    return QUANTIZED_RELATIVE_TOLERANCE if quantized else RELATIVE_TOLERANCE


def absolute_tolerance(theirs: Array, relative: float) -> float:
    """Tolerance for a value in its own units: relative to its scale, and at least one step for integers."""
    if theirs.dtype.kind == "b":
        return 0.0
    values = np.abs(theirs[np.isfinite(theirs)].astype(np.float64))
    step = 1.0 if theirs.dtype.kind in "iu" else ABSOLUTE_TOLERANCE
    return step + relative * float(values.max(initial=0.0))


def difference(ours: Tensor, theirs: Array) -> float:
    """Largest absolute difference; infinite where shapes, or the places of NaN and infinity, differ."""
    a, b = as_float64(ours), theirs.astype(np.float64)
    if a.shape != b.shape:
        return float("inf")
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        distance = np.where(same, 0.0, np.abs(a - b))
    return float(np.nan_to_num(distance, nan=np.inf).max(initial=0.0))


def label_agreement(ours: Tensor, theirs: Array, tolerance: float) -> float:
    """Fraction of samples whose label, the largest value along the last axis, is the same up to `tolerance`."""
    a, b = as_float64(ours), theirs.astype(np.float64)
    if a.shape != b.shape:
        return 0.0
    if not a.size or not a.ndim:
        return 1.0
    label = b.argmax(-1)[..., None]
    return float((np.take_along_axis(a, label, -1)[..., 0] >= a.max(-1) - 2 * tolerance).mean())


def as_float64(value: Tensor) -> np.ndarray:
    """The tensor's values as NumPy has them."""
    return np.asarray(value.detach().cpu().double().numpy())
