"""The labels of a table: all of them, or none."""

from pathlib import Path

import numpy as np
import pytest
from tests.scanner.images.forms import PIXELS, as_pixels, parquet

from nc_scan.images.files import read_images

KNOWN = [index % 3 for index in range(len(PIXELS))]


@pytest.mark.parametrize(
    ("labels", "kept"),
    [(KNOWN, True), ([None, *KNOWN[1:]], False), ([-1, *KNOWN[1:]], False), ([-1] * len(KNOWN), False)],
    ids=["all", "one is null", "one is -1", "all are -1"],
)
def test_labels(labels: list[int | None], kept: bool, tmp_path: Path) -> None:
    images = read_images(parquet(tmp_path, labels), 3, 8, 8, np.random.default_rng(0))
    if not kept:
        assert images.labels is None
        return
    assert images.labels is not None
    of_image = {pixels.tobytes(): label for pixels, label in zip(PIXELS, labels, strict=True)}
    assert [of_image[pixels.tobytes()] for pixels in as_pixels(images.values)] == images.labels.tolist()
