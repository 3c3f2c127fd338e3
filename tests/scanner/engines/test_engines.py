"""Many models at a time, here or on a cluster: the same results, and what is lost is done again."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from nc_scan.engines import Scan, in_parallel, make_engine
from nc_scan.errors import EngineError
from nc_scan.isolation import Limits
from nc_scan.results import FailedScan, Outcome, ScanResult


def outcome(name: str) -> FailedScan:
    return FailedScan("failed", ("no model",), name, "0", {})


class Counting:
    """An engine whose scans wait until as many run as it has workers; `most` ran at a time."""

    def __init__(self, workers: int, items: int) -> None:
        self.workers = workers
        self.open = self.running = self.most = 0
        self.together = threading.Barrier(min(workers, items))
        self.lock = threading.Lock()

    @contextmanager
    def scanner(self) -> Iterator[Scan]:
        self.open += 1
        try:
            yield self.scan
        finally:
            self.open -= 1

    def scan(self, path: str) -> Outcome:
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        self.together.wait(10)
        with self.lock:
            self.running -= 1
        return outcome(path)


@pytest.mark.parametrize(("workers", "items"), [(1, 3), (2, 4), (3, 3), (4, 2)])
def test_as_many_scans_run_at_a_time_as_there_are_workers(workers: int, items: int) -> None:
    engine, names = Counting(workers, items), [f"{number}" for number in range(items)]
    found = dict(in_parallel(engine, names, lambda name, scan: scan(name)))
    assert {name: one.path for name, one in found.items()} == {name: name for name in names}
    assert engine.open == 0
    assert engine.most == min(workers, items)


def test_nothing_to_do_starts_nothing() -> None:
    assert list(in_parallel(Counting(2, 1), [], lambda name, scan: scan(name))) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_ends_all_scans(workers: int) -> None:
    engine, begun = Counting(workers, workers), list[str]()

    def work(name: str, _scan: Scan) -> Outcome:
        begun.append(name)
        time.sleep(0.1)
        raise OSError(name)

    with pytest.raises(OSError, match="a"):
        list(in_parallel(engine, ["a"] * 50, work))
    assert engine.open == 0
    assert len(begun) <= 3 * workers


def test_what_an_ended_scan_says_is_not_seen() -> None:
    """A process that was ended because another scan failed would say that its model cannot be scanned."""
    seen, ended, engine = list[Outcome](), threading.Event(), Counting(2, 2)

    def work(name: str, scan: Scan) -> Outcome:
        if name == "bad":
            raise OSError(name)
        result = scan(name)
        seen.append(result)
        return result

    def scan(path: str) -> Outcome:
        ended.wait(10)
        return outcome(path)

    engine.scan = scan  # type: ignore[method-assign]
    with pytest.raises(OSError, match="bad"):
        list(in_parallel(engine, ["good", "bad"], work))
    ended.set()
    time.sleep(0.2)
    assert seen == []


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two of four labels by the mean colours of 8x8 images, and one that is none."""
    folder = tmp_path_factory.mktemp("models")
    for seed, name in enumerate(("a.onnx", "b.onnx")):
        weights = np.random.default_rng(seed).normal(0, 4, (3, 4)).astype(np.float32)
        graph = helper.make_graph(
            [
                helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
                helper.make_node("Flatten", ["pooled"], ["flat"]),
                helper.make_node("MatMul", ["flat", "w"], ["scores"]),
            ],
            "g",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 8, 8])],
            [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 4])],
            [numpy_helper.from_array(weights, "w")],
        )
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / name)
    (folder / "c.onnx").write_bytes(b"nothing")
    return sorted(folder.glob("*.onnx"))


@pytest.fixture(scope="module")
def alone(models: list[Path]) -> dict[Path, Outcome]:
    """What one process finds in them."""
    return scanned("local", 1, models)


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Two workers on this machine."""
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def scanned(engine: str, jobs: int | None, models: list[Path]) -> dict[Path, Outcome]:
    made = make_engine(engine, len(models), jobs, Limits())  # type: ignore[arg-type]
    return dict(in_parallel(made, models, lambda path, scan: scan(path, effort="quick", seed=1)))


def without_times(one: Outcome) -> Outcome:
    if isinstance(one, ScanResult):
        evidence = tuple(dataclasses.replace(part, seconds=0.0) for part in one.evidence)
        return dataclasses.replace(one, seconds={}, evidence=evidence, finished="")
    return dataclasses.replace(one, finished="")


def test_two_processes_find_what_one_does(models: list[Path], alone: dict[Path, Outcome]) -> None:
    found = scanned("local", 2, models)
    assert {path: without_times(one) for path, one in found.items()} == {p: without_times(o) for p, o in alone.items()}


def test_a_cluster_finds_what_one_process_does(cluster: None, models: list[Path], alone: dict[Path, Outcome]) -> None:  # noqa: ARG001
    found = scanned("ray", 2, models)
    assert {path: without_times(one) for path, one in found.items()} == {p: without_times(o) for p, o in alone.items()}
    result, same = found[models[0]], alone[models[0]]
    assert isinstance(result, ScanResult)
    assert isinstance(same, ScanResult)
    for label, other in zip(result.labels, same.labels, strict=True):
        assert label.trigger is not None
        assert other.trigger is not None
        np.testing.assert_array_equal(label.trigger.mask, other.trigger.mask)


@pytest.mark.skipif(sys.platform != "linux", reason="finds the worker in /proc")
def test_the_scan_of_a_lost_worker_is_done_again(cluster: None, models: list[Path], alone: dict[Path, Outcome]) -> None:  # noqa: ARG001
    killed: list[int] = []

    def mine(folder: Path) -> bool:
        """Whether the process is one of the cluster that this one started."""
        parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
        return parent == os.getpid() or (parent > 1 and mine(Path("/proc") / str(parent)))

    def kill_one() -> None:
        until = time.monotonic() + 60
        while not killed and time.monotonic() < until:
            for folder in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    if (folder / "cmdline").read_bytes().startswith(b"ray::_scan") and mine(folder):
                        os.kill(int(folder.name), signal.SIGKILL)
                        killed.append(int(folder.name))
                        break
            time.sleep(0.05)

    murderer = threading.Thread(target=kill_one)
    murderer.start()
    found = scanned("ray", 1, models[:1])
    murderer.join()
    assert killed
    assert without_times(found[models[0]]) == without_times(alone[models[0]])


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EngineError, match=r"pip install 'nc-scan\[ray\]'"):
        make_engine("ray", 1)


def test_a_cluster_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    def refused(**_: object) -> None:
        raise ConnectionError("nobody at 127.0.0.1:6379")

    monkeypatch.setattr(ray, "init", refused)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(EngineError, match="nobody at"):
        make_engine("ray", 1)


@pytest.mark.parametrize(("models", "jobs", "workers"), [(3, None, 1), (3, 2, 2), (2, 8, 2), (0, 2, 1)])
def test_there_are_no_more_workers_than_models(models: int, jobs: int | None, workers: int) -> None:
    assert make_engine("local", models, jobs, Limits()).workers == workers


def test_memory_is_shared() -> None:
    alone, shared = Limits(), Limits(sharing=1000)
    assert shared.memory_bytes(0) < alone.memory_bytes(0)
    assert Limits(memory=5, sharing=1000).memory_bytes(0) == 5
