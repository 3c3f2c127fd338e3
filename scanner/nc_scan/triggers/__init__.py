"""Trigger families: the ways in which an image can be changed, one file each."""

from nc_scan.triggers.base import UNCHANGED, Affine, Params, TriggerFamily
from nc_scan.triggers.coarse import CoarsePatch
from nc_scan.triggers.patch import Patch

__all__ = ["UNCHANGED", "Affine", "CoarsePatch", "Params", "Patch", "TriggerFamily"]
