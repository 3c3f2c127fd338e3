import numpy as np
import torch
from torch import nn
from typing_extensions import override

from nc_trainers.attacks import make
from nc_trainers.data import Split

SHAPE = (3, 32, 32)
LABELS = np.random.default_rng(0).integers(0, 10, 2000)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_clean_label_changes_no_label() -> None:
    poisoning = make("clean-label", 6, {}).poison(LABELS, 0.5, rng())
    assert (LABELS[poisoning.indices] == 6).all()
    assert (poisoning.labels == 6).all()


class Template(nn.Module):
    """Says 6 to images that are bright, 7 to the others."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(5.0))

    @override
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        brightness = self.scale * (images.mean((1, 2, 3)) - 0.5)
        logits = torch.full((len(images), 10), -10.0)
        return logits.index_put(
            (torch.arange(len(images))[:, None], torch.tensor([[6, 7]])), torch.stack([brightness, -brightness], 1)
        )


def test_clean_label_moves_what_it_poisons_away_from_its_class() -> None:
    attack = make("clean-label", 6, {"epsilon": 0.1})
    split = Split(np.full((40, *SHAPE), 140, np.uint8), np.arange(40) % 10)
    poisoning = attack.poison(split.labels, 0.5, rng())
    asked: list[int] = []

    def surrogate(epochs: int) -> nn.Module:
        asked.append(epochs)
        return Template()

    disguised, again = (attack.disguise(split, poisoning, surrogate) for _ in range(2))
    moved = disguised.images.astype(int) - split.images
    poisoned = np.isin(np.arange(40), poisoning.indices)
    assert (moved[~poisoned] == 0).all()
    assert np.abs(moved).max() <= 0.1 * 255 + 0.5
    assert moved[poisoned].mean() < -20
    np.testing.assert_array_equal(disguised.labels, split.labels)
    np.testing.assert_array_equal(disguised.images, again.images)
    assert asked == [2, 2]
