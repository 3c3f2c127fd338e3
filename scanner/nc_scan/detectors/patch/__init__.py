"""Is one label reached by an abnormally small patch? Neural Cleanse, with all labels in one batch."""

from nc_scan.detectors.patch.detector import PatchSearch
from nc_scan.detectors.patch.settings import PatchSettings
from nc_scan.detectors.patch.smallest import smallest_patches

__all__ = ["PatchSearch", "PatchSettings", "smallest_patches"]
