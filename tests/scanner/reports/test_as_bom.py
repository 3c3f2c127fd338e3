"""The ML-BOM against CycloneDX's own schema."""

import dataclasses
import json
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from nc_scan.reports.as_bom import to_bom
from nc_scan.reports.contracts import in_one_line
from nc_scan.results import Outcome, ScanResult

from .conftest import EVIDENCE, make_outcomes


def bom(outcomes: list[Outcome]) -> dict[str, Any]:
    text = to_bom(outcomes)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    values: dict[str, Any] = json.loads(text)
    return values


def test_every_outcome_is_a_valid_component(outcome: Outcome) -> None:
    values = bom([outcome])
    (component,) = values["components"]
    properties = {item["name"]: item["value"] for item in component["properties"]}
    assert properties["nc-scan:verdict"] == outcome.verdict
    assert ("hashes" in component) == (outcome.sha256 is not None)
    affected = [item["affects"][0]["ref"] for item in values["vulnerabilities"]]
    assert affected == [component["bom-ref"] for _ in outcome.target_labels]


def test_the_contract_and_its_evidence_are_properties(backdoored: ScanResult) -> None:
    (component,) = bom([backdoored])["components"]
    properties = {item["name"]: item["value"] for item in component["properties"]}
    assert properties["nc-scan:input_contract"] == in_one_line(backdoored.contract)
    assert {part: properties[f"nc-scan:evidence:{part}"] for part in EVIDENCE} == EVIDENCE


def test_many_and_none(backdoored: ScanResult) -> None:
    outcomes = [*make_outcomes().values(), dataclasses.replace(backdoored, external_data={"w.bin": "12" * 32})]
    assert len(bom(outcomes)["components"]) == len(outcomes)
    assert bom([])["components"] == []
    assert to_bom(outcomes) == to_bom(outcomes)
