"""Tensors that a model keeps in other files, wherever in the graph they stand; knows nothing of torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

from nc_scan.errors import ModelFileError


@dataclass(frozen=True)
class Reference:
    """Where a tensor's bytes lie: `location` relative to the model's folder; `length` None for all from `offset` on."""

    location: str
    offset: int
    length: int | None


def external_tensors(model: ModelProto) -> Iterator[TensorProto]:
    """The tensors with data elsewhere: initializers, attributes, those in bodies and functions."""
    return (tensor for tensor in all_tensors(model) if tensor.data_location == TensorProto.EXTERNAL)


def all_tensors(model: ModelProto) -> Iterator[TensorProto]:
    """Every tensor of a model."""
    pending: list[GraphProto | NodeProto] = [model.graph, *(node for body in model.functions for node in body.node)]
    while pending:
        part = pending.pop()
        if isinstance(part, GraphProto):
            yield from part.initializer
            for sparse in part.sparse_initializer:
                yield from (sparse.values, sparse.indices)
            pending.extend(part.node)
            continue
        for attribute in part.attribute:
            yield from _tensors_of(attribute)
            pending += [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]


def _tensors_of(attribute: AttributeProto) -> Iterator[TensorProto]:
    if attribute.HasField("t"):
        yield attribute.t
    yield from attribute.tensors
    for sparse in (
        *([attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []),
        *attribute.sparse_tensors,
    ):
        yield from (sparse.values, sparse.indices)


def reference(tensor: TensorProto, source: str) -> Reference:
    """Where the tensor's bytes are. Raises ModelFileError where the entries say nothing that can be followed."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    try:
        offset = int(entries.get("offset", 0))
        length = int(entries["length"]) if "length" in entries else None
    except ValueError as error:
        raise ModelFileError(f"{source}: external data of tensor '{tensor.name}' is at no number: {error}") from error
    if not location or "\0" in location or offset < 0 or (length is not None and length < 0):
        raise ModelFileError(f"{source}: external data of tensor '{tensor.name}' has no place: {location!r}, {offset}")
    return Reference(location, offset, length)


def resolve(path: Path, location: str) -> Path:
    """The file behind a location. Raises ModelFileError where it lies outside the model's folder or is missing."""
    folder = path.parent.resolve()
    try:
        file = (folder / location).resolve()
        inside = file.is_relative_to(folder) and not Path(location).is_absolute()
        there = inside and file.is_file()
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelFileError(f"{path}: external data '{location}' cannot be found: {error}") from error
    if not inside:
        raise ModelFileError(f"{path}: external data '{location}' lies outside the model's folder")
    if not there:
        raise ModelFileError(f"{path}: external data '{location}' is missing")
    return file
