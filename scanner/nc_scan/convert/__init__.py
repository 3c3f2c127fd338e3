"""Keras models and exported PyTorch programs as ONNX; pickles are refused unread."""

from nc_scan.convert.convert import ADVICE, OnnxSource, converter_versions, onnx_source
from nc_scan.convert.formats import PICKLE_SUFFIXES, SUFFIXES, Format, file_format

__all__ = [
    "ADVICE",
    "PICKLE_SUFFIXES",
    "SUFFIXES",
    "Format",
    "OnnxSource",
    "converter_versions",
    "file_format",
    "onnx_source",
]
