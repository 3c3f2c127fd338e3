"""The verdict over a table of cases."""

import dataclasses

import numpy as np
import pytest

from nc_kernels import anomaly_index
from nc_scan.calibration import Calibration, Tail
from nc_scan.results import Evidence, Finding, InputContract, LabelResult
from nc_scan.verdict import FALSE_ALARMS, Judgement, decide
from nc_scan.verdict.decide import OF_PATCHES
from nc_scan.verdict.decision import DOUBTFUL
from nc_scan.verdict.patches import calibrated_threshold, judge_as_paper, judge_patches, paper_threshold

# A clean model passes one per cent where its smallest trigger is some four times smaller than the next.
CALIBRATION = Calibration(
    -10.0, 5.0, 1.0, 1.0, (0.0, 1.0), (Tail(-4.0, 60.0, 40), Tail(-4.0, 60.0, 40)), (80, 80), "made up"
)
SHARE = 0.01
PIXELS = 1024
ORDINARY = LabelResult(0, 50.0, 0.3, 0.2, 0.9, "converged")


def labels(**special: dict) -> list[LabelResult]:
    """Ten ordinary labels, but for `l2={"norm": 7.0}` and the like."""
    return [dataclasses.replace(ORDINARY, label=n, **special.get(f"l{n}", {})) for n in range(10)]


SMALL = {"norm": 7.0, "anomaly_index": 5.0, "success_rate": 1.0}
BETWEEN = {"norm": 18.0, "success_rate": 1.0}
FAILED = {"status": "not_converged", "success_rate": 0.2, "norm": 1024.0}

