"""Changes of the whole image: found where they are planted, and on images of every kind."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from nc_scan.detectors.spread import PatternSearch, WarpSearch
from nc_scan.detectors.spread.chart import chart
from nc_scan.detectors.spread.detector import next_one
from nc_scan.detectors.spread.margins import common_margins, margins
from nc_scan.detectors.spread.pattern import NEXT_TO_NOTHING, both_ways
from nc_scan.detectors.spread.surest import UNSURE, largest_margins, stands_out, surest_passes
from nc_scan.probes import ProbeSet
from nc_scan.results import Evidence
from nc_scan.search import Budget, Found
from nc_scan.triggers import UNCHANGED

LABELS, SIDE = 10, 20
STRIPES = 1.0 - 2 * (torch.arange(SIDE) % 2)  # as fine as can be: no other image has much of them


def clean(images: Tensor) -> Tensor:
    """Each label looks at the brightness of a strip of the picture."""
    strips = torch.nn.functional.adaptive_avg_pool2d(images.mean(1, keepdim=True), (LABELS, 1)).flatten(1)
    return 60 * (strips - strips.mean(1, keepdim=True))


def striped(images: Tensor) -> Tensor:
    """The same, but faint vertical stripes make it label 3."""
    seen = (images.mean((1, 2)) * STRIPES).mean(1)
    return clean(images) + torch.nn.functional.one_hot(torch.tensor(3), LABELS) * (6000 * (seen - 0.02))[:, None]


def edgy(images: Tensor) -> Tensor:
    """The same, but where neighbours are as alike as between pixels it is label 6."""
    rough = (images[..., 1:] - images[..., :-1]).abs().mean((1, 2, 3)) / (images.std((1, 2, 3)) + 0.01)
    return clean(images) + torch.nn.functional.one_hot(torch.tensor(6), LABELS) * (60 * (0.75 - rough))[:, None]


def subject_of(network: Any, labels: int = LABELS, layout: str = "NCHW", width: int = SIDE) -> Any:
    def deployed_scores(images: np.ndarray) -> np.ndarray:
        return np.asarray(network(torch.from_numpy(images)))

    def labels_in_use(images: np.ndarray) -> np.ndarray:
        return deployed_scores(images).argmax(1)

    contract = SimpleNamespace(labels=labels, height=SIDE, width=width, size=(3, SIDE, width), layout=layout)
    return SimpleNamespace(
        scores=network, affine=UNCHANGED, device=torch.device("cpu"), contract=contract,
        deployed_scores=deployed_scores, labels_in_use=labels_in_use,
    )  # fmt: skip


def evidence_of(detector: Any, network: Any, budget: Budget | None = None, **contract: Any) -> Evidence:
    subject = subject_of(network, **contract)
    images = 0.5 * np.random.default_rng(0).random((160, 3, SIDE, SIDE), dtype=np.float32)
    images += (
        0.4 * np.eye(LABELS, dtype=np.float32)[np.arange(160) % LABELS].repeat(SIDE // LABELS, 1)[:, None, :, None]
    )
    labels = subject.labels_in_use(images)
    probes = ProbeSet("noise", images[:96], labels[:96], images[96:], labels[96:], labels)
    return cast(Evidence, detector.run(subject, probes, budget or Budget(), torch.Generator().manual_seed(0)))


@pytest.mark.parametrize(
    ("detector", "network", "label"),
    [(PatternSearch(), striped, 3), (WarpSearch(), edgy, 6)],
    ids=["stripes", "warp"],
)
def test_a_planted_change_stands_out_from_those_of_a_clean_model(detector: Any, network: Any, label: int) -> None:
    budget = Budget(detector.cost(subject_of(network)))
    found, nothing = evidence_of(detector, network, budget), evidence_of(detector, clean)
    assert found.target_labels == (label,)
    assert found.success_rate is not None
    assert found.success_rate >= 0.5
    assert found.statistics["score"] > nothing.statistics["score"] + 0.5
    assert budget.spent == budget.foreseen >= detector.cost(subject_of(network))
    assert found.trigger is not None
    assert found.trigger.pattern.shape == (3, SIDE, SIDE)
    assert set(found.covers) == detector.covers


@pytest.mark.parametrize(
    ("budget", "contract", "why"),
    [
        (Budget(), {"labels": 9}, "too few"),
        (Budget(), {"labels": 51}, "51 labels are too many"),
        (Budget(), {"layout": "features"}, "no image"),
        (Budget(), {"width": 65}, "65x20 pixels"),
    ],
)
def test_what_was_not_looked_for_is_said_and_not_covered(budget: Budget, contract: dict[str, Any], why: str) -> None:
    evidence = evidence_of(PatternSearch(), clean, budget, **contract)
    assert evidence.covers == ()
    assert evidence.statistics == {}
    assert why in evidence.reason
    assert budget.spent == 0


@pytest.mark.parametrize(
    ("network", "affordable", "spent"),
    [(clean, 1000, 0), (striped, 26_000, surest_passes(LABELS))],  # the search alone takes 25,600
)
def test_what_there_is_no_time_for_was_not_run(network: Any, affordable: int, spent: int) -> None:
    budget = Budget(affordable=affordable)
    evidence = evidence_of(PatternSearch(), network, budget)
    assert evidence.not_run is not None
    assert f"there is time for {affordable:,}" in evidence.not_run
    assert set(evidence.covers) == PatternSearch.covers
    assert budget.spent == spent


def test_where_no_label_is_reached_that_is_said() -> None:
    """A model that gives every image the label 0, whatever is done to it."""
    constant = lambda images: 50 * torch.eye(LABELS)[0] + 0 * images.mean((1, 2, 3))[:, None]  # noqa: E731
    evidence = evidence_of(WarpSearch(), constant)
    assert "none leads to one label" in evidence.reason
    assert (evidence.target_labels, evidence.success_rate, evidence.trigger) == ((), 0.0, None)
    assert evidence.statistics["score"] == pytest.approx(0, abs=1e-6)


def test_margins_are_to_the_nearest_other_label() -> None:
    found = margins([1.0, math.e, math.e**3] + [50.0] * 7)
    assert found[:3].tolist() == pytest.approx([1.0, -1.0, -3.0])


def test_among_many_labels_a_margin_counts_more() -> None:
    """The smallest two of 43 lie closer together by nature."""
    assert margins([1.0, 2.0] + [9.0] * 41)[0] > 1.2 * margins([1.0, 2.0] + [9.0] * 8)[0]


@pytest.mark.parametrize(
    ("sizes", "statuses", "words"),
    [
        ([(1.0, 3.0), (2.0, 5.0)], "cc", "; the next label takes 2.5 times as much"),
        ([(1.0, 3.0), (2.0, 1.0)], "cc", ""),
        ([(1.0, 22.0), (2.0, 22.0)], "cn", "; no other label is reached"),
    ],
)
def test_the_next_label_is_told_as_it_was_found(sizes: list[tuple[float, float]], statuses: str, words: str) -> None:
    status = {"c": "converged", "n": "not_converged"}
    found = [
        [Found(label, {}, size, status[statuses[label]], 0.1, 0.9) for label, size in enumerate(pair)]  # type: ignore[arg-type]
        for pair in sizes
    ]
    assert next_one(found, 0) == words


def test_a_label_has_to_be_the_nearest_on_every_kind_of_images() -> None:
    here, there = [1.0, 4.0] + [9.0] * 8, [5.0, 2.0] + [9.0] * 8
    assert common_margins([here, there]).tolist() == [0.0] * 10
    assert common_margins([here, here])[0] == pytest.approx(math.log(4))
    assert common_margins([here, [3.0, 4.0] + [9.0] * 8])[0] == pytest.approx(math.log(4 / 3))


def test_a_pattern_is_not_searched_for_where_the_model_can_be_made_equally_sure_of_all_labels() -> None:
    budget = Budget(PatternSearch().cost(subject_of(clean)))
    evidence = evidence_of(PatternSearch(), clean, budget)
    assert budget.spent == budget.foreseen == surest_passes(LABELS)
    assert "far surer" in evidence.reason
    assert (evidence.target_labels, evidence.success_rate) == ((), None)
    assert set(evidence.covers) == PatternSearch.covers


def margins_of(network: Any) -> Tensor:
    return largest_margins(subject_of(network), torch.Generator().manual_seed(0), Budget())


def test_the_largest_margins_are_those_of_the_images_that_make_them() -> None:
    """A strip that is white, where all others are black: 60 nats for each label, reached as far as steps allow."""
    reached = margins_of(clean)
    assert 20 < float(reached.min()) <= float(reached.max()) <= 60


def test_the_model_can_be_made_surest_of_a_planted_label_whatever_the_scale_of_its_scores() -> None:
    ahead = stands_out(margins_of(striped))
    assert int(ahead.argmax()) == 3
    faint = stands_out(margins_of(lambda images: 1e-6 * striped(images)))
    assert faint.tolist() == pytest.approx(ahead.tolist(), abs=0.1)


@pytest.mark.parametrize("largest", [[-1.0] * LABELS, [0.0] * LABELS])
def test_no_label_stands_out_where_the_model_can_be_made_sure_of_none(largest: list[float]) -> None:
    assert stands_out(torch.tensor(largest)).tolist() == [0.0] * LABELS


def test_labels_out_of_reach_make_no_other_stand_out_beyond_bounds() -> None:
    assert stands_out(torch.tensor([5.0] + [-1.0] * (LABELS - 1)))[0] == pytest.approx(-math.log(UNSURE))


@pytest.mark.parametrize("no_number", [math.nan, math.inf])
def test_scores_that_are_no_numbers_stand_out_nowhere(no_number: float) -> None:
    nowhere = margins_of(lambda images: clean(images) + no_number)
    assert stands_out(nowhere).tolist() == [0.0] * LABELS


def test_a_pattern_has_to_stand_out_both_ways() -> None:
    assert both_ways(2.0, 0.5) == pytest.approx(1.0)
    assert both_ways(2.0, 0.0) == both_ways(2.0, NEXT_TO_NOTHING) < both_ways(0.5, 0.5) < both_ways(1.0, 0.5)
    assert both_ways(0.0, 0.0) == both_ways(-1.0, -1.0) == pytest.approx(NEXT_TO_NOTHING)


@pytest.mark.parametrize("size", [(1, 8, 8), (3, 9, 7), (13, 32, 32), (1, 1, 1)])
def test_a_chart_has_the_size_of_the_image(size: tuple[int, int, int]) -> None:
    made = chart(*size)
    assert made.shape == size
    assert 0 <= made.min() <= made.max() <= 1
