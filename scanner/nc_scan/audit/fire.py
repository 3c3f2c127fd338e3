"""An image that sets a gate off, looked for through softened steps, and the small trigger that is left of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nc_scan.audit.flow import FEW, Flow
from nc_scan.audit.gates import Gate
from nc_scan.audit.soften import softened
from nc_scan.errors import UnsupportedModelError
from nc_scan.results import WORKS, FloatArray, Trigger

STEPS, RATE = 120, 0.05
STARTS = 4  # probes, beside a black, a grey and a white image
LARGEST = 0.25  # share of the pixels: what needs more of the image is no trigger but another image
MATTERS = 1e-3  # of the largest gradient: pixels with less have no part in the gate
TRIED = 32  # probes on which a smaller trigger is tried
EVALUATIONS = 48

Encode = Callable[[Tensor], Tensor]
Predict = Callable[[FloatArray], NDArray[np.int64]]


@dataclass(frozen=True)
class Asked:
    """The model, asked in three ways.

    Attributes:
        encode: from images (N, C, H, W) in [0, 1] to the model's input, differentiable.
        predict: labels (N,) of the deployed model, asked as it is deployed.
        values: the gate's values (N, width) on them.
    """

    encode: Encode
    predict: Predict
    values: Callable[[FloatArray], NDArray[np.float64]]


@dataclass(frozen=True)
class Fired:
    """A trigger that sets the gate off, the label that it leads to, and the share of the images that it turns."""

    label: int
    trigger: Trigger
    success_rate: float


def fire(flow: Flow, gate: Gate, towards: float, asked: Asked, images: FloatArray, label: int | None) -> Fired | None:
    """A trigger that brings the gate near `towards` and turns WORKS of the images, in the deployed model; None where
    none is found. It counts only where the gate left its usual value on as many.

    Args:
        images: probes (N, C, H, W) in [0, 1].
        label: where the answers are expected to go; None for any.
    """
    predict = asked.predict
    before = predict(images)
    for image, weight in _images_that_fire(flow, gate, towards, asked.encode, images):
        order = np.argsort(-weight, axis=None)
        count = int((weight > MATTERS * weight.max(initial=0)).sum())
        trigger = Trigger(_mask(order[:count], weight.shape), image)
        target, rate = _success(predict, trigger, images, before, label)
        if rate >= WORKS:
            trigger = _smallest(predict, trigger, weight, images[:TRIED], before[:TRIED], target)
            _, rate = _success(predict, trigger, images, before, target)
            moved = gate.has_moved(asked.values(stamped(images, trigger)), towards)
            if rate >= WORKS and trigger.mask.mean() <= LARGEST and moved >= WORKS:
                return Fired(target, trigger, rate)
    return None


def _images_that_fire(
    flow: Flow, gate: Gate, towards: float, encode: Encode, images: FloatArray
) -> list[tuple[FloatArray, NDArray[np.float64]]]:
    """Images (C, H, W), 8 bits deep, and how much each of their pixels (H, W) weighed; the most successful first."""
    cone = flow.cone(gate.name)
    steps = {name for name in cone if name in flow.stepped or flow.learnt[name] <= FEW}
    try:
        module = softened(flow.model, [gate.name], steps)
        x, weights, values = _climb(module, gate, towards, encode, _starts(images))
    except (UnsupportedModelError, RuntimeError, ValueError):
        return []
    far = np.abs(values - towards)
    pictures = np.round(x.numpy() * 255).astype(np.float32) / 255
    order = np.argsort(far, kind="stable")
    return [(pictures[row], weights[row]) for row in order[: 1 + STARTS // 2] if weights[row].max() > 0]


def _climb(
    module: torch.nn.Module, gate: Gate, towards: float, encode: Encode, x: Tensor
) -> tuple[Tensor, NDArray[np.float64], NDArray[np.float64]]:
    """Adam on the images themselves, kept in [0, 1]: what they became, their pixels' weights, the gate's values."""
    up = 1.0 if towards >= gate.usual else -1.0
    first, second = torch.zeros_like(x), torch.zeros_like(x)
    weights = torch.zeros(len(x), *x.shape[2:])
    rows = range(len(x)) if gate.batchwise else [slice(None)]  # one image at a time where they share a value
    for step in range(1, STEPS + 1):
        x.requires_grad_()
        gradient = torch.zeros_like(x)
        for row in rows:
            part = x[row : row + 1] if isinstance(row, int) else x
            value = module(encode(part)).float()
            if not value.requires_grad:
                raise UnsupportedModelError("no gradient reaches the gate")
            gradient += torch.nan_to_num(torch.autograd.grad(torch.nan_to_num(value).sum(), x)[0], posinf=0, neginf=0)
        with torch.no_grad():
            scale = gradient.abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-30)
            gradient /= scale
            weights += gradient.abs().sum(1)
            first.lerp_(gradient, 0.1)
            second.lerp_(gradient.square(), 0.01)
            move = (first / (1 - 0.9**step)) / ((second / (1 - 0.99**step)).sqrt() + 1e-6)
            x = (x + up * RATE * move).clamp(0, 1)
    with torch.no_grad():
        values = [module(encode(x[row : row + 1])).float().reshape(-1)[0].item() for row in range(len(x))]
    return x.detach(), weights.double().numpy(), np.array(values)


def _starts(images: FloatArray) -> Tensor:
    """A few probes, and images of one shade."""
    shades = [np.full_like(images[:1], level) for level in (0.5, 0.0, 1.0)]
    return torch.from_numpy(np.concatenate([images[:STARTS], *shades]))


def _mask(pixels: NDArray[np.int64], shape: tuple[int, ...]) -> FloatArray:
    mask = np.zeros(shape, np.float32)
    mask.reshape(-1)[pixels] = 1
    return mask


def _success(
    predict: Predict, trigger: Trigger, images: FloatArray, before: NDArray[np.int64], label: int | None
) -> tuple[int, float]:
    """The label that most stamped images get, and the share of the images of other labels that get it."""
    after = predict(stamped(images, trigger))
    target = int(np.bincount(after).argmax()) if label is None else label
    others = before != target
    return target, float((after[others] == target).mean()) if others.any() else 0.0


def stamped(images: FloatArray, trigger: Trigger) -> FloatArray:
    """The images with an opaque trigger on them, 8 bits deep."""
    placed = np.where(trigger.mask[None, None] > 0, trigger.pattern[None], images)
    return np.asarray(np.round(placed * 255) / 255, np.float32)


def _smallest(
    predict: Predict,
    trigger: Trigger,
    weight: NDArray[np.float64],
    images: FloatArray,
    before: NDArray[np.int64],
    label: int,
) -> Trigger:
    """Pixels are left out, many at once and then fewer, while the trigger turns as many images as it did."""
    _, least = _success(predict, trigger, images, before, label)
    least = max(WORKS, least - 0.02)
    kept = np.flatnonzero(trigger.mask)
    kept = kept[np.argsort(-weight.reshape(-1)[kept], kind="stable")]
    evaluations = EVALUATIONS
    part = len(kept) // 2
    while part >= 1 and evaluations:
        start = len(kept)
        while start > 0 and evaluations:
            fewer = np.concatenate([kept[: max(0, start - part)], kept[start:]])
            start -= part
            if not len(fewer):
                break
            evaluations -= 1
            smaller = Trigger(_mask(fewer, trigger.mask.shape), trigger.pattern)
            if _success(predict, smaller, images, before, label)[1] >= least:
                kept = fewer
        part //= 2
    return Trigger(_mask(kept, trigger.mask.shape), trigger.pattern)
