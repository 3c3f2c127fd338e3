"""Image passes: how many are foreseen, how many are spent, and how many there is time for."""

from __future__ import annotations

import time
from collections.abc import Callable

from nc_scan.errors import NcScanError

OnProgress = Callable[[int, int], None]


class OutOfTime(NcScanError):
    """The time of a detector is over; its message says how far it came."""


class Budget:
    """The image passes of one detector; a pass is one image through the network, forward and back.

    Who needs more than was foreseen says so with `foresee`; else the whole that is told grows with what is spent.
    Where time is short `affordable` is the number of passes to plan with, None where it is not; whoever spends beyond
    the `seconds` from now on meets OutOfTime.
    """

    def __init__(
        self,
        foreseen: int = 0,
        on_progress: OnProgress = lambda spent, whole: None,
        *,
        affordable: int | None = None,
        seconds: float = float("inf"),
    ) -> None:
        self.foreseen = foreseen
        self.spent = 0
        self.affordable = affordable
        self._on_progress = on_progress
        self._ends = time.monotonic() + seconds

    def foresee(self, passes: int) -> None:
        """So many passes will come on top of those foreseen."""
        self.foreseen += passes

    def spend(self, passes: int) -> None:
        """So many passes are done. Raises OutOfTime where that took too long."""
        self.spent += passes
        self._on_progress(self.spent, max(self.spent, self.foreseen))
        if time.monotonic() > self._ends:
            raise OutOfTime(f"the time was over after {self.spent:,} of about {self.foreseen:,} image passes")
