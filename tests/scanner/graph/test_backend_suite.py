"""ONNX's backend suite: values, dtypes, and gradients against finite differences."""

from collections import Counter

import onnx
import pytest
from tests.scanner.graph.conformance import DOCUMENT, Case, cases, document, failure
from tests.scanner.graph.gradients import NAN, RIGHT, WRONG, check_gradient

Results = list[tuple[Case, str | None]]


@pytest.fixture(scope="module")
def results() -> Results:
    return [(case, failure(case)) for case in cases()]


@pytest.fixture(scope="module")
def counted(results: Results) -> Results:
    return [(case, problem) for case, problem in results if case.exclusion is None]


def test_at_least_98_percent_pass(counted: Results) -> None:
    failing = {case.name: problem for case, problem in counted if problem}
    assert len(counted) > 1700
    assert len(failing) <= 0.02 * len(counted), failing


@pytest.mark.parametrize("kind", ["light", "simple", "pytorch-operator", "pytorch-converted"])
def test_every_model_that_ships_with_onnx_passes(counted: Results, kind: str) -> None:
    problems = {case.name: problem for case, problem in counted if case.kind == kind}
    assert problems
    assert not any(problems.values()), problems


def test_the_document_is_up_to_date(results: Results) -> None:
    text = DOCUMENT.read_text()
    if f"with onnx {onnx.__version__}." not in text:
        pytest.skip("written with another version of onnx, which has other cases")
    assert document(results) == text, "run: python -m tests.scanner.graph.conformance --write"


def test_gradients_match_finite_differences(counted: Results) -> None:
    outcomes = {case.name: check_gradient(case) for case, problem in counted if problem is None}
    assert Counter(outcomes.values())[RIGHT] > 1200, Counter(outcomes.values())
    assert not [name for name, outcome in outcomes.items() if outcome == WRONG]
    assert not [name for name, outcome in outcomes.items() if outcome == NAN and not name.endswith("_expanded")]
