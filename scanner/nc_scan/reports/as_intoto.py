"""An in-toto statement with the predicate test-result, unsigned: https://github.com/in-toto/attestation."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from nc_scan.errors import ReportError
from nc_scan.reports.contracts import in_one_line
from nc_scan.reports.shown import shown
from nc_scan.reports.words import acceptance
from nc_scan.results import Outcome, ScanResult

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://in-toto.io/attestation/test-result/v0.1"


@shown
def to_intoto(outcomes: Sequence[Outcome]) -> str:
    """One statement on all models by their digests: PASSED only where every one of them is clean.

    WARNED where the others are accepted by the user's policy, else FAILED.

    Models that could not be read have no digest to be named by, but their scans count as failed. Raises ReportError
    where no model could be read, since a statement needs a subject.
    """
    subjects = [subject for outcome in outcomes for subject in _subjects(outcome)]
    if not subjects:
        raise ReportError("no in-toto statement can be made: no model could be read")
    clean = [outcome.path for outcome in outcomes if outcome.verdict == "clean"]
    accepted = [outcome.path for outcome in outcomes if outcome.accepted]
    failed = [outcome.path for outcome in outcomes if outcome.verdict != "clean" and not outcome.accepted]
    predicate = {
        "result": "FAILED" if failed else "WARNED" if accepted else "PASSED",
        "configuration": [_tool(outcomes), *(_settings(o) for o in outcomes if isinstance(o, ScanResult))],
        "passedTests": clean,
        "warnedTests": accepted,
        "failedTests": failed,
    }
    statement = {"_type": STATEMENT, "subject": subjects, "predicateType": PREDICATE, "predicate": predicate}
    return json.dumps(statement, indent=2, ensure_ascii=False) + "\n"


def _subjects(outcome: Outcome) -> list[dict[str, Any]]:
    """The model's file and those with its weights."""
    digests = {} if outcome.sha256 is None else {outcome.path: outcome.sha256}
    if isinstance(outcome, ScanResult):
        folder = PurePath(outcome.path).parent
        digests.update({str(folder / location): digest for location, digest in outcome.external_data.items()})
    return [{"name": name, "digest": {"sha256": digest}} for name, digest in digests.items()]


def _tool(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    version = outcomes[0].versions.get("nc-scan", "")
    return {"name": "nc-scan", "uri": f"pkg:pypi/nc-scan@{version}"}


def _settings(result: ScanResult) -> dict[str, Any]:
    """What the result depends on besides the model."""
    names = ("method", "seed", "device", "calibration", "configuration", "versions")
    settings = {name: getattr(result, name) for name in names}
    settings["input_contract"] = in_one_line(result.contract)
    settings["evidence"] = result.contract.evidence
    if result.accepted:
        settings["accepted"] = acceptance(result)
    encoded = base64.b64encode(json.dumps(settings, sort_keys=True).encode()).decode()
    return {"name": f"settings for {result.path}", "mediaType": "application/json", "content": encoded}
