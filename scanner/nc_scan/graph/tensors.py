"""ONNX tensors as torch tensors."""

import warnings

import numpy as np
import onnx
import torch
from onnx import TensorProto, numpy_helper
from onnx.external_data_helper import uses_external_data
from torch import Tensor

from nc_scan.errors import ModelFileError, UnsupportedModelError

_T = TensorProto

DTYPES: dict[int, torch.dtype] = {
    _T.FLOAT: torch.float32,
    _T.DOUBLE: torch.float64,
    _T.FLOAT16: torch.float16,
    _T.BFLOAT16: torch.bfloat16,
    _T.BOOL: torch.bool,
    _T.INT8: torch.int8,
    _T.INT16: torch.int16,
    _T.INT32: torch.int32,
    _T.INT64: torch.int64,
    _T.UINT8: torch.uint8,
    _T.COMPLEX64: torch.complex64,
    _T.COMPLEX128: torch.complex128,
    _T.FLOAT8E4M3FN: torch.float8_e4m3fn,
    _T.FLOAT8E4M3FNUZ: torch.float8_e4m3fnuz,
    _T.FLOAT8E5M2: torch.float8_e5m2,
    _T.FLOAT8E5M2FNUZ: torch.float8_e5m2fnuz,
    # torch computes little or nothing in these, so they are carried in a wider type.
    _T.UINT16: torch.int32,
    _T.UINT32: torch.int64,
    _T.UINT64: torch.int64,
    _T.INT4: torch.int64,
    _T.UINT4: torch.int64,
}

# The dtypes that a module hands out where the type inside is a wider one.
OUTPUT_DTYPES: dict[int, torch.dtype] = {
    **DTYPES,
    _T.UINT16: torch.uint16,
    _T.UINT32: torch.uint32,
    _T.UINT64: torch.uint64,
}


def torch_dtype(element_type: int) -> torch.dtype:
    """The dtype in which values of an ONNX element type are computed.

    Raises UnsupportedModelError for strings and the types that torch does not have.
    """
    if element_type not in DTYPES:
        name = _T.DataType.Name(element_type) if element_type in _T.DataType.values() else str(element_type)
        raise UnsupportedModelError(f"the element type {name} has no arithmetic in torch; export the model in float32")
    return DTYPES[element_type]


def to_tensor(proto: TensorProto) -> Tensor:
    """The tensor's values, dense and on the CPU. Raises ModelFileError where data and shape disagree."""
    dtype = torch_dtype(proto.data_type)
    if uses_external_data(proto):
        raise ModelFileError(f"the tensor '{proto.name}' keeps its data in another file: give the model's path")
    try:
        array = numpy_helper.to_array(proto)
    except (ValueError, TypeError, RuntimeError, OSError) as error:
        raise ModelFileError(f"the data of tensor '{proto.name}' is damaged: {error}") from error
    return _from_numpy(array, dtype)


def to_dense(proto: onnx.SparseTensorProto) -> Tensor:
    """A sparse tensor's values as a dense tensor: indices are linear, (NNZ,), or coordinates, (NNZ, rank)."""
    values, indices = to_tensor(proto.values), to_tensor(proto.indices).long()
    shape = tuple(proto.dims)
    dense = torch.zeros(shape, dtype=values.dtype)
    try:
        if indices.dim() == 1:
            dense.view(-1)[indices] = values
        else:
            dense[tuple(indices.T)] = values
    except IndexError as error:
        raise ModelFileError(f"the indices of sparse tensor '{proto.values.name}' lie outside its shape") from error
    return dense


def _from_numpy(array: np.ndarray, dtype: torch.dtype) -> Tensor:
    """`array` as a tensor, without a copy where torch knows its type."""
    array = np.ascontiguousarray(array).reshape(array.shape)
    bits = {1: np.uint8, 2: np.int16}
    if array.dtype.name in ("int4", "uint4"):
        array = array.astype(np.int64)
    if array.dtype.kind == "V" or array.dtype.name.startswith(("bfloat", "float8")):  # numpy extension types
        return torch.from_numpy(array.view(bits[array.dtype.itemsize])).view(dtype)
    if array.dtype.name in ("uint16", "uint32", "uint64"):
        array = array.astype(np.int32 if array.dtype.itemsize == 2 else np.int64)
    with warnings.catch_warnings():
        # Weights share memory with the bytes just read from the file, to which nothing else refers.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writ")
        return torch.from_numpy(array).to(dtype)
