"""The size of a model's smallest trigger beside those of models that are known to be clean or backdoored."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from nc_scan.results import ScanResult

WIDTH, LEFT, RIGHT = 720.0, 96.0, 16.0
HEIGHT = 150.0
ROWS = {"clean": 30.0, "this": 62.0, "backdoored": 94.0}  # the height of each row's middle
TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True)
class KnownSizes:
    """Smallest triggers as shares of the image: one a model that the verdict was calibrated on, in ascending order."""

    clean: tuple[float, ...]
    backdoored: tuple[float, ...]


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
    """Those that come with this version; a test holds them against `docs/results/calibration.csv`."""
    values = json.loads(resources.files("nc_scan.reports").joinpath("known_sizes.json").read_text("utf-8"))
    return KnownSizes(tuple(values["clean"]), tuple(values["backdoored"]))


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
    """`The smallest trigger covers 2.5% of the image; those of 11 clean models cover 1.4% to 3.9%.`"""
    share, known = smallest_share(result), known_sizes()
    if share is None:
        return ""
    clean = f"those of {len(known.clean)} clean models cover {_span(known.clean)}"
    return (
        f"The smallest trigger covers {share:.1%} of the image; {clean}, of backdoored ones {_span(known.backdoored)}."
    )


def _span(sizes: Sequence[float]) -> str:
    return f"{sizes[0]:.1%} to {sizes[-1]:.1%}"


def _spanning(values: Iterable[float]) -> list[float]:
    """The ticks around all values."""
    values = list(values)
    low = max((tick for tick in TICKS if tick <= min(values)), default=TICKS[0])
    high = min((tick for tick in TICKS if tick >= max(values)), default=TICKS[-1])
    return [tick for tick in TICKS if low <= tick <= high]
