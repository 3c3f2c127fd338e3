"""ONNX's backend suite: values, dtypes, and gradients against finite differences."""

from collections import Counter

import pytest
import torch
from tests.scanner.graph.conformance import Case, as_torch, cases, failure
from torch import Tensor

from nc_scan.graph import to_torch

# The gradient of the first three passes straight through the rounding on purpose; the bits of float64 are others.
NOT_COMPARED = ("Quantize", "QLinear", "Integer", "BitCast")
STEP = 1e-6


@pytest.fixture(scope="module")
def counted() -> list[tuple[Case, str | None]]:
    return [(case, failure(case)) for case in cases() if case.exclusion is None]


def test_at_least_98_percent_pass(counted: list[tuple[Case, str | None]]) -> None:
    failing = {case.name: problem for case, problem in counted if problem}
    assert len(counted) > 1500
    assert len(failing) <= 0.02 * len(counted), failing


@pytest.mark.parametrize("kind", ["light", "simple", "pytorch-operator", "pytorch-converted"])
def test_every_model_that_ships_with_onnx_passes(counted: list[tuple[Case, str | None]], kind: str) -> None:
    problems = {case.name: problem for case, problem in counted if case.kind == kind}
    assert problems
    assert not any(problems.values()), problems


def test_gradients_match_finite_differences(counted: list[tuple[Case, str | None]]) -> None:
    outcomes: Counter[str] = Counter()
    wrong = []
    for case, problem in counted:
        if problem is None and not any(part in name for _, name in case.operators for part in NOT_COMPARED):
            outcome = check_gradient(case)
            outcomes[outcome] += 1
            if outcome == "wrong":
                wrong.append(case.name)
    assert outcomes["right"] > 500, outcomes
    # Spelt out, a query that may see no key makes a NaN that the graph then replaces; its gradient stays NaN.
    masked = ("nan_robustness", "fullymasked", "structural_empty", "gqa_rank4_mask")
    assert not [name for name in wrong if not (name.endswith("_expanded") and any(part in name for part in masked))]


def check_gradient(case: Case) -> str:
    """Compares the derivative along a random direction with central differences, in float64."""
    values = [as_torch(value) for value in case.data[0][0]]
    first = values[0] if values else None
    if not isinstance(first, Tensor) or first.dtype != torch.float32 or not first.numel() or first.numel() > 1e5:
        return "no float input"
    module = to_torch(case.model, differentiable=False).double()
    rest = [v.double() if isinstance(v, Tensor) and v.is_floating_point() else v for v in values[1:]]
    torch.manual_seed(0)
    weights: list[Tensor] = []

    def score(x: Tensor) -> Tensor:
        results = module(x, *rest)
        floats = [y for y in (results if isinstance(results, tuple) else (results,)) if isinstance(y, Tensor)]
        floats = [y for y in floats if y.is_floating_point() and y.numel()]
        if not weights:
            weights.extend(torch.randn_like(y, dtype=torch.float64) for y in floats)
        return sum(((w * y).sum() for w, y in zip(weights, floats, strict=True)), x.new_zeros(()))

    x = first.double().requires_grad_()
    # A tiny shift leaves the ties and corners that the suite's round numbers sit on.
    moved = (x.detach() + 1e-3 * torch.rand_like(x)).requires_grad_()
    y = score(moved)
    if not y.requires_grad or not y.isfinite():
        return "no gradient"
    (gradient,) = torch.autograd.grad(y, moved, allow_unused=True)
    direction = torch.randn_like(moved)
    with torch.no_grad():
        ahead, here, back = score(moved + STEP * direction), score(moved), score(moved - STEP * direction)
    slopes = (ahead - here) / STEP, (here - back) / STEP
    scale = max(1.0, *(abs(float(slope)) for slope in slopes))
    if gradient is None or not all(s.isfinite() for s in slopes) or abs(slopes[0] - slopes[1]) > 1e-2 * scale:
        return "not smooth"
    expected = float(slopes[0] + slopes[1]) / 2
    return "right" if abs(float((gradient * direction).sum()) - expected) <= 1e-3 * scale else "wrong"
