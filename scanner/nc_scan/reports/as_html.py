"""The HTML report: one file that needs no network and no scripts."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath

from nc_scan.reports.charts import box_plot, histogram_chart, norms_chart
from nc_scan.reports.meaning import GLOSSARY, MEANING, coverage, next_steps
from nc_scan.reports.page import environment
from nc_scan.reports.pictures import (
    THUMBNAIL,
    cropped,
    data_uri,
    image_png,
    mask_png,
    pattern_png,
    stamped,
    trigger_png,
)
from nc_scan.reports.predictions import predicted, recognised
from nc_scan.reports.shown import shown
from nc_scan.reports.sizes import among_clean, in_words, sizes_chart
from nc_scan.reports.words import ADVICE, HEADLINE, acceptance, called, deciding, rarity
from nc_scan.results import Evidence, LabelResult, Outcome, ScanResult

# The parts of the page below the verdict, in order: templates/sections/NAME.html.jinja. A detector with evidence of
# its own kind gets a section here.
SECTIONS = ("meaning", "trigger", "probes", "labels", "masks", "detectors", "graph", "method", "glossary")


@dataclass(frozen=True)
class TriggerFigure:
    """A label's evidence with its pictures, as data addresses."""

    label: LabelResult
    trigger: str
    crop: str
    mask: str
    pattern: str


@dataclass(frozen=True)
class ChangeFigure:
    """What a detector found that belongs to no single label, with its pictures, as data addresses.

    `mask` is empty where it covers the whole image.
    """

    evidence: Evidence
    trigger: str
    mask: str


@dataclass(frozen=True)
class ProbeFigure:
    """A probe without and with a trigger, and the labels that the model gives to them."""

    label: int
    before: int
    after: int
    clean: str
    stamped: str


@dataclass(frozen=True)
class MaskFigure:
    """One mask of the grid."""

    label: int
    norm: float
    suspected: bool
    picture: str


@shown
def to_html(outcome: Outcome) -> str:
    """The page for one outcome, a failed scan's too."""
    template = environment().get_template("report.html.jinja")
    shared = {
        "outcome": outcome,
        "name": PurePath(outcome.path).name or outcome.path,
        "headline": HEADLINE[outcome.verdict],
        "advice": ADVICE[outcome.verdict],
        "called": partial(called, outcome),
        "acceptance": acceptance(outcome),
        "meaning": MEANING[outcome.verdict],
        "next_steps": next_steps(outcome),
    }
    if not isinstance(outcome, ScanResult):
        return template.render(**shared, scanned=False)
    return template.render(
        **shared,
        scanned=True,
        triggers=list(_triggers(outcome)),
        changes=list(_changes(outcome)),
        probes=list(_probes(outcome)),
        masks=list(_masks(outcome)),
        rarity=rarity(outcome),
        sections=SECTIONS,
        sizes=sizes_chart(outcome),
        sizes_in_words=in_words(outcome),
        among_clean=among_clean(outcome),
        coverage=coverage(outcome),
        glossary=GLOSSARY,
        norms=norms_chart(outcome) if outcome.labels else None,
        box=box_plot(outcome),
        histogram=histogram_chart(outcome),
        predicted=predicted(outcome.probes),
        recognised=recognised(outcome.probes),
        by_norm=sorted(outcome.labels, key=lambda label: label.norm),
        configuration=json.dumps(outcome.configuration, indent=2, ensure_ascii=False),
    )


def in_frame(outcome: Outcome) -> str:
    """The page in a frame that keeps its styles from those of a notebook."""
    page = html.escape(to_html(outcome), quote=True)
    return f'<iframe srcdoc="{page}" sandbox style="width: 100%; height: 40rem; border: 0"></iframe>'


def shown_labels(result: ScanResult) -> list[LabelResult]:
    """The suspected labels, smallest norm first; where there is none, the one with the smallest norm."""
    by_norm = sorted((label for label in result.labels if label.trigger is not None), key=lambda label: label.norm)
    return [label for label in by_norm if label.label in result.target_labels] or by_norm[:1]


def _triggers(result: ScanResult) -> Iterator[TriggerFigure]:
    for label in shown_labels(result):
        if label.trigger is not None:
            trigger = label.trigger
            pngs = (trigger_png(trigger), trigger_png(cropped(trigger)), mask_png(trigger.mask), pattern_png(trigger))
            yield TriggerFigure(label, *map(data_uri, pngs))


def _changes(result: ScanResult) -> Iterator[ChangeFigure]:
    for one in deciding(result):
        if one.trigger is not None:
            mask = "" if one.trigger.covers_all else data_uri(mask_png(one.trigger.mask))
            yield ChangeFigure(one, data_uri(trigger_png(one.trigger)), mask)


def _probes(result: ScanResult) -> Iterator[ProbeFigure]:
    triggers = {label.label: label.trigger for label in result.labels}
    for example in result.examples:
        trigger = triggers.get(example.label)
        if trigger is not None and example.image is not None:
            pngs = (image_png(example.image), image_png(stamped(example.image, trigger)))
            yield ProbeFigure(example.label, example.before, example.after, *map(data_uri, pngs))


def _masks(result: ScanResult) -> Iterator[MaskFigure]:
    for label in sorted(result.labels, key=lambda label: label.norm):  # in the order of the chart
        if label.trigger is not None:
            picture = data_uri(mask_png(label.trigger.mask, THUMBNAIL))
            yield MaskFigure(label.label, label.norm, label.label in result.target_labels, picture)
