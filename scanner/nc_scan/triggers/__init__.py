"""Trigger families: the ways in which an image can be changed, one file each."""

from nc_scan.triggers.additive import Additive
from nc_scan.triggers.base import UNCHANGED, Affine, Params, TriggerFamily, as_read
from nc_scan.triggers.coarse import CoarsePatch
from nc_scan.triggers.patch import Patch
from nc_scan.triggers.warp import Warp

__all__ = [
    "UNCHANGED",
    "Additive",
    "Affine",
    "CoarsePatch",
    "Params",
    "Patch",
    "TriggerFamily",
    "Warp",
    "as_read",
]
