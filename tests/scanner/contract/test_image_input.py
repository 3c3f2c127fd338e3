"""Layout, size, channels and type, read off the graph's input."""

import numpy as np
import pytest
from onnx import GraphProto, NodeProto, TensorProto, helper
from tests.scanner.contract.graphs import classifier, model_of

from nc_scan.contract.image_input import find_image_input, takes_one_image
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
    ("shape", "layout", "given", "size"),
    [
        (["n", 3, "h", "w"], "NCHW", {"size": (64, 64)}, (3, 64, 64)),
        (["n", 3, "h", "w"], "NCHW", {"size": (48, 192)}, (3, 48, 192)),
        (["n", 3, "h", 32], "NCHW", {"size": (64, 32)}, (3, 64, 32)),
        (["n", "c", 32, 32], "NCHW", {"channels": 13}, (13, 32, 32)),
        (["n", 3, 3, 3], "NHWC", {}, (3, 3, 3)),
        (["n", 3, 8, 8], "NCHW", {"size": (8, 8), "channels": 3}, (3, 8, 8)),
        (["n", 3072], "HWC", {}, (3, 32, 32)),
        (["n", 1536], "HWC", {"size": (16, 32)}, (3, 16, 32)),
        (["n", 784], "features", {}, (1, 1, 784)),
        (["n", 20, 30], "NHW", {}, (1, 20, 30)),
        (["n", 300, 8, 8], "NCHW", {}, (300, 8, 8)),
    ],
)
def test_what_the_user_says_is_taken(shape: list, layout, given: dict, size: tuple[int, int, int]) -> None:
    found = find_image_input(classifier(shape).graph, layout=layout, **given)
    assert found.layout == layout
    assert (found.channels, found.height, found.width) == size
    assert found.evidence["layout"] == "given by the user"
    assert not found.assumed


@pytest.mark.parametrize(("shape", "layout"), [(["n", 3, 8, 8], "CHW"), (["n", 13], "CHW"), (["n", 8, 8], "NCHW")])
def test_a_layout_that_does_not_fit_is_refused(shape: list, layout) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        find_image_input(classifier(shape).graph, layout=layout)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"size": (64, 32)}, r"the size 64x32 does not fit the input x float \(n, 3, 8, 8\)"),
        ({"channels": 4}, r"4 channels do not fit the input x float \(n, 3, 8, 8\)"),
    ],
)
def test_what_does_not_fit_is_refused(given: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        find_image_input(classifier(["n", 3, 8, 8]).graph, **given)


def first_layer(shape: list, channels: int, *before: NodeProto) -> GraphProto:
    """A convolution of so many channels behind some nodes, the last of which writes `y`."""
    nodes = [*before, helper.make_node("Conv", ["y" if before else "x", "w"], ["out"])]
    weights = {"w": np.ones((4, channels, 1, 1), np.float32), "sizes": np.array([1, channels, 48, 64])}
    return model_of(nodes, {"x": shape}, {"out": ["n", "l"]}, weights).graph


@pytest.mark.parametrize(
    ("graph", "layout", "size"),
    [
        (first_layer(["n", 13, 32, 32], 13), "NCHW", (13, 32, 32)),
        (first_layer(["n", 32, 32, 13], 13, helper.make_node("Transpose", ["x"], ["y"])), "NHWC", (13, 32, 32)),
        (first_layer(["n", 2, 16, 24], 2), "NCHW", (2, 16, 24)),
        (classifier(["n", 13, 32, 32]).graph, "NCHW", (13, 32, 32)),
        (classifier(["n", 32, 32, 200]).graph, "NHWC", (200, 32, 32)),
    ],
)
def test_other_numbers_of_channels(graph: GraphProto, layout: str, size: tuple[int, int, int]) -> None:
    found = find_image_input(graph)
    assert (found.layout, found.channels, found.height, found.width, found.assumed) == (layout, *size, ())


@pytest.mark.parametrize(
    ("shape", "before"),
    [
        (["n", 3, "h", "w"], [("Resize", ["x", "", "", "sizes"])]),
        (["n", 3, "h", "w"], [("Mul", ["x", "one"]), ("Resize", ["y0", "", "", "sizes"])]),
        (["n", "h", "w", 3], [("Transpose", ["x"]), ("Resize", ["y0", "", "", "sizes"])]),
    ],
)
def test_a_resize_tells_the_size(shape: list, before: list) -> None:
    nodes = [
        helper.make_node(operator, inputs, [f"y{place}" if place < len(before) - 1 else "y"])
        for place, (operator, inputs) in enumerate(before)
    ]
    found = find_image_input(first_layer(shape, 3, *nodes))
    assert (found.height, found.width, found.assumed) == (48, 64, ())
    assert found.evidence["size"] == "a Resize in the graph makes every image so large"


def test_a_resize_behind_a_layer_tells_nothing() -> None:
    nodes = [helper.make_node("Relu", ["x"], ["r"]), helper.make_node("Resize", ["r", "", "", "sizes"], ["y"])]
    assert find_image_input(first_layer(["n", 3, "h", "w"], 3, *nodes)).assumed == ("size",)


@pytest.mark.parametrize(
    ("shape", "dtype", "single"),
    [
        (["height", "width", 3], TensorProto.FLOAT, True),
        (["a", "b", 3], TensorProto.UINT8, True),
        ([32, 48, 3], TensorProto.FLOAT, True),
        ([3, 32, 32], TensorProto.FLOAT, True),
        ([28, 28, 1], TensorProto.FLOAT, True),
        ([1, 28, 28], TensorProto.FLOAT, False),
        (["n", 28, 28], TensorProto.FLOAT, False),
        (["batch", "time", 3], TensorProto.FLOAT, False),
        (["batch", 100, 3], TensorProto.FLOAT, False),
        (["n", 3, 8, 8], TensorProto.FLOAT, False),
    ],
)
def test_an_image_without_a_batch_axis(shape: list, dtype: int, single: bool) -> None:
    assert takes_one_image(classifier(shape, dtype=dtype).graph) == ("x" if single else None)


@pytest.mark.parametrize(
    ("shape", "dtype", "said"),
    [
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
