"""How the patch of every label is searched for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from nc_scan.search import Round, Rung, SearchSettings, race_passes


@dataclass(frozen=True)
class Shortlist:
    """Which of many labels are searched in full.

    Attributes:
        many: models with more labels than this have a shortlist; in others every label is searched in full.
        drawn: so many labels, drawn at random, are on it: what is usual for this model is told by them.
        considered: so many labels that a single block brings nearest run a race, and as many that one moves most.
        raced: so many of them come from the race.
        nearest: and so many are those that a block brings nearest.
        rungs: of the race.
    """

    many: int = 48
    drawn: int = 10
    considered: int = 48
    raced: int = 8
    nearest: int = 2
    rungs: tuple[Rung, ...] = (Rung(16, 8, 4), Rung(24, 8, 3))

    @property
    def searched(self) -> int:
        """How many labels are searched in full, at most."""
        return self.drawn + self.raced + self.nearest

    def draw(self, labels: int, generator: torch.Generator) -> list[int]:
        """The labels drawn at random, of so many."""
        return sorted(torch.randperm(labels, generator=generator)[: self.drawn].tolist())

    def race_passes(self, labels: int) -> int:
        """How many image passes the race takes at most, of so many labels."""
        return race_passes(min(labels, 2 * self.considered), self.rungs, self.raced)


@dataclass(frozen=True, kw_only=True)
class PatchSettings(SearchSettings):
    """How the patch of every label is searched for.

    Attributes:
        guided: the first of the starts is at the blocks that move the label most, see `screening`.
        suspects: at least so many labels, those with the smallest triggers, are searched for again, from other random
            starts; none where it is 0.
        small: so is every label whose trigger is smaller than this share of the median of all.
        polish: the rounds of the last search, which starts at the suspects' triggers, at half the rates.
        shortlist: how labels are chosen where there are many; None searches for all in full.
        patience: a search that failed is made again, its last round so many times as long; never where it is 1.
    """

    guided: bool = False
    suspects: int = 0
    small: float = 0.0
    polish: tuple[Round, ...] = ()
    shortlist: Shortlist | None = None
    patience: int = 1

    def patient(self) -> PatchSettings:
        """The settings of the search that is made where one failed."""
        *first, last = self.rounds
        longer = dataclasses.replace(last, steps=self.patience * last.steps)
        return dataclasses.replace(self, rounds=(*first, longer))

    def polishing(self) -> PatchSettings:
        """The settings of the last search."""
        rates = {name: rate / 2 for name, rate in self.rates.items()}
        return dataclasses.replace(self, rounds=self.polish, rates=rates, suspects=0, polish=())

    def shortlist_for(self, labels: int) -> Shortlist | None:
        """How they are chosen among so many labels, None where all are searched in full."""
        return self.shortlist if self.shortlist and labels > self.shortlist.many else None

    def for_images(self, labels: int, size: Sequence[int]) -> PatchSettings:
        """The same for models of so many labels and images of that size (C, H, W).

        Large images with many labels are searched lightly: a pass takes a hundred times as long as on small ones.
        """
        if self.shortlist_for(labels) is None or size[1] * size[2] <= LARGE:
            return self
        return dataclasses.replace(self, rounds=LIGHT, polish=LIGHT_POLISH, shortlist=LIGHT_SHORTLIST)

    def affordable(self, labels: int, passes: Callable[[PatchSettings], int], most: int) -> PatchSettings | None:
        """The most thorough of these and cheaper settings that takes at most so many image passes, None if none does.

        `passes` says how many one takes. A guided search can do with a shortlist where there are not so many labels,
        and with fewer and shorter searches.
        """
        choices = [self]
        if self.guided and self.shortlist:
            fewer = dataclasses.replace(self.shortlist, many=0)
            fewest = dataclasses.replace(
                fewer, drawn=3, considered=16, raced=3, nearest=1, rungs=self.shortlist.rungs[:1]
            )
            shorter = (Round(20, 3, 8), Round(60, 1, 8))
            choices.append(dataclasses.replace(self, shortlist=fewer))
            choices.append(dataclasses.replace(self, shortlist=fewest, rounds=shorter, suspects=1))
        useful = [one for one in choices if one is self or one.shortlist_for(labels) is not None]
        return next((one for one in useful if passes(one) <= most), None)

    def again(self, suspects: int) -> int:
        """How many image passes the second look at so many suspects takes."""
        return suspects * (self.passes + (self.polishing().passes if self.polish else 0))


LARGE = 96 * 96  # pixels; images of more of them are searched lightly where there are many labels, too
LIGHT, LIGHT_POLISH = (Round(20, 3, 8), Round(90, 1, 8)), (Round(80, 1, 16),)
LIGHT_SHORTLIST = Shortlist(drawn=6, considered=32, raced=4, nearest=1)

ADAPTIVE = PatchSettings(
    rounds=(Round(20, 5, 8), Round(10, 3, 8), Round(90, 1, 8)),
    rates={"mask": 0.1, "pattern": 0.2},
    cost=0.03,
    cost_up=1.08,
    cost_down=1.12,
    guided=True,
    suspects=2,
    small=0.5,
    polish=(Round(80, 1, 32),),
    shortlist=Shortlist(),
    patience=3,
)
"""λ follows each label's own success, as in Wang et al. 2019, section 5; small batches, many steps."""
