"""Which images a scan looks through the model with: synthetic ones of a kind that it recognises, or the user's own."""

from nc_scan.probes.probe_set import ProbeSet, mixed_probes, probes_for, probes_of_another_kind
from nc_scan.probes.sample import given_images, sample
from nc_scan.probes.supply import Supply

__all__ = ["ProbeSet", "Supply", "given_images", "mixed_probes", "probes_for", "probes_of_another_kind", "sample"]
