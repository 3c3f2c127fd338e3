"""Scans in processes of this machine."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from contextlib import contextmanager

from nc_scan.engines.base import Scan
from nc_scan.isolation import Limits, Supervisor
from nc_scan.safely import scan_safely


class Local:
    """So many processes, each with its share of cores and memory, which is started anew where a model breaks it.

    Without `limits` there is one worker, which is this process.
    """

    def __init__(self, workers: int = 1, limits: Limits | None = None) -> None:
        self.workers = workers if limits is not None else 1
        self._limits = limits and dataclasses.replace(limits, sharing=self.workers)

    @contextmanager
    def scanner(self) -> Iterator[Scan]:
        """One of the processes, for as long as the context lasts."""
        if self._limits is None:
            yield scan_safely
            return
        threads = None if self.workers == 1 else max(1, cores() // self.workers)
        with Supervisor(self._limits, threads) as supervisor:
            yield supervisor.scan


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
