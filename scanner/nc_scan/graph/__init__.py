"""ONNX models as differentiable torch modules: reading, importing, comparing with onnxruntime."""

from nc_scan.graph.load import load_model
from nc_scan.graph.module import OnnxModule, to_torch

__all__ = ["OnnxModule", "load_model", "to_torch"]
