"""The user's own images: a folder, an array file or a parquet file in the hub layout."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from nc_scan.errors import DataError
from nc_scan.results import FloatArray

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}
ARRAYS = (".npy", ".npz")
LABEL_COLUMN = "label"
ENOUGH = 2048  # more images than any scan looks at; reading stops there
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True)
class Images:
    """Float32 images (N, channels, height, width) in [0, 1], with their labels (N,) where the data has them."""

    values: FloatArray
    labels: NDArray[np.int64] | None = None


def read_images(path: Path, channels: int, height: int, width: int, rng: np.random.Generator) -> Images:
    """Images for a model of that input size.

    `path` is a folder of image files, searched recursively, whose sub-folders, if all images lie in some, are the
    classes in order of their names; an `.npy` or `.npz` file with uint8, or float in [0, 1], of shape (N, H, W),
    (N, H, W, C) or (N, C, H, W), and labels (N,) beside it in the `.npz`; or a parquet file, or a folder of those, with
    an image column {bytes, path} and labels in the column `label`. Images of another size are resized. Of many images
    a random part is read.

    Raises DataError where there is nothing to read, a file is broken, or the shape does not fit.
    """
    size = (channels, height, width)
    if path.is_dir():
        files = [file for file in sorted(path.rglob("*")) if file.suffix.lower() in IMAGE_SUFFIXES]
        tables = sorted(path.rglob("*.parquet"))
        if files:
            return _from_files(path, files, size, rng)
        if not tables:
            raise DataError(f"{path} holds no image and no parquet file")
        return _from_parquet(tables[rng.integers(len(tables))], size, rng)
    if not path.is_file():
        raise DataError(f"{path}: no such file or folder")
    if path.suffix == ".parquet":
        return _from_parquet(path, size, rng)
    if path.suffix in ARRAYS:
        return _from_array(*_read_array(path, (3, 4)), path, size, rng)
    raise DataError(f"{path}: images are read from a folder, .npy, .npz or .parquet, not from {path.suffix or 'this'}")


def read_features(path: Path, features: int, rng: np.random.Generator) -> FloatArray:
    """Feature vectors (N, features), float32, of an `.npy` or `.npz` file, or a random part of them.

    Raises DataError for any other file, and where the shape does not fit or a value is not finite.
    """
    if path.suffix not in ARRAYS or not path.is_file():
        raise DataError(f"{path}: feature vectors are read from an .npy or .npz file")
    array, _ = _read_array(path, (2,))
    if array.ndim != 2 or array.shape[1] != features or array.dtype.kind not in "fiu":
        raise DataError(f"{path} holds {array.dtype} of shape {array.shape}, the model needs numbers (N, {features})")
    values = array[rng.permutation(len(array))[:ENOUGH]].astype(np.float32)
    if not np.isfinite(values).all():
        raise DataError(f"{path} holds values that are not finite")
    return values


def _from_files(folder: Path, files: list[Path], size: tuple[int, int, int], rng: np.random.Generator) -> Images:
    classes = sorted({file.relative_to(folder).parts[0] for file in files if file.parent != folder})
    labelled = len(classes) > 1 and all(file.parent != folder for file in files)
    chosen = [files[i] for i in rng.permutation(len(files))[:ENOUGH]]
    values = np.stack([_fit(_open(file.read_bytes(), str(file)), *size) for file in chosen])
    labels = [classes.index(file.relative_to(folder).parts[0]) for file in chosen] if labelled else None
    return Images(values, None if labels is None else np.array(labels, np.int64))


def _open(data: bytes, name: str) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{name} is not an image that can be read: {error}") from error
    return image


def _fit(image: Image.Image, channels: int, height: int, width: int) -> FloatArray:
    image = image.convert(MODES[channels])
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image, np.float32).reshape(height, width, channels).transpose(2, 0, 1) / np.float32(255)


def _from_parquet(table: Path, size: tuple[int, int, int], rng: np.random.Generator) -> Images:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise DataError("reading parquet needs pyarrow: pip install 'nc-scan[data]'") from error
    try:
        schema = pq.read_schema(table)
        image = next(field.name for field in schema if pa.types.is_struct(field.type))
        labelled = LABEL_COLUMN in schema.names and pa.types.is_integer(schema.field(LABEL_COLUMN).type)
        content = pq.read_table(table, columns=[image, *([LABEL_COLUMN] if labelled else [])])
        rows = [row["bytes"] for row in content.column(image).to_pylist()]
    except (pa.ArrowException, OSError, KeyError, TypeError, StopIteration) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{table} has no image column {{bytes, path}}: {reason or 'no struct in it'}") from error
    if not rows:
        raise DataError(f"{table} has no rows")
    chosen = rng.permutation(len(rows))[:ENOUGH]
    values = np.stack([_fit(_open(rows[index], f"{table} row {index}"), *size) for index in chosen])
    labels = content.column(LABEL_COLUMN).to_numpy()[chosen] if labelled else None
    return Images(values, None if labels is None else labels.astype(np.int64))


def _read_array(path: Path, axes: tuple[int, ...]) -> tuple[np.ndarray, NDArray[np.int64] | None]:
    """The first array with so many axes, and the labels: the first array of integers as long and with one axis."""
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded, None
        with loaded:
            arrays = [np.asarray(loaded[key]) for key in loaded.files]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    images = next((array for array in arrays if array.ndim in axes), None)
    if images is None:
        raise DataError(f"{path} holds no array of {' or '.join(map(str, axes))} axes")
    labels = (a for a in arrays if a.shape == (len(images),) and a.dtype.kind in "iu")
    found = next(labels, None)
    return images, None if found is None else found.astype(np.int64)


def _from_array(
    array: np.ndarray,
    labels: NDArray[np.int64] | None,
    path: Path,
    size: tuple[int, int, int],
    rng: np.random.Generator,
) -> Images:
    channels, height, width = size
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim == 4 and array.shape[1] == channels and array.shape[3] != channels:
        array = array.transpose(0, 2, 3, 1)
    if array.ndim != 4 or array.shape[3] != channels:
        raise DataError(
            f"{path} holds an array of shape {array.shape}, the model needs (N, {height}, {width}, {channels})"
        )
    chosen = rng.permutation(len(array))[:ENOUGH]
    array, labels = array[chosen], None if labels is None else labels[chosen]
    if not len(array):
        raise DataError(f"{path} holds no images")
    if array.dtype.kind == "f":
        if not (np.isfinite(array).all() and array.min(initial=0) >= 0 and array.max(initial=0) <= 1):
            raise DataError(f"{path} holds floats outside [0, 1]: give uint8, or floats in [0, 1]")
        if array.shape[1:3] == (height, width):
            return Images(np.ascontiguousarray(array.transpose(0, 3, 1, 2), np.float32), labels)
        array = (array * 255).round().astype(np.uint8)
    if array.dtype != np.uint8:
        raise DataError(f"{path} holds {array.dtype}: give uint8, or floats in [0, 1]")
    fitted = [_fit(Image.fromarray(image.squeeze(-1) if channels == 1 else image), *size) for image in array]
    return Images(np.stack(fitted), labels)
