"""The verdict over a table of cases."""

import dataclasses

import numpy as np
import pytest

from nc_kernels import anomaly_index
from nc_scan.calibration import Calibration
from nc_scan.results import Evidence, Finding, InputContract, LabelResult
from nc_scan.verdict import (
    FALSE_ALARMS,
    calibrated_threshold,
    decide,
    judge_as_paper,
    judge_patches,
    paper_threshold,
)

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
    decision = judge_patches(evidence, PIXELS, CALIBRATION)
    assert decision.verdict == verdict
    assert decision.target_labels == targets
    assert decision.reasons[0]
    assert (decision.confidence is None) == (verdict == "inconclusive")
    assert all(label.probability is not None for label in decision.labels)


def test_labels_without_a_trigger_are_named() -> None:
    evidence = labels(l0={"status": "not_converged"}, l3={"status": "not_converged"})
    assert any("label 0, 3" in reason for reason in judge_patches(evidence, PIXELS, CALIBRATION).reasons)


@pytest.mark.parametrize(("index", "verdict", "targets"), [(1.99, "clean", ()), (2.0, "backdoored", (1,))])
def test_the_papers_rule(index: float, verdict: str, targets: tuple[int, ...]) -> None:
    decision = judge_as_paper(labels(l1={"anomaly_index": index}))
    assert (decision.verdict, decision.target_labels) == (verdict, targets)
    assert all(label.probability is None for label in decision.labels)


OTHERS = [40.0, 45.0, 50.0, 55.0, 60.0, 65.0, 70.0, 75.0]
SURROUNDED = [45.0, 50.0, (55.0 * 60.0) ** 0.5, 65.0, 70.0, 75.0]  # with a small one their median is that of OTHERS


def suspected(norm: float) -> bool:
    """Whether a label of that norm is named beside others of the same median."""
    label = LabelResult(0, norm, 0.0, 0.0, 1.0, "converged")
    others = [dataclasses.replace(label, label=n, norm=other) for n, other in enumerate(SURROUNDED, 1)]
    return judge_patches([label, *others], PIXELS, CALIBRATION).verdict == "backdoored"


def test_the_verdict_turns_at_the_calibrated_threshold() -> None:
    threshold = calibrated_threshold(OTHERS, PIXELS, CALIBRATION)
    assert threshold is not None
    assert suspected(threshold * 0.99)
    assert not suspected(threshold * 1.01)


def test_no_threshold_where_no_norm_is_small_enough() -> None:
    assert calibrated_threshold(OTHERS, PIXELS, dataclasses.replace(CALIBRATION, intercept=-500.0)) is None


def test_the_papers_threshold_has_index_2() -> None:
    norms = [*OTHERS, 28.0]
    threshold = paper_threshold(norms)
    assert threshold is not None
    moved = [*OTHERS, threshold]  # still the smallest, so that the median and the MAD stay
    assert anomaly_index(np.array(moved))[-1] == pytest.approx(2.0, rel=0.05)


def test_the_paper_has_no_threshold_where_the_norms_are_spread_widely() -> None:
    assert paper_threshold([1.0, 10.0, 50.0, 90.0, 200.0]) is None


CONTRACT = InputContract("x", "NCHW", 1, 32, 32, "float32", "0..1", (1.0,), (0.0,), "y", "logits", "y", 5)
SILENT = Evidence("graph", ("branch",))
BRANCH = Evidence("graph", ("branch",), findings=(Finding("x", "warning", "a branch"),))
NOTE = Evidence("graph", ("branch",), findings=(Finding("x", "note", "chance"),))
NO_PATCH = Evidence("patch", ("patch",), labels=tuple(labels()))
PATCH = Evidence("patch", ("patch",), labels=tuple(labels(l2={**SMALL, "norm": 0.5})))
NOT_RUN = Evidence("patch", ("patch",), not_run="no parity")


def toy(p_value: float | None, success_rate: float | None = 1.0) -> Evidence:
    return Evidence("toy", ("toy",), "moved all", (4,), p_value, success_rate)


MANY = {
    "nothing": ([SILENT, NO_PATCH], "clean", ()),
    "a note": ([NOTE, NO_PATCH], "clean", ()),
    "a warning keeps a model from being clean": ([BRANCH, NO_PATCH], "inconclusive", ()),
    "a warning beside a patch": ([BRANCH, PATCH], "backdoored", (2,)),
    "a patch": ([SILENT, PATCH], "backdoored", (2,)),
    "a search that was not run": ([SILENT, NOT_RUN], "inconclusive", ()),
    "one p-value": ([toy(FALSE_ALARMS)], "backdoored", (4,)),
    "the false alarms are shared out": ([toy(FALSE_ALARMS), SILENT], "clean", ()),
    "a small p-value beside others": ([toy(FALSE_ALARMS / 3), SILENT, NO_PATCH], "backdoored", (4,)),
    "several detectors name their labels": ([toy(FALSE_ALARMS / 3), PATCH], "backdoored", (2, 4)),
    "nothing to replay": ([toy(FALSE_ALARMS, None)], "backdoored", (4,)),
    "a replay that failed": ([toy(FALSE_ALARMS, 0.5)], "inconclusive", ()),
    "a p-value that nobody knows": ([toy(None)], "clean", ()),
}


@pytest.mark.parametrize("case", MANY)
def test_the_worst_opinion_counts(case: str) -> None:
    evidence, verdict, targets = MANY[case]
    decision = decide(evidence, CONTRACT)
    assert (decision.verdict, decision.target_labels) == (verdict, targets)
    assert (decision.confidence is None) or verdict != "inconclusive"


def test_the_reasons_of_the_worst_opinion_come_first() -> None:
    assert decide([BRANCH, NO_PATCH], CONTRACT).reasons[0] == "a branch"
    assert decide([BRANCH, PATCH], CONTRACT).reasons[-1] == "a branch"
    assert decide([NOT_RUN, dataclasses.replace(NOT_RUN, detector="toy")], CONTRACT).reasons == ("no parity",)
