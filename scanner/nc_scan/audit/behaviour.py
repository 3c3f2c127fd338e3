"""Does the deployed model answer a scan as it answers in use?

In use images come alone and have eight bits. A model can look at the size of the batch, at its neighbours in it or at
the last digits of the pixels, and hide what it does otherwise while it is being scanned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from nc_scan.results import Finding, FloatArray

LEVELS = 255
Scores = Callable[[FloatArray], FloatArray]  # of one batch (N, C, H, W) in [0, 1]: (N, labels)
TIMES = 4.0  # as much as other changes of that size move the scores: then the bits themselves are read


def behaviour(scores: Scores, images: FloatArray, tolerance: float, sizes: Sequence[int] = ()) -> Iterator[Finding]:
    """Warnings for answers that depend on how the model is asked.

    Args:
        scores: asks the deployed model one batch.
        images: probes (N, C, H, W) in [0, 1], N >= 2, that any batch may hold.
        tolerance: relative to the largest score, what arithmetic alone may change.
        sizes: of the batches that the scan is going to ask, beside N: a model can look at any of them.
    """
    rounded = eight_bits(images)
    alone = one_by_one(scores, rounded)
    together, reversed_ = scores(rounded), scores(rounded[::-1])[::-1]
    allowed = tolerance * float(np.abs(alone[np.isfinite(alone)]).max(initial=0.0)) + 1e-6
    batches = ((together, alone), *(_in_batch_of(scores, size, rounded, alone) for size in sizes))
    differing = next((pair for pair in batches if _apart(*pair) > allowed), None)
    if differing is not None:
        yield _differs("batch-dependent", "alone and in a batch", *differing)
    elif _apart(together, reversed_) > allowed:
        yield _differs("order-dependent", "in another order within the batch", together, reversed_)
    if reads_last_bits(scores, rounded, allowed):
        message = "the deployed model tells images of eight bits from others: it may hide while it is scanned"
        yield Finding("depth-dependent", "warning", message)


def _in_batch_of(scores: Scores, size: int, images: FloatArray, alone: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What a batch of that size of these images, as often as it takes, gets, and what each of it gets alone."""
    order = np.arange(size) % len(images)
    return scores(images[order]), alone[order]


def reads_last_bits(scores: Scores, rounded: FloatArray, allowed: float) -> bool:
    """Whether leaving the eight bits changes the scores more than other changes of that size do."""
    rng = np.random.default_rng(0)
    here, there = ((rounded + rng.uniform(-0.5, 0.5, rounded.shape) / LEVELS).astype(np.float32) for _ in range(2))
    off_grid, elsewhere, on_grid = (one_by_one(scores, part) for part in (here, there, rounded))
    by_chance, by_leaving = _mean_apart(off_grid, elsewhere), _mean_apart(off_grid, on_grid)
    return by_leaving > TIMES * by_chance + allowed


def one_by_one(scores: Scores, images: FloatArray) -> FloatArray:
    """The scores of images that come alone."""
    return np.concatenate([scores(image[None]) for image in images])


def eight_bits(images: FloatArray) -> FloatArray:
    """Images as files hold them."""
    return np.asarray(np.round(images * LEVELS) / LEVELS, np.float32)


def _apart(one: FloatArray, other: FloatArray) -> float:
    with np.errstate(invalid="ignore"):
        return float(np.nan_to_num(np.abs(one - other), nan=0.0).max(initial=0.0))


def _mean_apart(one: FloatArray, other: FloatArray) -> float:
    with np.errstate(invalid="ignore"):
        return float(np.nan_to_num(np.abs(one - other), nan=0.0, posinf=0.0).mean())


def _differs(rule: str, how: str, one: FloatArray, other: FloatArray) -> Finding:
    labels = float((one.argmax(1) != other.argmax(1)).mean()) if one.shape[1] > 1 else 0.0
    message = (
        f"the deployed model gives an image other scores {how} (by {_apart(one, other):.2g}, other labels {labels:.0%})"
    )
    return Finding(rule, "warning", message)
