"""The formats of reports, in one table: the command's options, the folder's files and the documents follow from it.

It imports none of them, so that `nc-scan --help` stays quick.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nc_scan.results import Outcome


@dataclass(frozen=True)
class Format:
    """A format: `--name FILE` on the command line, `file` in the folder of `--report`.

    `of_one` reports describe one model, the others all models of a run.
    """

    name: str
    file: str
    help: str
    of_one: bool = False

    def render(self, outcomes: Sequence[Outcome]) -> str:
        """The report on the outcomes, or on the first of them. Raises ReportError where it cannot be made of them."""
        function = getattr(import_module(f"nc_scan.reports.as_{self.name}"), f"to_{self.name}")
        text: str = function(outcomes[0]) if self.of_one else function(outcomes)
        return text


FORMATS = {
    format.name: format
    for format in (
        Format("json", "scan.json", "the result, for programs; one model only", of_one=True),
        Format("html", "report.html", "a page for people; one model only", of_one=True),
        Format("sarif", "scans.sarif", "SARIF for code scanning"),
        Format("junit", "junit.xml", "JUnit XML for continuous integration"),
        Format("markdown", "summary.md", "a summary for pull requests"),
        Format("intoto", "statement.json", "an unsigned in-toto statement"),
        Format("bom", "bom.json", "a CycloneDX ML-BOM"),
    )
}
