"""The labels in an archive: found by name, then by being the only ones, and refused where they cannot be labels."""

from pathlib import Path

import numpy as np
import pytest

from nc_scan.errors import DataError
from nc_scan.images.array_labels import labels_of

LABELS = np.arange(20) % 3
IMAGES = np.zeros((20, 8, 8), np.uint8)
OTHERS = np.arange(20)

FOUND = {
    "labels": {"images": IMAGES, "labels": LABELS},
    "labels after an index": {"index": OTHERS, "images": IMAGES, "labels": LABELS},
    "y": {"i": OTHERS, "X": IMAGES, "y": LABELS},
    "target": {"i": OTHERS, "data": IMAGES, "target": LABELS},
    "class": {"i": OTHERS, "data": IMAGES, "class": LABELS},
    "of the same split": {"y_train": OTHERS, "y_test": LABELS, "x_test": IMAGES, "x_train": IMAGES},
    "of the same split, in words": {"train_labels": OTHERS, "test_labels": LABELS, "test_images": IMAGES},
    "of another length in the other split": {"y_train": OTHERS[1:], "y_test": LABELS, "x_test": IMAGES},
    "only one as long": {"y_train": OTHERS[1:], "y_val": LABELS, "images": IMAGES},
    "beside the names of the classes": {"classes": np.array(["a", "b", "c"]), "images": IMAGES, "labels": LABELS},
    "unnamed": {"arr_0": IMAGES, "arr_1": LABELS},
    "unnamed column": {"arr_0": IMAGES, "arr_1": LABELS[:, None]},
    "column": {"images": IMAGES, "labels": LABELS[:, None].astype(np.uint8)},
    "whole floats": {"images": IMAGES, "labels": LABELS.astype(np.float32)},
}

NONE = {
    "nothing else": {"images": IMAGES},
    "two unnamed": {"images": IMAGES, "a": LABELS, "b": OTHERS},
    "unnamed negative": {"images": IMAGES, "offset": LABELS - 1},
    "unnamed floats": {"images": IMAGES, "weight": LABELS.astype(np.float64)},
    "unnamed of another length": {"images": IMAGES, "a": LABELS[1:]},
    "names of the classes": {"images": IMAGES, "classes": np.array(["a", "b", "c"])},
    "labels of the other split": {"x_test": IMAGES, "y_train": LABELS[1:]},
}

REFUSED = {
    "negative": {"images": IMAGES, "labels": LABELS - 1},
    "not whole": {"images": IMAGES, "labels": LABELS + 0.5},
    "not a number": {"images": IMAGES, "labels": np.where(LABELS == 1, np.nan, LABELS)},
    "too large": {"images": IMAGES, "labels": np.full(20, 1e300)},
    "text": {"images": IMAGES, "labels": LABELS.astype(str)},
    "one hot": {"images": IMAGES, "labels": np.eye(3)[LABELS]},
    "another length": {"images": IMAGES, "labels": LABELS[1:]},
    "several": {"images": IMAGES, "fine_labels": LABELS, "coarse_labels": OTHERS},
}


def labels_in(arrays: dict[str, np.ndarray]) -> np.ndarray | None:
    return labels_of(arrays, next(key for key, value in arrays.items() if value is IMAGES), Path("a.npz"))


@pytest.mark.parametrize("case", FOUND)
def test_found(case: str) -> None:
    labels = labels_in(FOUND[case])
    assert labels is not None
    assert labels.dtype == np.int64
    assert labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize("case", NONE)
def test_none(case: str) -> None:
    assert labels_in(NONE[case]) is None


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    with pytest.raises(DataError, match=r"^a\.npz.*labels") as caught:
        labels_in(REFUSED[case])
    assert "\n" not in str(caught.value)
