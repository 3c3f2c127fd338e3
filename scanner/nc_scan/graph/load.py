"""Reading a model file as hostile input: every failure is one ModelFileError, and sizes are checked before memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError, EncodeError  # type: ignore[import-untyped]
from onnx import ModelProto, TensorProto, ValueInfoProto

from nc_scan.errors import ModelFileError
from nc_scan.external import Reference, external_tensors, reference, resolve
from nc_scan.files import damage_told, open_regular, read_whole
from nc_scan.graph.bounds import check_bounds
from nc_scan.graph.order import sort_nodes
from nc_scan.text import message_of

MAX_BYTES = 8 << 30
LARGEST_FILE = (2 << 30) - 1  # what protobuf reads


@dataclass(frozen=True)
class ReadModel:
    """A checked model with its weights, and SHA-256 of the file and of its external data by location."""

    proto: ModelProto
    sha256: str
    external: dict[str, str]


def load_model(model: str | Path | bytes | ModelProto, *, max_bytes: int = MAX_BYTES) -> ModelProto:
    """Reads and checks a model; a ModelProto is checked and returned as it is.

    External data is read from the model's own folder only, nothing is executed and no custom-operator library is
    loaded. Raises ModelFileError where the file is missing, larger than `max_bytes` with its external data, truncated,
    not ONNX or invalid.
    """
    if isinstance(model, ModelProto):
        _check(model, "the model")
        return model
    if isinstance(model, bytes):
        if len(model) > max_bytes:
            raise ModelFileError(f"the model has {len(model)} bytes, more than the limit of {max_bytes}")
        proto = _parse(model, "the model")
        if any(True for _ in external_tensors(proto)):
            raise ModelFileError("the model keeps weights in external files: give its path instead of its bytes")
        _check(proto, "the model")
        check_bounds(proto)
        return proto
    return read_model(Path(model), max_bytes=max_bytes).proto


def read_model(path: Path, *, max_bytes: int = MAX_BYTES) -> ReadModel:
    """The model in a file, and the digests of the bytes that it was made of. Raises as `load_model`."""
    data = read_whole(path, min(max_bytes, LARGEST_FILE))
    digest = hashlib.sha256(data).hexdigest()
    model = _parse(data, str(path))
    with damage_told(path):
        problem = _checker_problem(str(path))  # from the file, before its weights are in memory a second time
        size = len(data)
        del data
        external = _by_location(model, path)
        files = {location: resolve(path, location) for location in external}
        size += sum(_bytes_used(tensors, files[location], path) for location, tensors in external.items())
        if size > max_bytes:
            raise ModelFileError(f"{path} has {size} bytes with its external data, more than the limit of {max_bytes}")
        _check(model, str(path), problem)
        digests = {location: _fill(tensors, files[location], path) for location, tensors in sorted(external.items())}
        check_bounds(model)
    return ReadModel(model, digest, digests)


def _by_location(model: ModelProto, path: Path) -> dict[str, list[tuple[TensorProto, Reference]]]:
    """The external tensors of each file."""
    found: dict[str, list[tuple[TensorProto, Reference]]] = {}
    for tensor in external_tensors(model):
        where = reference(tensor, str(path))
        found.setdefault(where.location, []).append((tensor, where))
    return found


def _bytes_used(tensors: list[tuple[TensorProto, Reference]], file: Path, path: Path) -> int:
    """How many bytes the tensors of one file take. Raises ModelFileError where the file has fewer."""
    whole, total = file.stat().st_size, 0
    for _, where in tensors:
        length = whole - where.offset if where.length is None else where.length
        if length < 0 or where.offset + length > whole:
            raise ModelFileError(f"{path}: external data '{where.location}' is truncated")
        total += length
    return total


def _fill(tensors: list[tuple[TensorProto, Reference]], file: Path, path: Path) -> str:
    """Reads the tensors of one file into the model; the digest of the whole file, of the same bytes."""
    with open_regular(file) as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
        for tensor, where in tensors:
            opened.seek(where.offset)
            data = opened.read() if where.length is None else opened.read(where.length)
            if where.length is not None and len(data) != where.length:
                raise ModelFileError(f"{path}: external data '{where.location}' is truncated")
            tensor.raw_data = data
            del tensor.external_data[:]
            tensor.data_location = TensorProto.DEFAULT
    return digest


def _parse(data: bytes, source: str) -> ModelProto:
    model = ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, RecursionError) as error:
        raise ModelFileError(f"{source} is not an ONNX model, or truncated") from error
    if not model.HasField("graph") or not model.opset_import:
        raise ModelFileError(f"{source} is not an ONNX model: it holds no graph")
    return model


def _check(model: ModelProto, source: str, problem: str | None = "unchecked") -> None:
    """Sorts the nodes and runs onnx.checker, unless the file has been checked already and there was no `problem`."""
    newest = onnx.defs.onnx_opset_version()
    versions = [opset.version for opset in model.opset_import if opset.domain in ("", "ai.onnx")]
    if versions and max(versions) > newest:
        raise ModelFileError(
            f"{source} uses opset {max(versions)}, newer than the {newest} that the installed onnx knows: update onnx"
        )
    # Any order of nodes is fine for us, and so is an output of unknown shape, but not for the checker.
    shapeless = [value for value in model.graph.output if _lacks_shape(value)]
    if sort_nodes(model.graph) or shapeless or problem == "unchecked":
        for value in shapeless:
            value.type.tensor_type.shape.SetInParent()
        problem = _checker_problem(model)
        for value in shapeless:
            value.type.tensor_type.ClearField("shape")
    if problem:
        raise ModelFileError(f"{source} is not a valid ONNX model: {problem}")


def _lacks_shape(value: ValueInfoProto) -> bool:
    return value.type.HasField("tensor_type") and not value.type.tensor_type.HasField("shape")


def _checker_problem(model: ModelProto | str) -> str | None:
    """What onnx.checker says against a model or a file, None where it is valid."""
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError, EncodeError, RuntimeError) as error:
        return message_of(error)
    return None
