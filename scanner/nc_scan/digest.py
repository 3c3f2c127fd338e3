"""What a model is, by its bytes: digests of its file and of the weights that it keeps elsewhere."""

from __future__ import annotations

import hashlib
from pathlib import Path

import onnx
from onnx.external_data_helper import ExternalDataInfo, _get_all_tensors, uses_external_data

from nc_scan.errors import ModelFileError


def file_digest(path: Path) -> str:
    """SHA-256 in hexadecimal. Raises ModelFileError where the file cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror or error}") from error


def external_digests(path: Path) -> dict[str, str]:
    """The digest of each file with external data, by its location relative to the model, in order of name.

    Only for a model that `load_model` has accepted: it makes sure that no location leads out of the model's folder.
    """
    model = onnx.load(path, load_external_data=False)
    locations = {ExternalDataInfo(tensor).location for tensor in _get_all_tensors(model) if uses_external_data(tensor)}
    return {location: file_digest(path.parent / location) for location in sorted(locations)}
