"""Operators of ai.onnx.ml, as far as scores that can be differentiated need them."""

from typing import Any

import torch
from torch import Tensor

from nc_scan.graph.registry import ONNX_ML, op


@op("Scaler", domain=ONNX_ML)
def scaler(x: Tensor, offset: list[float], scale: list[float]) -> Tensor:
    x = x if x.is_floating_point() else x.to(torch.float32)
    return (x - x.new_tensor(offset)) * x.new_tensor(scale)


@op("Normalizer", domain=ONNX_ML)
def normalizer(x: Tensor, norm: str = "MAX") -> Tensor:
    x = x if x.is_floating_point() else x.to(torch.float32)
    orders = {"MAX": torch.inf, "L1": 1, "L2": 2}
    size = torch.linalg.vector_norm(x, orders[norm], -1, keepdim=True)
    return torch.where(size == 0, x, x / size)


@op("LinearClassifier", domain=ONNX_ML, ignores=("classlabels_strings", "multi_class"))
def linear_classifier(
    x: Tensor,
    coefficients: list[float],
    intercepts: list[float] | None = None,
    classlabels_ints: list[int] | None = None,
    post_transform: str = "NONE",
) -> tuple[Tensor, Tensor]:
    """Labels and scores (batch, classes). String labels are replaced by their index: scores are what is judged."""
    x = x if x.is_floating_point() else x.to(torch.float32)
    weights = x.new_tensor(coefficients).reshape(-1, x.shape[-1])
    scores = x @ weights.T + (0 if intercepts is None else x.new_tensor(intercepts))
    scores = _post_transform(scores, post_transform)
    if scores.shape[-1] == 1:  # a binary classifier states the second class only
        rest = 1 - scores if post_transform == "LOGISTIC" else -scores
        scores = torch.cat([rest, scores], -1)
    labels = scores.argmax(-1)
    return (torch.tensor(classlabels_ints, device=x.device)[labels] if classlabels_ints else labels), scores


@op("LinearRegressor", domain=ONNX_ML)
def linear_regressor(
    x: Tensor,
    coefficients: list[float],
    intercepts: list[float] | None = None,
    post_transform: str = "NONE",
    targets: int = 1,
) -> Tensor:
    x = x if x.is_floating_point() else x.to(torch.float32)
    scores = x @ x.new_tensor(coefficients).reshape(targets, -1).T
    return _post_transform(scores if intercepts is None else scores + x.new_tensor(intercepts), post_transform)


def _post_transform(scores: Tensor, name: str) -> Tensor:
    if name == "NONE":
        return scores
    if name == "LOGISTIC":
        return torch.sigmoid(scores)
    if name == "SOFTMAX":
        return torch.softmax(scores, -1)
    if name == "SOFTMAX_ZERO":
        exponents = torch.where(scores == 0, 0, (scores - scores.amax(-1, keepdim=True)).exp())
        return exponents / exponents.sum(-1, keepdim=True)
    raise ValueError(f"post_transform={name} is not supported")


@op("ArrayFeatureExtractor", domain=ONNX_ML)
def array_feature_extractor(x: Tensor, y: Tensor) -> Tensor:
    picked = x.index_select(-1, y.flatten().long())
    return picked.unsqueeze(0) if x.dim() == 1 else picked


@op("Binarizer", domain=ONNX_ML, gradient="none")
def binarizer(x: Tensor, threshold: float = 0.0) -> Tensor:
    return (x > threshold).to(x.dtype)


@op("ZipMap", domain=ONNX_ML, ignores=("classlabels_strings", "classlabels_int64s"))
def zip_map(x: Tensor) -> Tensor:
    """The scores themselves, where ONNX makes one dictionary a sample of them."""
    return x


@op("LabelEncoder", domain=ONNX_ML, since=2, gradient="none")
def label_encoder(
    x: Tensor,
    keys_int64s: list[int] | None = None,
    keys_floats: list[float] | None = None,
    keys_tensor: Tensor | None = None,
    values_int64s: list[int] | None = None,
    values_floats: list[float] | None = None,
    values_tensor: Tensor | None = None,
    default_int64: int = -1,
    default_float: float = -0.0,
    default_tensor: Tensor | None = None,
) -> Tensor:
    """Keys mapped to values, all of them numbers."""
    keys: Any = next((k for k in (keys_tensor, keys_int64s, keys_floats) if k is not None), None)
    values: Any = next((v for v in (values_tensor, values_int64s, values_floats) if v is not None), None)
    if keys is None or values is None:
        raise ValueError("keys and values must be numbers")
    keys, values = torch.as_tensor(keys, device=x.device), torch.as_tensor(values, device=x.device)
    default = default_float if values.is_floating_point() else default_int64
    default = default if default_tensor is None else default_tensor.item()
    matches = (x.unsqueeze(-1) == keys) | (x.unsqueeze(-1).isnan() & keys.isnan())
    return torch.where(matches.any(-1), values[matches.int().argmax(-1)], default)
