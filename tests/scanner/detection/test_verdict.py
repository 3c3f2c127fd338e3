"""The verdict over a table of cases."""

import dataclasses

import pytest

from nc_scan.detection import decide, decide_as_paper
from nc_scan.detection.calibration import Calibration
from nc_scan.results import LabelResult

# Even odds at a norm of 1.3 % of the pixels where the median is four times as large.
CALIBRATION = Calibration(intercept=-20.0, size=-4.0, depth=2.0, models=(9, 9))
PIXELS = 1024
ORDINARY = LabelResult(0, 50.0, 0.3, 0.2, 0.9, "converged")


def labels(**special: dict) -> list[LabelResult]:
    """Five ordinary labels, but for `l2={"norm": 7.0}` and the like."""
    return [dataclasses.replace(ORDINARY, label=n, **special.get(f"l{n}", {})) for n in range(5)]


SMALL = {"norm": 7.0, "anomaly_index": 5.0, "success_rate": 1.0}
BETWEEN = {"norm": 13.0, "success_rate": 1.0}

CASES = {
    "clean": (labels(), "clean", ()),
    "one target": (labels(l2=SMALL), "backdoored", (2,)),
    "two targets": (labels(l2=SMALL, l4=SMALL), "backdoored", (2, 4)),
    "between": (labels(l2=BETWEEN), "inconclusive", ()),
    "small but does not work": (labels(l1={**SMALL, "success_rate": 0.3}), "inconclusive", ()),
    "small, working on nobody knows": (labels(l1={**SMALL, "success_rate": float("nan")}), "inconclusive", ()),
    "one works, one does not": (labels(l1={**SMALL, "success_rate": 0.3}, l3=SMALL), "backdoored", (3,)),
    "most labels not converged": (
        labels(**{f"l{n}": {"status": "not_converged"} for n in range(3)}),
        "inconclusive",
        (),
    ),
    "one label not converged": (labels(l0={"status": "not_converged"}), "clean", ()),
}


@pytest.mark.parametrize("case", CASES)
def test_verdict(case: str) -> None:
    evidence, verdict, targets = CASES[case]
    decision = decide(evidence, PIXELS, CALIBRATION)
    assert decision.verdict == verdict
    assert decision.target_labels == targets
    assert decision.reasons[0]
    assert (decision.confidence is None) == (verdict == "inconclusive")
    assert all(label.probability is not None for label in decision.labels)


def test_labels_without_a_trigger_are_named() -> None:
    evidence = labels(l0={"status": "not_converged"}, l3={"status": "not_converged"})
    assert any("label 0, 3" in reason for reason in decide(evidence, PIXELS, CALIBRATION).reasons)


@pytest.mark.parametrize(("index", "verdict", "targets"), [(1.99, "clean", ()), (2.0, "backdoored", (1,))])
def test_the_papers_rule(index: float, verdict: str, targets: tuple[int, ...]) -> None:
    decision = decide_as_paper(labels(l1={"anomaly_index": index}))
    assert (decision.verdict, decision.target_labels) == (verdict, targets)
    assert all(label.probability is None for label in decision.labels)
