"""SARIF 2.1.0 for code scanning: a result for each target, warning about the graph, or model without a verdict."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from nc_scan.reports.contracts import in_one_line
from nc_scan.reports.shown import shown
from nc_scan.reports.words import ADVICE, HEADLINE, acceptance, called
from nc_scan.results import Outcome, ScanResult

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

# By verdict, or `graph`: rule, severity level, and the score by which services rank security findings.
RULES = {
    "backdoored": ("NC001", "backdoor", "error", "9.0"),
    "inconclusive": ("NC002", "inconclusive-scan", "warning", "5.0"),
    "failed": ("NC003", "failed-scan", "warning", "5.0"),
    "graph": ("NC004", "suspicious-graph", "warning", "7.0"),
}
GRAPH = "graph"
ORDER = list(RULES)


@shown
def to_sarif(outcomes: Sequence[Outcome]) -> str:
    """Clean models and those that are no classifiers are among the artifacts, without a result."""
    found = sorted({version for outcome in outcomes for name, version in outcome.versions.items() if name == "nc-scan"})
    artifacts: dict[tuple[str, str | None], dict[str, Any]] = {}  # by place and content: the format wants each once
    for outcome in outcomes:
        artifacts.setdefault((outcome.path, outcome.sha256), _artifact(outcome))
    places = list(artifacts)
    run = {
        "tool": {
            "driver": {
                "name": "nc-scan",
                **({"semanticVersion": found[-1]} if found else {}),
                "rules": [_rule(kind) for kind in ORDER],
            }
        },
        "artifacts": list(artifacts.values()),
        "results": [
            result for outcome in outcomes for result in _results(outcome, places.index((outcome.path, outcome.sha256)))
        ],
        "columnKind": "unicodeCodePoints",
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _rule(kind: str) -> dict[str, Any]:
    identifier, name, level, severity = RULES[kind]
    return {
        "id": identifier,
        "name": "".join(word.capitalize() for word in name.split("-")),
        "shortDescription": {"text": HEADLINE[kind]},
        "fullDescription": {"text": ADVICE[kind]},
        "help": {"text": ADVICE[kind]},
        "defaultConfiguration": {"level": level},
        "properties": {"tags": ["security", "machine-learning"], "precision": "high", "security-severity": severity},
    }


def _artifact(outcome: Outcome) -> dict[str, Any]:
    artifact: dict[str, Any] = {"location": {"uri": _uri(outcome.path)}, "roles": ["analysisTarget"]}
    if outcome.sha256 is not None:
        artifact["hashes"] = {"sha-256": outcome.sha256}
    if isinstance(outcome, ScanResult):
        contract = outcome.contract
        artifact["properties"] = {"inputContract": in_one_line(contract), "evidence": contract.evidence}
    return artifact


def _results(outcome: Outcome, artifact: int) -> Iterator[dict[str, Any]]:
    yield from _findings(outcome, artifact)
    if outcome.verdict not in RULES:
        return
    identifier, _, level, _ = RULES[outcome.verdict]
    targets: Iterable[int | None] = outcome.target_labels or (None,)
    for target in targets:
        subject = "" if target is None else f" leading to label {called(outcome, target)}"
        yield {
            "ruleId": identifier,
            "ruleIndex": ORDER.index(outcome.verdict),
            "level": level,
            "message": {"text": f"{HEADLINE[outcome.verdict]}{_plain(subject)}: {_plain('; '.join(outcome.reasons))}."},
            "locations": [_location(outcome, artifact)],
            "partialFingerprints": {"nc-scan/v1": _fingerprint(outcome, identifier, target)},
            **_suppressed(outcome),
        }


def _findings(outcome: Outcome, artifact: int) -> Iterator[dict[str, Any]]:
    """The audit's warnings; notes are for the reports that people read."""
    identifier, _, level, _ = RULES[GRAPH]
    for finding in outcome.findings if isinstance(outcome, ScanResult) else ():
        if finding.severity == "warning":
            yield {
                "ruleId": identifier,
                "ruleIndex": ORDER.index(GRAPH),
                "level": level,
                "message": {"text": f"{HEADLINE[GRAPH]}: {_plain(finding.message)}: {_plain(finding.where)}."},
                "locations": [_location(outcome, artifact)],
                "partialFingerprints": {"nc-scan/v1": _fingerprint(outcome, identifier, finding.where)},
                **_suppressed(outcome),
            }


def _suppressed(outcome: Outcome) -> dict[str, Any]:
    """That the user's policy accepts the model: the result stays in the file, and services show it as dismissed."""
    if outcome.accepted is None:
        return {}
    return {"suppressions": [{"kind": "external", "status": "accepted", "justification": acceptance(outcome)}]}


def _location(outcome: Outcome, artifact: int) -> dict[str, Any]:
    place = {"artifactLocation": {"uri": _uri(outcome.path), "index": artifact}, "region": {"startLine": 1}}
    return {"physicalLocation": place}


def _fingerprint(outcome: Outcome, rule: str, target: int | str | None) -> str:
    """The same for the same finding in the same model, wherever the file lies."""
    subject = outcome.sha256 or PurePath(outcome.path).name
    return hashlib.sha256(f"{rule} {subject} {target}".encode()).hexdigest()


def _plain(text: str) -> str:
    """Without the links that a message may embed (SARIF 2.1.0, section 3.11.6)."""
    return re.sub(r"([\\\[\]])", r"\\\1", text)


def _uri(path: str) -> str:
    """A relative path or an absolute address, with what a URI may not hold escaped."""
    if "://" in path or path.startswith("models:/"):
        return quote(path, safe=":/?&=#%@+")
    posix = PurePath(path).as_posix()
    return ("file://" if posix.startswith("/") else "") + quote(posix)
