"""The geometry of the HTML report's charts; `templates/charts.jinja` draws them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nc_scan.results import LabelResult, ScanResult

WIDTH, HEIGHT = 720.0, 260.0
HISTOGRAM_HEIGHT = 170.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 12.0, 22.0, 44.0
VISIBLE = 3.0  # the least width of a suspected label's bar
MOST_NAMED = 40  # bars that carry their label's number
BOX_HEIGHT = 120.0


@dataclass(frozen=True)
class Tick:
    """A mark on an axis and its text."""

    at: float
    text: str


@dataclass(frozen=True)
class Bar:
    """A label's norm or count; `name` is empty where the bars stand too close for names.

    Where no trigger was `found` for the label, the bar reaches the top, whatever its value.
    """

    x: float
    y: float
    width: float
    height: float
    label: int
    value: float
    suspected: bool
    found: bool
    name: str


@dataclass(frozen=True)
class BarChart:
    """A bar a label, from left to right; y grows downwards, as in SVG."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    threshold: Tick | None
    height: float
    floor: float
    width: float = WIDTH
    left: float = LEFT
    right: float = WIDTH - RIGHT

    @property
    def missed(self) -> int:
        """How many labels no trigger was found for."""
        return sum(not bar.found for bar in self.bars)


@dataclass(frozen=True)
class BoxPlot:
    """Minimum, quartiles and maximum of the norms of the labels that are not suspected, as in the paper's figure 5,
    without labels that no trigger was found for.

    `suspected` are the norms of the others. All values are positions on the x axis.
    """

    low: float
    lower: float
    median: float
    upper: float
    high: float
    suspected: tuple[Tick, ...]
    ticks: tuple[Tick, ...]
    width: float = WIDTH
    height: float = BOX_HEIGHT
    left: float = LEFT
    right: float = WIDTH - RIGHT


def norms_chart(result: ScanResult) -> BarChart:
    """The norms of all labels whose norm is finite, in ascending order, and the threshold."""
    labels = _finite(result.labels)
    norms = [(label.label, label.norm) for label in labels]
    found = {label.label for label in _found(result)}
    return _bar_chart(norms, found, result.target_labels, result.threshold, HEIGHT)


def histogram_chart(result: ScanResult) -> BarChart:
    """How many probes the model gives each label, in the order of the labels."""
    counts = [(label, float(count)) for label, count in enumerate(result.probes.histogram)]
    return _bar_chart(counts, set(dict(counts)), result.target_labels, None, HISTOGRAM_HEIGHT)


def box_plot(result: ScanResult) -> BoxPlot | None:
    """None where there are fewer than two such labels."""
    labels = _found(result)
    ordinary = [label.norm for label in labels if label.label not in result.target_labels]
    if len(ordinary) < 2:
        return None
    ticks = _nice(labels[-1].norm)

    def x(norm: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * norm / ticks[-1], 2)

    low, lower, median, upper, high = (x(float(q)) for q in np.percentile(ordinary, [0, 25, 50, 75, 100]))
    suspected = tuple(Tick(x(label.norm), str(label.label)) for label in labels if label.label in result.target_labels)
    return BoxPlot(low, lower, median, upper, high, suspected, tuple(Tick(x(value), f"{value:g}") for value in ticks))


def _bar_chart(
    values: list[tuple[int, float]],
    found: set[int],
    suspects: tuple[int, ...],
    threshold: float | None,
    height: float,
) -> BarChart:
    """The axis ends above the largest value among the labels `found`."""
    ticks = _nice(max([value for label, value in values if label in found] + [threshold or 0.0]))
    floor, top = height - BOTTOM, ticks[-1]
    step = (WIDTH - LEFT - RIGHT) / max(len(values), 1)

    def y(value: float) -> float:
        return round(floor - (floor - TOP) * value / top, 2)

    levels = [y(value if label in found else top) for label, value in values]
    bars = tuple(
        Bar(
            x=round(LEFT + step * rank + 0.1 * step, 2),
            y=level,
            width=round(max(0.8 * step, VISIBLE if label in suspects else 0.0), 2),
            height=round(floor - level, 2),
            label=label,
            value=value,
            suspected=label in suspects,
            found=label in found,
            name=str(label) if len(values) <= MOST_NAMED else "",
        )
        for rank, ((label, value), level) in enumerate(zip(values, levels, strict=True))
    )
    line = None if threshold is None else Tick(y(threshold), f"{threshold:.1f}")
    return BarChart(bars, tuple(Tick(y(value), f"{value:g}") for value in ticks), line, height, floor)


def _finite(labels: tuple[LabelResult, ...]) -> list[LabelResult]:
    return sorted((label for label in labels if math.isfinite(label.norm)), key=lambda label: label.norm)


def _found(result: ScanResult) -> list[LabelResult]:
    """Without the labels whose trigger is the whole image, for want of one."""
    pixels = result.contract.pixels
    return [label for label in _finite(result.labels) if label.status == "converged" or label.norm < pixels]


def _nice(largest: float) -> list[float]:
    """Four to nine round values from 0 to at least `largest`."""
    largest = max(largest, 1e-6)
    power = 10 ** math.floor(math.log10(largest))
    step = next(power * factor for factor in (0.2, 0.25, 0.5, 1, 2) if largest / (power * factor) <= 6)
    return [step * n for n in range(math.ceil(largest / step - 1e-9) + 1)]
