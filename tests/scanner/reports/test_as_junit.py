"""JUnit XML: counts, elements, characters."""

import dataclasses
from xml.etree import ElementTree

from nc_scan.reports.as_junit import to_junit
from nc_scan.reports.contracts import in_one_line
from nc_scan.results import Outcome, ScanResult

from .conftest import EVIDENCE, make_outcomes


def test_one_case_a_model_with_the_element_of_its_verdict(outcome: Outcome) -> None:
    case = ElementTree.fromstring(to_junit([outcome])).find("testsuite/testcase")
    assert case is not None
    assert case.get("name") == outcome.path
    elements = {"backdoored": "failure", "inconclusive": "error", "failed": "error", "not_applicable": "skipped"}
    output = ["system-out"] if isinstance(outcome, ScanResult) else []
    assert [child.tag for child in case] == [elements[v] for v in (outcome.verdict,) if v != "clean"] + output
    if outcome.verdict == "backdoored":
        assert f"label {outcome.target_labels[0]}" in (case[0].get("message") or "")


def test_the_contract_and_its_evidence_are_output(backdoored: ScanResult) -> None:
    case = ElementTree.fromstring(to_junit([backdoored])).find("testsuite/testcase")
    text = (case.findtext("system-out") or "") if case is not None else ""
    assert text.startswith(f"input contract: {in_one_line(backdoored.contract)}\n")
    assert [why for why in EVIDENCE.values() if why not in text] == []
    assert text.endswith("1 of 10 never")


def test_counts() -> None:
    outcomes = list(make_outcomes().values())
    root = ElementTree.fromstring(to_junit(outcomes))
    assert root.attrib["tests"] == "9"
    assert root.attrib["failures"] == "3"
    assert root.attrib["errors"] == "4"
    suite = root.find("testsuite")
    assert suite is not None
    assert suite.attrib["skipped"] == "1"


def test_what_xml_cannot_hold_is_spelt_out(backdoored: ScanResult) -> None:
    odd = dataclasses.replace(backdoored, path="a\x00\x1b<&>.onnx", reasons=("\ud800 \x07",))
    case = ElementTree.fromstring(to_junit([odd])).find("testsuite/testcase")
    assert case is not None
    assert case.get("name") == "a\\x00\\x1b<&>.onnx"
