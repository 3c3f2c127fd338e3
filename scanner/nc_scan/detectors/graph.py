"""Does the graph hold what a classifier has no need of? The audit as a detector."""

from __future__ import annotations

from torch import Generator

from nc_scan.audit import audit
from nc_scan.errors import UnsupportedModelError
from nc_scan.probes import ProbeSet
from nc_scan.results import Evidence
from nc_scan.search import Budget
from nc_scan.subject import Subject

PROBES, BATCH = 128, 16  # few at once: all comparisons in the graph are held


class GraphAudit:
    """Comparisons on the image that choose the answer have no gradient: no search sees them."""

    name = "graph"
    title = "branches and leftovers in the graph"
    covers = frozenset({"branch"})
    needs_gradients = False

    def cost(self, subject: Subject) -> int:  # noqa: ARG002
        """Half a pass for each probe: forward only."""
        return PROBES // 2

    def run(self, subject: Subject, probes: ProbeSet, budget: Budget, generator: Generator) -> Evidence:  # noqa: ARG002
        """The findings, or why the graph was not audited."""
        contract, images = subject.contract, probes.held_out[:PROBES]
        batches = [subject.model_input(images[start : start + BATCH]) for start in range(0, len(images), BATCH)]
        covers = tuple(sorted(self.covers))
        try:
            findings = audit(subject.proto, contract.output_name, contract.labels, batches)
        except UnsupportedModelError as error:
            return Evidence(self.name, covers, not_run=str(error))
        budget.spend(len(images) // 2)
        return Evidence(self.name, covers, findings=findings)
