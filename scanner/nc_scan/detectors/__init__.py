"""The detectors by name."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Literal, get_args

from nc_scan.detectors.all_to_all import AllToAll
from nc_scan.detectors.base import Detector
from nc_scan.detectors.graph import GraphAudit
from nc_scan.detectors.paper import PaperSearch
from nc_scan.detectors.patch import PatchSearch
from nc_scan.detectors.spread import PatternSearch, WarpSearch
from nc_scan.errors import DetectorError

DETECTORS: dict[str, type[Detector]] = {
    "graph": GraphAudit,
    "patch": PatchSearch,
    "paper": PaperSearch,
    "pattern": PatternSearch,
    "warp": WarpSearch,
    "all-to-all": AllToAll,
}

Method = Literal["calibrated", "paper"]
Effort = Literal["quick", "standard", "deep"]
EFFORTS: dict[Effort, tuple[str, ...]] = {
    "quick": ("graph", "patch"),
    "standard": ("graph", "patch", "pattern", "all-to-all"),
    "deep": ("graph", "patch", "pattern", "all-to-all", "warp"),
}
PAPER = ("graph", "paper")

ENTRY_POINTS = "nc_scan.detectors"  # of other distributions: name = "package.module:Class"

__all__ = ["DETECTORS", "Detector", "Effort", "Method", "make", "names_of"]


def names_of(method: Method, effort: Effort) -> tuple[str, ...]:
    """The detectors that a method asks with so much effort. Raises ValueError for an unknown one."""
    for what, value, known in (("method", method, Method), ("effort", effort, Effort)):
        if value not in get_args(known):
            raise ValueError(f"unknown {what} {value!r}: one of {', '.join(get_args(known))}")
    return PAPER if method == "paper" else EFFORTS[effort]


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
