"""Broken models, made of a whole one: `python -m tests.scanner.graph.mutation COUNT [SEED]` reads so many of them.

Each is read in a process that a timer ends; what it raises beside the documented errors is printed with its seed.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto
from tests.scanner.audit.look_alikes import LOOK_ALIKES
from tests.scanner.audit.surgery import Surgery
from tests.scanner.audit.switches import SWITCHES

from nc_scan.digest import model_digest
from nc_scan.errors import NcScanError
from nc_scan.graph.load import read_model

SECONDS = 20.0  # for one file
PART = 500  # files a process
SEEDS = ("in_a_loop", "in_a_function", "in_both_branches", "quantised")
INTEGERS = (0, 1, -1, 2**31, 2**62, -(2**63))

Mutation = Callable[[ModelProto, np.random.Generator], None]


def whole(name: str) -> ModelProto:
    """The model that the others are made of."""
    surgery = Surgery()
    model = surgery.model((SWITCHES | LOOK_ALIKES)[name](surgery))
    tensor = model.graph.initializer[0]
    copy = model.graph.initializer.add(name="kept elsewhere", data_type=TensorProto.FLOAT, dims=[4])
    copy.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "weights.bin"), ("offset", "0"), ("length", "16")):
        copy.external_data.add(key=key, value=value)
    assert tensor.name != copy.name
    return model


def rename(model: ModelProto, rng: np.random.Generator) -> None:
    node = model.graph.node[rng.integers(len(model.graph.node))]
    if node.input:
        node.input[rng.integers(len(node.input))] = str(rng.choice(["", "image", "nowhere", "\0", "x" * 10_000]))


def drop(model: ModelProto, rng: np.random.Generator) -> None:
    part = [model.graph.node, model.graph.initializer, model.graph.output, model.opset_import][rng.integers(4)]
    if len(part):
        del part[rng.integers(len(part))]


def change_dimension(model: ModelProto, rng: np.random.Generator) -> None:
    tensor = model.graph.initializer[rng.integers(len(model.graph.initializer))]
    if len(tensor.dims):
        tensor.dims[rng.integers(len(tensor.dims))] = int(rng.choice(INTEGERS))


def change_type(model: ModelProto, rng: np.random.Generator) -> None:
    model.graph.initializer[rng.integers(len(model.graph.initializer))].data_type = int(rng.integers(-1, 30))


def change_place(model: ModelProto, rng: np.random.Generator) -> None:
    entry = model.graph.initializer[-1].external_data
    if entry:
        values = ["../../etc/passwd", "/dev/zero", "", "\0", "-1", "1e9", "99999999999999999999", "weights.bin/x"]
        entry[rng.integers(len(entry))].value = str(rng.choice(values))


def change_operator(model: ModelProto, rng: np.random.Generator) -> None:
    node = model.graph.node[rng.integers(len(model.graph.node))]
    node.op_type = str(rng.choice(["Loop", "If", "Conv", "Pick", "Nothing", ""]))
    node.domain = str(rng.choice(["", "local", "com.microsoft", "elsewhere"]))


def change_attribute(model: ModelProto, rng: np.random.Generator) -> None:
    nodes = [node for node in model.graph.node if node.attribute]
    attribute = nodes[rng.integers(len(nodes))].attribute[0] if nodes else None
    if attribute is not None:
        attribute.type = int(rng.integers(0, 15))
        attribute.i = int(rng.choice(INTEGERS))


MUTATIONS: tuple[Mutation, ...] = (
    rename, drop, change_dimension, change_type, change_place, change_operator, change_attribute,
)  # fmt: skip


def broken(seed: int) -> bytes:
    """A model with a few parts changed, or a few bytes."""
    rng = np.random.default_rng(seed)
    model = whole(SEEDS[seed % len(SEEDS)])
    if seed % 2:
        for _ in range(int(rng.integers(1, 4))):
            MUTATIONS[rng.integers(len(MUTATIONS))](model, rng)
        return bytes(model.SerializeToString())
    data = bytearray(model.SerializeToString())
    for _ in range(int(rng.integers(1, 20))):
        data[rng.integers(len(data))] = rng.integers(256)
    return bytes(data[: int(rng.integers(1, len(data) + 1))] if rng.random() < 0.2 else data)


def problems(seeds: Iterator[int], folder: Path) -> Iterator[tuple[int, str]]:
    """What reading the broken models raises beside the documented errors."""
    (folder / "weights.bin").write_bytes(bytes(16))
    path = folder / "model.onnx"
    for seed in seeds:
        path.write_bytes(broken(seed))
        for read in (read_model, model_digest):
            try:
                read(path)
            except NcScanError:
                continue
            except Exception as error:
                yield seed, f"{read.__name__}: {type(error).__name__}: {error}"


def _part(first: int, count: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        for seed, problem in problems(iter(range(first, first + count)), Path(name)):
            print(seed, problem, flush=True)  # noqa: T201


def main() -> None:
    """Reads COUNT broken models, PART a process."""
    count, start = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    for first in range(start, start + count, PART):
        process = multiprocessing.Process(target=_part, args=(first, min(PART, start + count - first)))
        process.start()
        process.join(SECONDS * PART / 10)
        if process.is_alive():
            print(first, "ran past its time", flush=True)  # noqa: T201
            process.kill()
        elif process.exitcode:
            print(first, f"ended with {process.exitcode}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
