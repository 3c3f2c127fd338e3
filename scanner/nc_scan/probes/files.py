"""The user's own images: a folder, an array file or a parquet file in the hub layout."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from nc_scan.errors import DataError
from nc_scan.results import FloatArray

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}
ENOUGH = 2048  # more images than any scan looks at; reading stops there
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def read_images(path: Path, channels: int, height: int, width: int, rng: np.random.Generator) -> FloatArray:
    """Images for a model of that input size, float32 (N, channels, height, width) in [0, 1].

    `path` is a folder of image files, searched recursively; an `.npy` or `.npz` file with uint8, or float in [0, 1], of
    shape (N, H, W), (N, H, W, C) or (N, C, H, W); or a parquet file, or a folder of those, with an image column
    {bytes, path}. Images of another size are resized. Of many images a random part is read.

    Raises DataError where there is nothing to read, a file is broken, or the shape does not fit.
    """
    size = (channels, height, width)
    if path.is_dir():
        files = [file for file in sorted(path.rglob("*")) if file.suffix.lower() in IMAGE_SUFFIXES]
        tables = sorted(path.rglob("*.parquet"))
        if files:
            chosen = [files[i] for i in rng.permutation(len(files))[:ENOUGH]]
            return np.stack([_fit(_open(file.read_bytes(), str(file)), *size) for file in chosen])
        if not tables:
            raise DataError(f"{path} holds no image and no parquet file")
        return np.stack([_fit(image, *size) for image in _parquet_images(tables, rng)])
    if not path.is_file():
        raise DataError(f"{path}: no such file or folder")
    if path.suffix == ".parquet":
        return np.stack([_fit(image, *size) for image in _parquet_images([path], rng)])
    if path.suffix in (".npy", ".npz"):
        return _from_array(_read_array(path), path, size, rng)
    raise DataError(f"{path}: images are read from a folder, .npy, .npz or .parquet, not from {path.suffix or 'this'}")


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


def _parquet_images(tables: list[Path], rng: np.random.Generator) -> Iterator[Image.Image]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise DataError("reading parquet needs pyarrow: pip install 'nc-scan[data]'") from error
    table = tables[rng.integers(len(tables))]
    try:
        schema = pq.read_schema(table)
        columns = [field.name for field in schema if pa.types.is_struct(field.type)]
        rows = [row["bytes"] for row in pq.read_table(table, columns=columns[:1]).column(0).to_pylist()]
    except (pa.ArrowException, OSError, KeyError, TypeError, IndexError) as error:
        raise DataError(f"{table} has no image column {{bytes, path}}: {str(error).splitlines()[0]}") from error
    for index in rng.permutation(len(rows))[:ENOUGH]:
        yield _open(rows[index], f"{table} row {index}")


def _read_array(path: Path) -> np.ndarray:
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            for key in loaded.files:
                if loaded[key].ndim in (3, 4):
                    return np.asarray(loaded[key])
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    raise DataError(f"{path} holds no array of images")


def _from_array(array: np.ndarray, path: Path, size: tuple[int, int, int], rng: np.random.Generator) -> FloatArray:
    channels, height, width = size
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim == 4 and array.shape[1] == channels and array.shape[3] != channels:
        array = array.transpose(0, 2, 3, 1)
    if array.ndim != 4 or array.shape[3] != channels:
        raise DataError(
            f"{path} holds an array of shape {array.shape}, the model needs (N, {height}, {width}, {channels})"
        )
    array = array[rng.permutation(len(array))[:ENOUGH]]
    if array.dtype.kind == "f":
        if not (np.isfinite(array).all() and array.min(initial=0) >= 0 and array.max(initial=0) <= 1):
            raise DataError(f"{path} holds floats outside [0, 1]: give uint8, or floats in [0, 1]")
        if array.shape[1:3] == (height, width):
            return np.ascontiguousarray(array.transpose(0, 3, 1, 2), np.float32)
        array = (array * 255).round().astype(np.uint8)
    if array.dtype != np.uint8:
        raise DataError(f"{path} holds {array.dtype}: give uint8, or floats in [0, 1]")
    return np.stack([_fit(Image.fromarray(image.squeeze(-1) if channels == 1 else image), *size) for image in array])
