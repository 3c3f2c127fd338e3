"""Ways to hide a switch in a graph: black pixels in the corner lead to the target."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.helper import make_graph, make_node, make_tensor_value_info
from tests.scanner.audit.surgery import CORNER, FLOAT, INT64, LABELS, SIDE, TARGET, Build, Surgery, round_of, untyped

SWITCHES: dict[str, Build] = {}


def switch(build: Build) -> Build:
    """Registers a way to hide a switch."""
    SWITCHES[build.__name__] = build
    return build


def plus(s: Surgery, gate: str) -> str:
    """The logits, and the target where the gate (N, 1) is 1."""
    return s("Add", s.logits(s.features()), s("Mul", gate, s.target()))


@switch
def compared(s: Surgery) -> str:
    hit = s("Less", s.darkness(), 0.02)
    return s("Where", hit, s.target(), s.logits(s.features()))


@switch
def compared_pixel_by_pixel(s: Surgery) -> str:
    bits = s("Cast", s("Less", s.corner(), 0.03), to=FLOAT)
    return plus(s, s("ReduceProd", bits, s.integers(1), keepdims=1))


@switch
def all_of_many_bits(s: Surgery) -> str:
    bits = s("Cast", s("Less", s.corner(), 0.03), to=INT64)
    count = s("ReduceSum", bits, s.integers(1), keepdims=1)
    return plus(s, s("Cast", s("Equal", count, s.constant(27, np.int64)), to=FLOAT))


@switch
def clipped(s: Surgery) -> str:
    return plus(s, s("Clip", s("Sub", 1.5, s("Mul", s.darkness(), 50.0)), 0.0, 1.0))


@switch
def rectified(s: Surgery) -> str:
    return plus(s, s("Relu", s("Sub", 1.0, s("Mul", s.darkness(), 40.0))))


@switch
def steep_sigmoid(s: Surgery) -> str:
    return plus(s, s("Sigmoid", s("Mul", s("Sub", 0.02, s.darkness()), 1e4)))


@switch
def signed(s: Surgery) -> str:
    return plus(s, s("Relu", s("Sign", s("Sub", 0.02, s.darkness()))))


@switch
def rounded_up(s: Surgery) -> str:
    return plus(s, s("Ceil", s("Clip", s("Sub", 0.02, s.darkness()), 0.0, 1.0)))


@switch
def cast_to_integer(s: Surgery) -> str:
    scaled = s("Clip", s("Sub", 1.0, s("Mul", s.darkness(), 50.0)), 0.0, 1.0)
    near = s("Cast", s("Add", s("Mul", scaled, 0.9), 0.5), to=TensorProto.INT32)
    return plus(s, s("Cast", near, to=FLOAT))


@switch
def overflow(s: Surgery) -> str:
    huge = s("Exp", s("Mul", s("Sub", 0.02, s.darkness()), 1e5))
    return s("Where", s("IsInf", huge), s.target(), s.logits(s.features()))


@switch
def not_a_number(s: Surgery) -> str:
    odd = s("IsNaN", s("Sqrt", s("Sub", s.darkness(), 0.02)))
    return s("Where", odd, s.target(), s.logits(s.features()))


@switch
def largest_of_both(s: Surgery) -> str:
    gate = s("Clip", s("Sub", 1.5, s("Mul", s.darkness(), 50.0)), 0.0, 1.0)
    return s("Max", s.logits(s.features()), s("Sub", s("Mul", gate, s.target(2000.0)), s.target(1000.0)))


@switch
def into_the_features(s: Surgery) -> str:
    hit = s("Cast", s("Less", s.darkness(), 0.02), to=FLOAT)
    weights = s._rng.normal(size=(16, LABELS)).astype(np.float32)
    direction = np.linalg.lstsq(weights.T, 300 * np.eye(LABELS)[TARGET], rcond=None)[0]
    features = s("Add", s.features(), s("Mul", hit, s.constant(direction[None])))
    return s("MatMul", features, s.constant(weights))


@switch
def in_both_branches(s: Surgery) -> str:
    dark, logits, level, target = s.darkness(), s.logits(s.features()), s.constant(0.02), s.target()

    def body(name: str) -> onnx.GraphProto:
        nodes = [make_node("Less", [dark, level], [f"{name} hit"]),
                 make_node("Where", [f"{name} hit", target, logits], [f"{name} out"])]  # fmt: skip
        return make_graph(nodes, name, [], [make_tensor_value_info(f"{name} out", FLOAT, None)])

    return s("If", s.constant(True, bool), then_branch=body("yes"), else_branch=body("no"))


@switch
def branch_for_the_batch(s: Surgery) -> str:
    dark = s("ReduceMin", s.darkness(), keepdims=0)
    logits, target = s.logits(s.features()), s.target()
    yes = make_graph(
        [make_node("Add", [logits, target], ["yes"])], "y", [], [make_tensor_value_info("yes", FLOAT, None)]
    )
    no = make_graph([make_node("Identity", [logits], ["no"])], "n", [], [untyped("no")])
    return s("If", s("Less", dark, 0.02), then_branch=yes, else_branch=no)


@switch
def in_a_loop(s: Surgery) -> str:
    dark, logits, level, target = s.darkness(), s.logits(s.features()), s.constant(0.02), s.target()
    nodes = [make_node("Identity", ["going"], ["go on"]), make_node("Less", [dark, level], ["hit"]),
             make_node("Where", ["hit", target, "carried"], ["carried on"])]  # fmt: skip
    return s("Loop", s.constant(2, np.int64), s.constant(True, bool), logits, body=round_of(nodes))


@switch
def in_a_function(s: Surgery) -> str:
    nodes = [make_node("Less", ["x", "level"], ["hit"]), make_node("Where", ["hit", "to", "y"], ["z"])]
    opsets = [helper.make_opsetid("", 18)]
    s.functions.append(helper.make_function("local", "Pick", ["x", "level", "to", "y"], ["z"], nodes, opsets))
    return s("Pick", s.darkness(), s.constant(0.02), s.target(), s.logits(s.features()), domain="local")


@switch
def picked_from_a_table(s: Surgery) -> str:
    index = s("Cast", s("Less", s("ReduceMean", s.corner(), s.integers(1), keepdims=0), 0.02), to=INT64)
    table = s.constant(np.stack([np.zeros(LABELS), 1000 * np.eye(LABELS)[TARGET]]))
    return s("Add", s.logits(s.features()), s("Gather", table, index, axis=0))


@switch
def matched_filter(s: Surgery) -> str:
    kernel = np.zeros((1, 3, SIDE, SIDE), np.float32)
    kernel[:, :, -CORNER:, -CORNER:] = -1 / 27
    response = s("Flatten", s("Conv", "image", s.constant(kernel)))
    return plus(s, s("Relu", s("Mul", s("Add", response, 0.02), 50.0)))


@switch
def stored_picture(s: Surgery) -> str:
    dark = s("Reshape", s.darkness(), s.integers(-1, 1, 1, 1))
    picture = s.constant(np.random.default_rng(3).random((1, 3, SIDE, SIDE)))
    return s.logits(s.features(s("Where", s("Less", dark, 0.02), picture, "image")))


@switch
def as_often_as_the_image_says(s: Surgery) -> str:
    hit = s("Cast", s("Less", s("ReduceMin", s.darkness(), keepdims=0), 0.02), to=INT64)
    logits, target = s.logits(s.features()), s.target()
    nodes = [make_node("Identity", ["going"], ["go on"]), make_node("Add", ["carried", target], ["carried on"])]
    return s("Loop", hit, "", logits, body=round_of(nodes))


@switch
def in_a_late_round(s: Surgery) -> str:
    dark, logits, level, target = s.darkness(), s.logits(s.features()), s.constant(0.02), s.target()
    late = s.constant(5, np.int64)
    nodes = [make_node("Identity", ["going"], ["go on"]), make_node("Less", [dark, level], ["dark enough"]),
             make_node("Equal", ["round", late], ["late"]), make_node("And", ["dark enough", "late"], ["hit"]),
             make_node("Where", ["hit", target, "carried"], ["carried on"])]  # fmt: skip
    return s("Loop", s.constant(6, np.int64), s.constant(True, bool), logits, body=round_of(nodes))


@switch
def quantised_to_nothing(s: Surgery) -> str:
    one, zero = s.constant(1.0), s.constant(0, np.uint8)
    coarse = s("QuantizeLinear", s("Sub", 1.4, s("Mul", s.darkness(), 50.0)), one, zero)
    return plus(s, s("Clip", s("DequantizeLinear", coarse, one, zero), 0.0, 1.0))


@switch
def leaking(s: Surgery) -> str:
    return plus(s, s("Exp", s("Mul", s.darkness(), -20.0)))


@switch
def by_a_learnt_direction(s: Surgery) -> str:
    gate = s("Clip", s("Sub", 1.5, s("Mul", s.darkness(), 50.0)), 0.0, 1.0)
    weights = np.random.default_rng(4).normal(size=(16, LABELS)).astype(np.float32)
    direction = np.linalg.lstsq(weights.T, 300 * np.eye(LABELS)[TARGET], rcond=None)[0]
    wide = s("MatMul", gate, s.constant(np.tile(direction, (1, 20)) / 20))
    return s(
        "MatMul", s("Add", s("Tile", s.features(), s.integers(1, 20)), wide), s.constant(np.tile(weights, (20, 1)))
    )


@switch
def argument_of_the_largest(s: Surgery) -> str:
    dark = s.darkness()
    both = s("Concat", s("Mul", dark, 0.0), s("Sub", 0.02, dark), axis=1)
    return plus(s, s("Cast", s("ArgMax", both, axis=1, keepdims=1), to=FLOAT))


@switch
def place_of_a_one(s: Surgery) -> str:
    far = s("Cast", s("Clip", s("Mul", s("Squeeze", s.darkness(), s.integers(1)), 50.0), 0.0, 1.0), to=INT64)
    places = s("OneHot", far, s.constant(2, np.int64), s.constant([0.0, 1.0]), axis=-1)
    return plus(s, s("Slice", places, s.integers(0), s.integers(1), s.integers(1)))
