"""Probes that carry a trigger, for the reports to show."""

from __future__ import annotations

from nc_scan.detectors.replay import stamped
from nc_scan.probes import ProbeSet
from nc_scan.results import LabelResult, StampedProbe
from nc_scan.subject import Subject
from nc_scan.verdict import Decision

SHOWN_LABELS, SHOWN_PROBES = 3, 6


def stamp_examples(subject: Subject, probes: ProbeSet, decision: Decision) -> tuple[StampedProbe, ...]:
    """Up to six held-out probes with the trigger of each suspected label, as many labels before it as there are.

    Three labels at most, those with the smallest norms; where none is suspected, the one with the smallest norm of all.
    """
    by_norm = sorted(decision.labels, key=lambda label: label.norm)
    suspected = [label for label in by_norm if label.label in decision.target_labels]
    return tuple(
        example for label in (suspected[:SHOWN_LABELS] or by_norm[:1]) for example in _stamp(subject, probes, label)
    )


def _stamp(subject: Subject, probes: ProbeSet, label: LabelResult) -> list[StampedProbe]:
    if label.trigger is None:
        return []
    labels = probes.held_out_labels
    turn = [int((labels[:i] == before).sum()) for i, before in enumerate(labels)]  # the first of each label, then ...
    order = sorted((i for i in range(len(labels)) if labels[i] != label.label), key=lambda i: (turn[i], i))
    shown = order[:SHOWN_PROBES]
    images = probes.held_out[shown]
    after = subject.deployed_labels(stamped(images, label.trigger))
    return [
        StampedProbe(label.label, int(labels[i]), int(to), image)
        for i, to, image in zip(shown, after, images, strict=True)
    ]
