"""What a person reads in the terminal about the importer and onnxruntime."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from nc_scan.results import ComparedValue, ParityExplanation, Trace
from nc_scan.text import all_visible, visible

AROUND = 3  # values shown before and after the first that diverges


def render_parity(path: str, explanation: ParityExplanation) -> RenderableType:
    """Whether the scores agree, the first node that diverges and if it is to blame, and the values around it."""
    path, explanation = visible(path), all_visible(explanation)
    scores, values = explanation.scores, explanation.trace.values
    first = explanation.trace.first_divergence
    word, color = ("AGREES", "green") if scores.agrees else ("DIFFERS", "red")
    parts = [
        Text.assemble((f" {word} ", f"bold reverse {color}"), " with onnxruntime"),
        Text(path, style="dim", overflow="fold"),
        Text(),
        Text(
            f"scores differ by {scores.max_difference:.2g}, {scores.tolerance:.2g} are allowed; "
            f"{scores.same_label:.0%} of the labels are the same"
        ),
        Text(f"{sum(value.agrees for value in values)} of {len(values)} values in the graph agree"),
    ]
    if first is not None:
        parts.append(Text(f"the first that does not: {first.value}, written by {first.operator} '{first.node}'"))
        parts.append(Text(_blame(explanation.trace, first)))
    table = [_table(values, values.index(first))] if first else []
    return Group(*(Padding(part, (0, 0, 0, 2)) for part in (Text(), *parts, Text(), *table)))


def _blame(trace: Trace, first: ComparedValue) -> str:
    if trace.alone is None:
        return "the node cannot be run by itself"
    if trace.alone > first.tolerance:
        return f"given onnxruntime's inputs it is off by {trace.alone:.2g} by itself: the importer gets this node wrong"
    return f"given onnxruntime's inputs it is off by {trace.alone:.2g}: it amplifies small differences before it"


def _table(values: tuple[ComparedValue, ...], at: int) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("operator", "value", "shape"):
        table.add_column(name, overflow="fold")
    for name in ("difference", "allowed"):
        table.add_column(name, justify="right", no_wrap=True)
    for value in values[max(at - AROUND, 0) : at + AROUND + 1]:
        cells = [value.operator, value.value, "x".join(map(str, value.shape))]
        cells += [f"{value.max_abs_difference:.2g}", f"{value.tolerance:.2g}"]
        table.add_row(*map(Text, cells), style=None if value.agrees else "red")
    return table
