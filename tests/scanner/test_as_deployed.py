"""A graph that could tell a scan from use is searched as in use, whatever it shows on ordinary images."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from tests.scanner.audit.surgery import FLOAT, LABELS, SIDE, Build, Surgery
from tests.scanner.audit.test_audit import probes

from nc_scan.as_deployed import as_deployed
from nc_scan.results import InputContract
from nc_scan.subject import Subject, open_subject


def subject_of(build: Build) -> Subject:
    surgery = Surgery()
    model = surgery.model(build(surgery))
    contract = InputContract(
        input_name="image", layout="NCHW", channels=3, height=SIDE, width=SIDE, dtype="float32", value_range="0..1",
        scale=(1.0,) * 3, offset=(0.0,) * 3, channel_order="RGB", output_name="scores", output_kind="logits",
        scores_name="scores", labels=LABELS, scores_kind="logits",
    )  # fmt: skip
    onnx.checker.check_model(model)
    return open_subject(model, contract, "cpu")


def dark_where_alone(s: Surgery) -> str:
    """Black pixels lead to the target, in an image that comes alone; nothing else does."""
    count = s("Cast", s("Slice", s("Shape", "image"), s.integers(0), s.integers(1)), to=FLOAT)
    others = s("Clip", s("Sub", count, 1.0), 0.0, 1.0)
    hit = s("Relu", s("Sub", 1.0, s("Add", s("Mul", s.darkness(), 40.0), others)))
    return s("Add", s.logits(s.features()), s("Mul", hit, s.target()))


def dark_in_eight_bits(s: Surgery) -> str:
    """The same in an image of eight bits."""
    level = s("Mul", "image", 255.0)
    off = s("Abs", s("Sub", level, s("Round", level)))
    deep = s("Clip", s("Mul", s("ReduceMean", off, s.integers(1, 2, 3), keepdims=0), 1e4), 0.0, 1.0)
    both = s("Add", s("Mul", s.darkness(), 40.0), s("Unsqueeze", deep, s.integers(1)))
    return s("Add", s.logits(s.features()), s("Mul", s("Relu", s("Sub", 1.0, both)), s.target()))


@pytest.mark.parametrize("build", [dark_where_alone, dark_in_eight_bits])
def test_a_trigger_that_hides_from_batches_and_other_depths_is_seen_by_the_search(build: Build) -> None:
    images = probes(16)
    before = subject_of(build)
    subject, evidence = as_deployed(before, images, "cpu")
    assert evidence.findings == ()  # ordinary images show nothing
    stamped = torch.from_numpy(images) + 0.3 / 255
    stamped[:, :, -3:, -3:] = 0.3 / 255 if build is dark_in_eight_bits else 0.0
    with torch.no_grad():
        hidden, seen = (one.scores(stamped).argmax(1) for one in (before, subject))
    assert (hidden == 4).float().mean() < 0.5
    assert (seen == 4).all()


def test_a_plain_graph_is_searched_in_batches() -> None:
    subject = subject_of(lambda s: s.logits(s.features()))
    assert as_deployed(subject, probes(16), "cpu")[0] is subject
    assert not np.isnan(subject.deployed_scores(probes(16))).any()
