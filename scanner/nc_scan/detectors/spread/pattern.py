"""The smallest pattern to add to an image, for the label that the model can be made surest of."""

from __future__ import annotations

import math

from torch import Generator

from nc_scan.detectors.spread.detector import SpreadSearch, sizes_of
from nc_scan.detectors.spread.margins import common_margins
from nc_scan.detectors.spread.surest import largest_margins, stands_out, surest_passes
from nc_scan.detectors.suited import unsuited
from nc_scan.probes import ProbeSet
from nc_scan.results import Evidence
from nc_scan.search import Budget, Round, SearchSettings
from nc_scan.subject import Subject
from nc_scan.triggers import Additive

SETTINGS = SearchSettings(
    rounds=(Round(20, 2, 8), Round(60, 1, 16)),
    rates={"change": 0.01},
    success=0.9,  # a change of the whole image turns some images back, too; patches are asked for more
    cost=0.1,
    cost_up=1.08,
    cost_down=1.12,
)
WORTH_A_LOOK = 0.2  # nats by which the model can be made surer of one label than of the next
ONE_IN = 3  # so many networks have a label that is worth it: one in three
NEXT_TO_NOTHING = 0.05  # nats; less says nothing


class PatternSearch(SpreadSearch):
    """A pattern that is added to the image: noise or a faint picture, stripes, a smooth field.

    A planted label stands out in two ways: it is the one that the model can be made surest of, and the one that the
    faintest pattern leads to. A natural label stands out in one of them at most. The first way costs little; the second
    is looked at only where a label stands out in the first.
    """

    name = "pattern"
    title = "a faint pattern over the whole image"
    covers = frozenset({"blended", "sig", "low-frequency", "adaptive-blend"})
    changes = Additive()
    settings = SETTINGS

    def cost(self, subject: Subject) -> int:
        """That of the first way, and what the second adds on average."""
        return 0 if unsuited(subject) else surest_passes(subject.contract.labels) + super().cost(subject) // ONE_IN

    def looked(self, subject: Subject, probes: ProbeSet, budget: Budget, generator: Generator) -> Evidence:
        """Of the label that the model can be made surest of."""
        if no_time := self.without_time(surest_passes(subject.contract.labels), budget):
            return no_time
        ahead = stands_out(largest_margins(subject, generator, budget))
        label = int(ahead.argmax())
        surer = float(ahead[label])
        searching = super().cost(subject)
        if surer < WORTH_A_LOOK:
            budget.foresee(-(searching // ONE_IN))
            reason = f"{self.title}: there is no label that the model can be made far surer of than of any other"
            statistics = {"score": both_ways(surer, 0.0), "surer": surer}
            return Evidence(self.name, tuple(sorted(self.covers)), reason=reason, statistics=statistics)
        if no_time := self.without_time(budget.spent + searching, budget):
            return no_time
        budget.foresee(searching - searching // ONE_IN)
        every, found = self.searched(subject, probes, budget, generator)
        fainter = float(common_margins(sizes_of(found))[label])
        statistics = {"score": both_ways(surer, fainter), "surer": surer, "fainter": fainter}
        return self.told(subject, every, found, label, statistics)


def both_ways(surer: float, fainter: float) -> float:
    """The geometric mean of two margins, in nats, of which less than NEXT_TO_NOTHING counts as that.

    For clean models its upper half is exponential, which is what the tail that it is held against assumes.
    """
    return math.sqrt(max(surer, NEXT_TO_NOTHING) * max(fainter, NEXT_TO_NOTHING))
