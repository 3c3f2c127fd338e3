"""Scans in processes of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from nc_scan.engines.base import Scan
from nc_scan.isolation import Limits, Supervisor
from nc_scan.safely import scan_safely


class Local:
    """So many processes, each with its share of the cores, which is started anew where a model breaks it.

    Without `limits` there is one worker, which is this process.
    """

    def __init__(self, workers: int = 1, limits: Limits | None = None) -> None:
        self.workers = workers if limits is not None else 1
        self._limits = limits

    @contextmanager
    def scanner(self) -> Iterator[Scan]:
        """One of the processes, for as long as the context lasts."""
        if self._limits is None:
            yield scan_safely
            return
        threads = None if self.workers == 1 else max(1, (os.cpu_count() or 1) // self.workers)
        with Supervisor(self._limits, threads) as supervisor:
            yield supervisor.scan
