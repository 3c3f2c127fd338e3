"""Image passes: how many are foreseen, how many are spent."""

from __future__ import annotations

from collections.abc import Callable

OnProgress = Callable[[int, int], None]


class Budget:
    """The image passes of one detector; a pass is one image through the network, forward and back.

    Who needs more than was foreseen says so with `foresee`; else the whole that is told grows with what is spent.
    """

    def __init__(self, foreseen: int = 0, on_progress: OnProgress = lambda spent, whole: None) -> None:
        self.foreseen = foreseen
        self.spent = 0
        self._on_progress = on_progress

    def foresee(self, passes: int) -> None:
        """So many passes will come on top of those foreseen."""
        self.foreseen += passes

    def spend(self, passes: int) -> None:
        """So many passes are done."""
        self.spent += passes
        self._on_progress(self.spent, max(self.spent, self.foreseen))
