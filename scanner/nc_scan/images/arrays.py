"""Images, and feature vectors, in the array files of NumPy."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from nc_scan.errors import DataError
from nc_scan.images.array_labels import labels_of, names_labels
from nc_scan.images.memory import Size
from nc_scan.images.pictures import ENOUGH, Images, choose, fit
from nc_scan.results import FloatArray

ARRAY_SUFFIXES = (".npy", ".npz")
# What a file with wrong bytes somewhere makes NumPy and zipfile raise.
BROKEN = (OSError, ValueError, EOFError, MemoryError, RuntimeError, zipfile.BadZipFile, zlib.error, tokenize.TokenError)


def read_image_array(path: Path, size: Size, rng: np.random.Generator) -> Images:
    """A random part of the images in the first array of three or four axes, with the labels beside it in an `.npz`.

    Raises DataError as `nc_scan.images.files.read_images`.
    """
    arrays = _load(path)
    key = _first(arrays, (3, 4), path)
    images = _channels_last(arrays[key], path, size)
    labels = labels_of(arrays, key, path)
    if not len(images):
        raise DataError(f"{path} holds no images")
    chosen = choose(len(images), size, rng)
    return Images(_unit(images[chosen], path, size), None if labels is None else labels[chosen])


def read_features(path: Path, features: int, rng: np.random.Generator) -> Images:
    """Feature vectors of an `.npy` or `.npz` file, or a random part of them, each feature scaled to [0, 1].

    Raises DataError for any other file, and where the shape does not fit or a value is not finite.
    """
    if path.suffix not in ARRAY_SUFFIXES or not path.is_file():
        raise DataError(f"{path}: feature vectors are read from an .npy or .npz file")
    arrays = _load(path)
    array = arrays[_first(arrays, (2,), path)]
    if array.shape[1] != features or array.dtype.kind not in "fiu":
        raise DataError(f"{path} holds {array.dtype} of shape {array.shape}, the model needs numbers (N, {features})")
    values = array[rng.permutation(len(array))[:ENOUGH]].astype(np.float32)
    if not np.isfinite(values).all():
        raise DataError(f"{path} holds values that are not finite")
    low, high = values.min(0), values.max(0)
    span = np.where(high > low, high - low, np.float32(1))
    return Images(((values - low) / span).reshape(-1, 1, 1, features), limits=(low, high))


def _load(path: Path) -> dict[str, np.ndarray]:
    """The arrays of the file by name; the one of an `.npy` has none."""
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"": loaded}
        with loaded:
            return {key: np.asarray(loaded[key]) for key in loaded.files}
    except BROKEN as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{path} cannot be read: {reason}") from error


def _first(arrays: dict[str, np.ndarray], axes: tuple[int, ...], path: Path) -> str:
    """The name of the first array with so many axes that is not one of labels."""
    for key, array in arrays.items():
        if array.ndim in axes and not names_labels(key):
            return key
    shapes = ", ".join(str(array.shape) for array in arrays.values()) or "nothing"
    raise DataError(f"{path} holds no array of {' or '.join(map(str, axes))} axes, but {shapes}")


def _channels_last(array: np.ndarray, path: Path, size: Size) -> np.ndarray:
    """Images (N, H, W, C), whichever way round they lie."""
    channels, height, width = size
    if array.ndim == 3:
        array = array[..., None]
    if array.shape[1] == channels and array.shape[3] != channels:
        array = array.transpose(0, 2, 3, 1)
    if array.shape[3] != channels:
        raise DataError(
            f"{path} holds an array of shape {array.shape}, the model needs (N, {height}, {width}, {channels})"
        )
    return array


def _unit(images: np.ndarray, path: Path, size: Size) -> FloatArray:
    """Images (N, H, W, C) as float32 (N, channels, height, width) in [0, 1]."""
    channels, height, width = size
    if images.dtype.kind == "f":
        if not (np.isfinite(images).all() and images.min(initial=0) >= 0 and images.max(initial=0) <= 1):
            raise DataError(f"{path} holds floats outside [0, 1]: give uint8, or floats in [0, 1]")
        if images.shape[1:3] == (height, width):
            return np.ascontiguousarray(images.transpose(0, 3, 1, 2), np.float32)
        images = (images * 255).round().astype(np.uint8)
    if images.dtype != np.uint8:
        raise DataError(f"{path} holds {images.dtype}: give uint8, or floats in [0, 1]")
    return np.stack([fit(Image.fromarray(image.squeeze(-1) if channels == 1 else image), size) for image in images])
