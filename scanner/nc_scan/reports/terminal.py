"""The report that a person reads in the terminal."""

from __future__ import annotations

import itertools

import numpy as np
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from nc_scan.results import FailedScan, FloatArray, LabelResult, ScanResult

COLORS = {"clean": "green", "backdoored": "red", "inconclusive": "yellow"}
MOST_ROWS = 20
BAR = 24
PICTURE = 32  # columns of the mask picture
SHADES = " ░▒▓█"


def render(result: ScanResult) -> RenderableType:
    """Verdict, evidence a label, the suspected trigger's mask, and what the scan took for granted."""
    parts: list[RenderableType] = [_headline(result), *(Text(f"  {reason}") for reason in result.reasons), Text()]
    if result.labels:
        parts += [_table(result), Text()]
        parts += [part for label in result.target_labels for part in _picture(result.labels[label])]
    return Group(*parts, _facts(result))


def failure_line(failed: FailedScan) -> str:
    """One line that names the model and why there is no result."""
    reason = failed.reasons[0]
    return reason if failed.path in reason else f"{failed.path}: {reason}"


def _headline(result: ScanResult) -> Text:
    text = Text(result.verdict.upper(), style=f"bold {COLORS[result.verdict]}")
    if result.target_labels:
        text.append(f"  target label {', '.join(map(str, result.target_labels))}")
    if result.confidence is not None:
        text.append(f"  (probability {result.confidence:.1%})", style="dim")
    return text.append(f"  {result.path}", style="dim")


def _table(result: ScanResult) -> Table:
    table = Table(box=None, pad_edge=True, header_style="dim")
    table.add_column("label", justify="right")
    table.add_column("norm (pixels)", justify="right")
    table.add_column("")
    table.add_column("index", justify="right")
    table.add_column("success", justify="right")
    table.add_column("status")
    rows = sorted(result.labels, key=lambda label: label.norm)
    largest = max(label.norm for label in rows) or 1.0
    for label in rows[:MOST_ROWS]:
        bar = "━" * max(1, round(BAR * label.norm / largest))
        table.add_row(
            str(label.label),
            f"{label.norm:.1f}",
            bar,
            f"{label.anomaly_index:.2f}",
            f"{label.success_rate:.0%}",
            label.status.replace("_", " "),
            style="bold red" if label.label in result.target_labels else "",
        )
    if len(rows) > MOST_ROWS:
        table.caption = f"the {MOST_ROWS} smallest of {len(rows)} labels"
    return table


def _picture(label: LabelResult) -> list[RenderableType]:
    if label.trigger is None:
        return []
    lines = "\n".join(_shade(label.trigger.mask))
    return [Text(f"  mask of the trigger for label {label.label}", style="dim"), Padding(Text(lines), (0, 2)), Text()]


def _shade(mask: FloatArray) -> list[str]:
    """The mask as characters, two pixel rows a line, since a character is about twice as high as wide."""
    height, width = mask.shape
    columns = min(width, PICTURE)
    rows = max(1, round(columns * height / width / 2))
    ys, xs = np.linspace(0, height, rows + 1).astype(int), np.linspace(0, width, columns + 1).astype(int)
    cells = [
        [mask[y0:y1, x0:x1].max(initial=0) for x0, x1 in itertools.pairwise(xs)] for y0, y1 in itertools.pairwise(ys)
    ]
    frame = "─" * columns
    body = ["│" + "".join(SHADES[round(float(v) * (len(SHADES) - 1))] for v in row) + "│" for row in cells]
    return [f"┌{frame}┐", *body, f"└{frame}┘"]


def _facts(result: ScanResult) -> Table:
    contract, parity, probes = result.contract, result.parity, result.probes
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(style="dim", overflow="fold")
    shape = f"{contract.layout} {contract.channels}x{contract.height}x{contract.width} {contract.dtype}"
    assumed = contract.evidence.get("value range", "")
    table.add_row("  input", f"{contract.input_name}: {shape}, pixels as {contract.value_range} ({assumed})")
    table.add_row("  output", f"{contract.output_name}: {contract.labels} labels, {contract.output_kind}")
    agreement = (
        "agrees with onnxruntime"
        if parity.agrees
        else f"DIFFERS from onnxruntime, first at {parity.first_diverging_node}"
    )
    table.add_row("  import", f"{agreement} (largest difference {parity.max_difference:.1e})")
    table.add_row("  probes", f"{probes.used} searched, {probes.held_out} held out, {probes.source}")
    table.add_row(
        "  took", f"{sum(result.seconds.values()):.1f} s on {result.device}, method {result.method}, seed {result.seed}"
    )
    return table
