"""The report that a person reads in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from nc_scan.reports.contracts import ContractRow, contract_rows, shape
from nc_scan.reports.meaning import coverage, next_steps
from nc_scan.reports.predictions import predicted, recognised
from nc_scan.reports.shown import shown
from nc_scan.reports.sizes import in_words
from nc_scan.reports.terminal_bars import label_table
from nc_scan.reports.terminal_picture import TriggerPicture
from nc_scan.reports.words import HEADLINE, acceptance, called, deciding, targets
from nc_scan.results import FailedScan, InputContract, Outcome, ScanResult, Trigger

COLORS = {"clean": "green", "backdoored": "red", "inconclusive": "yellow", "failed": "yellow", "not_applicable": "dim"}


@shown
def render(result: ScanResult, *, verbose: bool = False) -> RenderableType:
    """Verdict, evidence a label, the suspected trigger's mask, and what the scan took for granted.

    With `verbose`, what each part of the input contract was read from.
    """
    parts: list[RenderableType] = [Text(), headline(result), Text(), *map(_indented, map(Text, result.reasons)), Text()]
    parts += [_indented(Text(f"{finding.severity}: {finding.message}")) for finding in result.findings]
    parts += [Text()] if result.findings else []
    if result.labels:
        parts += [_indented(label_table(result)), Text()]
        suspected = [label for label in result.labels if label.label in result.target_labels]
        parts += [
            part for label in suspected for part in _picture(label.trigger, f"label {called(result, label.label)}")
        ]
    parts += [part for one in deciding(result) for part in _picture(one.trigger, one.detector)]
    parts += [*map(_indented, _meaning(result)), Text()]
    return Group(*parts, _indented(_facts(result, verbose)))


@shown
def headline(result: ScanResult) -> RenderableType:
    """The verdict and the model's name, the same on any width."""
    verdict = Text.assemble((f" {result.verdict.upper()} ", f"bold reverse {COLORS[result.verdict]}"))
    if result.target_labels:
        verdict.append(f" {targets(result)}", style=f"bold {COLORS[result.verdict]}")
    if result.confidence is not None:
        verdict.append(f"  probability {result.confidence:.1%}")
    if result.p_value is not None:
        verdict.append(f"  p {result.p_value:.2g}", style="dim")
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
    table.add_column("verdict", overflow="fold")
    table.add_column("norm", justify="right", no_wrap=True, min_width=6)
    for outcome in outcomes:
        norms = [label.norm for label in outcome.labels] if isinstance(outcome, ScanResult) else []
        name = HEADLINE[outcome.verdict].lower() + (", accepted" if outcome.accepted else "")
        verdict = Text(name, style=COLORS[outcome.verdict])
        if outcome.target_labels:
            verdict.append(f", {targets(outcome)}")
        table.add_row(Text(outcome.path), verdict, f"{min(norms):.1f}" if norms else "")
    return _indented(table)


def _indented(part: RenderableType) -> Padding:
    return Padding(part, (0, 0, 0, 2), expand=False)


def _meaning(result: ScanResult) -> Iterator[RenderableType]:
    """What a clean verdict rests on, and what any other asks for."""
    if result.verdict != "clean":
        yield Text("What to do: " + next_steps(result)[0])
        return
    yield Text(in_words(result))
    if unseen := coverage(result).not_looked_for:
        yield Text(f"Not looked for: {'; '.join(unseen)}.", style="dim")


def _picture(trigger: Trigger | None, what_for: str) -> list[RenderableType]:
    if trigger is None:
        return []
    picture = TriggerPicture(trigger)
    first, last = picture.rows()
    if trigger.covers_all:
        title = f"{what_for}: its effect on a test chart, grey above, dark to bright below"
    else:
        title = f"trigger for {what_for}, rows {first} to {last - 1} of {len(trigger.mask)}"
    return [_indented(Text(title, style="dim")), _indented(picture), Text()]


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
    table.add_row("probes", Text(f"{counts}\nanswers tell {recognised(probes)}\npredicted labels: {predicted(probes)}"))
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
