"""Which array of an `.npz` holds the labels of the images in another one."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nc_scan.errors import DataError

LABEL_WORDS = {"label", "labels", "y", "target", "targets", "class", "classes"}
IMAGE_WORDS = {"x", "image", "images", "img", "imgs", "data", "pixels"}

Arrays = dict[str, np.ndarray]


def names_labels(key: str) -> bool:
    """Whether the name of an array says that it holds labels, such as `labels`, `y_train` and `test_labels`."""
    return bool(_words(key) & LABEL_WORDS)


def labels_of(arrays: Arrays, images: str, path: Path) -> NDArray[np.int64] | None:
    """Labels (N,) >= 0 of the N images in the array of that name: those whose own name says so (of several the one
    that goes with the images', as `y_test` with `x_test`), else the only array of whole numbers as long.

    Raises DataError where what is named labels is not one whole number an image from 0 on, or several arrays may be
    meant.
    """
    count = len(arrays[images])
    named = _named(arrays, images)
    if len(named) > 1:
        raise DataError(f"{path} holds several arrays of labels of {images}: {', '.join(named)}")
    if named:
        labels = arrays[named[0]]
        if not _are_labels(labels, count):
            raise DataError(
                f"{path}: {named[0]}, {labels.dtype} of shape {labels.shape}, is not one whole number from 0 on for "
                f"each of the {count} images"
            )
        return labels.reshape(-1).astype(np.int64)
    unnamed = [a for key, a in arrays.items() if not names_labels(key) and a.dtype.kind in "iu"]
    possible = [array for array in unnamed if _are_labels(array, count)]
    return possible[0].reshape(-1).astype(np.int64) if len(possible) == 1 else None


def _named(arrays: Arrays, images: str) -> list[str]:
    """The names that say labels, of arrays as long as the images; or, if none is, that go with the images' name."""
    named = [key for key in arrays if names_labels(key) and arrays[key].ndim]
    mates = [key for key in named if _words(key) - LABEL_WORDS == _words(images) - IMAGE_WORDS]
    as_long = [key for key in named if len(arrays[key]) == len(arrays[images])]
    return [key for key in as_long if key in mates] or as_long or [key for key in mates if _is_numeric(arrays[key])]


def _words(key: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", key.lower()))


def _is_numeric(array: np.ndarray) -> bool:
    return array.dtype.kind in "biuf"  # names of the classes are text


def _are_labels(array: np.ndarray, count: int) -> bool:
    if array.shape not in ((count,), (count, 1)) or not _is_numeric(array):
        return False
    return bool(((array >= 0) & (array < 2**31) & (array == np.floor(array))).all())
