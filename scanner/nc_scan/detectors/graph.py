"""Does the graph hold what a classifier has no need of? The audit as a detector."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from nc_scan.audit import PROBES, Audit, Deployment, audit
from nc_scan.contract.encoding import along, to_layout
from nc_scan.contract.scores import as_logits
from nc_scan.errors import UnsupportedModelError
from nc_scan.graph.runtime import Array
from nc_scan.probes import ProbeSet
from nc_scan.results import Evidence, FloatArray, LabelResult
from nc_scan.search import Budget
from nc_scan.subject import Subject


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
        """The findings, with the triggers of the switches that were seen to work; or why the graph was not audited."""
        covers = tuple(sorted(self.covers))
        try:
            found = audit(deployment(subject), probes.held_out)
        except UnsupportedModelError as error:
            return Evidence(self.name, covers, not_run=str(error))
        budget.spend(min(PROBES, len(probes.held_out)) // 2)
        return Evidence(
            self.name,
            covers,
            reason=next((finding.message for finding in found.findings if found.fired), ""),
            target_labels=tuple(sorted({fired.label for fired in found.fired})),
            success_rate=max((fired.success_rate for fired in found.fired), default=None),
            labels=switched(found),
            findings=found.findings,
        )


def switched(found: Audit) -> tuple[LabelResult, ...]:
    """The labels that switches lead to, each with the smallest trigger that sets one off."""
    by_label = {fired.label: fired for fired in sorted(found.fired, key=lambda one: -one.trigger.mask.sum())}
    return tuple(
        LabelResult(label, float(one.trigger.mask.sum()), 0.0, 0.0, one.success_rate, "converged", 1.0, one.trigger)
        for label, one in sorted(by_label.items())
    )


def deployment(subject: Subject) -> Deployment:
    """The model as the audit asks it."""
    contract = subject.contract
    factor, shift = (torch.from_numpy(along(values, contract.layout)) for values in (contract.scale, contract.offset))

    def logits(values: Array) -> NDArray[np.float32]:
        return np.asarray(as_logits(torch.from_numpy(np.asarray(values)), contract.output_kind).numpy(), np.float32)

    def differentiable_input(images: Tensor) -> Tensor:
        result: Tensor = to_layout(images * factor + shift, contract.layout, contract.channel_order)
        return result

    def predict(images: FloatArray) -> NDArray[np.int64]:
        return subject.labels_in_use(images)

    return Deployment(
        subject.proto, contract.output_name, contract.labels, logits, subject.model_input, differentiable_input, predict
    )
