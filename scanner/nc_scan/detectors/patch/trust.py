"""What a search by gradients rests on: scores of a scale that it can climb, and gradients that belong to the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np
import torch
from torch import Tensor

from nc_scan.audit.gradients import Way, gradient_findings
from nc_scan.contract.scores import as_logits
from nc_scan.detectors.replay import Replayed, stamped
from nc_scan.graph.runtime import Runtime
from nc_scan.probes import ProbeSet
from nc_scan.results import Finding, FloatArray
from nc_scan.search import Scores
from nc_scan.subject import Subject
from nc_scan.triggers import as_read

LARGE, SMALL = 100.0, 0.02  # nats between the best two labels: beyond, a Softmax is flat everywhere
ORDINARY = 5.0  # nats, what such margins are brought to
SCALED_PROBES = 64
LABELS, IMAGES = 10, 4  # labels whose gradient is looked at, and images for each


def at_common_scale(subject: Subject, images: FloatArray) -> Scores:
    """The subject's scores, with a margin between the best two labels that a Softmax can tell."""
    with torch.no_grad():
        few = torch.from_numpy(images[:SCALED_PROBES]).to(subject.device)
        top = subject.scores(as_read(few, subject.affine)).topk(2, 1).values
    margin = float((top[:, 0] - top[:, 1]).median())
    if not np.isfinite(margin) or margin == 0 or SMALL <= margin <= LARGE:
        return subject.scores
    return partial(_times, subject.scores, ORDINARY / margin)


def false_gradients(
    subject: Subject,
    scores: Scores,
    probes: ProbeSet,
    found: Mapping[int, Replayed],
) -> tuple[Finding, ...]:
    """A warning where the gradient is not that of the deployed model, along the triggers found and between images."""

    def logits(images: Tensor) -> Tensor:
        return scores(as_read(images.to(subject.device), subject.affine)).cpu()

    factor = _factor_of(scores)
    contract = subject.contract  # probabilities saturate: what stands before them is compared
    run = Runtime(subject.proto, outputs=[contract.scores_name], batch=subject.runtime.fixed_batch)

    def deployed(images: FloatArray) -> FloatArray:
        found = as_logits(torch.from_numpy(run(subject.model_input(images))[0]), contract.scores_kind)
        return np.asarray((factor * found).numpy(), np.float32)

    return tuple(gradient_findings(logits, deployed, list(_ways(probes, found))))


def _factor_of(scores: Scores) -> float:
    """By what the subject's scores were multiplied."""
    return float(scores.args[1]) if isinstance(scores, partial) else 1.0


def _times(scores: Callable[[Tensor], Tensor], factor: float, images: Tensor) -> Tensor:
    return scores(images) * factor


def _ways(probes: ProbeSet, found: Mapping[int, Replayed]) -> Iterator[Way]:
    """To each label's trigger, and from images of other labels to one of its own; the suspicious labels first."""
    order = sorted(found, key=lambda label: (found[label].status == "converged", found[label].pixels))
    for label in order[:LABELS]:
        others = probes.held_out[probes.held_out_labels != label][:IMAGES]
        own = probes.held_out[probes.held_out_labels == label][:1]
        if not len(others):
            continue
        if found[label].status == "converged":
            yield Way(label, others, stamped(others, found[label].trigger))
        if len(own):
            yield Way(label, others, np.repeat(own, len(others), 0))
