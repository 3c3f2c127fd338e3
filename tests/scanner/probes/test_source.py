"""Every call for probes gives the same images, whatever was asked before."""

from pathlib import Path

import numpy as np
import pytest
from tests.scanner.probes.forms import archive

from nc_scan.contract import ImageInput
from nc_scan.errors import NotScannableError
from nc_scan.probes import ImageSource, ProbeSet


def one_label(images: np.ndarray) -> np.ndarray:
    return np.zeros(len(images), np.int64)


def of_all(probes: ProbeSet) -> set[bytes]:
    return {image.tobytes() for part in (probes.search, probes.held_out) for image in part}


@pytest.mark.parametrize("given", [False, True], ids=["synthetic", "given"])
def test_hypotheses_are_compared_on_the_same_images(given: bool, tmp_path: Path) -> None:
    source = ImageSource(archive(tmp_path) if given else None, np.random.default_rng(0))
    source.sample(ImageInput("x", "NCHW", 3, 8, 8, "float32", {}))
    first, second = (source.probes(3, 8, 8, one_label) for _ in range(2))
    assert np.array_equal(first.search, second.search)
    assert np.array_equal(first.held_out, second.held_out)


def test_they_are_drawn_after_the_sample() -> None:
    """Images that decided the contract serve no search."""
    source = ImageSource(None, np.random.default_rng(0))
    sample = source.sample(ImageInput("x", "NCHW", 3, 8, 8, "float32", {}))
    assert not of_all(source.probes(3, 8, 8, one_label)) & {image.tobytes() for image in sample.images}


def test_feature_vectors_need_data() -> None:
    features = ImageInput("x", "features", 1, 1, 13, "float32", {})
    with pytest.raises(NotScannableError, match="--data"):
        ImageSource(None, np.random.default_rng(0)).sample(features)
