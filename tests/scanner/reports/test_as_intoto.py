"""The in-toto statement."""

import base64
import dataclasses
import json
from typing import Any

import pytest

from nc_scan.errors import ReportError
from nc_scan.reports.as_intoto import to_intoto
from nc_scan.reports.contracts import in_one_line
from nc_scan.results import Outcome, ScanResult

from .conftest import EVIDENCE, make_outcomes, make_result


def statement(outcomes: list[Outcome]) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(to_intoto(outcomes))
    assert values["_type"] == "https://in-toto.io/Statement/v1"
    assert values["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    return values


def test_only_clean_passes(outcome: Outcome) -> None:
    clean = make_result(target=None)
    predicate = statement([clean, outcome])["predicate"]
    assert predicate["result"] == ("PASSED" if outcome.verdict == "clean" else "FAILED")
    assert len(predicate["passedTests"]) + len(predicate["failedTests"]) == 2


def test_the_subjects_are_the_model_and_its_weights_by_digest(backdoored: ScanResult) -> None:
    external = {"weights.bin": "12" * 32}
    values = statement([dataclasses.replace(backdoored, path="a/b.onnx", external_data=external)])
    assert values["subject"] == [
        {"name": "a/b.onnx", "digest": {"sha256": "ab" * 32}},
        {"name": "a/weights.bin", "digest": {"sha256": "12" * 32}},
    ]


def test_the_settings_are_enclosed(backdoored: ScanResult) -> None:
    _, settings = statement([backdoored])["predicate"]["configuration"]
    content = json.loads(base64.b64decode(settings["content"]))
    assert content["configuration"] == backdoored.configuration
    assert content["input_contract"] == in_one_line(backdoored.contract)
    assert content["evidence"] == EVIDENCE


def test_no_statement_without_a_subject() -> None:
    with pytest.raises(ReportError, match="no model could be read"):
        to_intoto([make_outcomes()["failed"]])
