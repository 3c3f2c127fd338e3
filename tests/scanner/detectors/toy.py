"""A detector in one file: it is written like those of the package, or like a third party's."""

from __future__ import annotations

from torch import Generator

from nc_scan.probes import ProbeSet
from nc_scan.results import Evidence
from nc_scan.search import Budget
from nc_scan.subject import Subject


class Toy:
    """Finds label 1 suspicious in every model."""

    name = "toy"
    title = "label 1"
    covers = frozenset({"toys"})
    needs_gradients = False

    def cost(self, subject: Subject) -> int:
        return subject.contract.labels

    def run(self, subject: Subject, probes: ProbeSet, budget: Budget, generator: Generator) -> Evidence:
        budget.spend(self.cost(subject))
        drawn = float(generator.initial_seed())
        statistics = {"held out": float(len(probes.held_out)), "seed": drawn}
        return Evidence(self.name, tuple(self.covers), "label 1 it is", (1,), 1e-6, 1.0, statistics)
