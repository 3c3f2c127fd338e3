"""The size of a model's smallest trigger beside those of models that are known to be clean or backdoored."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import median

from nc_scan.calibration import KnownSizes, load_calibration
from nc_scan.results import ScanResult

WIDTH, LEFT, RIGHT = 720.0, 96.0, 16.0
HEIGHT = 150.0
ROWS = {"clean": 30.0, "this": 62.0, "backdoored": 94.0}  # the height of each row's middle
TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True)
class SizesChart:
    """Positions on a logarithmic axis of shares of the image."""

    clean: tuple[float, ...]
    backdoored: tuple[float, ...]
    this: float
    share: float
    smaller: int
    ticks: tuple[tuple[float, str], ...]
    rows: dict[str, float]
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = WIDTH - RIGHT


@cache
def known_sizes() -> KnownSizes:
    """Those of the models that the shipped calibration rests on."""
    return load_calibration().sizes


def smallest_share(result: ScanResult) -> float | None:
    """The smallest trigger as a share of the image; None where no search was made."""
    norms = [label.norm for label in result.labels if math.isfinite(label.norm)]
    return min(norms) / result.contract.pixels if norms else None


def sizes_chart(result: ScanResult) -> SizesChart | None:
    """None where there is no trigger to compare."""
    share, known = smallest_share(result), known_sizes()
    if share is None:
        return None
    ticks = _spanning([share, *known.clean, *known.backdoored])
    low, high = math.log(ticks[0]), math.log(ticks[-1])

    def x(value: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (math.log(max(value, ticks[0])) - low) / (high - low), 2)

    return SizesChart(
        clean=tuple(map(x, known.clean)),
        backdoored=tuple(map(x, known.backdoored)),
        this=x(share),
        share=share,
        smaller=sum(size < share for size in known.clean),
        ticks=tuple((x(tick), f"{tick:.1%}" if tick < 0.01 else f"{tick:.0%}") for tick in ticks),
        rows=ROWS,
    )


def in_words(result: ScanResult) -> str:
    """The smallest trigger's share of the image beside the shares that those of known models cover, in a sentence."""
    share, known = smallest_share(result), known_sizes()
    if share is None or not known.clean or not known.backdoored:
        return ""
    clean = f"those of {len(known.clean)} clean models cover {_span(known.clean)}"
    backdoored = f"of {len(known.backdoored)} backdoored ones {_span(known.backdoored)}"
    return f"The smallest trigger covers {share:.1%} of the image; {clean}, {backdoored}."


def among_clean(result: ScanResult) -> str:
    """How the smallest trigger compares with those of known clean models, as a clause; empty without a search."""
    share, known = smallest_share(result), known_sizes()
    if share is None or not known.clean:
        return ""
    smaller, many = sum(size < share for size in known.clean), len(known.clean)
    known_to_us = f"{many} clean models that the scanner was calibrated on"
    if not smaller:
        return (
            f"this one is smaller than those of all {known_to_us}, but not far from those of this model's other labels"
        )
    return f"{smaller} of {known_to_us} have a smaller one"


def _span(sizes: Sequence[float]) -> str:
    return f"{sizes[0]:.1%} to {sizes[-1]:.1%} (half of them less than {median(sizes):.1%})"


def _spanning(values: Iterable[float]) -> list[float]:
    """The ticks around all values."""
    values = list(values)
    low = max((tick for tick in TICKS if tick <= min(values)), default=TICKS[0])
    high = min((tick for tick in TICKS if tick >= max(values)), default=TICKS[-1])
    return [tick for tick in TICKS if low <= tick <= high]
