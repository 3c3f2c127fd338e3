"""Scans on a Ray cluster: `pip install 'nc-scan[ray]'`."""

from __future__ import annotations

import dataclasses
import importlib
import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nc_scan.engines.base import Scan
from nc_scan.errors import EngineError
from nc_scan.isolation import Limits, Supervisor
from nc_scan.isolation.messages import plain_options
from nc_scan.reports.arrays import to_npz, with_arrays
from nc_scan.reports.as_json import from_json, to_json
from nc_scan.results import Outcome, ScanResult
from nc_scan.safely import failed
from nc_scan.text import message_of

LOST = 3  # workers that may be lost with a scan before it counts as failed


class Ray:
    """The cluster at RAY_ADDRESS, else one of this machine's cores, which ends with the engine's last scanner.

    Every machine reads a model under the same path, as on a shared file system. A scan whose worker is lost is done
    again by another one.
    """

    def __init__(self, workers: int | None = None, limits: Limits | None = None) -> None:
        """`workers` are scans at a time, by default one for every two cores; raises EngineError without a cluster."""
        try:
            ray: Any = importlib.import_module("ray")
        except ImportError as error:
            raise EngineError("--engine ray needs Ray: pip install 'nc-scan[ray]'") from error
        try:
            if not ray.is_initialized():
                ray.init(logging_level=logging.ERROR, log_to_driver=False)
            cores = int(ray.cluster_resources().get("CPU", 1))
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise EngineError(f"there is no Ray cluster: {message_of(error)}") from error
        self.workers = workers or max(1, cores // 2)
        self._threads = max(1, cores // self.workers)
        self._limits = limits or Limits()
        self._ray = ray
        self._remote = ray.remote(num_cpus=self._threads, max_retries=LOST)(_scan)

    @contextmanager
    def scanner(self) -> Iterator[Scan]:
        """One scan at a time on whichever machine has room; progress is not told."""
        yield self._scan

    def _scan(self, path: str | Path, *, progress: Any = None, **options: Any) -> Outcome:  # noqa: ARG002
        absolute = str(Path(path).absolute())
        try:
            limits = dataclasses.asdict(self._limits)
            report, arrays = self._ray.get(self._remote.remote(absolute, plain_options(options), limits, self._threads))
        except self._ray.exceptions.RayError as error:
            return failed(path, "failed", f"the cluster could not scan it: {message_of(error)}")
        outcome = from_json(report)
        if isinstance(outcome, ScanResult):
            outcome = with_arrays(outcome, io.BytesIO(arrays))
        return dataclasses.replace(outcome, path=str(path))


def _scan(path: str, options: dict[str, Any], limits: dict[str, Any], threads: int) -> tuple[str, bytes]:
    """On a worker: the report as JSON, and its pixels; in a process of its own, within the limits."""
    with Supervisor(Limits(**limits), threads) as supervisor:
        outcome = supervisor.scan(path, **options)
    return to_json(outcome), to_npz(outcome) if isinstance(outcome, ScanResult) else b""
