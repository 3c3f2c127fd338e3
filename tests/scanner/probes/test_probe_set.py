"""Probes are balanced over the predicted labels and split without overlap."""

import numpy as np
import pytest

from nc_scan.errors import DataError
from nc_scan.probes.probe_set import HELD_OUT, SEARCH, synthetic_probes, user_probes


def by_brightness(images: np.ndarray) -> np.ndarray:
    """Three labels, of which the last is rare."""
    return np.digitize(images.mean((1, 2, 3)), [0.5, 0.72])


def test_a_rare_label_is_kept_whole_and_a_frequent_one_thinned_out() -> None:
    probes = synthetic_probes(3, 16, 16, by_brightness, np.random.default_rng(0))
    counts = np.bincount(np.concatenate([probes.search_labels, probes.held_out_labels]), minlength=3)
    assert len(probes.search) == SEARCH
    assert len(probes.held_out) == HELD_OUT
    assert counts[2] > 0
    assert abs(int(counts[0]) - int(counts[1])) <= 1
    assert np.array_equal(by_brightness(probes.search), probes.search_labels)


def test_search_and_replay_share_no_image() -> None:
    probes = synthetic_probes(1, 8, 8, by_brightness, np.random.default_rng(0))
    searched = {image.tobytes() for image in probes.search}
    assert not any(image.tobytes() in searched for image in probes.held_out)


def test_few_images_are_split_in_half_and_too_few_refused() -> None:
    images = np.random.default_rng(0).random((40, 1, 4, 4), dtype=np.float32)
    probes = user_probes("here", images, by_brightness, np.random.default_rng(0))
    assert (len(probes.search), len(probes.held_out)) == (20, 20)
    with pytest.raises(DataError, match="at least 16"):
        user_probes("here", images[:15], by_brightness, np.random.default_rng(0))
