"""Constants that would unfold beyond the limit are refused before their memory is taken."""

import numpy as np
import pytest
import torch
from onnx import NodeProto, helper
from tests.scanner.graph.test_module import X, model

from nc_scan.errors import UnsupportedModelError
from nc_scan.graph import to_torch
from nc_scan.graph.memory_limit import MAX_CONSTANT_BYTES, ConstantLimit

HUGE = np.array([1 << 20, 1 << 21], np.int64)
ONE = np.ones(1, np.float32)
CASES = {
    "ConstantOfShape": (helper.make_node("ConstantOfShape", ["shape"], ["big"]), {"shape": HUGE}),
    "Expand": (helper.make_node("Expand", ["one", "shape"], ["big"]), {"one": ONE, "shape": HUGE}),
    "Tile": (helper.make_node("Tile", ["one", "shape"], ["big"]), {"one": ONE[None], "shape": HUGE}),
    "Range": (
        helper.make_node("Range", ["a", "b", "c"], ["big"]),
        {"a": np.float32(0), "b": np.float32(1e12), "c": np.float32(1)},
    ),
    "MatMul": (
        helper.make_node("MatMul", ["tall", "wide"], ["big"]),
        {"tall": np.ones((1 << 16, 1), np.float32), "wide": np.ones((1, 1 << 16), np.float32)},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_constant_too_large_is_refused_with_its_node(case: str) -> None:
    node, constants = CASES[case]
    nodes: list[NodeProto] = [
        node,
        helper.make_node("ReduceMax", ["big"], ["peak"], keepdims=0),
        helper.make_node("Mul", ["x", "peak"], ["y"]),
    ]
    with pytest.raises(UnsupportedModelError, match=rf"{case}.*more than the limit"):
        to_torch(model(nodes, constants))


def test_constants_within_the_limit_are_folded() -> None:
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
        helper.make_node("NonZero", ["zeros"], ["none"]),  # a shape that depends on values
        helper.make_node("Shape", ["none"], ["size"]),
        helper.make_node("Cast", ["size"], ["float"], to=1),
        helper.make_node("ReduceSum", ["float"], ["sum"], keepdims=0),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    assert torch.equal(to_torch(model(nodes, {"shape": np.array([3, 4], np.int64)}))(X), X + 2)


def test_the_limit_is_on_one_tensor() -> None:
    just = MAX_CONSTANT_BYTES // 4
    with ConstantLimit():
        assert torch.empty(just).numel() == just
        with pytest.raises(RuntimeError, match="more than the limit"):
            torch.empty(just + 1)
