"""What a detector is: a question to a model, and the evidence that answers it."""

from __future__ import annotations

from typing import Protocol

from torch import Generator

from nc_scan.probes import ProbeSet
from nc_scan.results import Evidence
from nc_scan.search import Budget
from nc_scan.subject import Subject


class Detector(Protocol):
    """One question about a model under scan.

    Attributes:
        name: how it is chosen and reported.
        title: what it looks for, in a few words for the user.
        covers: the kinds of backdoor that its silence speaks about, by the names of the attacks of `nc-train`.
        needs_gradients: whether it looks at the differentiable copy of the model, which must then compute what the
            deployed one computes.
    """

    name: str
    title: str
    covers: frozenset[str]
    needs_gradients: bool

    def cost(self, subject: Subject) -> int:
        """How many image passes it will probably take."""
        ...

    def run(self, subject: Subject, probes: ProbeSet, budget: Budget, generator: Generator) -> Evidence:
        """Looks, and says what it found; tells the budget what it spends. `generator` decides all that is random."""
        ...
