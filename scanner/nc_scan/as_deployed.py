"""A model that answers a scan otherwise than it answers in use is scanned as it is asked in use."""

from __future__ import annotations

from nc_scan.audit.behaviour import behaviour
from nc_scan.graph.difference import relative_tolerance
from nc_scan.results import Evidence, FloatArray
from nc_scan.subject import Subject, open_subject

NAME = "behaviour"
IMAGES = 12


def as_deployed(subject: Subject, images: FloatArray, device: str) -> tuple[Subject, Evidence]:
    """The model as it is to be scanned, and what was found out about it on a few images (N, C, H, W) in [0, 1].

    One that looks at its batch is asked one image at a time, one that looks at the last bits of its pixels is asked in
    eight bits, by the search, too. Raises UnsupportedModelError where the model cannot be run like that.
    """
    images = images[:IMAGES]
    if subject.contract.layout == "features" or subject.runtime.fixed_batch or len(images) < 2:
        return subject, Evidence(NAME, ())
    findings = tuple(behaviour(subject.deployed_scores, images, relative_tolerance(subject.proto)))
    rules = {finding.rule for finding in findings}
    alone, rounded = not rules.isdisjoint({"batch-dependent", "order-dependent"}), "depth-dependent" in rules
    if alone or rounded:
        subject = open_subject(subject.proto, subject.contract, device, alone=alone, rounded=rounded)
    return subject, Evidence(NAME, (), findings=findings)
