"""What is read off a graph: layout, size, channels, type, and the logits behind the output."""

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from nc_scan.contract import infer_contract
from nc_scan.contract.value_range import RANGES
from nc_scan.errors import NotScannableError

LABELS = 5


def classifier(
    shape: list, *, tail: str | None = "Softmax", dtype: int = TensorProto.FLOAT, axis: int = -1
) -> ModelProto:
    """Sums the image over all axes but the first, times a weight a label, with `tail` after it."""
    nodes = [
        helper.make_node("Cast", ["x"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["float"], ["flat"]),
        helper.make_node("ReduceMean", ["flat"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("MatMul", ["mean", "weight"], ["logits"]),
    ]
    output = "logits"
    if tail:
        nodes.append(helper.make_node(tail, ["logits"], ["out"], axis=axis))
        output = "out"
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", dtype, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [shape[0], LABELS])],
        [numpy_helper.from_array(np.arange(LABELS, dtype=np.float32)[None], "weight")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@pytest.mark.parametrize(
    ("shape", "layout", "size"),
    [
        (["n", 3, 32, 48], "NCHW", (3, 32, 48)),
        (["n", 32, 48, 3], "NHWC", (3, 32, 48)),
        (["n", 1, 28, 28], "NCHW", (1, 28, 28)),
        (["n", 28, 28, 1], "NHWC", (1, 28, 28)),
        (["n", 4, 16, 16], "NCHW", (4, 16, 16)),
        ([1, 3, 8, 8], "NCHW", (3, 8, 8)),
        (["n", 3, "h", "w"], "NCHW", (3, 224, 224)),
        (["n", "h", "w", 3], "NHWC", (3, 224, 224)),
        (["n", 3, 3, 3], "NCHW", (3, 3, 3)),
    ],
)
def test_layout_and_size(shape: list, layout: str, size: tuple[int, int, int]) -> None:
    contract = infer_contract(classifier(shape))
    assert contract.layout == layout
    assert (contract.channels, contract.height, contract.width) == size
    assert contract.labels == LABELS
    assert {"layout", "size", "channels", "dtype", "value range", "output kind"} <= contract.evidence.keys()


@pytest.mark.parametrize(
    ("tail", "axis", "kind", "scores"),
    [
        (None, -1, "logits", "logits"),
        ("Softmax", -1, "probabilities", "logits"),
        ("Softmax", 1, "probabilities", "logits"),
        ("Softmax", 0, "logits", "out"),
        ("LogSoftmax", -1, "log-probabilities", "logits"),
    ],
)
def test_the_loss_reads_the_logits_before_a_softmax(tail: str | None, axis: int, kind: str, scores: str) -> None:
    contract = infer_contract(classifier(["n", 3, 8, 8], tail=tail, axis=axis))
    assert (contract.output_kind, contract.scores_name) == (kind, scores)


def test_an_integer_image_is_read_as_0_to_255() -> None:
    contract = infer_contract(classifier(["n", 8, 8, 3], dtype=TensorProto.UINT8))
    assert (contract.dtype, contract.value_range, contract.scale) == ("uint8", "0..255", (255.0,) * 3)


def test_what_the_user_says_is_taken_and_named() -> None:
    model = classifier(["n", 3, "h", "w"])
    contract = infer_contract(model, side=64, value_range="imagenet")
    assert (contract.height, contract.width) == (64, 64)
    assert contract.evidence["size"] == contract.evidence["value range"] == "given by the user"
    with pytest.raises(ValueError, match="unknown value range"):
        infer_contract(model, value_range="0..7")


@pytest.mark.parametrize("shape", [["n", 7, 8, 9], ["n", 10], ["n", 3, 8]])
def test_what_cannot_be_an_image_is_refused(shape: list) -> None:
    with pytest.raises(NotScannableError, match="exactly one image input"):
        infer_contract(classifier(shape))


@pytest.mark.parametrize(
    ("name", "pixel", "value"),
    [
        ("0..1", 0.5, 0.5),
        ("0..255", 1.0, 255.0),
        ("-1..1", 0.0, -1.0),
        ("imagenet", 0.485, 0.0),
        ("cifar10", 0.4914, 0.0),
    ],
)
def test_ranges(name: str, pixel: float, value: float) -> None:
    chosen = RANGES[name].for_channels(3)
    assert pixel * chosen.scale[0] + chosen.offset[0] == pytest.approx(value, abs=1e-6)
