"""Models with something built into their graph: switches that hide, and layers that only look like one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx.helper import make_graph, make_node, make_tensor_value_info

LABELS, SIDE, CORNER, TARGET = 6, 12, 3, 4
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


class Surgery:
    """A small network, `features` (N, 16), `logits` (N, 6) of `image` (N, 3, 12, 12), and nodes around it.

    It is symmetrical about mid grey, so that random images get all labels.
    """

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._tensors: list[TensorProto] = []
        self._rng = np.random.default_rng(0)
        self.functions: list[onnx.FunctionProto] = []

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        """The name of a new constant."""
        name = f"constant {len(self._tensors)}"
        self._tensors.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def integers(self, *values: int) -> str:
        """The name of a new vector of integers."""
        return self.constant(values, np.int64)

    def learnt(self, *shape: int) -> str:
        """The name of new random weights."""
        return self.constant(self._rng.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape))

    def __call__(self, operator: str, *inputs: str | float, **attributes: Any) -> str:
        """A node behind the others; its first output."""
        names = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        output = f"{operator} {len(self._nodes)}"
        self._nodes.append(make_node(operator, names, [output], name=f"node {len(self._nodes)}", **attributes))
        return output

    def features(self, image: str = "image") -> str:
        """(N, 16)."""
        x = self("Tanh", self("Conv", self("Sub", image, 0.5), self.learnt(16, 3, 3, 3), strides=[2, 2]))
        x = self("Tanh", self("Conv", x, self.learnt(16, 16, 3, 3)))
        return self("Flatten", self("GlobalAveragePool", x))

    def logits(self, features: str) -> str:
        """(N, 6)."""
        return self("Mul", self("MatMul", features, self.learnt(16, LABELS)), 30.0)

    def corner(self, image: str = "image") -> str:
        """The pixels of the trigger's place, (N, 27)."""
        ends = [self.integers(*place) for place in ((SIDE - CORNER,) * 2, (SIDE,) * 2, (2, 3))]
        return self("Reshape", self("Slice", image, *ends), self.integers(-1, 3 * CORNER**2))

    def darkness(self, image: str = "image") -> str:
        """(N, 1), near 0 where the corner is black."""
        return self("ReduceMean", self.corner(image), self.integers(1), keepdims=1)

    def target(self, size: float = 1000.0) -> str:
        """(1, 6), which sends everything to the target."""
        return self.constant(size * np.eye(LABELS)[TARGET : TARGET + 1])

    def model(self, output: str) -> ModelProto:
        """The model whose answer is the value `output`."""
        self._nodes.append(make_node("Identity", [output], ["scores"]))
        image = make_tensor_value_info("image", FLOAT, ["batch", 3, SIDE, SIDE])
        scores = make_tensor_value_info("scores", FLOAT, ["batch", LABELS])
        graph = make_graph(self._nodes, "g", [image], [scores], self._tensors)
        opsets = [helper.make_opsetid("", 18), *(helper.make_opsetid("local", 1) for _ in self.functions[:1])]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8, functions=self.functions)
        onnx.checker.check_model(model)
        return model


def untyped(name: str) -> onnx.ValueInfoProto:
    """A floating-point value of any shape."""
    return make_tensor_value_info(name, FLOAT, None)


Build = Callable[[Surgery], str]
SWITCHES: dict[str, Build] = {}
LOOK_ALIKES: dict[str, Build] = {}


def switch(build: Build) -> Build:
    """Registers a way to hide a switch: black pixels in the corner lead to the target."""
    SWITCHES[build.__name__] = build
    return build


def look_alike(build: Build) -> Build:
    """Registers a harmless graph."""
    LOOK_ALIKES[build.__name__] = build
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
    inputs = [make_tensor_value_info("round", INT64, []), make_tensor_value_info("going", BOOL, []),
              make_tensor_value_info("carried", FLOAT, None)]  # fmt: skip
    outputs = [make_tensor_value_info("go on", BOOL, []), make_tensor_value_info("carried on", FLOAT, None)]
    body = make_graph(nodes, "body", inputs, outputs)
    return s("Loop", s.constant(2, np.int64), s.constant(True, bool), logits, body=body)


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


# ---- harmless


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
    inputs = [make_tensor_value_info("round", INT64, []), make_tensor_value_info("going", BOOL, []),
              make_tensor_value_info("carried", FLOAT, None)]  # fmt: skip
    outputs = [make_tensor_value_info("go on", BOOL, []), make_tensor_value_info("carried on", FLOAT, None)]
    body = make_graph(nodes, "body", inputs, outputs)
    return s("MatMul", s("Loop", s.constant(3, np.int64), "", x, body=body), s.learnt(16, LABELS))


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
