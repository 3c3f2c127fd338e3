"""The table of the labels in the terminal, with bars that give way to the numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from nc_scan.reports.words import called
from nc_scan.results import ScanResult

MOST_ROWS = 20
LONGEST_BAR = 28
NAME, SHORT_NAME = 24, 10  # columns of a label, so that what stands beside it fits a terminal of 80
LEAST_NAME = 6
INDEX, SUCCESS = 5, 7  # columns that these numbers keep however narrow it is


@dataclass(frozen=True)
class Bar:
    """A norm as a bar that is as long as there is room, crossed by the threshold; values are shares of the longest."""

    length: float
    threshold: float | None

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Any width up to that of the longest."""
        return Measurement(1, LONGEST_BAR).with_maximum(options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """One line."""
        width = min(options.max_width, LONGEST_BAR)
        cells = ["━"] * (max(1, round(width * min(self.length, 1))) if not math.isnan(self.length) else 0)
        cells += [" "] * (width - len(cells))
        if self.threshold is not None and self.threshold < 1:
            cells[min(round(width * self.threshold), width - 1)] = "│"
        yield Segment("".join(cells))


@dataclass(frozen=True)
class Name:
    """A label's number and name, cut to what room there is: the number, which comes first, stays."""

    text: str

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """At least room for a number of six digits."""
        length = cell_len(self.text)
        return Measurement(min(length, LEAST_NAME), length).with_maximum(options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """One line."""
        text = Text(self.text, justify="right")
        text.truncate(options.max_width, overflow="ellipsis")
        yield text


def label_table(result: ScanResult) -> Table:
    """A row a label, smallest norm first."""
    table = Table(box=None, pad_edge=False, header_style="dim", caption_justify="left", caption_style="dim")
    rows = sorted(result.labels, key=lambda label: label.norm)
    converged = all(label.status == "converged" for label in rows)
    table.add_column("label", justify="right", max_width=NAME if converged else SHORT_NAME)
    widest = max((len(f"{label.norm:.1f}") for label in rows), default=0)
    table.add_column("norm", justify="right", no_wrap=True, min_width=widest)
    table.add_column()
    for name, width in (("index", INDEX), ("success", SUCCESS)):
        table.add_column(name, justify="right", no_wrap=True, min_width=width)
    if not converged:
        table.add_column("search", no_wrap=True)
    found = [label.norm for label in rows if label.status == "converged" and math.isfinite(label.norm)]
    largest = max(found, default=1.0) or 1.0
    for label in rows[:MOST_ROWS]:
        table.add_row(
            Name(called(result, label.label)),
            f"{label.norm:.1f}",
            Bar(label.norm / largest, None if result.threshold is None else result.threshold / largest),
            f"{label.anomaly_index:.2f}",
            "" if math.isnan(label.success_rate) else f"{label.success_rate:.0%}",
            *(() if converged else (label.status.replace("_", " "),)),
            style="bold red" if label.label in result.target_labels else "",
        )
    table.caption = "\n".join(_notes(result))
    return table


def _notes(result: ScanResult) -> Iterator[str]:
    if result.threshold is not None:
        yield f"│ a label with a norm below {result.threshold:.1f} pixels is suspected"
    if len(result.labels) > MOST_ROWS:
        yield f"the {MOST_ROWS} smallest of {len(result.labels)} labels"
