"""How a search weighs a trigger's size against its success."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal


@dataclass(frozen=True)
class Round:
    """For so many `steps`, so many `searches` go on for each goal, on `batch` probes a step."""

    steps: int
    searches: int
    batch: int


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """How a search runs; all rates are per step.

    Attributes:
        rounds: how many searches, each from another start, a goal has at first, and how many of them, the best, go on.
        rates: Adam's learning rate of each of the trigger's parameters.
        betas: Adam's decay rates.
        success: share of probes that a trigger must turn, over the recent steps, to count.
        cost: λ, the weight of the trigger's size in the loss, at the start.
        cost_up: λ is multiplied by this after a step at which the trigger succeeds; 1 keeps it fixed.
        cost_down: λ is divided by this after a step at which it does not.
        memory: share of the past in the running success rate.
        record: return the smallest successful trigger that the searches left at the end saw, or their last one.
    """

    rounds: tuple[Round, ...]
    rates: Mapping[str, float]
    betas: tuple[float, float] = (0.5, 0.9)
    success: float = 0.99
    cost: float
    cost_up: float = 1.0
    cost_down: float = 1.0
    memory: float = 0.9
    record: Literal["smallest", "last"] = "smallest"

    def __post_init__(self) -> None:
        """Raises ValueError where a later round has more searches than the one before."""
        if any(after.searches > before.searches for before, after in pairwise(self.rounds)):
            raise ValueError("a search that was dropped does not come back: rounds must not grow")

    @property
    def starts(self) -> int:
        """How many searches a goal has at first."""
        return self.rounds[0].searches

    @property
    def images_a_step(self) -> int:
        """How many images a step stamps at most for each goal."""
        return max(part.searches * part.batch for part in self.rounds)

    @property
    def passes(self) -> int:
        """How many images the searches for one goal stamp."""
        return sum(part.steps * part.searches * part.batch for part in self.rounds)
