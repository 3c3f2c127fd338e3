"""Does the gradient that the search follows belong to what the deployed model computes?

Along a straight way from one image to another, the slopes add up to the change of the score: the completeness of
integrated gradients (Sundararajan, Taly and Yan 2017). The slopes are the copy's, the change is the deployed model's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nc_scan.results import Finding, FloatArray

FALSE_GRADIENT = "false-gradient"  # the finding's rule
POINTS = 12, 48  # on the way, at the middle of as many equal parts; more of them where few miss a steep place
OFF = 0.5  # of the change: what slopes at so many points may miss
SMALL = 0.5  # nats: a smaller change on the whole says nothing

Logits = Callable[[Tensor], Tensor]
Deployed = Callable[[FloatArray], NDArray[np.float32]]


@dataclass(frozen=True)
class Way:
    """From images (N, C, H, W) in [0, 1] to the same with something on them, and the label that it is to lead to."""

    label: int
    before: FloatArray
    after: FloatArray


def gradient_findings(logits: Logits, deployed: Deployed, ways: Sequence[Way]) -> Iterator[Finding]:
    """A warning where, for some label, the slopes do not add up to the change.

    Args:
        logits: the differentiable copy, images (N, C, H, W) in [0, 1] to (N, labels).
        deployed: the same of the deployed model.
        ways: along the triggers that were found, and whatever moves a label most.
    """
    wrong = sorted({way.label for way in ways if not adds_up(logits, deployed, way)})
    if wrong:
        labels = ", ".join(map(str, wrong[:5])) + (", ..." if len(wrong) > 5 else "")
        message = f"the gradient is not that of what the deployed model computes (label {labels}): the search is blind"
        yield Finding(FALSE_GRADIENT, "warning", message)


def adds_up(logits: Logits, deployed: Deployed, way: Way) -> bool:
    """Whether the integrated slope of the label's log-odds is, on the whole, the deployed model's change of it."""
    ends = [_log_odds(torch.from_numpy(deployed(images)), way.label).numpy() for images in (way.before, way.after)]
    change = (ends[1] - ends[0]).astype(np.float64)
    finite = np.isfinite(change)
    if not finite.any() or np.abs(change[finite]).mean() < SMALL:
        return True
    most = OFF * np.abs(change[finite]).sum()
    slopes = (integrated_slopes(logits, way, points) for points in POINTS)
    return any(np.isfinite(one).all() and np.abs(one - change)[finite].sum() <= most for one in slopes)


def integrated_slopes(logits: Logits, way: Way, points: int) -> NDArray[np.float64]:
    """The mean slope (N,) of the label's log-odds at so many points along the way, by the midpoint rule."""
    start, end = torch.from_numpy(way.before), torch.from_numpy(way.after)
    direction = end - start
    total = torch.zeros(len(start), dtype=torch.float64)
    for point in range(points):
        images = (start + (point + 0.5) / points * direction).requires_grad_()
        value = _log_odds(logits(images), way.label)
        if not value.requires_grad:
            return np.zeros(len(start))
        (gradient,) = torch.autograd.grad(value.sum(), images)
        total += (gradient * direction).sum((1, 2, 3)).double() / points
    return np.asarray(total.numpy())


def _log_odds(logits: Tensor, label: int) -> Tensor:
    """The label's logit above the logarithm of what the others come to (N,)."""
    others = torch.cat([logits[:, :label], logits[:, label + 1 :]], 1)
    return logits[:, label] - others.logsumexp(1)
