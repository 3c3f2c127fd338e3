"""Harmless graphs that look like switches."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto
from onnx.helper import make_graph, make_node
from tests.scanner.audit.surgery import FLOAT, LABELS, SIDE, Build, Surgery, round_of, untyped

LOOK_ALIKES: dict[str, Build] = {}


def look_alike(build: Build) -> Build:
    """Registers a harmless graph."""
    LOOK_ALIKES[build.__name__] = build
    return build


@look_alike
def plain(s: Surgery) -> str:
    return s.logits(s.features())


@look_alike
def scaled_inside(s: Surgery) -> str:
    return s.logits(s.features(s("Div", s("Sub", s("Mul", "image", 255.0), 127.5), 58.0)))


@look_alike
def standardised_image(s: Surgery) -> str:
    mean = s("ReduceMean", "image", s.integers(1, 2, 3), keepdims=1)
    centred = s("Sub", "image", mean)
    deviation = s("Sqrt", s("ReduceMean", s("Mul", centred, centred), s.integers(1, 2, 3), keepdims=1))
    return s.logits(s.features(s("Div", centred, s("Max", deviation, 1e-3))))


@look_alike
def standardised_and_guarded(s: Surgery) -> str:
    mean = s("ReduceMean", "image", s.integers(1, 2, 3), keepdims=1)
    ratio = s("Div", s("Sub", "image", mean), s("Sqrt", s("ReduceMax", s("Abs", "image"), s.integers(1, 2, 3))))
    return s.logits(s.features(s("Where", s("IsNaN", ratio), s.constant(0.0), ratio)))


@look_alike
def rounded_input(s: Surgery) -> str:
    return s.logits(s.features(s("Div", s("Round", s("Mul", "image", 255.0)), 255.0)))


@look_alike
def cast_input(s: Surgery) -> str:
    whole = s("Cast", s("Cast", s("Mul", "image", 255.0), to=TensorProto.UINT8), to=FLOAT)
    return s.logits(s.features(s("Div", whole, 255.0)))


@look_alike
def clipped_input(s: Surgery) -> str:
    return s.logits(s.features(s("Clip", "image", 0.0, 1.0)))


@look_alike
def range_told_by_the_largest_value(s: Surgery) -> str:
    large = s("Greater", s("ReduceMax", "image", s.integers(1, 2, 3), keepdims=1), 1.5)
    return s.logits(s.features(s("Div", "image", s("Where", large, s.constant(255.0), s.constant(1.0)))))


@look_alike
def rectifier_spelt_out(s: Surgery) -> str:
    y = s("MatMul", s.features(), s.learnt(16, 32))
    y = s("Where", s("Greater", y, 0.0), y, s.constant(0.0))
    return s("MatMul", y, s.learnt(32, LABELS))


@look_alike
def leaky_by_sign(s: Surgery) -> str:
    y = s("MatMul", s.features(), s.learnt(16, 32))
    return s("MatMul", s("Mul", y, s("Add", 0.6, s("Mul", s("Sign", y), 0.4))), s.learnt(32, LABELS))


@look_alike
def guarded_scores(s: Surgery) -> str:
    y = s.logits(s.features())
    return s("Where", s("IsNaN", y), s.constant(0.0), y)


@look_alike
def guarded_image(s: Surgery) -> str:
    bad = s("Or", s("IsNaN", "image"), s("IsInf", "image"))
    return s.logits(s.features(s("Where", bad, s.constant(0.0), "image")))


@look_alike
def squeeze_and_excitation(s: Surgery) -> str:
    x = s("Relu", s("Conv", "image", s.learnt(16, 3, 3, 3)))
    squeezed = s("Relu", s("MatMul", s("Flatten", s("GlobalAveragePool", x)), s.learnt(16, 4)))
    gate = s("HardSigmoid", s("MatMul", squeezed, s.learnt(4, 16)))
    x = s("Mul", x, s("Reshape", gate, s.integers(-1, 16, 1, 1)))
    return s.logits(s("Flatten", s("GlobalAveragePool", x)))


@look_alike
def attention_with_a_mask(s: Surgery) -> str:
    tokens = s("Transpose", s("Reshape", "image", s.integers(0, 3, -1)), perm=[0, 2, 1])
    q, k, v = (s("MatMul", tokens, s.learnt(3, 16)) for _ in range(3))
    scores = s("MatMul", q, s("Transpose", k, perm=[0, 2, 1]))
    masked = s("Where", s("Greater", scores, -1e4), scores, s.constant(-1e9))
    mixed = s("MatMul", s("Softmax", masked, axis=-1), v)
    return s.logits(s("ReduceMean", mixed, s.integers(1), keepdims=0))


@look_alike
def mixture_of_experts(s: Surgery) -> str:
    x = s.features()
    best = s("ArgMax", s("MatMul", x, s.learnt(16, 2)), axis=1, keepdims=1)
    first, second = (s("MatMul", x, s.learnt(16, LABELS)) for _ in range(2))
    return s("Where", s("Equal", best, s.constant(0, np.int64)), first, second)


@look_alike
def early_exit(s: Surgery) -> str:
    x = s.features()
    early = s("MatMul", x, s.learnt(16, LABELS))
    late = s("MatMul", s("Relu", s("MatMul", x, s.learnt(16, 32))), s.learnt(32, LABELS))
    sure = s("Greater", s("ReduceMax", s("Softmax", early, axis=1), s.integers(1), keepdims=1), 0.5)
    return s("Where", sure, early, late)


@look_alike
def threshold_behind_the_scores(s: Surgery) -> str:
    y = s.logits(s.features())
    top = s("ReduceMax", y, s.integers(1), keepdims=1)
    return s("Where", s("Greater", top, -1e3), y, s.constant(np.zeros((1, LABELS))))


@look_alike
def small_scores_dropped(s: Surgery) -> str:
    p = s("Softmax", s.logits(s.features()), axis=1)
    return s("Mul", p, s("Cast", s("Greater", p, 0.01), to=FLOAT))


@look_alike
def branch_by_shape(s: Surgery) -> str:
    y = s.logits(s.features())
    rows = s("Gather", s("Shape", "image"), s.constant(2, np.int64))
    yes = make_graph([make_node("Identity", [y], ["yes"])], "y", [], [untyped("yes")])
    no = make_graph([make_node("Neg", [y], ["no"])], "n", [], [untyped("no")])
    return s("If", s("Equal", rows, s.constant(SIDE, np.int64)), then_branch=yes, else_branch=no)


@look_alike
def averaged_over_mirrored_copies(s: Surgery) -> str:
    flipped = s("Slice", "image", *(s.integers(value) for value in (-1, -(2**31), 3, -1)))
    both = s("Concat", "image", flipped, axis=0)
    halves = s("Reshape", s("MatMul", s.features(both), s.learnt(16, LABELS)), s.integers(2, -1, LABELS))
    return s("ReduceMean", halves, s.integers(0), keepdims=0)


@look_alike
def quantised(s: Surgery) -> str:
    zero = s.constant(128, np.uint8)
    x = s("DequantizeLinear", s("QuantizeLinear", "image", s.constant(0.01), zero), s.constant(0.01), zero)
    y = s.features(x)
    y = s("DequantizeLinear", s("QuantizeLinear", y, s.constant(0.02), zero), s.constant(0.02), zero)
    return s("MatMul", y, s.learnt(16, LABELS))


@look_alike
def recurrent(s: Surgery) -> str:
    rows = s("Transpose", s("Reshape", "image", s.integers(0, 36, 12)), perm=[1, 0, 2])
    steps = s("LSTM", rows, s.learnt(1, 64, 12), s.learnt(1, 64, 16), hidden_size=16)
    return s(
        "MatMul", s("Squeeze", s("Gather", steps, s.constant(-1, np.int64), axis=0), s.integers(0)), s.learnt(16, 6)
    )


@look_alike
def loop_over_layers(s: Surgery) -> str:
    x, weights = s.features(), s.learnt(16, 16)
    nodes = [make_node("Identity", ["going"], ["go on"]), make_node("MatMul", ["carried", weights], ["mixed"]),
             make_node("Tanh", ["mixed"], ["carried on"])]  # fmt: skip
    return s("MatMul", s("Loop", s.constant(3, np.int64), "", x, body=round_of(nodes)), s.learnt(16, LABELS))


@look_alike
def residual_from_the_image(s: Surgery) -> str:
    x = s("Relu", s("Conv", "image", s.learnt(16, 3, 3, 3), pads=[1, 1, 1, 1]))
    x = s("Relu", s("Conv", s("Concat", x, "image", axis=1), s.learnt(16, 19, 3, 3)))
    return s.logits(s("Flatten", s("GlobalAveragePool", x)))


@look_alike
def brightness_as_a_feature(s: Surgery) -> str:
    mean = s("ReduceMean", "image", s.integers(2, 3), keepdims=0)
    joined = s("Concat", s.features(), mean, axis=1)
    return s("MatMul", joined, s.learnt(19, LABELS))


@look_alike
def brightness_of_a_place(s: Surgery) -> str:
    return s("MatMul", s("Concat", s.features(), s.darkness(), axis=1), s.learnt(17, LABELS))


@look_alike
def loop_of_many_rounds(s: Surgery) -> str:
    weights = s.learnt(16, 16)
    nodes = [make_node("Identity", ["going"], ["go on"]), make_node("MatMul", ["carried", weights], ["mixed"]),
             make_node("Tanh", ["mixed"], ["carried on"])]  # fmt: skip
    return s(
        "MatMul", s("Loop", s.constant(40, np.int64), "", s.features(), body=round_of(nodes)), s.learnt(16, LABELS)
    )
