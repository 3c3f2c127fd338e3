"""A CycloneDX 1.6 ML-BOM: a component for each model with its digest and verdict."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from nc_scan.reports.contracts import in_one_line, shape
from nc_scan.reports.shown import shown
from nc_scan.reports.words import ADVICE, HEADLINE, acceptance, targets
from nc_scan.results import Outcome, ScanResult


@shown
def to_bom(outcomes: Sequence[Outcome]) -> str:
    """The same document for the same outcomes; a backdoor is a vulnerability of its component."""
    parts = [f"{outcome.path} {outcome.sha256} {outcome.verdict} {outcome.finished}" for outcome in outcomes]
    references = [f"model-{number}" for number in range(1, len(outcomes) + 1)]
    bom: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, 'nc-scan:' + '|'.join(parts))}",
        "version": 1,
        "metadata": _metadata(outcomes),
        "components": [_component(outcome, ref) for outcome, ref in zip(outcomes, references, strict=True)],
        "vulnerabilities": [
            _vulnerability(outcome, ref)
            for outcome, ref in zip(outcomes, references, strict=True)
            if outcome.verdict == "backdoored"
        ],
    }
    return json.dumps(bom, indent=2, ensure_ascii=False) + "\n"


def _metadata(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    tool = {"type": "application", "name": "nc-scan"}
    if outcomes:
        tool["version"] = outcomes[0].versions.get("nc-scan", "")
    metadata: dict[str, Any] = {"tools": {"components": [tool]}}
    finished = max((outcome.finished for outcome in outcomes), default="")
    return {"timestamp": finished, **metadata} if finished else metadata


def _component(outcome: Outcome, reference: str) -> dict[str, Any]:
    values = {
        "path": outcome.path,
        "verdict": outcome.verdict,
        "target_labels": ",".join(map(str, outcome.target_labels)),
        "reason": outcome.reasons[0],
        "finished": outcome.finished,
    }
    if outcome.accepted:
        values["accepted"] = acceptance(outcome)
    component: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": reference,
        "name": PurePath(outcome.path).name or outcome.path,
    }
    if outcome.sha256 is not None:
        component["hashes"] = [{"alg": "SHA-256", "content": outcome.sha256}]
    if isinstance(outcome, ScanResult):
        contract = outcome.contract
        component["modelCard"] = {
            "modelParameters": {
                "task": "image-classification",
                "inputs": [{"format": f"{shape(contract)}, pixels as {contract.value_range}"}],
                "outputs": [{"format": f"{contract.labels} {contract.output_kind}"}],
            }
        }
        values["input_contract"] = in_one_line(contract)
        values |= {f"evidence:{part}": why for part, why in contract.evidence.items()}
        if outcome.converter is not None:
            values["converter"] = outcome.converter
        values |= {f"finding:{finding.rule}": finding.message for finding in outcome.findings}
        values |= {f"external_data:{location}": digest for location, digest in outcome.external_data.items()}
    component["properties"] = [{"name": f"nc-scan:{key}", "value": value} for key, value in values.items()]
    return component


def _vulnerability(outcome: Outcome, reference: str) -> dict[str, Any]:
    return {
        "bom-ref": f"{reference}-backdoor",
        "id": "nc-scan:backdoor",
        "description": f"{HEADLINE['backdoored']}, {targets(outcome)}: {'; '.join(outcome.reasons)}",
        "recommendation": ADVICE["backdoored"],
        "ratings": [{"severity": "critical", "method": "other"}],
        "cwes": [506],
        "affects": [{"ref": reference}],
        **({"analysis": _analysis(outcome)} if outcome.accepted else {}),
    }


def _analysis(outcome: Outcome) -> dict[str, Any]:
    """What the user's policy says of the finding."""
    return {"state": "exploitable", "response": ["will_not_fix"], "detail": acceptance(outcome)}
