"""How much is searched for, by how many labels there are and how large the images are."""

import pytest

from nc_scan.detectors.patch.settings import ADAPTIVE
from nc_scan.detectors.patch.smallest import foreseen_passes


@pytest.mark.parametrize(
    ("labels", "side", "lightly"), [(1000, 224, True), (1000, 64, False), (10, 224, False), (49, 97, True)]
)
def test_many_labels_on_large_images_are_searched_lightly(labels: int, side: int, lightly: bool) -> None:
    size = (3, side, side)
    planned = ADAPTIVE.for_images(labels, size)
    assert (planned != ADAPTIVE) == lightly
    assert planned.for_images(labels, size) == planned
    if lightly:
        assert foreseen_passes(planned, labels, size) < 0.6 * foreseen_passes(ADAPTIVE, labels, size)
