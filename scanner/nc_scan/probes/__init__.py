"""Probe images: synthetic ones with natural statistics, or the user's own."""

from nc_scan.probes.probe_set import ProbeSet, synthetic_probes, user_probes

__all__ = ["ProbeSet", "synthetic_probes", "user_probes"]
