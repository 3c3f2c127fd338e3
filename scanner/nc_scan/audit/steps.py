"""Which operators make a step function of what they read, and which mix learnt weights in."""

from __future__ import annotations

import re

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, numpy_helper

NUMERIC_GUARDS = {"IsNaN", "IsInf"}  # exporters write them around attention
LOGIC = {"And", "Or", "Xor", "Not", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot", "BitShift"}
COMPARISONS = {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"}
ROUNDING = {"Floor", "Ceil", "Round", "Sign"}
CHOICES = {"ArgMax", "ArgMin", "Hardmax", "OneHot", "NonZero", "NonMaxSuppression", "Unique", "Binarizer",
           "LabelEncoder", "CategoryMapper", "SearchSorted", "Bucketize"}  # fmt: skip
STEPS = NUMERIC_GUARDS | LOGIC | COMPARISONS | ROUNDING | CHOICES
NAMED_CASTS = {"Cast", "CastLike"}
# Integers on purpose: what a quantised graph rounds is its arithmetic, and no decision.
INTEGERS = {TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64, TensorProto.UINT8,
            TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64, TensorProto.BOOL}  # fmt: skip
CONTRACTIONS = re.compile("Conv|MatMul|Gemm|Einsum|LSTM|GRU|RNN|Attention|TreeEnsemble|SVM|LinearClassifier")
FEW_VALUES = 16  # that a tensor holds: zeros and ones that pick and repeat were not learnt
SAMPLED = 1 << 16


def is_step(node: NodeProto, *, of_integers: bool) -> bool:
    """Whether a node's result is piecewise constant in what it reads; casts of what are integers already are none."""
    if node.op_type in STEPS:
        return True
    if node.op_type == "Cast" and not of_integers:
        return next((attribute.i for attribute in node.attribute if attribute.name == "to"), 0) in INTEGERS
    return False


def contracts(node: NodeProto) -> bool:
    """Whether the node mixes many values by weights."""
    return bool(CONTRACTIONS.search(node.op_type))


def learnt(tensor: TensorProto) -> int:
    """How many numbers of a tensor training may have found: few where it holds few different ones."""
    size = int(np.prod(tensor.dims, dtype=np.int64)) if tensor.dims else 1
    if size <= FEW_VALUES or onnx.external_data_helper.uses_external_data(tensor):
        return size
    try:
        values = numpy_helper.to_array(tensor).reshape(-1)[:SAMPLED]
    except (ValueError, TypeError):
        return size
    different = len(np.unique(values.astype(np.float32, copy=False))) if values.dtype.kind in "fiub" else size
    return size if different > FEW_VALUES else different
