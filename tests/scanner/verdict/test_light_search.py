"""Where few of many labels were searched for, on large images, only what stands out by far is a backdoor."""

import pytest
from tests.scanner.verdict.test_verdict import CONTRACT, JUDGEMENT, labels

from nc_scan.results import Evidence
from nc_scan.verdict import decide


@pytest.mark.parametrize(
    ("norm", "light", "verdict"),
    [(7.0, False, "backdoored"), (7.0, True, "inconclusive"), (0.01, True, "backdoored"), (50.0, True, "clean")],
)
def test_a_light_search_proves_only_what_stands_out_by_far(norm: float, light: bool, verdict: str) -> None:
    found = tuple(labels(l2={"norm": norm, "success_rate": 1.0}))
    evidence = Evidence("patch", (), labels=found, statistics={"light": float(light)})
    decision = decide([evidence], CONTRACT, JUDGEMENT)
    assert decision.verdict == verdict
    assert decision.target_labels == ((2,) if verdict == "backdoored" else ())
    assert ("no proof" in decision.reasons[0]) == (verdict == "inconclusive")
