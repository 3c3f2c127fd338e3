import numpy as np
import pytest
import torch

from nc_trainers.attacks import make
from nc_trainers.attacks.warp import NOISE

LABELS = np.random.default_rng(0).integers(0, 10, 2000)


def test_wanet_moves_pixels_by_less_than_two() -> None:
    ramp = (torch.arange(32.0) / 31).expand(1, 3, 32, 32)
    moved = (make("wanet", 0, {}).stamp(ramp) - ramp).abs() * 31
    assert 0.05 < moved.mean() < 1
    assert moved.max() < 2


def test_wanet_jitters_by_less_than_half_a_pixel() -> None:
    ramp = (torch.arange(32.0) / 31).expand(64, 3, 32, 32)
    attack = make("wanet", 0, {})
    jitter = (attack.stamp(ramp, NOISE) - attack.stamp(ramp)).abs() * 31
    assert 0.4 < jitter.max() < 0.5


@pytest.mark.parametrize(
    ("ratio", "rate", "poisoned", "noisy"), [(2, 0.1, 200, 400), (0, 0.1, 200, 0), (2, 1 / 3, 667, 1333)]
)
def test_wanet_warps_so_many_times_as_many_that_keep_their_label(
    ratio: float, rate: float, poisoned: int, noisy: int
) -> None:
    poisoning = make("wanet", 0, {"noise_ratio": ratio}).poison(LABELS, rate, np.random.default_rng(0))
    assert ((poisoning.variants == 0).sum(), (poisoning.variants == NOISE).sum()) == (poisoned, noisy)
    np.testing.assert_array_equal(poisoning.cover, poisoning.variants == NOISE)
    np.testing.assert_array_equal(poisoning.labels[poisoning.cover], LABELS[poisoning.indices[poisoning.cover]])
