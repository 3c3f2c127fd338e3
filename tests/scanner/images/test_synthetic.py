"""Synthetic images look like what they stand in for, in every size, and are the same for the same seed."""

import numpy as np
import pytest

from nc_scan.images.dead_leaves import dead_leaves
from nc_scan.images.fields import soft_blobs
from nc_scan.images.signs import signs
from nc_scan.images.strokes import bright_strokes, dark_strokes
from nc_scan.images.synthetic import KINDS, Paint

every_kind = pytest.mark.parametrize("paint", KINDS.values(), ids=KINDS)


@every_kind
@pytest.mark.parametrize(
    ("channels", "height", "width"), [(1, 28, 28), (3, 32, 32), (4, 20, 33), (13, 48, 9), (3, 1, 1)]
)
def test_shape_type_and_range(paint: Paint, channels: int, height: int, width: int) -> None:
    images = paint(6, channels, height, width, np.random.default_rng(0))
    assert images.shape == (6, channels, height, width)
    assert images.dtype == np.float32
    assert images.min() >= 0
    assert images.max() <= 1


@every_kind
def test_a_seed_decides_the_images(paint: Paint) -> None:
    first, second, other = (paint(3, 3, 16, 16, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


@every_kind
def test_no_two_images_are_alike(paint: Paint) -> None:
    images = paint(20, 1, 16, 16, np.random.default_rng(0))
    assert len({image.tobytes() for image in images}) == 20


@pytest.mark.parametrize("paint", [dead_leaves, dark_strokes, signs, soft_blobs])
def test_grey_levels_do_not_depend_on_the_number_of_channels(paint: Paint) -> None:
    grey, colour = (paint(200, channels, 16, 16, np.random.default_rng(0)).mean() for channels in (1, 3))
    assert grey == pytest.approx(colour, abs=0.05)


def test_the_spectrum_falls_like_that_of_photographs() -> None:
    """The amplitude of natural images falls about as 1/f (Field 1987): slope -1, give or take."""
    images = dead_leaves(64, 1, 64, 64, np.random.default_rng(0))[:, 0]
    power = (np.abs(np.fft.fft2(images - images.mean((1, 2), keepdims=True))) ** 2).mean(0)
    frequency = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64)[None])
    band = (frequency > 2 / 64) & (frequency < 0.4)
    slope = np.polyfit(np.log(frequency[band]), np.log(power[band]) / 2, 1)[0]
    assert -1.6 < slope < -0.6


@pytest.mark.parametrize(("paint", "paper"), [(bright_strokes, 0.0), (dark_strokes, 0.8)])
def test_strokes_leave_most_of_the_paper_and_all_of_its_edge_free(paint: Paint, paper: float) -> None:
    images = paint(100, 1, 28, 28, np.random.default_rng(0))
    edge = np.concatenate([images[..., 0], images[..., -1]])
    inked = (abs(images - paper) > 0.4).mean((1, 2, 3))
    assert abs(edge - paper).max() < 0.3
    assert 0.05 < inked.mean() < 0.3


def test_long_images_hold_several_characters() -> None:
    columns = bright_strokes(50, 1, 16, 96, np.random.default_rng(0)).max((1, 2)) > 0.3
    characters = (np.diff(columns.astype(int), axis=1) == 1).sum(1)
    assert set(characters.tolist()) >= {1, 3, 5}


def test_blobs_have_no_edges() -> None:
    blobs, leaves = (paint(50, 1, 64, 64, np.random.default_rng(0)) for paint in (soft_blobs, dead_leaves))
    steepest = [np.abs(np.diff(images, axis=-1)).max((1, 2, 3)).mean() for images in (blobs, leaves)]
    assert steepest[0] < 0.25 * steepest[1]
