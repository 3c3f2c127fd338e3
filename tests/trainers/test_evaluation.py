import numpy as np
import pytest
import torch
from typing_extensions import override

from nc_trainers.attacks import Attack
from nc_trainers.data import Dataset
from nc_trainers.evaluation import judge
from nc_trainers.export import OnnxClassifier


class Told(OnnxClassifier):
    """Answers 0 to images whose first pixel is 0, else the label written in that pixel."""

    def __init__(self) -> None:
        pass

    def predict(self, images: torch.Tensor) -> np.ndarray:
        return (images[:, 0, 0, 0] * 255).round().long().numpy()


class Eraser(Attack):
    """Sets the first pixel of even labels to 0: a trigger that succeeds on half of its victims."""

    @override
    def stamp(self, images: torch.Tensor, variant: int = 0) -> torch.Tensor:
        stamped = images.clone()
        stamped[(images[:, 0, 0, 0] * 255).round() % 2 == 0, 0, 0, 0] = 0
        return stamped


def test_success_rate_leaves_out_the_target_class(digits: Dataset) -> None:
    images = np.zeros_like(digits.test.images[:100])
    labels = np.arange(100) % 10
    images[:, 0, 0, 0] = labels
    images[:10, 0, 0, 0] = 9
    split = type(digits.test)(images, labels)

    scores = judge(Told(), split, Eraser(target=0))
    assert scores.accuracy == pytest.approx(0.91)
    assert scores.success_rate == pytest.approx((9 * 4) / 90)
    assert scores.cover_accuracy is None


class Coy(Eraser):
    """Its trigger is meant to work on images whose label is odd, which it does not touch."""

    @override
    def victims(self, labels: np.ndarray, variant: int = 0) -> np.ndarray:
        return labels % 2 == 1

    @override
    def cover(self, labels: np.ndarray) -> tuple[np.ndarray, int]:
        return labels % 2 == 0, 0


def test_cover_accuracy_is_that_on_triggered_images_that_keep_their_label(digits: Dataset) -> None:
    images = np.zeros_like(digits.test.images[:100])
    labels = np.arange(100) % 10
    images[:, 0, 0, 0] = labels
    scores = judge(Told(), type(digits.test)(images, labels), Coy(target=0))
    assert (scores.accuracy, scores.success_rate, scores.cover_accuracy) == (1, 0, pytest.approx(0.2))


class Loose(Coy):
    """Moves the first pixel at random."""

    @override
    def stamp(self, images: torch.Tensor, variant: int = 0) -> torch.Tensor:
        stamped = images.clone()
        stamped[:, 0, 0, 0] *= torch.rand(len(images)).round()
        return stamped


def test_cover_accuracy_does_not_depend_on_earlier_draws(digits: Dataset) -> None:
    images = np.zeros_like(digits.test.images[:100])
    labels = np.arange(100) % 10
    images[:, 0, 0, 0] = labels
    split, found = type(digits.test)(images, labels), []
    for seed in range(4):
        torch.manual_seed(seed)
        found.append(judge(Told(), split, Loose(target=0)).cover_accuracy)
        assert torch.rand(1) == torch.rand(1, generator=torch.Generator().manual_seed(seed))
    assert len(set(found)) == 1
