"""One patch that moves every label to the next: found where it is planted, told from what fools a clean model."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from nc_scan.detectors.all_to_all import AllToAll, destinations, favourite, in_words, score
from nc_scan.detectors.untargeted import information, transitions
from nc_scan.probes import ProbeSet
from nc_scan.results import Evidence
from nc_scan.search import Budget
from nc_scan.triggers import UNCHANGED

LABELS, SIDE, PATCH = 10, 20, 3
ROWS, COLUMNS = 2, 5  # of parts of the image, one a label


def clean(images: Tensor) -> Tensor:
    """The brightest of the parts is the label."""
    return 40 * torch.nn.functional.adaptive_avg_pool2d(images.mean(1, keepdim=True), (ROWS, COLUMNS)).flatten(1)


def planted(images: Tensor) -> Tensor:
    """A white 3x3 square in the middle moves every label to the next."""
    middle = slice(SIDE // 2 - 1, SIDE // 2 - 1 + PATCH)
    lit = (images[:, :, middle, middle].mean((1, 2, 3)) ** 3)[:, None]
    scores = clean(images)
    return (1 - lit) * scores + lit * 3 * scores.roll(1, 1)


def probes(count: int, seed: int) -> np.ndarray:
    """Dark noise with one brighter part."""
    generator = torch.Generator().manual_seed(seed)
    bright = torch.eye(LABELS)[torch.randint(LABELS, (count,), generator=generator)].reshape(count, 1, ROWS, COLUMNS)
    noise = torch.rand(count, 1, SIDE, SIDE, generator=generator)
    parts = bright.repeat_interleave(SIDE // ROWS, 2).repeat_interleave(SIDE // COLUMNS, 3)
    return np.asarray(0.3 * noise + 0.3 * parts)


def evidence_of(scores: Any, **contract: Any) -> Evidence:
    def deployed(images: np.ndarray) -> np.ndarray:
        return np.asarray(scores(torch.from_numpy(images)).argmax(1))

    image = {"height": SIDE, "width": SIDE, "pixels": SIDE * SIDE, "size": (1, SIDE, SIDE), "layout": "NCHW"}
    like = SimpleNamespace(**{"labels": LABELS, **image, **contract})
    subject = SimpleNamespace(
        scores=scores, affine=UNCHANGED, device=torch.device("cpu"), contract=like, deployed_labels=deployed
    )
    search, held_out = probes(96, 1), probes(64, 2)
    labels = deployed(search), deployed(held_out)
    images = ProbeSet("noise", search, labels[0], held_out, labels[1], labels[0])
    detector, budget = AllToAll(), Budget()
    found = detector.run(cast(Any, subject), images, budget, torch.Generator().manual_seed(0))
    assert budget.spent == detector.cost(cast(Any, subject))
    return found


def test_a_planted_one_is_found_and_a_clean_model_has_none() -> None:
    found, nothing = evidence_of(planted), evidence_of(clean)
    assert len(found.target_labels) >= LABELS - 2
    to_the_next = {f"{label} to {(label + 1) % LABELS}" for label in range(LABELS)}
    assert set(found.reason.split(": ")[1].split(", ")) <= to_the_next
    assert found.statistics["norm"] <= PATCH**2
    assert found.trigger is not None
    assert found.trigger.mask.sum() == pytest.approx(found.statistics["norm"], rel=1e-4)
    assert found.statistics["score"] > nothing.statistics["score"] + 2


@pytest.mark.parametrize("contract", [{"labels": 9}, {"labels": 51}, {"width": 65}, {"layout": "features"}])
def test_what_there_are_no_clean_models_to_judge_by_is_not_looked_for(contract: dict[str, Any]) -> None:
    evidence = evidence_of(planted, **contract)
    assert "not looked for" in evidence.reason
    assert (evidence.covers, evidence.statistics) == ((), {})


COUNTS = {
    "every label to the next": (np.roll(np.eye(4, dtype=np.int64) * 9, 1, 1), {0: 1, 1: 2, 2: 3, 3: 0}),
    "all to one": (np.array([[9, 0, 0, 0]] * 4), {1: 0, 2: 0, 3: 0}),
    "nothing moves": (np.eye(4, dtype=np.int64) * 9, {}),
    "too few of a label": (np.array([[0, 3], [9, 0]]), {1: 0}),
    "no majority": (np.array([[4, 5, 3], [0, 9, 0], [0, 0, 9]]), {}),
}


@pytest.mark.parametrize("case", COUNTS)
def test_where_images_go(case: str) -> None:
    counts, goes_to = COUNTS[case]
    assert destinations(counts) == goes_to


@pytest.mark.parametrize(
    ("counts", "nats"),
    [
        (np.roll(np.eye(4, dtype=np.int64) * 1000, 1, 1), math.log(4) - 9 / 8000),
        (np.array([[9, 0, 0, 0]] * 4), 0.0),
        (np.array([[2, 2], [2, 2]]), 0.0),
        (np.zeros((3, 3), np.int64), 0.0),
    ],
    ids=["every label to the next", "all to one", "independent", "none"],
)
def test_the_information_that_is_kept(counts: np.ndarray, nats: float) -> None:
    assert information(counts) == pytest.approx(nats, abs=1e-6)


def test_of_independent_labels_little_is_left_by_chance() -> None:
    rng = np.random.default_rng(0)
    found = [information(transitions(rng.integers(0, 10, 250), rng.integers(0, 10, 250), 10)) for _ in range(20)]
    assert np.mean(found) < 0.05


def test_transitions_are_counted() -> None:
    counts = transitions(np.array([0, 0, 1, 2]), np.array([1, 1, 1, 0]), 3)
    assert counts.tolist() == [[0, 2, 0], [0, 1, 0], [1, 0, 0]]


def test_a_smaller_patch_and_more_information_score_higher() -> None:
    assert score(1.0, 10.0, 784) == pytest.approx(math.log(78.4))
    assert score(1.0, 20.0, 784) == pytest.approx(math.log(39.2))
    assert score(0.5, 10.0, 784) == pytest.approx(math.log(39.2))
    assert math.isfinite(score(0.0, 0.0, 784))


def test_a_map_of_many_labels_is_cut() -> None:
    assert in_words(2.84, 784, 0.95, {n: n + 1 for n in range(12)}).endswith("9 to 10, ...")
    assert in_words(2.84, 784, 0.95, {}).endswith("2.8 of 784 pixels, moves 95% of the images")
    assert in_words(2.84, 784, 0.95, {1: 5, 2: 5}, 5).endswith("moves 95% of the images, most of them to label 5")


@pytest.mark.parametrize(
    ("counts", "label"),
    [([[0, 9, 0], [0, 0, 9], [9, 0, 0]], None), ([[0, 0], [5, 0]], 0), ([[0, 3, 0], [9, 0, 9], [0, 4, 0]], None)],
)
def test_most_images_go_to_one_label_or_to_none(counts: list[list[int]], label: int | None) -> None:
    assert favourite(np.array(counts)) == label
