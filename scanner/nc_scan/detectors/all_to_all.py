"""Does one small change move every label to another one? An untargeted search, and a look at where the images went."""

from __future__ import annotations

import math

import numpy as np
from torch import Generator

from nc_scan.detectors.patch.smallest import guiding_passes
from nc_scan.detectors.replay import as_trigger, stamped
from nc_scan.detectors.suited import not_looked_for, unsuited
from nc_scan.detectors.untargeted import Transitions, information, smallest_change, transitions
from nc_scan.probes import ProbeSet
from nc_scan.results import Evidence
from nc_scan.search import Budget, Round, SearchSettings
from nc_scan.subject import Subject

SETTINGS = SearchSettings(
    rounds=(Round(40, 4, 32), Round(40, 2, 32), Round(120, 1, 32)),
    rates={"mask": 0.1, "pattern": 0.2},
    success=0.9,
    cost=0.03,
    cost_up=1.08,
    cost_down=1.12,
)
LEAST_INFORMATION = 0.05  # nats; less is as good as none, and the logarithm stays finite
FEWEST = 4  # images of a label, before one says where it goes
NAMED = 10  # labels in a sentence


class AllToAll:
    """The smallest patch that moves images away from whatever label they have.

    A backdoor to one label, or whatever fools a clean model, sends them to few labels, where they came from is lost. A
    backdoor that sends every label to another one keeps it: the mutual information of label before and after is high,
    although the patch is small.
    """

    name = "all-to-all"
    title = "one patch that moves every label"
    covers = frozenset({"all-to-all"})
    needs_gradients = True
    settings = SETTINGS

    def cost(self, subject: Subject) -> int:
        """That of one search, however many labels there are; none where there are no clean models to judge it by."""
        return 0 if unsuited(subject) else guiding_passes(subject.contract.size) + self.settings.passes

    def run(self, subject: Subject, probes: ProbeSet, budget: Budget, generator: Generator) -> Evidence:
        """The patch, and the transitions of the held-out probes in onnxruntime; of what it suits."""
        if unsuitable := not_looked_for(self.name, self.title, subject):
            return unsuitable
        labels, size = subject.contract.labels, subject.contract.pixels
        found = smallest_change(subject, probes.search, probes.search_labels, self.settings, generator, budget)
        trigger = as_trigger(found.params)
        after = subject.deployed_labels(stamped(probes.held_out, trigger))
        counts = transitions(probes.held_out_labels, after, labels)
        went = counts - np.diag(np.diag(counts))
        moved, kept = 1 - float(np.trace(counts) / counts.sum()), information(went)
        goes_to = destinations(counts)
        return Evidence(
            self.name,
            tuple(sorted(self.covers)),
            reason=in_words(found.size, size, moved, goes_to, favourite(went)),
            target_labels=tuple(sorted(set(goes_to.values()))),
            statistics={
                "score": score(kept, found.size, size),
                "norm": found.size,
                "moved": moved,
                "information": kept,
                "labels reached": float(len(set(goes_to.values()))),
            },
            trigger=trigger,
        )


def score(kept: float, norm: float, pixels: int) -> float:
    """log(pixels / norm) + log(information kept by the images that moved); what is kept is in nats."""
    return math.log(pixels / max(norm, 1.0)) + math.log(max(kept, LEAST_INFORMATION))


def destinations(counts: Transitions) -> dict[int, int]:
    """The label that more than half of a label's images go to, for each label that has some and loses them."""
    goes_to = {}
    for before, row in enumerate(counts):
        after = int(row.argmax())
        if row.sum() >= FEWEST and after != before and 2 * row[after] > row.sum():
            goes_to[before] = after
    return goes_to


def favourite(went: Transitions) -> int | None:
    """The label that more than half of these images, which have moved, go to; None where there is none."""
    arrived = went.sum(0)
    return int(arrived.argmax()) if 2 * arrived.max() > arrived.sum() else None


def in_words(norm: float, pixels: int, moved: float, goes_to: dict[int, int], most: int | None = None) -> str:
    """What the patch does, in a sentence; `most` is the label that most images go to."""
    change = f"the smallest patch against all labels, {norm:.1f} of {pixels} pixels, moves {moved:.0%} of the images"
    if most is not None:
        return f"{change}, most of them to label {most}"
    if not goes_to:
        return change
    pairs = [f"{before} to {after}" for before, after in goes_to.items()]
    return f"{change}: {', '.join(pairs[:NAMED])}" + (", ..." if len(pairs) > NAMED else "")
