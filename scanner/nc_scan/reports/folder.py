"""All reports of one or many scans as a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

from nc_scan.reports.arrays import to_npz
from nc_scan.reports.as_bom import to_bom
from nc_scan.reports.as_html import to_html
from nc_scan.reports.as_intoto import to_intoto
from nc_scan.reports.as_json import to_json
from nc_scan.reports.as_junit import to_junit
from nc_scan.reports.as_markdown import to_markdown
from nc_scan.reports.as_sarif import to_sarif
from nc_scan.reports.files import write
from nc_scan.reports.pictures import image_png, mask_png
from nc_scan.results import Outcome, ScanResult

JSON, HTML, ARRAYS = "scan.json", "report.html", "triggers.npz"


def write_report(outcome: Outcome, folder: Path) -> None:
    """One scan: `report.html`, `triggers.npz`, the masks and patterns as PNG and, when all is there, `scan.json`.

    Raises ReportError.
    """
    write(folder / HTML, to_html(outcome))
    if isinstance(outcome, ScanResult):
        write(folder / ARRAYS, to_npz(outcome))
        for label in outcome.labels:
            if label.trigger is not None:
                write(folder / "masks" / f"{label.label}.png", mask_png(label.trigger.mask))
                write(folder / "patterns" / f"{label.label}.png", image_png(label.trigger.pattern))
    write(folder / JSON, to_json(outcome))


def write_reports(outcomes: Sequence[Outcome], folder: Path) -> None:
    """Each scan in a folder of the model's name, and what sums them up.

    `scans.sarif`, `junit.xml`, `summary.md`, `bom.json` and, where any model could be read, `statement.json`. Raises
    ReportError.
    """
    for outcome, name in zip(outcomes, folder_names([outcome.path for outcome in outcomes]), strict=True):
        write_report(outcome, folder / name)
    write(folder / "scans.sarif", to_sarif(outcomes))
    write(folder / "junit.xml", to_junit(outcomes))
    write(folder / "summary.md", to_markdown(outcomes))
    write(folder / "bom.json", to_bom(outcomes))
    if any(outcome.sha256 is not None for outcome in outcomes):
        write(folder / "statement.json", to_intoto(outcomes))


def folder_names(paths: Sequence[str]) -> list[str]:
    """The models' file names without suffix; a name that comes again gets a number."""
    names: list[str] = []
    for path in paths:
        stem = PurePath(path).stem.lstrip(".") or "model"
        candidates = (stem if n == 1 else f"{stem}-{n}" for n in range(1, len(paths) + 1))
        names.append(next(name for name in candidates if name not in names))
    return names
