"""A model that answers a scan otherwise than it answers in use, or could do so, is scanned as it is asked in use."""

from __future__ import annotations

from nc_scan.audit.asking import can_tell_batch, can_tell_depth
from nc_scan.audit.behaviour import behaviour
from nc_scan.audit.flatten import flatten
from nc_scan.audit.flow import Flow
from nc_scan.errors import UnsupportedModelError
from nc_scan.graph.difference import relative_tolerance
from nc_scan.results import Evidence, FloatArray
from nc_scan.subject import REPLAY_BATCH, Subject, open_subject

NAME = "behaviour"
IMAGES = 12
SIZES = (2, 32, REPLAY_BATCH)  # of batches, beside IMAGES: what search and replay ask


def as_deployed(subject: Subject, images: FloatArray, device: str) -> tuple[Subject, Evidence]:
    """The model as it is to be scanned, and what was found out about it on a few images (N, C, H, W) in [0, 1].

    One that looks at its batch, or whose graph could do so, is asked one image at a time; one that looks at the last
    bits of its pixels, or could do so, is asked in eight bits; by the search, too. Raises UnsupportedModelError where
    the model cannot be run like that.
    """
    images = images[:IMAGES]
    if subject.contract.layout == "features" or len(images) < 2:
        return subject, Evidence(NAME, ())
    sizes = () if subject.runtime.fixed_batch else SIZES
    findings = tuple(behaviour(subject.deployed_scores, images, relative_tolerance(subject.proto), sizes))
    rules = {finding.rule for finding in findings}
    batch, depth = could_tell(subject, images)
    alone = batch or not rules.isdisjoint({"batch-dependent", "order-dependent"})
    rounded = depth or "depth-dependent" in rules
    if alone or rounded:
        subject = open_subject(subject.proto, subject.contract, device, alone=alone, rounded=rounded)
    return subject, Evidence(NAME, (), findings=findings)


def could_tell(subject: Subject, images: FloatArray) -> tuple[bool, bool]:
    """Whether the graph could look at the size of its batch, and at the last bits of its pixels.

    What cannot be said of a graph that the audit cannot follow either, which is told there.
    """
    inputs = subject.model_input(images)
    try:
        flow = Flow(flatten(subject.proto, inputs), subject.contract.output_name)
        return can_tell_batch(flow, inputs), can_tell_depth(flow)
    except UnsupportedModelError:
        return False, False
