"""Activations as torch's own functions where constants allow it: values, gradients, and what stays general."""

from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor
from torch.nn import functional as F

from nc_scan.graph import to_torch
from nc_scan.graph.module import OnnxModule

SHAPE = (2, 3, 4, 4)
X = 4 * torch.randn(SHAPE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
SLOPES = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)


def module(*nodes: tuple[str, list[str], str, dict[str, Any]], opset: int = 21, **constants: Any) -> OnnxModule:
    """Nodes (operator, inputs, output, attributes) from `x` to `y`, with constants by name."""
    double = TensorProto.DOUBLE
    graph = helper.make_graph(
        [helper.make_node(name, reads, [writes], **attributes) for name, reads, writes, attributes in nodes],
        "g",
        [helper.make_tensor_value_info("x", double, SHAPE)],
        [helper.make_tensor_value_info("y", double, SHAPE)],
        [numpy_helper.from_array(np.asarray(value, np.float64), name) for name, value in constants.items()],
    )
    return to_torch(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10))


def both(function: Any) -> tuple[Tensor, Tensor]:
    """Values and gradient of the sum of their squares."""
    x = X.clone().requires_grad_()
    y = function(x)
    return y.detach(), torch.autograd.grad(y.square().sum(), x)[0]


CLIPS = {
    "both": ({"low": 0, "high": 6}, ["x", "low", "high"], lambda x: x.clamp(0, 6), {"hardtanh"}),
    "lower": ({"low": -1}, ["x", "low"], lambda x: x.clamp(min=-1), {"clamp"}),
    "upper": ({"high": 1}, ["x", "", "high"], lambda x: x.clamp(max=1), {"clamp"}),
    "of one value in an axis": ({"low": [0], "high": [1]}, ["x", "low", "high"], lambda x: x.clamp(0, 1), {"hardtanh"}),
    "crossed": ({"low": 3, "high": 1}, ["x", "low", "high"], lambda x: x.clamp(3, 1), {"clamp"}),
}


@pytest.mark.parametrize("case", CLIPS)
def test_clip_between_constants(case: str) -> None:
    constants, reads, expected, called = CLIPS[case]
    clipped = module(("Clip", reads, "y", {}), **constants)
    torch.testing.assert_close(both(clipped), both(expected))
    assert called <= names(clipped)


def names(network: OnnxModule) -> set[str]:
    """The torch functions that the network calls."""
    with torch.profiler.profile() as profile:
        network(X)
    return {event.key.removeprefix("aten::") for event in profile.key_averages()}


def test_a_bound_that_is_computed_keeps_its_gradient() -> None:
    clipped = module(("ReduceMean", ["x"], "mean", {"keepdims": 0}), ("Clip", ["x", "", "mean"], "y", {}), opset=17)
    torch.testing.assert_close(both(clipped), both(lambda x: torch.minimum(x, x.mean())))


PRELUS = {
    "one a channel": (SLOPES.reshape(3, 1, 1), True),
    "one": (torch.tensor([0.25]), True),
    "one a column": (torch.tensor([0.1, 0.2, 0.3, 0.4]), False),
    "one a value": (torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(1)), False),
}


@pytest.mark.parametrize("case", PRELUS)
def test_prelu(case: str) -> None:
    slope, native = PRELUS[case]
    network = module(("PRelu", ["x", "slope"], "y", {}), slope=slope.numpy())
    torch.testing.assert_close(both(network), both(lambda x: torch.where(x < 0, slope.double() * x, x)))
    assert ("prelu" in names(network)) == native


SIXTH = np.float32(1 / 6).item()
SWISHES = {
    "Sigmoid": ({}, F.silu, "silu"),
    "HardSigmoid": ({"alpha": SIXTH, "beta": 0.5}, F.hardswish, "hardswish"),
    "HardSigmoid, another slope": ({"alpha": 0.2}, lambda x: x * (0.2 * x + 0.5).clamp(0, 1), "mul"),
}


@pytest.mark.parametrize("case", SWISHES)
@pytest.mark.parametrize("order", [1, -1])
def test_x_times_its_gate_is_one_call(case: str, order: int) -> None:
    attributes, expected, called = SWISHES[case]
    gate = (case.split(",")[0], ["x"], "gate", attributes)
    network = module(gate, ("Mul", ["x", "gate"][::order], "y", {}))
    torch.testing.assert_close(both(network), both(expected), rtol=1e-6, atol=1e-6)
    assert called in names(network)


def test_a_gate_that_is_read_elsewhere_stays() -> None:
    nodes = ("Sigmoid", ["x"], "gate", {}), ("Mul", ["x", "gate"], "product", {}), ("Add", ["product", "gate"], "y", {})
    torch.testing.assert_close(both(module(*nodes)), both(lambda x: x * x.sigmoid() + x.sigmoid()))
