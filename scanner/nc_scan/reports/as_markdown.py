"""The Markdown summary for pull requests."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nc_scan.reports.contracts import contract_rows
from nc_scan.reports.predictions import predicted, recognised
from nc_scan.reports.shown import shown
from nc_scan.reports.words import ADVICE, HEADLINE, acceptance, called, targets
from nc_scan.results import Outcome, ScanResult

SYMBOLS = {"clean": "✅", "backdoored": "❌", "inconclusive": "❔", "failed": "❔", "not_applicable": "⏭️"}
MOST_LABELS = 5


@shown
def to_markdown(outcomes: Sequence[Outcome]) -> str:
    """A table of all models, then the evidence for each: in full where it is not clean, else the contract alone."""
    rows = [
        f"| {_escape(outcome.path)} | {_verdict(outcome)} | {_escape(targets(outcome)) or ' '} | {_digest(outcome)} |"
        for outcome in outcomes
    ]
    parts = ["## Backdoor scan", "\n".join(["| model | verdict | target | SHA-256 |", "|---|---|---|---|", *rows])]
    for outcome in outcomes:
        parts += [_heading(outcome)] if outcome.verdict == "clean" else [_heading(outcome), _details(outcome)]
        parts += [_contract(outcome)] if isinstance(outcome, ScanResult) else []
    return "\n\n".join(parts) + "\n"


def _verdict(outcome: Outcome) -> str:
    return f"{SYMBOLS[outcome.verdict]} {HEADLINE[outcome.verdict]}{', accepted' if outcome.accepted else ''}"


def _heading(outcome: Outcome) -> str:
    heading = f"### {_escape(outcome.path)}: {HEADLINE[outcome.verdict].lower()}"
    if outcome.target_labels:
        heading += f", {_escape(targets(outcome))}"
    return heading


def _details(outcome: Outcome) -> str:
    reasons = "\n".join(f"* {_escape(reason)}" for reason in outcome.reasons)
    parts = [*([f"**{_escape(acceptance(outcome))}**"] if outcome.accepted else []), ADVICE[outcome.verdict], reasons]
    if isinstance(outcome, ScanResult) and outcome.warnings:
        parts.append("\n".join(f"* {_escape(warning)}" for warning in outcome.warnings))
    if isinstance(outcome, ScanResult) and outcome.findings:
        notes = (f"* {found.severity}: {_escape(found.message)} ({_escape(found.where)})" for found in outcome.findings)
        parts.append("\n".join(["In the graph:", "", *notes]))
    if isinstance(outcome, ScanResult) and outcome.labels:
        parts.append(_table(outcome))
    return "\n\n".join(parts)


def _table(result: ScanResult) -> str:
    smallest = sorted(result.labels, key=lambda label: label.norm)[:MOST_LABELS]
    rows = [
        f"| {'**' if label.label in result.target_labels else ''}{_escape(called(result, label.label))}"
        f"{'**' if label.label in result.target_labels else ''} | {label.norm:.1f} | {label.anomaly_index:.2f} "
        f"| {label.success_rate:.0%} | {label.status.replace('_', ' ')} |"
        for label in smallest
    ]
    head = ["| label | norm (pixels) | anomaly index | success | search |", "|---:|---:|---:|---:|---|"]
    note = (
        f"\n\nThe {len(smallest)} smallest of {len(result.labels)} labels." if len(result.labels) > MOST_LABELS else ""
    )
    return "\n".join([*head, *rows]) + note


def _contract(result: ScanResult) -> str:
    """What the scan took for granted, folded away: one model in many is looked up, not read."""
    rows = [
        f"| {row.subject} | {_escape(', '.join((row.value, *(f'{part} uncertain' for part in row.uncertain))))} "
        f"| {_escape(row.evidence) or ' '} |"
        for row in contract_rows(result.contract)
    ]
    table = "\n".join(["| contract | taken as | read from |", "|---|---|---|", *rows])
    told = f"Probes: {result.probes.source}, answers tell {recognised(result.probes)}."
    note = f"{_escape(told)} Predicted labels of the probes: {_escape(predicted(result.probes))}."
    return f"<details><summary>Input contract and probes</summary>\n\n{table}\n\n{note}\n\n</details>"


def _digest(outcome: Outcome) -> str:
    return f"`{outcome.sha256[:12]}`" if outcome.sha256 else " "


def _escape(text: str) -> str:
    """As text, whatever it holds: no markup, no table cells, no mentions, no lines of its own."""
    escaped = re.sub(r"([\\`*_\[\]<>|#~&$!:])|(?<=www)(\.)", r"\\\g<0>", " ".join(text.split()), flags=re.IGNORECASE)
    return escaped.replace("@", "@<!-- -->")
