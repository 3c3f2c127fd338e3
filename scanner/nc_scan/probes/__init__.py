"""Which images a scan looks through the model with: synthetic ones with natural statistics, or the user's own."""

from nc_scan.probes.candidates import Candidates, gather
from nc_scan.probes.probe_set import ProbeSet, choose_probes
from nc_scan.probes.sample import given_images, sample

__all__ = [
    "Candidates",
    "ProbeSet",
    "choose_probes",
    "gather",
    "given_images",
    "sample",
]
