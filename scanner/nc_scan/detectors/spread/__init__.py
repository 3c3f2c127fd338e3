"""Triggers that lie over the whole image, each kind of change a family of its own."""

from nc_scan.detectors.spread.pattern import PatternSearch
from nc_scan.detectors.spread.warp import WarpSearch

__all__ = ["PatternSearch", "WarpSearch"]
