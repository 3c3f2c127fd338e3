"""Folders of picture files, whose sub-folders are the classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nc_scan.images.memory import Size
from nc_scan.images.pictures import Images, choose, read_picture

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}
SPLITS = {"train", "training", "test", "testing", "val", "valid", "validation", "dev"}


def pictures_in(folder: Path) -> list[Path]:
    """The picture files anywhere below the folder, sorted."""
    return [file for file in sorted(folder.rglob("*")) if file.suffix.lower() in SUFFIXES]


def read_pictures(folder: Path, files: list[Path], size: Size, rng: np.random.Generator) -> Images:
    """A random part of the files below `folder`, labelled with the place of their class among the sorted names.

    Raises DataError as `read_picture`.
    """
    chosen = choose(len(files), size, rng)
    values = np.stack([read_picture(files[i].read_bytes(), str(files[i]), size) for i in chosen])
    classes = _classes([file.relative_to(folder).parts[:-1] for file in files])
    if classes is None:
        return Images(values)
    return Images(values, np.unique(classes, return_inverse=True)[1][chosen].astype(np.int64))


def _classes(folders: list[tuple[str, ...]]) -> list[str] | None:
    """The class of each file, by the folders that it lies in, splits left out; None where there are not several."""
    if all(parts and parts[0].lower() in SPLITS for parts in folders):
        folders = [parts[1:] for parts in folders]
    if not all(folders):
        return None
    classes = [parts[0] for parts in folders]
    return classes if len(set(classes)) > 1 else None