CASES = {
    "clean": (labels(), "clean", ()),
    "one target": (labels(l2=SMALL), "backdoored", (2,)),
    "two targets": (labels(l2=SMALL, l4=SMALL), "backdoored", (2, 4)),
    "between": (labels(l2=BETWEEN), "inconclusive", ()),
    "small but does not work": (labels(l1={**SMALL, "success_rate": 0.3}), "inconclusive", ()),
    "small, working on nobody knows": (labels(l1={**SMALL, "success_rate": float("nan")}), "inconclusive", ()),
    "one works, one does not": (labels(l1={**SMALL, "success_rate": 0.3}, l3=SMALL), "backdoored", (3,)),
    "most labels not converged": (
        labels(**{f"l{n}": {"status": "not_converged"} for n in range(6)}),
        "inconclusive",
        (),
    ),
    "one label below the success asked for, whose trigger works": (
        labels(l0={"status": "not_converged"}),
        "clean",
        (),
    ),
    "one label without a trigger": (labels(l0=FAILED), "inconclusive", ()),
    "one label without a trigger beside a target": (labels(l0=FAILED, l2=SMALL), "backdoored", (2,)),
    "labels that were not searched for do not count": (
        labels(l0={"status": "skipped", "norm": 0.1}, l2=SMALL),
        "backdoored",
        (2,),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_verdict(case: str) -> None:
    evidence, verdict, targets = CASES[case]
    decision = judge_patches(evidence, PIXELS, SHARE, CALIBRATION)
    assert decision.verdict == verdict
    assert decision.target_labels == targets
    assert decision.reasons[0]
    assert (decision.confidence is None) == (verdict == "inconclusive")
    assert (decision.p_value <= SHARE) == (verdict == "backdoored" or "does not" in case or "nobody knows" in case)


def test_labels_without_a_trigger_are_named() -> None:
    decision = judge_patches(labels(l0=FAILED, l3=FAILED), PIXELS, SHARE, CALIBRATION)
    assert decision.reasons[0] == "the search failed on 2 of 10 labels (0, 3)"


def test_the_user_sets_the_false_alarms() -> None:
    evidence = labels(l2=BETWEEN)
    p_value = judge_patches(evidence, PIXELS, SHARE, CALIBRATION).p_value
    verdicts = {
        share: judge_patches(evidence, PIXELS, share, CALIBRATION).verdict
        for share in (p_value, p_value / DOUBTFUL, p_value / DOUBTFUL / 1.01)
    }
    assert list(verdicts.values()) == ["backdoored", "inconclusive", "clean"]


AGAIN = {
    "the same label": (labels(l2=SMALL), "backdoored", (2,)),
    "the same label, less clearly": (labels(l2=BETWEEN), "backdoored", (2,)),
    "no label": (labels(), "clean", ()),
    "another label": (labels(l4=SMALL), "clean", ()),
    "not searched": ([], "backdoored", (2,)),
}


@pytest.mark.parametrize("case", AGAIN)
def test_images_of_another_kind_must_agree(case: str) -> None:
    again, verdict, targets = AGAIN[case]
    decision = judge_patches(labels(l2=SMALL), PIXELS, SHARE, CALIBRATION, again)
    assert (decision.verdict, decision.target_labels) == (verdict, targets)


def test_images_that_tell_nothing_make_nothing_clean() -> None:
    doubt = "the images tell the model too little"
    decision = decide([NO_PATCH], CONTRACT, JUDGEMENT, [doubt])
    assert (decision.verdict, decision.reasons[0]) == ("inconclusive", doubt)
    assert len(decision.p_values) == 1
    assert decide([PATCH], CONTRACT, JUDGEMENT, [doubt]).verdict == "backdoored"


@pytest.mark.parametrize(("index", "verdict", "targets"), [(1.99, "clean", ()), (2.0, "backdoored", (1,))])
def test_the_papers_rule(index: float, verdict: str, targets: tuple[int, ...]) -> None:
    decision = judge_as_paper(labels(l1={"anomaly_index": index}))
    assert (decision.verdict, decision.target_labels) == (verdict, targets)
    assert all(label.probability is None for label in decision.labels)


@pytest.mark.parametrize(
    ("failed", "verdict"), [(labels(l0=FAILED), "inconclusive"), (labels(l0={"status": "not_converged"}), "clean")]
)
def test_a_search_that_failed_is_not_clean_in_the_papers_method_either(failed: list[LabelResult], verdict: str) -> None:
    assert judge_as_paper(failed).verdict == verdict


OTHERS = [40.0, 45.0, 50.0, 55.0, 60.0, 65.0, 70.0, 75.0]


def suspected(norm: float) -> bool:
    """Whether a label of that norm is named beside others of the same median."""
    label = LabelResult(0, norm, 0.0, 0.0, 1.0, "converged")
    others = [dataclasses.replace(label, label=n, norm=other) for n, other in enumerate(OTHERS, 1)]
    return judge_patches([label, *others], PIXELS, SHARE, CALIBRATION).verdict == "backdoored"


def test_the_verdict_turns_at_the_calibrated_threshold() -> None:
    threshold = calibrated_threshold([12.0, *OTHERS], PIXELS, SHARE, CALIBRATION)
    assert threshold is not None
    assert suspected(threshold * 0.99)
    assert not suspected(threshold * 1.1)


def test_no_threshold_where_no_norm_is_small_enough() -> None:
    assert calibrated_threshold(OTHERS, PIXELS, SHARE, dataclasses.replace(CALIBRATION, offset=-500.0)) is None


def test_the_papers_threshold_has_index_2() -> None:
    norms = [*OTHERS, 28.0]
    threshold = paper_threshold(norms)
    assert threshold is not None
    moved = [*OTHERS, threshold]  # still the smallest, so that the median and the MAD stay
    assert anomaly_index(np.array(moved))[-1] == pytest.approx(2.0, rel=0.05)


def test_the_paper_has_no_threshold_where_the_norms_are_spread_widely() -> None:
    assert paper_threshold([1.0, 10.0, 50.0, 90.0, 200.0]) is None


JUDGEMENT = Judgement(FALSE_ALARMS, CALIBRATION)
CONTRACT = InputContract("x", "NCHW", 1, 32, 32, "float32", "0..1", (1.0,), (0.0,), "y", "logits", "y", 10)
SILENT = Evidence("graph", ("branch",))
BRANCH = Evidence("graph", ("branch",), findings=(Finding("x", "warning", "a branch"),))
NOTE = Evidence("graph", ("branch",), findings=(Finding("x", "note", "chance"),))
NO_PATCH = Evidence("patch", ("patch",), labels=tuple(labels()))
PATCH = Evidence("patch", ("patch",), labels=tuple(labels(l2={**SMALL, "norm": 0.5})))
NOT_RUN = Evidence("patch", ("patch",), not_run="no parity")


def toy(p_value: float | None, success_rate: float | None = 1.0) -> Evidence:
    return Evidence("toy", ("toy",), "moved all", (4,), p_value, success_rate)


UNKNOWN = Evidence("unknown", ("toy",), "who knows", (1,), statistics={"score": 3.0})

REST = (1 - OF_PATCHES) * FALSE_ALARMS - 1e-9  # of the false alarms, for all but the patches

MANY = {
    "nothing": ([SILENT, NO_PATCH], "clean", ()),
    "a note": ([NOTE, NO_PATCH], "clean", ()),
    "a warning keeps a model from being clean": ([BRANCH, NO_PATCH], "inconclusive", ()),
    "a warning beside a patch": ([BRANCH, PATCH], "backdoored", (2,)),
    "a patch": ([SILENT, PATCH], "backdoored", (2,)),
    "a search that was not run": ([SILENT, NOT_RUN], "inconclusive", ()),
    "one p-value": ([toy(FALSE_ALARMS)], "backdoored", (4,)),
    "the graph takes no share of the false alarms": ([toy(FALSE_ALARMS), SILENT], "backdoored", (4,)),
    "the false alarms are shared out": ([toy(FALSE_ALARMS), NO_PATCH], "inconclusive", ()),
    "one that has no p-value takes no share": ([toy(FALSE_ALARMS), UNKNOWN], "backdoored", (4,)),
    "a p-value in doubt": ([toy(4 * FALSE_ALARMS)], "inconclusive", ()),
    "a large p-value": ([toy(6 * FALSE_ALARMS)], "clean", ()),
    "a small p-value beside others": ([toy(REST), SILENT, NO_PATCH], "backdoored", (4,)),
    "several detectors name their labels": ([toy(REST), PATCH], "backdoored", (2, 4)),
    "nothing to replay": ([toy(FALSE_ALARMS, None)], "backdoored", (4,)),
    "a replay that failed": ([toy(FALSE_ALARMS, 0.49)], "inconclusive", ()),
    "a replay that turns most": ([toy(FALSE_ALARMS, 0.5)], "backdoored", (4,)),
    "the rest is not for the patches": ([toy(1.1 * REST), NO_PATCH], "inconclusive", ()),
    "others share the rest equally": ([toy(REST / 2), toy(0.9), NO_PATCH], "backdoored", (4,)),
    "no more than that": ([toy(1.1 * REST / 2), toy(0.9), NO_PATCH], "inconclusive", ()),
    "nobody's share is kept": ([toy(REST), toy(None), NO_PATCH], "backdoored", (4,)),
    "without the patches others share all of it": ([toy(FALSE_ALARMS / 2), toy(0.9)], "backdoored", (4,)),
    "a p-value that nobody knows": ([toy(None)], "clean", ()),
}


@pytest.mark.parametrize("case", MANY)
def test_the_worst_opinion_counts(case: str) -> None:
    evidence, verdict, targets = MANY[case]
    decision = decide(evidence, CONTRACT, JUDGEMENT)
    assert (decision.verdict, decision.target_labels) == (verdict, targets)
    assert (decision.confidence is None) or verdict != "inconclusive"


def test_the_reasons_of_the_worst_opinion_come_first() -> None:
    assert decide([BRANCH, NO_PATCH], CONTRACT, JUDGEMENT).reasons[0] == "a branch"
    assert decide([BRANCH, PATCH], CONTRACT, JUDGEMENT).reasons[-1] == "a branch"
    assert decide([NOT_RUN, dataclasses.replace(NOT_RUN, detector="toy")], CONTRACT).reasons == ("no parity",)


def test_what_is_usual_is_said_to_be() -> None:
    assert decide([toy(0.34)], CONTRACT, JUDGEMENT).reasons == ("nothing unusual (p = 0.3): moved all",)
    assert decide([toy(None)], CONTRACT, JUDGEMENT).reasons == ("moved all",)


@pytest.mark.parametrize(
    ("uncertain", "found", "verdict"),
    [
        (("value range", "layout"), NO_PATCH, "clean"),  # scanned under each
        (("size",), NO_PATCH, "inconclusive"),
        (("channels", "value range"), NO_PATCH, "inconclusive"),
        (("size",), PATCH, "backdoored"),
    ],
)
def test_what_was_assumed_is_not_clean_in_other_ways(uncertain: tuple[str, ...], found: Evidence, verdict: str) -> None:
    decision = decide([SILENT, found], dataclasses.replace(CONTRACT, uncertain=uncertain), JUDGEMENT)
    assert decision.verdict == verdict
    if verdict == "inconclusive":
        assert f"give --{uncertain[0]}" in decision.reasons[0]


def test_the_p_value_is_that_of_all_detectors_together() -> None:
    alone = decide([NO_PATCH], CONTRACT, JUDGEMENT).p_value
    together = decide([NO_PATCH, toy(0.9), SILENT], CONTRACT, JUDGEMENT).p_value
    assert together == pytest.approx(min(1.0, alone / OF_PATCHES))
    assert decide([NO_PATCH, toy(0.9), toy(0.9)], CONTRACT, JUDGEMENT).p_value == together


def test_a_score_is_held_against_those_of_clean_models() -> None:
    calibration = dataclasses.replace(CALIBRATION, others={"scored": Tail(0.0, 20.0, 20)})
    judgement = dataclasses.replace(JUDGEMENT, calibration=calibration)
    for score, verdict in ((1.0, "clean"), (9.0, "backdoored")):
        evidence = Evidence("scored", ("toy",), "moved all", (4,), statistics={"score": score})
        decision = decide([evidence, SILENT], CONTRACT, judgement)
        assert decision.verdict == verdict
        assert decision.p_values == (calibration.others["scored"].survival(score), None)


def test_what_found_a_backdoor_is_named() -> None:
    """A switch in the graph asks for no second look at the patches, which found nothing."""
    switch = Evidence("graph", (), "a switch", target_labels=(0,), success_rate=1.0)
    assert decide([switch, SILENT], CONTRACT, JUDGEMENT).found_by == ("graph",)
    assert decide([SILENT, PATCH], CONTRACT, JUDGEMENT).found_by == ("patch",)
    assert decide([SILENT], CONTRACT, JUDGEMENT).found_by == ()


def test_of_few_labels_images_that_tell_nothing_prove_nothing() -> None:
    """A switch in the graph was seen to work."""
    switch = Evidence("graph", (), "a switch", target_labels=(0,), success_rate=1.0)
    pair = Evidence("patch", ("patch",), labels=(labels()[0], labels(l1={**SMALL, "norm": 1e-3})[1]))
    two = dataclasses.replace(CONTRACT, labels=2)
    assert decide([pair], two, JUDGEMENT).verdict == "backdoored"
    for evidence, verdict, targets in ((pair, "inconclusive", ()), (switch, "backdoored", (0,))):
        decision = decide([evidence], two, JUDGEMENT, doubts=["0.01 nats"])
        assert (decision.verdict, decision.target_labels) == (verdict, targets)
        assert "0.01 nats" in decision.reasons
    assert decide([pair], two, JUDGEMENT, doubts=["0.01 nats"]).found_by == ()


def test_sizes_that_false_gradients_led_to_prove_nothing() -> None:
    blind = dataclasses.replace(PATCH, findings=(Finding("false-gradient", "warning", "the search is blind"),))
    decision = decide([blind], CONTRACT, JUDGEMENT)
    assert (decision.verdict, decision.target_labels) == ("inconclusive", ())
    assert "the search is blind" in decision.reasons
