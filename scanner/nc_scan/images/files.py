"""The user's own images, whatever they lie in."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nc_scan.errors import DataError
from nc_scan.images.arrays import ARRAY_SUFFIXES, read_image_array
from nc_scan.images.folders import pictures_in, read_pictures
from nc_scan.images.memory import Size
from nc_scan.images.parquet import read_table
from nc_scan.images.pictures import Images


def read_images(path: Path, channels: int, height: int, width: int, rng: np.random.Generator) -> Images:
    """Images for a model of that input size, of another size resized, of many a random part.

    `path` is one of

    * a folder of image files, searched recursively. If all of them lie in sub-folders, those are the classes in order
      of their names; sub-folders that are all named like splits (`train`, `test`, `val`, ...) hold the classes, or
      else there are no labels;
    * an `.npy` or `.npz` file with uint8, or float in [0, 1], of shape (N, H, W), (N, H, W, C) or (N, C, H, W), and in
      the `.npz` whole numbers (N,) or (N, 1) beside it, the labels: of several arrays the one whose name says so;
    * a parquet file, or a folder that holds some, with an image column {bytes, path} and labels in the column `label`,
      all of them there and none negative. Image files beside parquet files are left out.

    Raises DataError where there is nothing to read, a file is broken, or the shape does not fit.
    """
    size = (channels, height, width)
    if path.is_dir():
        return _from_folder(path, size, rng)
    if not path.is_file():
        raise DataError(f"{path}: no such file or folder")
    if path.suffix == ".parquet":
        return read_table(path, size, rng)
    if path.suffix in ARRAY_SUFFIXES:
        return read_image_array(path, size, rng)
    raise DataError(f"{path}: images are read from a folder, .npy, .npz or .parquet, not from {path.suffix or 'this'}")


def _from_folder(folder: Path, size: Size, rng: np.random.Generator) -> Images:
    tables = sorted(folder.rglob("*.parquet"))
    if tables:
        return read_table(tables[rng.integers(len(tables))], size, rng)
    files = pictures_in(folder)
    if files:
        return read_pictures(folder, files, size, rng)
    raise DataError(f"{folder} holds no image and no parquet file")
