"""How far the smallest triggers stand out from those of the model's other labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

SMALLEST_NORM = 1e-3  # pixels; keeps the logarithm of an empty mask finite
MOST = 3  # labels that stand out together
ENOUGH = 10  # labels: gap and depth are told in units of what is usual among so many


@dataclass(frozen=True)
class Standout:
    """The labels with the smallest triggers of a model, the smallest first, beside all its others.

    All three are ratios on a log scale, in nats, so that they mean the same whatever the size of the images; the
    largest trigger of the group counts.

    Attributes:
        labels: the group.
        gap: to the smallest trigger outside the group.
        depth: below the median of the labels outside the group.
        size: below the whole image.
        among: how many labels the model has.

    The smallest of many values lies nearer to the next one and further below the median than that of few. So gap and
    depth are multiplied by what they are among ten normal values, on average, over what they are among as many as there
    are labels. Those of clean models follow that: their gaps are smaller by a quarter among 43 labels than among ten,
    their depths larger by two fifths.
    """

    labels: tuple[int, ...]
    gap: float
    depth: float
    size: float
    among: int = ENOUGH

    @property
    def features(self) -> tuple[float, float, float]:
        """Gap, depth and size."""
        return self.gap, self.depth, self.size


def standouts(
    norms: Sequence[float],
    pixels: int,
    labels: Sequence[int] | None = None,
    drawn: Sequence[bool] | None = None,
    among: int | None = None,
) -> tuple[Standout, ...]:
    """The groups of one, two and three labels with the smallest triggers, as far as most labels stay outside.

    Args:
        norms: L1 norms of the masks, in pixels, of two labels or more.
        pixels: of the whole image.
        labels: whose norms these are; by default 0, 1, ...
        drawn: which of them tell what is usual; by default all. Where only some of many labels were searched for, the
            others were singled out for their small triggers, and their median is not that of all.
        among: how many labels the model has, where not all were searched for; those with the smallest triggers were.

    Of two labels one may stand out from the other, so there is always a group of one. Raises ValueError for fewer than
    two norms.
    """
    if len(norms) < 2:
        raise ValueError("a label stands out from others: it takes two at least")
    logs = np.log(np.maximum(np.asarray(norms, np.float64), SMALLEST_NORM))
    order = np.argsort(logs, kind="stable")
    names = list(range(len(logs))) if labels is None else list(labels)
    usual = np.ones(len(logs), bool) if drawn is None or not any(drawn) else np.asarray(drawn, bool)
    most = max(1, min(MOST, (len(logs) - 1) // 2))
    count_all = among or len(logs)
    gap_unit, depth_unit = spacing(count_all) / spacing(ENOUGH), drop(count_all) / drop(ENOUGH)
    return tuple(
        Standout(
            tuple(names[place] for place in order[:count]),
            gap=float(logs[order[count]] - logs[order[count - 1]]) / gap_unit,
            depth=(_median(logs, usual, order[count:]) - float(logs[order[count - 1]])) / depth_unit,
            size=float(np.log(pixels) - logs[order[count - 1]]),
            among=count_all,
        )
        for count in range(1, most + 1)
    )


def spacing(labels: int) -> float:
    """How far the smallest of so many normal values lies below the next on average, in standard deviations."""
    return _order_statistic(2, labels) - _order_statistic(1, labels)


def drop(labels: int) -> float:
    """How far it lies below the median of the others."""
    return _order_statistic((labels + 2) / 2, labels) - _order_statistic(1, labels)


def _order_statistic(place: float, count: int) -> float:
    """The mean of the value at that place, from 1, of so many normal ones in order (Blom 1958)."""
    return NormalDist().inv_cdf((place - 0.375) / (count + 0.25))


def _median(logs: np.ndarray, usual: np.ndarray, outside: np.ndarray) -> float:
    """Of those outside the group that tell what is usual; of all outside, where none of them does."""
    telling = outside[usual[outside]]
    return float(np.median(logs[telling if len(telling) else outside]))
