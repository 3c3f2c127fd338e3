"""The first page of a folder of reports: one row a model, each leading to its page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from nc_scan.reports.formats import FORMATS
from nc_scan.reports.page import environment
from nc_scan.reports.shown import shown
from nc_scan.reports.words import ADVICE, HEADLINE, WORST_FIRST, targets
from nc_scan.results import Outcome


@dataclass(frozen=True)
class Entry:
    """A model and the name of its folder."""

    outcome: Outcome
    folder: str


@shown
def to_index(entries: Sequence[Entry], planned: int, summaries: Sequence[str] = ()) -> str:
    """The page, worst verdicts first; it says so where fewer models than `planned` have been scanned yet.

    `summaries` are the files beside it that describe all models.
    """
    ranked = sorted(entries, key=lambda entry: WORST_FIRST.index(entry.outcome.verdict))
    counts = [(verdict, sum(entry.outcome.verdict == verdict for entry in entries)) for verdict in WORST_FIRST]
    return (
        environment()
        .get_template("index.html.jinja")
        .render(
            rows=[(one.outcome, f"{quote(one.folder)}/{FORMATS['html'].file}", targets(one.outcome)) for one in ranked],
            counts=[(verdict, count) for verdict, count in counts if count],
            done=len(entries),
            planned=planned,
            headlines=HEADLINE,
            advice=ADVICE,
            summaries=summaries,
        )
    )
