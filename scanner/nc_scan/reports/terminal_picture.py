"""A trigger in the terminal: in its colours where there are any, else its mask in shades of gray."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.style import Style

from nc_scan.results import FloatArray, Trigger

COLUMNS = 32  # of the picture, at most
SHADES = " ░▒▓█"
FAINT = 0.05  # a mask below this is as good as nothing
UPPER, LOWER = "▀", "▄"


@dataclass(frozen=True)
class TriggerPicture:
    """The rows of the image that the trigger touches.

    Two pixels above each other a character, since that is about twice as high as wide.
    """

    trigger: Trigger

    def rows(self) -> tuple[int, int]:
        """The first row that the trigger touches, and the one after the last; whole lines of characters."""
        touched = np.flatnonzero(self.trigger.mask.max(axis=1) >= FAINT)
        height = len(self.trigger.mask)
        if not len(touched):
            return 0, height
        step = 2 * max(1, self.trigger.mask.shape[1] // COLUMNS)
        first, last = int(touched[0]), int(touched[-1]) + 1
        return first // step * step, min(-(-last // step) * step, height)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """As wide as the picture and its frame."""
        width = min(self.trigger.mask.shape[1], COLUMNS) + 2
        return Measurement(3, width).with_maximum(options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """A frame around the rows that are touched."""
        first, last = self.rows()
        mask, pattern = self.trigger.mask[first:last], self.trigger.pattern[:, first:last]
        columns = max(1, min(mask.shape[1], COLUMNS, options.max_width - 2))
        lines = max(1, round(columns * mask.shape[0] / mask.shape[1] / 2))
        draw = (
            _shaded(pattern.mean(0) if self.trigger.covers_all else mask, lines, columns)
            if console.color_system is None
            else _coloured(mask, pattern, lines, columns)
        )
        frame = "─" * columns
        yield from (Segment(f"┌{frame}┐"), Segment.line())
        for line in draw:
            yield from (Segment("│"), *line, Segment("│"), Segment.line())
        yield Segment(f"└{frame}┘")


def _shaded(mask: FloatArray, lines: int, columns: int) -> list[list[Segment]]:
    cells = _pooled(mask, lines, columns)
    return [[Segment("".join(SHADES[round(float(value) * (len(SHADES) - 1))] for value in row))] for row in cells]


def _coloured(mask: FloatArray, pattern: FloatArray, lines: int, columns: int) -> list[list[Segment]]:
    """Half blocks: the upper pixel in the colour of the character, the lower one in that behind it."""
    opacity = _pooled(mask, 2 * lines, columns)
    weighed = np.stack([_pooled_mean(channel * mask, 2 * lines, columns) for channel in _as_rgb(pattern)])
    colours = weighed / np.maximum(_pooled_mean(mask, 2 * lines, columns), 1e-6)
    return [
        [_cell(opacity[line : line + 2, column], colours[:, line : line + 2, column]) for column in range(columns)]
        for line in range(0, 2 * lines, 2)
    ]


def _cell(opacity: FloatArray, colours: NDArray[np.floating]) -> Segment:
    upper, lower = (_color(colours[:, row], float(opacity[row])) if opacity[row] >= FAINT else None for row in range(2))
    if upper is None and lower is None:
        return Segment(" ")
    if upper is None:
        return Segment(LOWER, Style(color=lower))
    return Segment(UPPER, Style(color=upper, bgcolor=lower))


def _color(colour: NDArray[np.floating], opacity: float) -> Color:
    """Over middle gray, as much of it as the mask lets through."""
    red, green, blue = (round(255 * float(np.clip(opacity * value + (1 - opacity) / 2, 0, 1))) for value in colour)
    return Color.from_rgb(red, green, blue)


def _as_rgb(pattern: FloatArray) -> FloatArray:
    return pattern[:3] if len(pattern) >= 3 else np.repeat(pattern[:1], 3, axis=0)


def _pooled(values: FloatArray, rows: int, columns: int) -> FloatArray:
    """The maximum of each cell."""
    return _cells(values, rows, columns, "max")


def _pooled_mean(values: FloatArray, rows: int, columns: int) -> FloatArray:
    return _cells(values, rows, columns, "mean")


def _cells(values: FloatArray, rows: int, columns: int, reduce: str) -> FloatArray:
    """The values in each cell of a grid, reduced to one; a cell that is smaller than a pixel has that pixel's value."""
    ys, xs = (
        np.linspace(0, length, parts + 1).astype(int)
        for length, parts in zip(values.shape, (rows, columns), strict=True)
    )
    return np.array(
        [
            [getattr(values[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)], reduce)() for x0, x1 in itertools.pairwise(xs)]
            for y0, y1 in itertools.pairwise(ys)
        ],
        np.float32,
    )
