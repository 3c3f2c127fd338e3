"""The report that a person reads in the terminal."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from nc_scan.reports.contracts import ContractRow, contract_rows, shape
from nc_scan.reports.predictions import predicted
from nc_scan.reports.shown import shown
from nc_scan.reports.words import HEADLINE, acceptance, called, targets
from nc_scan.results import FailedScan, FloatArray, InputContract, LabelResult, Outcome, ScanResult

COLORS = {"clean": "green", "backdoored": "red", "inconclusive": "yellow", "failed": "yellow", "not_applicable": "dim"}
MOST_ROWS = 20
BAR = 28
NAME, SHORT_NAME = 24, 10  # columns of a label, so that what stands beside it fits a terminal of 80
PICTURE = 32  # columns of the mask picture
SHADES = " ░▒▓█"


@shown
def render(result: ScanResult, *, verbose: bool = False) -> RenderableType:
    """Verdict, evidence a label, the suspected trigger's mask, and what the scan took for granted.

    With `verbose`, what each part of the input contract was read from.
    """
    parts: list[RenderableType] = [Text(), headline(result), Text(), *map(_indented, map(Text, result.reasons)), Text()]
    parts += [_indented(Text(f"{finding.severity}: {finding.message}")) for finding in result.findings]
    parts += [Text()] if result.findings else []
    if result.labels:
        parts += [_indented(_table(result)), Text()]
        suspected = [label for label in result.labels if label.label in result.target_labels]
        parts += [part for label in suspected for part in _picture(label, called(result, label.label))]
    return Group(*parts, _indented(_facts(result, verbose)))


@shown
def headline(result: ScanResult) -> RenderableType:
    """The verdict and the model's name, the same on any width."""
    verdict = Text.assemble((f" {result.verdict.upper()} ", f"bold reverse {COLORS[result.verdict]}"))
    if result.target_labels:
        verdict.append(f" {targets(result)}", style=f"bold {COLORS[result.verdict]}")
    if result.confidence is not None:
        verdict.append(f"  probability {result.confidence:.1%}")
    lines = [verdict, Text(result.path, style="dim", overflow="fold")]
    return _indented(Group(*lines, *([Text(acceptance(result))] if result.accepted else [])))


@shown
def failure_line(failed: FailedScan) -> str:
    """One line that names the model and why there is no result."""
    reason = failed.reasons[0]
    line = reason if failed.path in reason else f"{failed.path}: {reason}"
    return f"{line}. {acceptance(failed)}" if failed.accepted else line


@shown
def render_summary(outcomes: Sequence[Outcome]) -> RenderableType:
    """One row a model."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
    table.add_column("model", overflow="fold")
    table.add_column("verdict", no_wrap=True)
    table.add_column("target", overflow="fold")
    table.add_column("smallest norm", justify="right")
    for outcome in outcomes:
        norms = [label.norm for label in outcome.labels] if isinstance(outcome, ScanResult) else []
        name = HEADLINE[outcome.verdict].lower() + (", accepted" if outcome.accepted else "")
        verdict = Text(name, style=COLORS[outcome.verdict])
        table.add_row(Text(outcome.path), verdict, Text(targets(outcome)), f"{min(norms):.1f}" if norms else "")
    return _indented(table)


def _indented(part: RenderableType) -> Padding:
    return Padding(part, (0, 0, 0, 2), expand=False)


def _table(result: ScanResult) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", caption_justify="left", caption_style="dim")
    rows = sorted(result.labels, key=lambda label: label.norm)
    converged = all(label.status == "converged" for label in rows)
    table.add_column("label", justify="right", no_wrap=True, max_width=NAME if converged else SHORT_NAME)
    table.add_column("norm", justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    for name in ("index", "success"):
        table.add_column(name, justify="right", no_wrap=True)
    if not converged:
        table.add_column("search", no_wrap=True)
    found = [label.norm for label in rows if label.status == "converged" and math.isfinite(label.norm)]
    largest = max(found, default=1.0) or 1.0
    for label in rows[:MOST_ROWS]:
        table.add_row(
            Text(called(result, label.label)),
            f"{label.norm:.1f}",
            _bar(label.norm, result.threshold, largest),
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


def _bar(norm: float, threshold: float | None, largest: float) -> Text:
    """A bar of at most BAR characters, crossed by the threshold."""
    length = max(1, round(BAR * min(norm / largest, 1))) if not math.isnan(norm) else 0
    cells = list("━" * length + " " * (BAR - length))
    if threshold is not None and threshold < largest:
        cells[min(round(BAR * threshold / largest), BAR - 1)] = "│"
    return Text("".join(cells))


def _picture(label: LabelResult, name: str) -> list[RenderableType]:
    if label.trigger is None:
        return []
    lines = "\n".join(_shade(label.trigger.mask))
    title = Text(f"mask of the trigger for label {name}", style="dim")
    return [_indented(title), _indented(Text(lines, no_wrap=True)), Text()]


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


def _facts(result: ScanResult, verbose: bool) -> Table:
    parity, probes = result.parity, result.probes
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    if verbose:
        for row in contract_rows(result.contract):
            table.add_row(row.subject, _contract(row))
    else:
        table.add_row("contract", _short_contract(result.contract))
    if result.converter is not None:
        table.add_row("converted", Text(f"by {result.converter}"))
    table.add_row("import", Text(_agreement(parity.agrees, parity.first_diverging_node, parity.max_difference)))
    counts = f"{probes.source}: {probes.used} searched, {probes.held_out} held out"
    table.add_row("probes", Text(f"{counts}\npredicted labels: {predicted(probes)}"))
    table.add_row("method", Text(f"{result.method}, seed {result.seed}"))
    heads = len({tried.output for tried in result.tried}) > 1
    for tried in result.tried:
        found = "" if tried.norm is None else f", smallest norm {tried.norm:.1f} for label {tried.label}"
        head = f"output {tried.output}, " if heads else ""
        table.add_row("tried", Text(f"{head}pixels as {tried.value_range}, {tried.layout}: {tried.verdict}{found}"))
    for warning in result.warnings:
        table.add_row("warning", Text(warning, style="yellow"))
    table.add_row("took", Text(f"{sum(result.seconds.values()):.1f} s on {result.device}"))
    return table


def _short_contract(contract: InputContract) -> Text:
    """One line, for those who do not ask what it was read from."""
    text = Text(f"{shape(contract)}, pixels as {contract.value_range}, {contract.labels} {contract.output_kind}")
    for part in contract.uncertain:
        text.append(f", {part} uncertain", style="yellow")
    return text


def _contract(row: ContractRow) -> Text:
    text = Text(row.value)
    for part in row.uncertain:
        text.append(f", {part} uncertain", style="yellow")
    if row.evidence:
        text.append(f" ({row.evidence})", style="dim")
    return text


def _agreement(agrees: bool, node: str | None, difference: float) -> str:
    found = "agrees with onnxruntime" if agrees else f"DIFFERS from onnxruntime, first at {node}"
    return f"{found} (largest difference {difference:.1e})"
