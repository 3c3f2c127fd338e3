"""Is one label reached by an abnormally small patch? Neural Cleanse, with all labels in one batch."""

from nc_scan.detectors.patch.agreement import Agreement
from nc_scan.detectors.patch.detector import PatchSearch
from nc_scan.detectors.patch.settings import PatchSettings
from nc_scan.detectors.patch.smallest import smallest_patches

__all__ = ["Agreement", "PatchSearch", "PatchSettings", "smallest_patches"]
