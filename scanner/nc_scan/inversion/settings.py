"""The two ways to weigh a trigger's size against its success."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Round:
    """For so many `steps`, so many `searches` go on for each label, on `batch` probes a step."""

    steps: int
    searches: int
    batch: int


@dataclass(frozen=True)
class InversionSettings:
    """How a search runs; all rates are per step.

    Attributes:
        rounds: how many searches, each from another start, a label has at first, and how many of them, the best, go on.
        mask_rate, pattern_rate: Adam's learning rates; masks and patterns live in [0, 1].
        betas: Adam's decay rates.
        success: share of probes that a trigger must turn, over the recent steps, to count.
        cost: λ, the weight of the mask's L1 norm in the loss, at the start.
        cost_up: λ is multiplied by this after a step at which the trigger succeeds; 1 keeps it fixed.
        cost_down: λ is divided by this after a step at which it does not.
        memory: share of the past in the running success rate.
        guided: the first of the starts is at the blocks that move the label most, see `screening`.
        smallest: return the smallest successful trigger that the searches left at the end saw, not their last one.
        suspects: at least so many labels, those with the smallest triggers, are searched for again, from other random
            starts; none where it is 0.
        small: so is every label whose trigger is smaller than this share of the median of all.
        polish: the rounds of the last search, which starts at the suspects' triggers, at half the rates.
    """

    rounds: tuple[Round, ...]
    mask_rate: float
    pattern_rate: float
    betas: tuple[float, float]
    success: float
    cost: float
    cost_up: float
    cost_down: float
    memory: float
    guided: bool
    smallest: bool
    suspects: int = 0
    small: float = 0.0
    polish: tuple[Round, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError where a later round has more searches than the one before."""
        for rounds in (self.rounds, self.polish):
            if any(after.searches > before.searches for before, after in pairwise(rounds)):
                raise ValueError("a search that was dropped does not come back: rounds must not grow")

    @property
    def starts(self) -> int:
        """How many searches a label has at first."""
        return self.rounds[0].searches

    @property
    def images_a_step(self) -> int:
        """How many images a step stamps at most for each label."""
        return max(part.searches * part.batch for part in self.rounds)

    def polishing(self) -> InversionSettings:
        """The settings of the last search."""
        return dataclasses.replace(
            self,
            rounds=self.polish,
            mask_rate=self.mask_rate / 2,
            pattern_rate=self.pattern_rate / 2,
            suspects=0,
            polish=(),
        )

    def images(self, labels: int, probes: int, suspects: int | None = None) -> int:
        """How many stamped images the searches of an inversion with so many probes compute; by default with the least
        number of suspects."""
        suspects = min(labels, self.suspects) if suspects is None else suspects
        return (labels + suspects) * _images(self.rounds, probes) + suspects * _images(self.polish, probes)


def _images(rounds: tuple[Round, ...], probes: int) -> int:
    return sum(part.steps * part.searches * min(part.batch, probes) for part in rounds)


ADAPTIVE = InversionSettings(
    rounds=(Round(20, 5, 8), Round(10, 3, 8), Round(90, 1, 8)),
    mask_rate=0.1,
    pattern_rate=0.2,
    betas=(0.5, 0.9),
    success=0.99,
    cost=0.03,
    cost_up=1.08,
    cost_down=1.12,
    memory=0.9,
    guided=True,
    smallest=True,
    suspects=2,
    small=0.5,
    polish=(Round(80, 1, 32),),
)
"""λ follows each label's own success, as in Wang et al. 2019, section 5; small batches, many steps."""

PAPER = InversionSettings(
    rounds=(Round(60, 8, 16), Round(60, 2, 16), Round(480, 1, 16)),
    mask_rate=0.1,
    pattern_rate=0.2,
    betas=(0.5, 0.9),
    success=0.99,
    cost=0.01,
    cost_up=1.0,
    cost_down=1.0,
    memory=0.9,
    guided=False,
    smallest=False,
)
"""The paper, section 3.2: λ = 0.01 throughout, Adam. It names no start, step count or learning rate; with one start and
betas of (0.9, 0.999) the search ended at four times the trigger's norm on the shipped example."""
