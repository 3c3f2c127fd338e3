"""Where scans run: processes of this machine, or a Ray cluster; the results are the same."""

from __future__ import annotations

from typing import Literal

from nc_scan.engines.base import Engine, Scan, in_parallel
from nc_scan.engines.local import Local
from nc_scan.isolation import Limits

EngineName = Literal["local", "ray"]

__all__ = ["Engine", "EngineName", "Scan", "in_parallel", "make_engine"]


def make_engine(name: EngineName, models: int, jobs: int | None = None, limits: Limits | None = None) -> Engine:
    """The engine of that name, for so many models, `jobs` of them at a time; by default one, or all a cluster can.

    No limits are scans in this process, for an engine that has one. Raises EngineError where it is not there.
    """
    if name == "local":
        return Local(max(1, min(jobs or 1, models)), limits)
    from nc_scan.engines.cluster import Ray

    return Ray(models, jobs, limits)
