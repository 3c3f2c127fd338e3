"""What a model is, by its bytes: digests of its file and of the weights that it keeps elsewhere."""

from __future__ import annotations

from pathlib import Path

from nc_scan.convert.formats import file_format
from nc_scan.errors import ModelFileError
from nc_scan.external import external_tensors, reference, resolve
from nc_scan.files import damage_told, file_digest, read_whole

LARGEST = 2 << 30  # bytes: what protobuf reads

__all__ = ["external_digests", "external_locations", "file_digest", "model_digest"]


def external_locations(path: Path) -> list[str]:
    """The files with external data of a model, relative to its folder, in order of name; unchecked.

    Other formats than ONNX keep none. Raises ModelFileError where the model cannot be parsed.
    """
    if file_format(path) != "onnx":
        return []
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from onnx import ModelProto

    model = ModelProto()
    try:
        model.ParseFromString(read_whole(path, LARGEST))
    except (DecodeError, RecursionError) as error:
        raise ModelFileError(f"{path} cannot be read as ONNX") from error
    with damage_told(path):
        return sorted({reference(tensor, str(path)).location for tensor in external_tensors(model)})


def external_digests(path: Path) -> dict[str, str]:
    """The digest of each file with external data, by its location.

    Raises ModelFileError where the model cannot be parsed, or a file is missing or outside the model's folder.
    """
    return {location: file_digest(resolve(path, location)) for location in external_locations(path)}


def model_digest(path: Path) -> tuple[str, dict[str, str]]:
    """The digest of the file, and those of its external data. Raises ModelFileError as both."""
    return file_digest(path), external_digests(path)
