"""Probe images: synthetic ones with natural statistics, or the user's own."""

from nc_scan.probes.probe_set import ProbeSet
from nc_scan.probes.source import ImageSource

__all__ = ["ImageSource", "ProbeSet"]
