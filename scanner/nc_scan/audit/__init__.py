"""What stands in a graph that a classifier has no need of: switches, weights that nothing reads, chance."""

from nc_scan.audit.audit import PROBES, Audit, Deployment, audit

__all__ = ["PROBES", "Audit", "Deployment", "audit"]
