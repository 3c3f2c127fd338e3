"""The class of an image is the sub-folder that it lies in, and never the split."""

from pathlib import Path

import numpy as np
import pytest
from tests.scanner.images.forms import PIXELS, as_pixels, content, written

from nc_scan.images.files import read_images

CASES = {
    "classes": (["cat/0", "dog/1", "cat/2"], [0, 1, 0]),
    "classes with folders in them": (["cat/a/0", "dog/b/1", "cat/c/2"], [0, 1, 0]),
    "classes in splits": (["train/cat/0", "train/dog/1", "test/cat/2"], [0, 1, 0]),
    "classes in one split": (["Validation/cat/0", "Validation/dog/1"], [0, 1]),
    "another number of classes in each split": (["train/a/0", "train/b/1", "val/c/2"], [0, 1, 2]),
    "a class named like a split": (["train/0", "tram/1"], [0, 1]),
    "images directly in splits": (["train/0", "test/1"], None),
    "images directly in one of the splits": (["train/cat/0", "train/dog/1", "test/2"], None),
    "an image beside the splits": (["train/cat/0", "train/dog/1", "2"], None),
    "an image beside the classes": (["cat/0", "dog/1", "2"], None),
    "one class": (["cat/0", "cat/1"], None),
}


@pytest.mark.parametrize("case", CASES)
def test_labels(case: str, tmp_path: Path) -> None:
    files, labels = CASES[case]
    for pixels, file in zip(PIXELS, files, strict=False):
        written(tmp_path / f"{file}.png", content(pixels))
    images = read_images(tmp_path, 3, 8, 8, np.random.default_rng(0))
    if labels is None:
        assert images.labels is None
        return
    assert images.labels is not None
    assert images.labels.dtype == np.int64
    of_image = {pixels.tobytes(): label for pixels, label in zip(PIXELS, labels, strict=False)}
    assert [of_image[pixels.tobytes()] for pixels in as_pixels(images.values)] == images.labels.tolist()
