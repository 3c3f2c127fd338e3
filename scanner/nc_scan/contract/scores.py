"""What a model hands out, as logits: one number a label whose softmax is the model's own probability."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nc_scan.errors import NotScannableError
from nc_scan.results import OutputKind

SUMS_TO_ONE = 1e-2
SMALLEST = 1e-12  # probability


def as_logits(values: Tensor, kind: OutputKind) -> Tensor:
    """Logits (N, labels), float32, of a model's output (N,), (N, labels) or (N, labels, 1, 1).

    One number a sample is the score of label 1 against label 0. Probabilities become their logarithms.
    """
    values = values.float().reshape(len(values), -1)
    if kind == "probabilities":
        values = values.clamp_min(SMALLEST).log()
    elif kind == "sigmoid":
        values = values.clamp(SMALLEST, 1 - 1e-7).logit()
    return torch.cat([torch.zeros_like(values), values], 1) if values.shape[1] == 1 else values


def kind_of(values: NDArray[np.float32]) -> OutputKind:
    """What outputs (N, labels) of many images look like: sums of one, of their exponentials, all in [0, 1], or any.

    Raises NotScannableError for one number a sample that is no probability.
    """
    flat = values.reshape(len(values), -1).astype(np.float64)
    within = bool((flat >= 0).all() and (flat <= 1).all())
    if flat.shape[1] == 1:
        if not within:
            raise NotScannableError(
                "no image classifier: one unbounded number a sample is a regression, not a label; if it is a score, "
                "say so with --output-kind logits"
            )
        return "sigmoid"
    if within and abs(flat.sum(1) - 1).max() < SUMS_TO_ONE:
        return "probabilities"
    if (flat <= 0).all() and abs(np.exp(flat).sum(1) - 1).max() < SUMS_TO_ONE:
        return "log-probabilities"
    return "sigmoid" if within else "logits"
