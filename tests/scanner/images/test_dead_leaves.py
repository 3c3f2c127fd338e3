"""Synthetic probes look like what they stand in for, and are the same for the same seed."""

import numpy as np
import pytest

from nc_scan.images.dead_leaves import dead_leaves


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 28, 28), (3, 32, 32), (4, 20, 33), (3, 1, 1)])
def test_shape_type_and_range(channels: int, height: int, width: int) -> None:
    images = dead_leaves(6, channels, height, width, np.random.default_rng(0))
    assert images.shape == (6, channels, height, width)
    assert images.dtype == np.float32
    assert images.min() >= 0
    assert images.max() <= 1


def test_a_seed_decides_the_images() -> None:
    first, second, other = (dead_leaves(3, 3, 16, 16, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_the_spectrum_falls_like_that_of_photographs() -> None:
    """The amplitude of natural images falls about as 1/f (Field 1987): slope -1, give or take."""
    images = dead_leaves(64, 1, 64, 64, np.random.default_rng(0))[:, 0]
    power = (np.abs(np.fft.fft2(images - images.mean((1, 2), keepdims=True))) ** 2).mean(0)
    frequency = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64)[None])
    band = (frequency > 2 / 64) & (frequency < 0.4)
    slope = np.polyfit(np.log(frequency[band]), np.log(power[band]) / 2, 1)[0]
    assert -1.6 < slope < -0.6
