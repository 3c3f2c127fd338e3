"""Scans on a Ray cluster: `pip install 'nc-scan[ray]'`."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import io
import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nc_scan.engines.base import Scan
from nc_scan.errors import EngineError
from nc_scan.isolation import Limits, Supervisor
from nc_scan.isolation.messages import plain_options
from nc_scan.isolation.supervisor import as_asked
from nc_scan.reports.arrays import to_npz, with_arrays
from nc_scan.reports.as_json import from_json, to_json
from nc_scan.results import Outcome, ScanResult
from nc_scan.safely import failed
from nc_scan.text import message_of

LOST = 3  # workers that may be lost with a scan before it counts as failed
USUAL = 2  # cores a scan, where the machines have as many


class Ray:
    """The cluster at RAY_ADDRESS or one that runs on this machine, else one with all cores of this machine.

    Every machine reads a model and whatever else is named under the same path, as on a shared file system. A scan whose
    worker is lost is done again by another one.
    """

    def __init__(self, models: int, jobs: int | None = None, limits: Limits | None = None) -> None:
        """For so many models, `jobs` at a time, by default as many as fit. Raises EngineError without a cluster."""
        self._ray = _connected()
        each = [int(node["Resources"].get("CPU", 0)) for node in self._ray.nodes() if node["Alive"]]
        largest = max(1, *each)
        self._threads = max(1, min(largest, sum(each) // jobs if jobs else USUAL))
        room = sum(cores // self._threads for cores in each)
        self.workers = max(1, min(jobs or room, models))
        self._limits = dataclasses.replace(limits or Limits(), sharing=max(1, largest // self._threads))
        self._remote = self._ray.remote(max_retries=LOST)(_scan)

    @contextmanager
    def scanner(self) -> Iterator[Scan]:
        """One scan at a time on whichever machine has room; progress is not told."""
        running = list[Any]()  # what is scanned at the moment, if anything

        def scan(path: str | Path, *, progress: Any = None, **options: Any) -> Outcome:  # noqa: ARG001
            running[:] = [self._submit(os.path.abspath(path), options)]
            try:
                return _as_here(self._ray.get(running[0]), str(path))
            except (self._ray.exceptions.RayError, ValueError) as error:
                return failed(path, "failed", f"the cluster could not scan it: {message_of(error)}")

        try:
            yield scan
        finally:
            for one in running:
                with contextlib.suppress(Exception):  # it may have ended, or the cluster with it
                    self._ray.cancel(one, force=True)

    def _submit(self, path: str, options: dict[str, Any]) -> Any:
        absolute = {name: value.absolute() if isinstance(value, Path) else value for name, value in options.items()}
        gpus = 1 if str(options.get("device", "cpu")).startswith("cuda") else 0
        task = self._remote.options(num_cpus=self._threads, num_gpus=gpus)
        return task.remote(path, plain_options(absolute), dataclasses.asdict(self._limits), self._threads)


def _connected() -> Any:
    """Ray, with a cluster; it takes over how a process ends, which is left as it was."""
    try:
        ray = importlib.import_module("ray")
    except ImportError as error:
        raise EngineError("--engine ray needs Ray: pip install 'nc-scan[ray]'") from error
    terminate = signal.getsignal(signal.SIGTERM)
    try:
        if not ray.is_initialized():
            ray.init(logging_level=logging.ERROR, log_to_driver=False)
    except (ImportError, ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise EngineError(f"there is no Ray cluster: {message_of(error)}") from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, terminate)
    return ray


def _scan(path: str, options: dict[str, Any], limits: dict[str, Any], threads: int) -> tuple[str, bytes]:
    """On a worker: the report as JSON, and its pixels; in a process of its own, within the limits."""
    with Supervisor(Limits(**limits), threads) as supervisor:
        outcome = supervisor.scan(path, **options)
    return to_json(outcome), to_npz(outcome) if isinstance(outcome, ScanResult) else b""


def _as_here(answer: tuple[str, bytes], path: str) -> Outcome:
    """The outcome of what a worker sent, under the name that the user gave the model. Raises ValueError."""
    report, arrays = answer
    outcome = from_json(report)
    return as_asked(with_arrays(outcome, io.BytesIO(arrays)) if isinstance(outcome, ScanResult) else outcome, path)
