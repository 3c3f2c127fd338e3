"""The geometry of the HTML report's charts; `templates/charts.jinja` draws them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nc_scan.results import LabelResult, ScanResult

WIDTH, HEIGHT = 720.0, 260.0
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
    """A label's norm; `name` is empty where the bars stand too close for names."""

    x: float
    y: float
    width: float
    height: float
    label: int
    norm: float
    suspected: bool
    name: str


@dataclass(frozen=True)
class NormsChart:
    """The norms of all labels in ascending order; y grows downwards, as in SVG."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    threshold: Tick | None
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = WIDTH - RIGHT
    floor: float = HEIGHT - BOTTOM


@dataclass(frozen=True)
class BoxPlot:
    """Minimum, quartiles and maximum of the norms of the labels that are not suspected, as in the paper's figure 5.

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


def norms_chart(result: ScanResult) -> NormsChart:
    """Bars for all labels whose norm is finite."""
    labels = _finite(result.labels)
    ticks = _nice(max([label.norm for label in labels] + [result.threshold or 0.0]))
    floor, top = HEIGHT - BOTTOM, ticks[-1]
    step = (WIDTH - LEFT - RIGHT) / max(len(labels), 1)

    def y(norm: float) -> float:
        return round(floor - (floor - TOP) * norm / top, 2)

    bars = tuple(
        Bar(
            x=round(LEFT + step * rank + 0.1 * step, 2),
            y=y(label.norm),
            width=round(max(0.8 * step, VISIBLE if label.label in result.target_labels else 0.0), 2),
            height=round(floor - y(label.norm), 2),
            label=label.label,
            norm=label.norm,
            suspected=label.label in result.target_labels,
            name=str(label.label) if len(labels) <= MOST_NAMED else "",
        )
        for rank, label in enumerate(labels)
    )
    threshold = None if result.threshold is None else Tick(y(result.threshold), f"{result.threshold:.1f}")
    return NormsChart(bars, tuple(Tick(y(value), f"{value:g}") for value in ticks), threshold)


def box_plot(result: ScanResult) -> BoxPlot | None:
    """None where fewer than two labels are not suspected."""
    labels = _finite(result.labels)
    ordinary = [label.norm for label in labels if label.label not in result.target_labels]
    if len(ordinary) < 2:
        return None
    ticks = _nice(labels[-1].norm)

    def x(norm: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * norm / ticks[-1], 2)

    low, lower, median, upper, high = (x(float(q)) for q in np.percentile(ordinary, [0, 25, 50, 75, 100]))
    suspected = tuple(Tick(x(label.norm), str(label.label)) for label in labels if label.label in result.target_labels)
    return BoxPlot(low, lower, median, upper, high, suspected, tuple(Tick(x(value), f"{value:g}") for value in ticks))


def _finite(labels: tuple[LabelResult, ...]) -> list[LabelResult]:
    return sorted((label for label in labels if math.isfinite(label.norm)), key=lambda label: label.norm)


def _nice(largest: float) -> list[float]:
    """Four to nine round values from 0 to at least `largest`."""
    largest = max(largest, 1e-6)
    power = 10 ** math.floor(math.log10(largest))
    step = next(power * factor for factor in (0.2, 0.25, 0.5, 1, 2) if largest / (power * factor) <= 6)
    return [step * n for n in range(math.ceil(largest / step - 1e-9) + 1)]
