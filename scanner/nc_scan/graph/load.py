"""Reading a model file as hostile input: every failure is one ModelFileError, and sizes are checked before memory."""

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError, EncodeError  # type: ignore[import-untyped]
from onnx import ModelProto, ValueInfoProto
from onnx.external_data_helper import ExternalDataInfo, load_external_data_for_model, uses_external_data

from nc_scan.errors import ModelFileError
from nc_scan.graph.order import sort_nodes
from nc_scan.text import message_of

MAX_BYTES = 8 << 30


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
        if any(uses_external_data(tensor) for tensor in proto.graph.initializer):
            raise ModelFileError("the model keeps weights in external files: give its path instead of its bytes")
        _check(proto, "the model")
        return proto
    return _load_file(Path(model), max_bytes)


def _load_file(path: Path, max_bytes: int) -> ModelProto:
    if not path.is_file():
        raise ModelFileError(f"{path}: " + ("not a file" if path.exists() else "no such file"))
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise ModelFileError(f"{path} has {size} bytes, more than the limit of {max_bytes}")
        problem = _checker_problem(str(path))  # from the file, before its weights are in memory a second time
        model = _parse(path.read_bytes(), str(path))
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror or error}") from error
    external = [tensor for tensor in model.graph.initializer if uses_external_data(tensor)]
    if external:
        size += sum(_external_size(path, ExternalDataInfo(tensor)) for tensor in external)
        if size > max_bytes:
            raise ModelFileError(f"{path} has {size} bytes with its external data, more than the limit of {max_bytes}")
    _check(model, str(path), problem)
    if external:
        try:
            load_external_data_for_model(model, str(path.parent))
        except (OSError, ValueError, RuntimeError, onnx.checker.ValidationError) as error:
            raise ModelFileError(f"{path}: external data cannot be read: {message_of(error)}") from error
    return model


def _external_size(path: Path, info: ExternalDataInfo) -> int:
    """Bytes that an external tensor takes. Raises ModelFileError where its file is outside the model's folder."""
    folder = path.parent.resolve()
    location = (folder / info.location).resolve()
    if not location.is_relative_to(folder) or Path(info.location).is_absolute():
        raise ModelFileError(f"{path}: external data '{info.location}' lies outside the model's folder")
    if not location.is_file():
        raise ModelFileError(f"{path}: external data '{info.location}' is missing")
    available = location.stat().st_size - (info.offset or 0)
    size = info.length if info.length is not None else available
    if not 0 <= size <= available:
        raise ModelFileError(f"{path}: external data '{info.location}' is truncated")
    return int(size)


def _parse(data: bytes, source: str) -> ModelProto:
    model = ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
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
