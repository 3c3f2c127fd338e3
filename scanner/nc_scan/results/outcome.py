"""How a scan ended: with a result, or without one."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from nc_scan.results.evidence import Evidence, Finding, LabelResult, TriedContract
from nc_scan.results.model import InputContract, Parity
from nc_scan.results.probes import ProbeReport, StampedProbe
from nc_scan.results.vocabulary import Failure, Verdict


@dataclass(frozen=True)
class Acceptance:
    """The user takes a model that is not clean: why, who says so, and until which day (ISO 8601, that day included)."""

    reason: str
    by: str
    until: str


class Reportable:
    """What a result can do with the reports: they are made of results, and found by name only when one is asked for."""

    def to_json(self) -> str:
        """The JSON report, described by `nc_scan.reports.as_json.schema()`."""
        return self._rendered("json")

    def save(self, path: str | Path) -> None:
        """Writes a report: the page for a name that ends in .html, JSON for one in .json, else a folder with all.

        Raises ReportError.
        """
        path = Path(path)
        if path.suffix in (".json", ".html"):
            import_module("nc_scan.reports.files").write(path, self._rendered(path.suffix[1:]))
        else:
            import_module("nc_scan.reports.folder").write_report(self, path)

    def _rendered(self, name: str) -> str:
        return str(import_module("nc_scan.reports.formats").FORMATS[name].render([self]))

    def _repr_html_(self) -> str:
        """The page, in a frame of its own, for notebooks."""
        return str(import_module("nc_scan.reports.as_html").in_frame(self))


@dataclass(frozen=True, repr=False)
class ScanResult(Reportable):
    """One scan of one model.

    Attributes:
        reasons: sentences for the user, the first of them the one that the verdict rests on.
        confidence: calibrated probability of the verdict, None where the method or the verdict has none.
        p_value: share of clean models with evidence as strong, None where the method has none; the verdict rests on it.
        false_alarms: the share of clean models that the user allows to be called backdoored.
        basis: the clean and backdoored models behind both, in words.
        sha256: digest of the model's file.
        converter: what made ONNX of a model in another format, None for ONNX.
        external_data: digests of the files with weights beside it, by location.
        seconds: wall time a stage.
        versions: of the packages that the result depends on.
        operator_sets: the version of each operator set that the model uses, by domain.
        calibration: names the coefficients behind `confidence`.
        threshold: L1 norm, in pixels, under which a label among these would be suspected; None where there is none.
        configuration: everything else that the result depends on: the user's overrides and the search's settings.
        findings: what the audit of the graph noticed, warnings first.
        not_run: checks that this scan left out, each with the reason.
        tried: what was found under each contract, where the evidence left several; the verdict rests on `contract`.
        warnings: what weakens the result without changing it, for the user to read.
        examples: probes with the triggers of the suspected labels, or of the smallest trigger where none is.
        finished: when, in UTC, ISO 8601 to the second.
        accepted: why the user's policy takes the model all the same; the verdict stays as it is.
        evidence: what each detector found, but for `labels` and `findings`, which stand here.
    """

    verdict: Verdict
    target_labels: tuple[int, ...]
    labels: tuple[LabelResult, ...]
    reasons: tuple[str, ...]
    confidence: float | None
    path: str
    sha256: str
    method: str
    seed: int
    device: str
    contract: InputContract
    parity: Parity
    probes: ProbeReport
    seconds: dict[str, float]
    versions: dict[str, str]
    calibration: str | None = None
    threshold: float | None = None
    p_value: float | None = None
    false_alarms: float | None = None
    basis: str | None = None
    converter: str | None = None
    external_data: dict[str, str] = field(default_factory=dict)
    operator_sets: dict[str, int] = field(default_factory=dict)
    configuration: dict[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    not_run: dict[str, str] = field(default_factory=dict)
    tried: tuple[TriedContract, ...] = ()
    warnings: tuple[str, ...] = ()
    examples: tuple[StampedProbe, ...] = ()
    finished: str = ""
    accepted: Acceptance | None = None
    evidence: tuple[Evidence, ...] = ()

    def __repr__(self) -> str:
        """One line: the values themselves take screens."""
        return f"<ScanResult {self.verdict}{_labels(self.target_labels)}: {self.path!r}, {len(self.labels)} labels>"

    def plot(self) -> Any:
        """A matplotlib figure: the norms of all labels, and the trigger of the smallest. Raises ReportError.

        Needs `nc-scan[plot]`.
        """
        return import_module("nc_scan.reports.as_figure").to_figure(self)


@dataclass(frozen=True, repr=False)
class FailedScan(Reportable):
    """A scan without a result: `failed`, or `not_applicable` where the model is no image classifier.

    It has the names that all reports need in common with `ScanResult`. `sha256` is None where the file could not be
    read.
    """

    verdict: Failure
    reasons: tuple[str, ...]
    path: str
    sha256: str | None
    versions: dict[str, str]
    finished: str = ""
    target_labels: tuple[int, ...] = ()
    accepted: Acceptance | None = None

    def __repr__(self) -> str:
        """One line."""
        return f"<FailedScan {self.verdict}: {self.path!r}, {self.reasons[0]}>"


def _labels(labels: tuple[int, ...]) -> str:
    return f", label{'s' if len(labels) > 1 else ''} {', '.join(map(str, labels))}" if labels else ""


Outcome = ScanResult | FailedScan
