"""Whether a graph can tell the batch or the bits of a scan from those in use, before it does so."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from tests.scanner.audit.look_alikes import LOOK_ALIKES
from tests.scanner.audit.surgery import FLOAT, LABELS, Build, Surgery
from tests.scanner.audit.test_audit import probes

from nc_scan.audit.asking import can_tell_batch, can_tell_depth
from nc_scan.audit.flatten import flatten
from nc_scan.audit.flow import Flow


def count(s: Surgery) -> str:
    """How many images there are, (1,) of whole numbers."""
    return s("Slice", s("Shape", "image"), s.integers(0), s.integers(1))


def multiplied(s: Surgery) -> str:
    return s("Div", s.logits(s.features()), s("Cast", count(s), to=FLOAT))


def chosen(s: Surgery) -> str:
    many = s("Greater", count(s), s.integers(40))
    return s("Where", many, s.target(), s.logits(s.features()))


def clipped_away(s: Surgery) -> str:
    many = s("Clip", s("Sub", s("Cast", count(s), to=FLOAT), 1.0), 0.0, 1.0)
    hit = s("Less", s.darkness(), s("Sub", 0.02, many))
    return s("Where", hit, s.target(), s.logits(s.features()))


def shaped(s: Surgery) -> str:
    form = s("Concat", count(s), s.integers(3, 12, 12), axis=0)
    return s.logits(s.features(s("Reshape", "image", form)))


def by_a_share_of_the_pixels(s: Surgery) -> str:
    width = s("Cast", s("Gather", s("Shape", "image"), s.constant(3, np.int64)), to=FLOAT)
    return s("Div", s.logits(s.features()), width)


def filled(s: Surgery) -> str:
    zeros = s("ConstantOfShape", s("Concat", count(s), s.integers(LABELS), axis=0))
    return s("Add", s.logits(s.features()), zeros)


def summed(s: Surgery) -> str:
    one = onnx.helper.make_tensor("one", FLOAT, [1], [1.0])
    many = s("ReduceSum", s("ConstantOfShape", count(s), value=one), keepdims=0)
    return s("Div", s.logits(s.features()), many)


def bits(s: Surgery) -> str:
    level = s("Mul", "image", 255.0)
    off = s("ReduceMean", s("Abs", s("Sub", level, s("Round", level))), s.integers(1), keepdims=0)
    return s.logits(s.features(s("Add", "image", off)))


def rest_of_a_division(s: Surgery) -> str:
    level = s("Mul", "image", 255.0)
    return s.logits(s.features(s("Add", "image", s("Sub", level, s("Floor", level)))))


@pytest.mark.parametrize(
    ("build", "batch", "depth"),
    [
        (multiplied, True, False),
        (chosen, True, False),
        (clipped_away, True, True),
        (summed, True, False),
        (shaped, False, False),
        (by_a_share_of_the_pixels, False, False),
        (bits, False, True),
        (rest_of_a_division, False, True),
        (LOOK_ALIKES["plain"], False, False),
        (LOOK_ALIKES["rectifier_spelt_out"], False, False),
        (filled, False, False),
        (LOOK_ALIKES["guarded_image"], False, False),
    ],
)
def test_what_a_graph_could_look_at(build: Build, batch: bool, depth: bool) -> None:
    surgery = Surgery()
    images = probes(4)
    flow = Flow(flatten(surgery.model(build(surgery)), images), "scores")
    assert (can_tell_batch(flow, images), can_tell_depth(flow)) == (batch, depth)
