"""The reports that the user asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from nc_scan.reports.as_bom import to_bom
from nc_scan.reports.as_html import to_html
from nc_scan.reports.as_intoto import to_intoto
from nc_scan.reports.as_json import to_json
from nc_scan.reports.as_junit import to_junit
from nc_scan.reports.as_markdown import to_markdown
from nc_scan.reports.as_sarif import to_sarif
from nc_scan.reports.files import write
from nc_scan.reports.folder import write_reports
from nc_scan.results import Outcome

OF_ONE = {"json": to_json, "html": to_html}
OF_ALL = {"sarif": to_sarif, "junit": to_junit, "markdown": to_markdown, "intoto": to_intoto, "bom": to_bom}


def write_chosen(outcomes: Sequence[Outcome], files: Mapping[str, Path | None], folder: Path | None = None) -> None:
    """Writes each report that has a file, and all of them to the folder; a report of one model is that of the first.

    Raises ReportError.
    """
    for name, file in files.items():
        if file is not None:
            write(file, OF_ONE[name](outcomes[0]) if name in OF_ONE else OF_ALL[name](outcomes))
    if folder is not None:
        write_reports(outcomes, folder)
