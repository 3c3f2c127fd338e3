"""The smallest warp of the image for every label."""

from __future__ import annotations

from nc_scan.detectors.spread.detector import SpreadSearch
from nc_scan.search import Round, SearchSettings
from nc_scan.triggers import Warp

SETTINGS = SearchSettings(
    rounds=(Round(25, 4, 8), Round(55, 1, 16)),  # few parameters have local minima: more starts
    rates={"displacement": 0.1},
    success=0.5,  # what a network has learnt from warps of real edges, it hardly sees on synthetic images
    cost=0.1,
    cost_up=1.08,
    cost_down=1.12,
)


class WarpSearch(SpreadSearch):
    """A smooth warp of the image, by fractions of a pixel."""

    name = "warp"
    title = "a warp of the whole image"
    covers = frozenset({"wanet"})
    changes = Warp()
    settings = SETTINGS

    def how_large(self, size: float, whole: float) -> str:  # noqa: ARG002
        """In pixels."""
        return f"one by {size:.2f} pixels"
