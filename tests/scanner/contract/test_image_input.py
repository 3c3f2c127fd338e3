"""Layout, size, channels and type, read off the graph's input."""

import numpy as np
import pytest
from onnx import TensorProto, helper
from tests.scanner.contract.graphs import classifier, model_of

from nc_scan.contract.image_input import find_image_input
from nc_scan.errors import NotScannableError


@pytest.mark.parametrize(
    ("shape", "layout", "size", "others"),
    [
        (["n", 3, 32, 48], "NCHW", (3, 32, 48), ()),
        (["n", 32, 48, 3], "NHWC", (3, 32, 48), ()),
        (["n", 1, 28, 28], "NCHW", (1, 28, 28), ()),
        (["n", 28, 28, 1], "NHWC", (1, 28, 28), ()),
        (["n", 4, 16, 16], "NCHW", (4, 16, 16), ()),
        ([1, 3, 8, 8], "NCHW", (3, 8, 8), ()),
        (["n", 3, "h", "w"], "NCHW", (3, 224, 224), ()),
        (["n", "h", "w", 3], "NHWC", (3, 224, 224), ()),
        (["n", 3, 3, 3], "NCHW", (3, 3, 3), ("NHWC",)),
        (["n", "c", 32, 32], "NCHW", (3, 32, 32), ()),
        (["n", 32, 32, "c"], "NHWC", (3, 32, 32), ()),
        (["n", "c", "h", "w"], "NCHW", (3, 224, 224), ("NHWC",)),
        ([1, 28, 28], "NHW", (1, 28, 28), ()),
        (["n", 28, 28], "NHW", (1, 28, 28), ()),
        (["n", 784], "CHW", (1, 28, 28), ()),
        (["n", 3072], "CHW", (3, 32, 32), ("HWC",)),
        (["n", 64], "CHW", (1, 8, 8), ()),
        (["n", 13], "features", (1, 1, 13), ()),
        (["n", 49], "features", (1, 1, 49), ()),
    ],
)
def test_layout_and_size(shape: list, layout: str, size: tuple[int, int, int], others: tuple) -> None:
    found = find_image_input(classifier(shape).graph)
    assert (found.layout, found.alternatives) == (layout, others)
    assert (found.channels, found.height, found.width) == size
    assert found.evidence.keys() == {"layout", "channels", "size", "dtype"}
    symbolic = {"channels": "c", "size": "h"}
    assert set(found.assumed) == {part for part, axis in symbolic.items() if axis in shape}


def test_denotations_decide_where_the_shape_does_not() -> None:
    graph = classifier(["n", 3, 3, 3]).graph
    axes = ("DATA_BATCH", "DATA_FEATURE", "DATA_FEATURE", "DATA_CHANNEL")
    for dim, denotation in zip(graph.input[0].type.tensor_type.shape.dim, axes, strict=True):
        dim.denotation = denotation
    found = find_image_input(graph)
    assert (found.layout, found.alternatives) == ("NHWC", ())


@pytest.mark.parametrize(("grouped", "per_group"), [(1, 1), (1, 3), (4, 1)])
def test_the_first_convolution_tells_the_channels(grouped: int, per_group: int) -> None:
    nodes = [
        helper.make_node("Mul", ["x", "x"], ["y"]),
        helper.make_node("Conv", ["y", "w"], ["z"], group=grouped),
        helper.make_node("Flatten", ["z"], ["out"]),
    ]
    weights = {"w": np.ones((4, per_group, 1, 1), np.float32)}
    graph = model_of(nodes, {"x": ["n", "c", 8, 8]}, {"out": ["n", "l"]}, weights).graph
    found = find_image_input(graph)
    assert found.channels == grouped * per_group
    assert found.evidence["channels"] == "weights of the first convolution"
    assert found.assumed == ()


@pytest.mark.parametrize(
    ("shape", "layout", "side", "size"),
    [
        (["n", 3, "h", "w"], "NCHW", 64, (3, 64, 64)),
        (["n", 3, "h", 32], "NCHW", 64, (3, 64, 32)),
        (["n", 3, 3, 3], "NHWC", None, (3, 3, 3)),
        (["n", 3, 8, 8], "NCHW", 8, (3, 8, 8)),
        (["n", 3072], "HWC", None, (3, 32, 32)),
        (["n", 784], "features", None, (1, 1, 784)),
        (["n", 20, 30], "NHW", None, (1, 20, 30)),
    ],
)
def test_what_the_user_says_is_taken(shape: list, layout, side: int | None, size: tuple[int, int, int]) -> None:
    found = find_image_input(classifier(shape).graph, layout=layout, side=side)
    assert found.layout == layout
    assert (found.channels, found.height, found.width) == size
    assert found.evidence["layout"] == "given by the user"


@pytest.mark.parametrize(("shape", "layout"), [(["n", 3, 8, 8], "CHW"), (["n", 13], "CHW"), (["n", 9, 8, 8], "NCHW")])
def test_a_layout_that_does_not_fit_is_refused(shape: list, layout) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        find_image_input(classifier(shape).graph, layout=layout)


def test_a_side_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the side 64 does not fit the input x float \(n, 3, 8, 8\)"):
        find_image_input(classifier(["n", 3, 8, 8]).graph, side=64)


@pytest.mark.parametrize(
    ("shape", "dtype", "said"),
    [
        ([3, 32, 32], TensorProto.FLOAT, "has no batch axis: 3 channels of 32x32"),
        (["n", 3, 8, 8], TensorProto.BFLOAT16, "exactly one image input.* bfloat16"),
        (["n", 7, 8, 9], TensorProto.FLOAT, "no axis of 1, 3 or 4 channels"),
        (["n", 100, 64], TensorProto.FLOAT, "looks like a sequence"),
        (["n", "t"], TensorProto.FLOAT, "cannot hold images"),
        (["n", 128], TensorProto.INT64, "looks like a text model"),
    ],
)
def test_what_cannot_be_an_image_is_refused_with_a_guess(shape: list, dtype: int, said: str) -> None:
    with pytest.raises(NotScannableError, match=said):
        find_image_input(classifier(shape, dtype=dtype).graph)


def test_two_inputs_are_refused() -> None:
    nodes = [helper.make_node("Add", ["a", "b"], ["out"])]
    graph = model_of(nodes, {"a": ["n", 3, 8, 8], "b": ["n", 3, 8, 8]}, {"out": ["n", 5]}).graph
    with pytest.raises(NotScannableError, match=r"exactly one image input.*a float \(n, 3, 8, 8\), b float"):
        find_image_input(graph)
