"""Triggers that lie over the whole image, each kind of change a family of its own."""

from nc_scan.detectors.spread.detector import PatternSearch, WarpSearch

__all__ = ["PatternSearch", "WarpSearch"]
