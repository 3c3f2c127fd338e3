"""How the patch of every label is searched for."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from nc_scan.search import Round, SearchSettings


@dataclass(frozen=True, kw_only=True)
class PatchSettings(SearchSettings):
    """How the patch of every label is searched for.

    Attributes:
        guided: the first of the starts is at the blocks that move the label most, see `screening`.
        suspects: at least so many labels, those with the smallest triggers, are searched for again, from other random
            starts; none where it is 0.
        small: so is every label whose trigger is smaller than this share of the median of all.
        polish: the rounds of the last search, which starts at the suspects' triggers, at half the rates.
    """

    guided: bool = False
    suspects: int = 0
    small: float = 0.0
    polish: tuple[Round, ...] = ()

    def polishing(self) -> PatchSettings:
        """The settings of the last search."""
        rates = {name: rate / 2 for name, rate in self.rates.items()}
        return dataclasses.replace(self, rounds=self.polish, rates=rates, suspects=0, polish=())

    def again(self, suspects: int) -> int:
        """How many image passes the second look at so many suspects takes."""
        return suspects * (self.passes + (self.polishing().passes if self.polish else 0))


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
)
"""λ follows each label's own success, as in Wang et al. 2019, section 5; small batches, many steps."""
