"""Scans in a process of their own, with limits for time and memory: a model costs its own scan and nothing else."""

from nc_scan.isolation.limits import Limits
from nc_scan.isolation.supervisor import Supervisor, scan_isolated

__all__ = ["Limits", "Supervisor", "scan_isolated"]
