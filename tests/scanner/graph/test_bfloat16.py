"""The backend suite's float cases in bfloat16, as the search runs a module where that is faster: no types are mixed."""

import pytest
import torch
from tests.scanner.graph.conformance import Case, as_torch, cases
from torch import Tensor

from nc_scan.errors import UnsupportedModelError
from nc_scan.graph import to_torch

OPERATORS = {"Conv", "BatchNormalization", "QLinearConv", "ConvInteger", "MatMulInteger", "QLinearMatMul", "Gemm",
             "MatMul", "InstanceNormalization", "LayerNormalization", "GroupNormalization", "AveragePool", "MaxPool",
             "Softmax", "Gelu", "HardSwish", "Clip", "PRelu", "Resize", "Pad", "LSTM", "GRU", "Attention"}  # fmt: skip


OTHER_FLOATS = {torch.float16, torch.float64, torch.bfloat16}


def in_question() -> list[Case]:
    found = [case for case in cases() if case.exclusion is None and case.kind == "node"]
    in_float = [case for case in found if not OTHER_FLOATS & {v.dtype for v in tensors(case)}]
    return [case for case in in_float if OPERATORS & {name for _, name in case.operators}]


def tensors(case: Case) -> list[Tensor]:
    return [v for v in map(as_torch, case.data[0][0]) if isinstance(v, Tensor)]


def mixed_types(case: Case) -> str | None:
    """What a module in bfloat16 says against the case's inputs, if it is about types."""
    values = [as_torch(value) for value in case.data[0][0]]
    narrow = [v.bfloat16() if isinstance(v, Tensor) and v.dtype == torch.float32 else v for v in values]
    try:
        module = to_torch(case.model, differentiable=False).to(torch.bfloat16)
        with torch.no_grad():
            module(*narrow)
    except UnsupportedModelError as error:
        return str(error) if "dtype" in str(error) or "same type" in str(error) else None
    except RuntimeError as error:
        return str(error)
    return None


def test_no_layer_of_a_network_mixes_types() -> None:
    found = in_question()
    assert len(found) > 100
    assert {case.name: problem for case in found if (problem := mixed_types(case))} == {}


@pytest.mark.parametrize("name", ["QLinearConv", "BatchNormalization"])
def test_layers_that_once_did_are_among_them(name: str) -> None:
    assert any(name in {operator for _, operator in case.operators} for case in in_question())
