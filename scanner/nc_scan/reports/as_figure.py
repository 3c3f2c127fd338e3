"""A result as a matplotlib figure, for papers and notebooks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nc_scan.errors import ReportError
from nc_scan.reports.pictures import stamped
from nc_scan.reports.shown import shown
from nc_scan.reports.words import HEADLINE, targets
from nc_scan.results import FloatArray, LabelResult, ScanResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_NAMED = 40  # bars that carry their label's number
BAR, ALARM = "#6e7f96", "#b3261e"


@shown
def to_figure(result: ScanResult) -> Figure:
    """Left the norms of all labels in ascending order and the threshold, right the smallest trigger on middle gray.

    Raises ReportError where matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ReportError("a figure needs matplotlib: pip install 'nc-scan[plot]'") from error
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(2.2, 1))
    figure.suptitle(" ".join(filter(None, (HEADLINE[result.verdict], targets(result)))))
    labels = sorted((label for label in result.labels if math.isfinite(label.norm)), key=lambda label: label.norm)
    _draw_norms(left, result, labels)
    _draw_trigger(right, result, labels)
    return figure


def _draw_norms(axes: Axes, result: ScanResult, labels: list[LabelResult]) -> None:
    colors = [ALARM if label.label in result.target_labels else BAR for label in labels]
    axes.bar(range(len(labels)), [label.norm for label in labels], color=colors)
    if len(labels) <= MOST_NAMED:
        axes.set_xticks(range(len(labels)), [str(label.label) for label in labels])
    if result.threshold is not None:
        axes.axhline(result.threshold, color="black", linestyle="--", linewidth=1)
    axes.set_xlabel("label")
    axes.set_ylabel("norm in pixels")


def _draw_trigger(axes: Axes, result: ScanResult, labels: list[LabelResult]) -> None:
    axes.set_axis_off()
    found = next((label for label in labels if label.trigger is not None), None)
    if found is None or found.trigger is None:
        return
    gray: FloatArray = found.trigger.pattern * 0 + 0.5
    image = stamped(gray, found.trigger)
    axes.imshow(image[0] if len(image) < 3 else image[:3].transpose(1, 2, 0), cmap="gray", vmin=0, vmax=1)
    axes.set_title(f"label {found.label}: {found.norm:.1f} of {result.contract.pixels} pixels", fontsize=10)
