"""The two ways to weigh a trigger's size against its success."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass


@dataclass(frozen=True)
class InversionSettings:
    """How a search runs; all rates are per step.

    Attributes:
        starts: searches a label, each from another start.
        rounds: (step, searches): after that step only so many go on for each label, the best.
        steps: at most so many gradient steps a label.
        batch: probes a step, the same for all labels.
        mask_rate, pattern_rate: Adam's learning rates; masks and patterns live in [0, 1].
        betas: Adam's decay rates.
        success: share of probes that a trigger must turn, over the recent steps, to count.
        cost: λ, the weight of the mask's L1 norm in the loss, at the start.
        cost_up: λ is multiplied by this after a step at which the trigger succeeds; 1 keeps it fixed.
        cost_down: λ is divided by this after a step at which it does not.
        memory: share of the past in the running success rate.
        patience: once a trigger has succeeded, a search whose mask, averaged over the recent steps, has not shrunk by
            2 % for so many steps is done; 0 for never.
        smallest: return the smallest successful trigger seen rather than the last one.
        suspects: so many labels, those with the smallest triggers, are searched for again from new starts.
        polish_steps, polish_batch: of the last search, which starts at the suspects' triggers, at half the rates.
    """

    starts: int
    rounds: tuple[tuple[int, int], ...]
    steps: int
    batch: int
    mask_rate: float
    pattern_rate: float
    betas: tuple[float, float]
    success: float
    cost: float
    cost_up: float
    cost_down: float
    memory: float
    patience: int
    smallest: bool
    suspects: int = 0
    polish_steps: int = 0
    polish_batch: int = 0

    def polishing(self) -> InversionSettings:
        """The settings of the last search."""
        return dataclasses.replace(
            self,
            starts=1,
            rounds=(),
            steps=self.polish_steps,
            batch=self.polish_batch,
            mask_rate=self.mask_rate / 2,
            pattern_rate=self.pattern_rate / 2,
            patience=0,
            suspects=0,
        )

    def images_a_search(self, labels: int) -> int:
        """How many images one search stamps at most."""
        searches, before, images = self.starts, 0, 0
        for step, left in (*self.rounds, (self.steps, 0)):
            images += (min(step, self.steps) - before) * searches * self.batch
            searches, before = left, min(step, self.steps)
        return labels * images

    def most_images(self, labels: int) -> int:
        """How many images an inversion stamps at most."""
        suspects = min(labels, self.suspects)
        again = self.images_a_search(suspects) + self.polishing().images_a_search(suspects) if suspects else 0
        return self.images_a_search(labels) + again


ADAPTIVE = InversionSettings(
    starts=8,
    rounds=((40, 4), (75, 2), (120, 1)),
    steps=300,
    batch=8,
    mask_rate=0.1,
    pattern_rate=0.2,
    betas=(0.5, 0.9),
    success=0.99,
    cost=0.01,
    cost_up=1.04,
    cost_down=1.06,
    memory=0.93,
    patience=100,
    smallest=True,
    suspects=2,
    polish_steps=120,
    polish_batch=32,
)
"""λ follows each label's own success, as in Wang et al. 2019, section 5; small batches, many steps."""

PAPER = InversionSettings(
    starts=8,
    rounds=((60, 2), (120, 1)),
    steps=600,
    batch=16,
    mask_rate=0.1,
    pattern_rate=0.2,
    betas=(0.5, 0.9),
    success=0.99,
    cost=0.01,
    cost_up=1.0,
    cost_down=1.0,
    memory=0.9,
    patience=0,
    smallest=False,
)
"""The paper, section 3.2: λ = 0.01 throughout, Adam. It names no start, step count or learning rate; with one start and
betas of (0.9, 0.999) the search ended at four times the trigger's norm on the shipped example."""
