"""The detectors by name."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Literal

from nc_scan.detectors.base import Detector
from nc_scan.detectors.graph import GraphAudit
from nc_scan.detectors.paper import PaperSearch
from nc_scan.detectors.patch import PatchSearch
from nc_scan.errors import DetectorError

DETECTORS: dict[str, type[Detector]] = {
    "graph": GraphAudit,
    "patch": PatchSearch,
    "paper": PaperSearch,
}

Method = Literal["calibrated", "paper"]
METHODS: dict[str, tuple[str, ...]] = {"calibrated": ("graph", "patch"), "paper": ("graph", "paper")}

ENTRY_POINTS = "nc_scan.detectors"  # of other distributions: name = "package.module:Class"

__all__ = ["DETECTORS", "METHODS", "Detector", "Method", "make"]


def make(name: str) -> Detector:
    """The detector of that name, of this package or of another one. Raises DetectorError where there is none."""
    if name in DETECTORS:
        return DETECTORS[name]()
    others = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if name not in others:
        raise DetectorError(f"unknown detector {name!r}: one of {', '.join([*DETECTORS, *sorted(others)])}")
    try:
        detector: Detector = others[name].load()()
    except Exception as error:  # whatever another package does while it is imported
        raise DetectorError(f"the detector {name!r} of {others[name].value} cannot be loaded: {error}") from error
    return detector
