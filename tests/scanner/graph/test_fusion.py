"""Fusion takes steps away and changes neither values nor gradients."""

from collections import Counter

import pytest
import torch
from tests.scanner.graph.models import ResNet, ViT, build, export, randomized
from torch import nn

from nc_scan.graph import to_torch
from nc_trainers.models.vit import vit_tiny

# As exported for training, the graph keeps its BatchNormalization, which torch's exporter folds otherwise.
TRAINING = {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False}
CASES = {
    "ResNet": (build(ResNet), 16, TRAINING, {"BatchNormalization": 0}),
    "ViT": (build(ViT), 16, {}, {"SoftmaxAttention": 2, "Gelu": 2, "SelectAll": 2, "Erf": 0, "MatMul": 0}),
    "ViT, dynamo": (
        build(ViT),
        16,
        {"dynamo": True, "opset": 18},
        {"SoftmaxAttention": 2, "Gelu": 2, "SelectAll": 2, "TransposeLast": 2, "Erf": 0, "MatMul": 0},
    ),
    "vit_tiny, dynamo": (
        randomized(vit_tiny((3, 32, 32), 10), 0),
        32,
        {"dynamo": True, "opset": 20},
        {"SoftmaxAttention": 4, "Gelu": 5, "SelectAll": 4, "TransposeLast": 4, "Slice": 0, "MatMul": 0},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_stay(case: str) -> None:
    network, size, options, expected = CASES[case]
    exported = export(network, size=size, **options)
    plain, fused = to_torch(exported, fused=False), to_torch(exported)
    counts = Counter(step.operator.name for step in fused._steps if not step.host)
    assert {name: counts[name] for name in expected} == expected
    assert len(fused._steps) < len(plain._steps)
    images = torch.rand(4, 3, size, size)
    results = [(module(images), gradient(module, images)) for module in (fused, plain)]
    torch.testing.assert_close(*results, rtol=1e-3, atol=1e-5)


def gradient(module: nn.Module, images: torch.Tensor) -> torch.Tensor:
    images = images.clone().requires_grad_()
    return torch.autograd.grad(module(images)[:, 0].sum(), images)[0]


class Scores(nn.Module):
    """Attention along the wrong axis, values of which are needed elsewhere, picks that do not cover an axis."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k = x[:, 0:1], x[:, 2:3]
        across = torch.softmax(q @ k.transpose(-1, -2), 2) @ k
        seen = torch.softmax(k @ q.transpose(-1, -2), 3)
        halves = x.select(1, 0) + 2 * x.select(1, 2)
        return (across + seen @ q).sum((1, 2)) + seen.mean((1, 2)) + halves.sum(1)


@pytest.mark.parametrize("opset", [11, 17])
def test_what_only_looks_like_a_pattern_is_computed_as_it_stands(opset: int) -> None:
    images = torch.rand(4, 3, 16, 16)
    exported = export(Scores(), opset)
    expected = Scores()(images)
    torch.testing.assert_close(to_torch(exported)(images), expected)
    torch.testing.assert_close(gradient(to_torch(exported), images), gradient(Scores(), images))
