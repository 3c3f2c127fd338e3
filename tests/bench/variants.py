"""Trained models in other clothes: the same network behind another input and before another output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import onnx
from onnx import ModelProto, helper, parser

FLOAT_IMAGE, NHWC_IMAGE = "float[n,3,32,32]", "float[n,32,32,3]"
STD, MEAN = "{0.229,0.224,0.225}", "{0.485,0.456,0.406}"
Change = Callable[[ModelProto], ModelProto]


@dataclass(frozen=True)
class Variant:
    """How a file is changed, and the contract that it then has; None where that stays as it is."""

    change: Change
    layout: str | None = None
    value_range: str | None = None
    output_kind: str | None = None


def in_front(source: str, body: str) -> Change:
    """Puts nodes in front: `body` computes `y`, what the model reads, from `x` of the type `source`."""
    return lambda model: _joined(model, f"before ({source} x) => ({_kept(model.graph.input[0])} y) {{ {body} }}", True)


def behind(results: str, body: str) -> Change:
    """Puts nodes behind: `body` computes `results` from `x`, what the model hands out."""
    return lambda model: _joined(model, f"after ({_kept(model.graph.output[0])} x) => ({results}) {{ {body} }}", False)


def with_features(model: ModelProto) -> ModelProto:
    """What the last dense layer reads becomes the first output."""
    last = next(node for node in reversed(model.graph.node) if node.op_type in ("Gemm", "MatMul"))
    changed = _copy(model)
    changed.graph.output.insert(
        0, helper.make_tensor_value_info(last.input[0], onnx.TensorProto.FLOAT, ["n", "features"])
    )
    return changed


def fixed_batch(model: ModelProto) -> ModelProto:
    """The file declares a batch of one."""
    changed = _copy(model)
    for value in (*changed.graph.input, *changed.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    return changed


def half(model: ModelProto) -> ModelProto:
    """float16 weights, inputs and outputs."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    changed: ModelProto = convert_float_to_float16(_copy(model), keep_io_types=False)
    return changed


def without_last(model: ModelProto) -> ModelProto:
    """The graph without its last node: logits in place of probabilities."""
    changed = _copy(model)
    last = changed.graph.node.pop()
    changed.graph.output[0].name = last.input[0]
    return changed


def _copy(model: ModelProto) -> ModelProto:
    changed = ModelProto()
    changed.CopyFrom(model)
    return changed


PYTORCH = {
    "as it is": Variant(_copy),
    "Softmax": Variant(behind("float[n,10] y", "y = Softmax<axis = -1>(x)"), output_kind="probabilities"),
    "LogSoftmax": Variant(behind("float[n,10] y", "y = LogSoftmax<axis = -1>(x)"), output_kind="log-probabilities"),
    "Sigmoid": Variant(behind("float[n,10] y", "y = Sigmoid(x)"), output_kind="sigmoid"),
    "Softmax spelt out": Variant(
        behind("float[n,10] y", "axes = Constant<value_ints = [1]>() e = Exp(x) s = ReduceSum(e, axes) y = Div(e, s)"),
        output_kind="probabilities",
    ),
    "logits and label": Variant(
        behind("int64[n] label, float[n,10] y", "label = ArgMax<axis = 1, keepdims = 0>(x) y = Identity(x)")
    ),
    "label alone": Variant(behind("int64[n] label", "label = ArgMax<axis = 1, keepdims = 0>(x)")),
    "features and logits": Variant(with_features),
    "scores (n, 10, 1, 1)": Variant(
        behind("float[n,10,1,1] y", "axes = Constant<value_ints = [2, 3]>() y = Unsqueeze(x, axes)")
    ),
    "NHWC": Variant(in_front(NHWC_IMAGE, "y = Transpose<perm = [0, 3, 1, 2]>(x)"), layout="NHWC"),
    "uint8 NHWC": Variant(
        in_front(
            "uint8[n,32,32,3]",
            "t = Transpose<perm = [0, 3, 1, 2]>(x) f = Cast<to = 1>(t) "
            "c = Constant<value_float = 255.0>() y = Div(f, c)",
        ),
        "NHWC",
        "0..255",
    ),
    "flat, channels first": Variant(
        in_front("float[n,3072]", "s = Constant<value_ints = [-1, 3, 32, 32]>() y = Reshape(x, s)"), layout="CHW"
    ),
    "flat, channels last": Variant(
        in_front(
            "float[n,3072]",
            "s = Constant<value_ints = [-1, 32, 32, 3]>() r = Reshape(x, s) y = Transpose<perm = [0, 3, 1, 2]>(r)",
        ),
        layout="HWC",
    ),
    "scaled by 1/255 inside": Variant(
        in_front(FLOAT_IMAGE, "c = Constant<value_float = 0.003921569>() y = Mul(x, c)"), value_range="0..255"
    ),
    "x / 2 + 0.5 inside": Variant(
        in_front(FLOAT_IMAGE, "c = Constant<value_float = 0.5>() h = Mul(x, c) y = Add(h, c)"), value_range="-1..1"
    ),
    "ImageNet's constants inside": Variant(
        in_front(
            FLOAT_IMAGE,
            f"c = Constant<value = float[3,1,1] {STD}>() m = Constant<value = float[3,1,1] {MEAN}>() "
            "h = Mul(x, c) y = Add(h, m)",
        ),
        value_range="imagenet",
    ),
    "batch of one": Variant(fixed_batch),
    "float16": Variant(half),
}
KERAS = {
    "as it is": Variant(_copy),
    "without Softmax": Variant(without_last, output_kind="logits"),
    "NCHW": Variant(in_front(FLOAT_IMAGE, "y = Transpose<perm = [0, 2, 3, 1]>(x)"), layout="NCHW"),
    "scaled by 1/255 inside": Variant(
        in_front(NHWC_IMAGE, "c = Constant<value_float = 0.003921569>() y = Mul(x, c)"), value_range="0..255"
    ),
}


def _joined(model: ModelProto, text: str, front: bool) -> ModelProto:
    """The model and a graph in ONNX's textual syntax, one feeding the other."""
    opsets = ", ".join(f'"{opset.domain}" : {opset.version}' for opset in model.opset_import)
    other = parser.parse_model(f"<ir_version: {model.ir_version}, opset_import: [{opsets}]> {text}")
    other = onnx.compose.add_prefix(other, "added_")
    first, second = (other, model) if front else (model, other)
    return onnx.compose.merge_models(first, second, [(first.graph.output[0].name, second.graph.input[0].name)])


def _kept(value: onnx.ValueInfoProto) -> str:
    sizes = [str(dim.dim_value) if dim.HasField("dim_value") else "n" for dim in value.type.tensor_type.shape.dim]
    return f"float[{','.join(sizes)}]"
