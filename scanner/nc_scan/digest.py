"""What a model is, by its bytes: digests of its file and of the weights that it keeps elsewhere."""

from __future__ import annotations

import hashlib
from pathlib import Path

from nc_scan.convert.formats import file_format
from nc_scan.errors import ModelFileError


def file_digest(path: Path) -> str:
    """SHA-256 in hexadecimal. Raises ModelFileError where the file cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror or error}") from error


def external_locations(path: Path) -> list[str]:
    """The files with external data of a model, relative to its folder, in order of name; unchecked.

    Other formats than ONNX keep none. Raises ModelFileError where the model cannot be parsed.
    """
    if file_format(path) != "onnx":
        return []
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from onnx.external_data_helper import ExternalDataInfo, _get_all_tensors, uses_external_data

    try:
        model = onnx.load(path, load_external_data=False)
    except (OSError, DecodeError) as error:
        raise ModelFileError(f"{path} cannot be read as ONNX") from error
    return sorted(
        {ExternalDataInfo(tensor).location for tensor in _get_all_tensors(model) if uses_external_data(tensor)}
    )


def external_digests(path: Path) -> dict[str, str]:
    """The digest of each file with external data, by its location.

    Raises ModelFileError where the model cannot be parsed, or a file is missing or outside the model's folder.
    """
    folder = path.parent.resolve()
    files = {location: (folder / location).resolve() for location in external_locations(path)}
    for location, file in files.items():
        if not file.is_relative_to(folder) or not file.is_file():
            raise ModelFileError(f"{path}: external data '{location}' is missing or outside the model's folder")
    return {location: file_digest(file) for location, file in files.items()}
