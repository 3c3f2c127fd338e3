"""JUnit XML: one test case a model, for continuous integration."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from nc_scan.reports.contracts import in_one_line
from nc_scan.reports.predictions import predicted, recognised
from nc_scan.reports.shown import shown
from nc_scan.reports.words import ADVICE, HEADLINE, acceptance, targets
from nc_scan.results import Outcome, ScanResult

# A verdict that is no pass, and the element that says so.
ELEMENTS = {"backdoored": "failure", "inconclusive": "error", "failed": "error", "not_applicable": "skipped"}


@shown
def to_junit(outcomes: Sequence[Outcome]) -> str:
    """Backdoored is a failure, no verdict an error, no classifier is skipped."""
    counts = {element: sum(_element(o) == element for o in outcomes) for element in set(ELEMENTS.values())}
    shared = {
        "name": "nc-scan",
        "tests": str(len(outcomes)),
        "failures": str(counts["failure"]),
        "errors": str(counts["error"]),
        "time": f"{sum(map(_seconds, outcomes)):.3f}",
    }
    root = ElementTree.Element("testsuites", shared)
    suite = ElementTree.SubElement(root, "testsuite", {**shared, "skipped": str(counts["skipped"])})
    for outcome in outcomes:
        name = {"classname": "nc-scan", "name": outcome.path, "time": f"{_seconds(outcome):.3f}"}
        case = ElementTree.SubElement(suite, "testcase", name)
        kind = _element(outcome)
        if kind is not None:
            message = " ".join(filter(None, (HEADLINE[outcome.verdict], targets(outcome))))
            attributes = {"message": f"{message}: {outcome.reasons[0]}"}
            if kind != "skipped":
                attributes["type"] = outcome.verdict
            element = ElementTree.SubElement(case, kind, attributes)
            lines = (acceptance(outcome), *outcome.reasons, ADVICE[outcome.verdict], f"SHA-256 {outcome.sha256}")
            element.text = "\n".join(filter(None, lines))
        if isinstance(outcome, ScanResult):
            ElementTree.SubElement(case, "system-out").text = _taken_for_granted(outcome)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _element(outcome: Outcome) -> str | None:
    """What stands in the test case; a model that the user's policy accepts does not fail the run, and is no pass."""
    return "skipped" if outcome.accepted else ELEMENTS.get(outcome.verdict)


def _taken_for_granted(result: ScanResult) -> str:
    """The input contract with its evidence, and what the model says to the probes."""
    evidence = (f"{part}: {why}" for part, why in result.contract.evidence.items())
    contract = f"input contract: {in_one_line(result.contract)}"
    probes = f"probes: {result.probes.source}, answers tell {recognised(result.probes)}"
    return "\n".join((contract, *evidence, probes, f"predicted labels: {predicted(result.probes)}"))


def _seconds(outcome: Outcome) -> float:
    return sum(outcome.seconds.values()) if isinstance(outcome, ScanResult) else 0.0
