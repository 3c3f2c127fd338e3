"""What a model recognises: many labels, given with certainty, and the same ones to copies of the images."""

from dataclasses import replace

import numpy as np
import pytest

from nc_scan.images.disturbed import disturbed
from nc_scan.images.synthetic import KINDS
from nc_scan.probes.recognition import (
    consistency,
    enough_for_clean,
    probabilities,
    recognise,
    recognised_first,
    shared_information,
)
from nc_scan.results import FloatArray, Recognition

CHANCE = 0.02


def one_hot(labels: np.ndarray, count: int = 4) -> np.ndarray:
    return np.eye(count)[labels]


@pytest.mark.parametrize(
    ("first", "second", "nats"),
    [
        (one_hot(np.arange(400) % 4), one_hot(np.arange(400) % 4), np.log(4)),
        (
            one_hot(np.arange(400) % 4),
            one_hot((np.arange(400) + 1) % 4),
            np.log(4),
        ),
        (one_hot(np.arange(400) % 4), one_hot(np.arange(400) // 4 % 4), 0.0),  # independent
        (one_hot(np.zeros(400, int)), one_hot(np.zeros(400, int)), 0.0),
        (np.full((400, 4), 0.25), np.full((400, 4), 0.25), 0.0),
        # p = (0.9, 0.1) for half of the images, (0.1, 0.9) for the others: the joint shares are 0.41, 0.09, 0.09, 0.41
        (
            np.array([[0.9, 0.1], [0.1, 0.9]] * 200),
            np.array([[0.9, 0.1], [0.1, 0.9]] * 200),
            0.82 * np.log(0.82 * 2) + 0.18 * np.log(0.18 * 2),
        ),
    ],
)
def test_shared_information(first: np.ndarray, second: np.ndarray, nats: float) -> None:
    assert shared_information(first, second) == pytest.approx(nats, abs=CHANCE)


CONSISTENT = {
    "the same answers": ([0, 1, 2, 3], [0, 1, 2, 3], 4, 1.0),
    "two of four labels, told apart without error": ([0, 0, 1, 1], [0, 0, 1, 1], 4, 0.5),
    "one label for everything": ([0, 0, 0, 0], [0, 0, 0, 0], 4, 0.0),
    "each other": ([0, 0, 1, 1], [1, 1, 0, 0], 2, -1.0),
    "no better than chance": ([0, 0, 1, 1], [0, 1, 0, 1], 2, 0.0),
    "a label that the copies alone have": ([0, 0, 1, 1], [0, 2, 1, 1], 3, 0.5),
}


@pytest.mark.parametrize("case", CONSISTENT)
def test_every_label_counts_alike(case: str) -> None:
    first, second, labels, expected = CONSISTENT[case]
    many = [np.repeat(answers, 1000) for answers in (first, second)]
    assert consistency(*many, labels) == pytest.approx(expected, rel=0.01)


def test_a_label_that_few_images_have_says_little() -> None:
    first = np.array([1] + [0] * 99)
    assert consistency(first, first, 2) == pytest.approx((1 / 9 + 99 / 107) / 2)


def test_unrelated_answers_share_nothing_however_many_the_labels() -> None:
    labels = np.random.default_rng(0).integers(0, 1000, (2, 64))
    assert shared_information(one_hot(labels[0], 1000), one_hot(labels[1], 1000)) == pytest.approx(0, abs=0.1)


def test_probabilities_of_large_logits() -> None:
    found = probabilities(np.array([[1e4, 1e4 + np.log(3)], [0, -1e4]], np.float32))
    np.testing.assert_allclose(found, [[0.25, 0.75], [1, 0]], atol=1e-3)


def test_copies_show_the_same_thing_and_stay_images() -> None:
    images = KINDS["bright strokes"](50, 1, 28, 28, np.random.default_rng(0))
    copies = disturbed(images, np.random.default_rng(0))
    assert (copies.shape, copies.dtype) == (images.shape, np.float32)
    assert copies.min() >= 0
    assert copies.max() <= 1
    flat, other = ((x - x.mean((1, 2, 3), keepdims=True)).reshape(50, -1) for x in (images, copies))
    own = (flat * other).sum(1) / np.linalg.norm(flat, axis=1) / np.linalg.norm(other, axis=1)
    anothers = (flat * np.roll(other, 1, 0)).sum(1) / np.linalg.norm(flat, axis=1) / np.linalg.norm(other, axis=1)
    assert np.median(own) > 0.3 + np.median(anothers)


def by_ink(images: FloatArray) -> FloatArray:
    """A model of strokes: five labels by how much ink there is, certain of it; of what is bright all over one label."""
    ink = images.mean((1, 2, 3)) / 0.03
    return np.asarray(-20 * abs(ink[:, None] - np.arange(5)), np.float32)


def test_a_model_of_strokes_is_shown_strokes() -> None:
    kinds = {name: paint(200, 1, 28, 28, np.random.default_rng(0)) for name, paint in KINDS.items()}
    found = recognised_first([recognise(name, images, by_ink) for name, images in kinds.items()], channels=1)
    assert found[0].kind == "bright strokes"
    assert enough_for_clean(found[0], 5)
    paper = next(one for one in found if one.kind == "dark strokes")
    assert (paper.labels, paper.most_frequent, paper.images) == (1, 1.0, 200)
    assert paper.information == pytest.approx(0, abs=1e-6)
    assert not enough_for_clean(paper, 5)


LEAVES = Recognition("dead leaves", 256, 0.3, 0.5, 0.3, 4, consistency=0.1)
STROKES, SIGNS = replace(LEAVES, kind="strokes", consistency=0.3), replace(LEAVES, kind="signs", consistency=0.2)
FEW = replace(LEAVES, information=0.1)
NO_LEAVES = replace(LEAVES, information=0.01)


@pytest.mark.parametrize(
    ("found", "channels", "order"),
    [
        ((LEAVES, SIGNS, STROKES), 1, ["strokes", "signs", "dead leaves"]),
        ((LEAVES, SIGNS, STROKES), 3, ["dead leaves", "strokes", "signs"]),
        ((NO_LEAVES, SIGNS, STROKES), 3, ["strokes", "signs", "dead leaves"]),
        ((LEAVES,), 3, ["dead leaves"]),
        ((LEAVES, replace(STROKES, most_frequent=0.95)), 1, ["dead leaves", "strokes"]),
    ],
)
def test_colour_models_are_shown_photographs_unless_these_tell_them_nothing(
    found: tuple[Recognition, ...], channels: int, order: list[str]
) -> None:
    assert [one.kind for one in recognised_first(found, channels)] == order


@pytest.mark.parametrize(
    ("changes", "labels", "enough"),
    [
        ({}, 10, True),
        ({"information": 0.01}, 10, False),
        ({"information": 0.03}, 10, True),
        ({"most_frequent": 0.95}, 10, False),
        ({}, 2, False),  # two labels could share 0.69 nats
        ({"information": 0.2}, 2, True),
        ({"information": 0.2}, 3, False),
    ],
)
def test_what_tells_too_little(changes: dict[str, float], labels: int, enough: bool) -> None:
    assert enough_for_clean(replace(FEW, **changes), labels) is enough
