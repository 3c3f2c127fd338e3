"""What a search finds."""

from __future__ import annotations

from dataclasses import dataclass

from nc_scan.results import Status
from nc_scan.triggers import Params


@dataclass(frozen=True)
class Found:
    """The smallest trigger found for one goal: its parameters, one row on the CPU, and its size in the family's unit.

    `success` is the share of the recent probes that the search turned at its end, `cost` its final λ. Where no trigger
    was found, the parameters are those of the family's largest change.
    """

    goal: int
    params: Params
    size: float
    status: Status
    cost: float
    success: float

    @property
    def rank(self) -> tuple[bool, float]:
        """Smaller triggers come first, goals without one last."""
        return self.status != "converged", self.size
