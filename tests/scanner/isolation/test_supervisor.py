"""What a model does to the process that scans it stays there; the next one is scanned all the same."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from nc_scan.isolation import Limits, Supervisor
from nc_scan.isolation.limits import MOST
from nc_scan.isolation.messages import parse

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def value(name: str, kind: int, shape: list[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def endless(path: Path) -> Path:
    """A loop that only its own condition would end."""
    nodes = [helper.make_node("Identity", ["going"], ["on"]), helper.make_node("Mul", ["v", "v"], ["w"])]
    inputs = [value("i", INT64, []), value("going", BOOL, []), value("v", FLOAT, [])]
    body = helper.make_graph(nodes, "b", inputs, [value("on", BOOL, []), value("w", FLOAT, [])])
    arrays = {"true": np.array(True), "m": np.ones((192, 4), np.float32)}
    weights = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["image"], ["flat"]),
            helper.make_node("MatMul", ["flat", "m"], ["y"]),
            helper.make_node("ReduceMax", ["y"], ["most"], keepdims=0),
            helper.make_node("Loop", ["", "true", "most"], ["end"], body=body),
            helper.make_node("Add", ["y", "end"], ["scores"]),
        ],
        "g",
        [value("image", FLOAT, ["n", 3, 8, 8])],
        [value("scores", FLOAT, ["n", 4])],
        weights,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture(scope="module")
def supervisor() -> Iterator[Supervisor]:
    """One for all tests: starting it takes a while."""
    with Supervisor(Limits(timeout=8.0)) as one:
        yield one


def test_a_model_that_never_answers_ends_at_its_limit_and_the_next_one_is_scanned(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    stages: list[str] = []
    outcome = supervisor.scan(endless(tmp_path / "x.onnx"), progress=lambda stage, done, total: stages.append(stage))
    assert outcome.verdict == "failed"
    assert "time limit of 8 seconds" in outcome.reasons[0]
    assert "reading the model" in stages
    (tmp_path / "y.onnx").write_bytes(b"nothing")
    assert "not an ONNX model" in supervisor.scan(tmp_path / "y.onnx").reasons[0]


def test_a_process_that_is_killed_is_a_failed_scan(supervisor: Supervisor, tmp_path: Path) -> None:
    def kill(stage: str, done: int, total: int) -> None:  # noqa: ARG001
        assert supervisor.process_id is not None
        os.kill(supervisor.process_id, 9)

    outcome = supervisor.scan(endless(tmp_path / "x.onnx"), progress=kill)
    assert "ended by SIGKILL" in outcome.reasons[0]


def test_memory_past_the_limit_is_a_failed_scan(tmp_path: Path) -> None:
    with Supervisor(Limits(memory=1 << 20)) as small:
        outcome = small.scan(endless(tmp_path / "x.onnx"))
    assert "memory" in outcome.reasons[0]


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_the_scanning_process_ends_with_the_one_that_started_it() -> None:
    script = (
        "import time; from nc_scan.isolation import Supervisor; s = Supervisor(); s.start();"
        "print(s.process_id, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 20
    while Path(f"/proc/{child}/stat").exists() and time.monotonic() < deadline:
        if Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.1)
    assert not Path(f"/proc/{child}").exists()


@pytest.mark.parametrize("line", ["", "hello", "[1]", '{"kind": 1}', '{"a": 2}', "[" * 100_000, "x" * (2 << 20)])
def test_what_is_no_message_is_none(line: str) -> None:
    assert parse(line) is None


def test_limits_follow_the_size_unless_they_are_given() -> None:
    assert Limits(timeout=7.0).scan_seconds(10**9) == Limits(timeout=7.0).reading_seconds(1 << 30) == 7.0
    assert Limits().scan_seconds(10 * 1024) < Limits().scan_seconds(1000 * 224 * 224) == MOST
    assert Limits(memory=5).memory_bytes(1 << 40) == 5
    assert Limits().memory_bytes(0) <= Limits().memory_bytes(1 << 33)
