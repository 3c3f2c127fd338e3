"""What kind of model a file holds, told by its first bytes and the names in its archive, never by loading it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Literal

from nc_scan.errors import ModelFileError
from nc_scan.files import open_regular

Format = Literal[
    "onnx", "keras", "keras-h5", "exported-program", "torchscript", "pickle", "lfs-pointer", "annex-pointer"
]
SUFFIXES = (".onnx", ".keras", ".pt2")  # looked for in folders; .h5 is data as often as a model, so it must be named
PICKLE_SUFFIXES = (".pt", ".pth", ".pkl", ".pickle", ".joblib", ".ckpt")
ZIP, HDF5, PICKLE = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"\x80"
POINTERS: dict[bytes, Format] = {  # what stands in a repository for a file that is kept elsewhere
    b"version https://git-lfs": "lfs-pointer",
    b"/annex/objects/": "annex-pointer",
}
PICKLE_PROTOCOLS = range(2, 6)


def file_format(path: Path) -> Format:
    """The format by content; `onnx` for whatever is none of the others, a file that cannot be read among them.

    A pickle of protocol 0 or 1 has no mark of its own: it is told by its suffix, and under any other name it is taken
    for a broken ONNX file, which is not loaded either.
    """
    try:
        with open_regular(path) as file:
            start = file.read(24)
    except ModelFileError:
        return "onnx"
    if start.startswith(ZIP):
        return _archive_format(path)
    if start.startswith(HDF5):
        return "keras-h5"
    for mark, kind in POINTERS.items():
        if start.startswith(mark):
            return kind
    if start[:1] == PICKLE and len(start) > 1 and start[1] in PICKLE_PROTOCOLS:
        return "pickle"
    return "pickle" if path.suffix.lower() in PICKLE_SUFFIXES else "onnx"


def _archive_format(path: Path) -> Format:
    """A zip archive: torch prefixes its members with the archive's name, Keras does not."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, ValueError, zipfile.BadZipFile):
        return "pickle" if path.suffix.lower() in PICKLE_SUFFIXES else "onnx"
    members = {name.partition("/")[2] for name in names}
    if {"config.json", "metadata.json"} <= set(names):
        return "keras"
    if "archive_format" in members or "serialized_exported_program.json" in names:
        return "exported-program"
    if any(member.startswith("code/") for member in members):
        return "torchscript"
    return "pickle"  # torch.save, or an archive that no one knows
