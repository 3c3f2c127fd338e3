"""Does the deployed model answer a scan as it answers in use?

In use images come alone and have eight bits. A model can look at the size of the batch, at its neighbours in it or at
the last digits of the pixels, and hide what it does otherwise while it is being scanned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from nc_scan.results import Finding, FloatArray

LEVELS = 255
Scores = Callable[[FloatArray], FloatArray]  # of one batch (N, C, H, W) in [0, 1]: (N, labels)
TIMES = 4.0  # as much as other changes of that size move the scores: then the bits themselves are read


def behaviour(scores: Scores, images: FloatArray, tolerance: float) -> Iterator[Finding]:
    """Warnings for answers that depend on how the model is asked.

    Args:
        scores: asks the deployed model one batch.
        images: probes (N, C, H, W) in [0, 1], N >= 4, that any batch may hold.
        tolerance: relative to the largest score, what arithmetic alone may change.
    """
    rounded = eight_bits(images)
    alone = np.concatenate([scores(image[None]) for image in rounded])
    together, reversed_ = scores(rounded), scores(rounded[::-1])[::-1]
    allowed = tolerance * float(np.abs(alone[np.isfinite(alone)]).max(initial=0.0)) + 1e-6
    if _apart(alone, together) > allowed:
        yield _differs("batch-dependent", "alone and in a batch", alone, together)
    elif _apart(together, reversed_) > allowed:
        yield _differs("order-dependent", "in another order within the batch", together, reversed_)
    if reads_last_bits(scores, images, allowed):
        message = "the deployed model tells images of eight bits from others: it may hide while it is scanned"
        yield Finding("depth-dependent", "warning", message)


def reads_last_bits(scores: Scores, images: FloatArray, allowed: float) -> bool:
    """Whether rounding images to eight bits changes the scores more than any change of that size does."""
    rng = np.random.default_rng(0)
    off_grid = np.clip(images, 0.5 / LEVELS, 1 - 0.5 / LEVELS)
    rounded = eight_bits(off_grid)
    other = rounded + rng.uniform(-0.5, 0.5, images.shape).astype(np.float32) / LEVELS
    here, there, on_grid = (one_by_one(scores, part) for part in (off_grid, other.astype(np.float32), rounded))
    by_chance, by_rounding = np.abs(here - there).mean(), np.abs(here - on_grid).mean()
    return bool(by_rounding > TIMES * by_chance + allowed)


def one_by_one(scores: Scores, images: FloatArray) -> FloatArray:
    """The scores of images that come alone."""
    return np.concatenate([scores(image[None]) for image in images])


def eight_bits(images: FloatArray) -> FloatArray:
    """Images as files hold them."""
    return np.asarray(np.round(images * LEVELS) / LEVELS, np.float32)


def _apart(one: FloatArray, other: FloatArray) -> float:
    with np.errstate(invalid="ignore"):
        return float(np.nan_to_num(np.abs(one - other), nan=0.0).max(initial=0.0))


def _differs(rule: str, how: str, one: FloatArray, other: FloatArray) -> Finding:
    labels = float((one.argmax(1) != other.argmax(1)).mean()) if one.shape[1] > 1 else 0.0
    message = (
        f"the deployed model gives an image other scores {how} (by {_apart(one, other):.2g}, other labels {labels:.0%})"
    )
    return Finding(rule, "warning", message)
