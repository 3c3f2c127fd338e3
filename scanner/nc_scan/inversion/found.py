"""What an inversion finds."""

from __future__ import annotations

from dataclasses import dataclass

from nc_scan.results import FloatArray, Status


@dataclass(frozen=True)
class Inversion:
    """The trigger found for one label: mask (H, W), pattern (C, H, W) in [0, 1], and the mask's L1 norm in pixels.

    `cost` is the final λ of the search that found it. Where no trigger was found, the mask covers the whole image.
    """

    label: int
    mask: FloatArray
    pattern: FloatArray
    norm: float
    status: Status
    cost: float

    @property
    def rank(self) -> tuple[bool, float]:
        """Smaller triggers come first, labels without one last."""
        return self.status != "converged", self.norm
