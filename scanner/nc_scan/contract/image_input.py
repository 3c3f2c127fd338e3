"""Which of a graph's inputs is the image, and how it lies in memory."""

from __future__ import annotations

import math
from dataclasses import dataclass

import onnx
from onnx import GraphProto, TensorProto, ValueInfoProto

from nc_scan.errors import NotScannableError, OverrideError
from nc_scan.results import Layout

CHANNELS = (1, 3, 4)
FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)  # which onnxruntime takes from NumPy
IMAGE_TYPES = (*FLOATS, TensorProto.UINT8)
TOKENS = (TensorProto.INT64, TensorProto.INT32, TensorProto.STRING)
DEFAULT_SIDE = 224  # what most published classifiers with a free image size were trained on
SMALLEST_FLAT_SIDE = 8  # a vector of 9 or 48 numbers is hardly a square image
DENOTATIONS = {"DATA_BATCH": "N", "DATA_CHANNEL": "C", "DATA_FEATURE": "HW"}

Size = int | str  # a symbolic size has a name


@dataclass(frozen=True)
class ImageInput:
    """The graph input that takes the images; `evidence` says what layout and size were read from.

    `alternatives` are other layouts that the graph would take as well, `assumed` the parts that it leaves open.
    """

    name: str
    layout: Layout
    channels: int
    height: int
    width: int
    dtype: str
    evidence: dict[str, str]
    alternatives: tuple[Layout, ...] = ()
    assumed: tuple[str, ...] = ()


def find_image_input(graph: GraphProto, *, layout: Layout | None = None, side: int | None = None) -> ImageInput:
    """The one input that can hold a batch of images, or of feature vectors.

    `layout` and `side` (pixels, for a symbolic height and width) override what the graph says.
    Raises NotScannableError where no input, or more than one, can be the image; OverrideError for a layout or a side
    that does not fit the input.
    """
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    images = [value for value in inputs if value.type.tensor_type.elem_type in IMAGE_TYPES]
    if len(inputs) != 1 or len(images) != 1:
        listed = ", ".join(f"{value.name} {describe(value)}" for value in inputs) or "none"
        text = any(value.type.tensor_type.elem_type in TOKENS for value in inputs)
        looks = " (looks like a text model)" if text else ""
        raise NotScannableError(
            f"no image classifier: it needs exactly one image input{looks}, the model has: {listed}"
        )
    value = images[0]
    layouts, why = _layouts(value)
    if layout is not None:
        if not _fits(layout, dimensions(value)):
            raise OverrideError(f"the layout {layout} does not fit the input {value.name} {describe(value)}")
        layouts, why = (layout,), "given by the user"
    if not layouts:
        raise NotScannableError(f"no image classifier: the input {value.name} {describe(value)} {why}")
    return _read_shape(value, layouts, why, side, channels_of_first_convolution(graph, value.name))


def channels_of_first_convolution(graph: GraphProto, name: str) -> int | None:
    """How many channels the first convolution behind the value `name` reads; None where its weights do not tell."""
    weights = {tensor.name: tensor.dims for tensor in graph.initializer}
    reached = {name}
    for node in graph.node:  # in topological order, as the specification asks for
        if node.input and node.input[0] in reached:
            if node.op_type == "Conv" and node.input[1] in weights:
                groups = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
                return int(weights[node.input[1]][1] * groups)
            reached.update(node.output)
    return None


def describe(value: ValueInfoProto) -> str:
    """Type and shape in short, such as `float (batch, 3, 32, 32)`."""
    tensor = value.type.tensor_type
    name = TensorProto.DataType.Name(tensor.elem_type).lower() if tensor.elem_type else "unknown"
    return f"{name} ({', '.join(str(size) for size in dimensions(value))})"


def dimensions(value: ValueInfoProto) -> list[Size]:
    """The sizes of all axes, symbolic ones by name."""
    shape = value.type.tensor_type.shape.dim
    return [dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?" for dim in shape]


def _layouts(value: ValueInfoProto) -> tuple[tuple[Layout, ...], str]:
    """The layouts that the input can have, the most probable one first, and why; or none, and why not."""
    shape = dimensions(value)
    if len(shape) == 4:
        return _four_axes(value, shape)
    if len(shape) == 3:
        batch, height, width = shape
        if height == width and isinstance(height, int):
            if batch in CHANNELS[1:]:
                return (), f"has no batch axis: {batch} channels of {height}x{width}"
            return ("NHW",), "three axes, two of them equal: grey images without a channel axis"
        return (), "looks like a sequence (audio, text or a time series)"
    if len(shape) == 2 and isinstance(shape[1], int):
        return _flat(shape[1])
    return (), "cannot hold images"


def _four_axes(value: ValueInfoProto, shape: list[Size]) -> tuple[tuple[Layout, ...], str]:
    denoted = "".join(DENOTATIONS.get(dim.denotation, "?") for dim in value.type.tensor_type.shape.dim)
    if denoted in ("NCHWHW", "NHWHWC"):
        return ("NCHW" if denoted[1] == "C" else "NHWC",), "denotations of the axes"
    layouts: tuple[Layout, ...] = ("NCHW", "NHWC")
    possible = tuple(layout for layout in layouts if _may_be_channels(shape[layout.index("C")]))
    fixed = tuple(layout for layout in possible if isinstance(shape[layout.index("C")], int))
    if not possible:
        return (), "has no axis of 1, 3 or 4 channels"
    if len(fixed) == 1:
        return fixed, f"the axis of {shape[fixed[0].index('C')]} holds the channels"
    if len(possible) == 1:
        return possible, "no other axis can hold the channels"
    return possible, "both axes could hold the channels, ONNX's own order assumed"


def _may_be_channels(size: Size) -> bool:
    return isinstance(size, str) or size in CHANNELS


def _flat(length: int) -> tuple[tuple[Layout, ...], str]:
    sides = {channels: math.isqrt(length // channels) for channels in (1, 3)}
    square = [c for c, side in sides.items() if c * side * side == length and side >= SMALLEST_FLAT_SIDE]
    if square == [1]:
        return ("CHW",), f"{length} is the square of {sides[1]}: grey images, flat (if not: --layout features)"
    if square:
        return ("CHW", "HWC"), f"{length} is 3 times the square of {sides[3]}: color images, flat"
    return ("features",), f"{length} is no number of pixels of a square image: feature vectors"


def _fits(layout: Layout, shape: list[Size]) -> bool:
    if layout in ("CHW", "HWC"):
        return len(shape) == 2 and isinstance(shape[1], int) and "features" not in _flat(shape[1])[0]
    if layout == "features":
        return len(shape) == 2 and isinstance(shape[1], int)
    if len(shape) != len(layout):
        return False
    return layout == "NHW" or _may_be_channels(shape[layout.index("C")])


def _read_shape(
    value: ValueInfoProto, layouts: tuple[Layout, ...], why: str, side: int | None, convolved: int | None
) -> ImageInput:
    layout, shape = layouts[0], dimensions(value)
    evidence = {"layout": why, "channels": "shape of the input", "size": "shape of the input"}
    match layout:
        case "features":
            size: list[Size] = [1, 1, shape[1]]
        case "CHW" | "HWC":
            assert isinstance(shape[1], int)
            channels = 1 if _flat(shape[1])[0] == ("CHW",) else 3
            size = [channels, *[math.isqrt(shape[1] // channels)] * 2]
        case "NHW":
            size = [1, *shape[1:]]
        case _:
            size = [shape[layout.index(axis)] for axis in "CHW"]
    assumed = []
    if isinstance(size[0], str) and convolved in CHANNELS:
        size[0], evidence["channels"] = convolved, "weights of the first convolution"
    elif isinstance(size[0], str):
        size[0], evidence["channels"] = 3, "symbolic in the graph, RGB assumed"
        assumed.append("channels")
    if isinstance(size[1], str) or isinstance(size[2], str):
        size[1:] = [pixels if isinstance(pixels, int) else side or DEFAULT_SIDE for pixels in size[1:]]
        evidence["size"] = "given by the user" if side else f"symbolic in the graph, {DEFAULT_SIDE} assumed"
        assumed += [] if side else ["size"]
    elif side is not None and size[1:] != [side, side]:
        raise OverrideError(f"the side {side} does not fit the input {value.name} {describe(value)}")
    numbers = [number for number in size if isinstance(number, int)]
    dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name
    evidence["dtype"] = "type of the input"
    shape_read = numbers[0], numbers[1], numbers[2]
    return ImageInput(value.name, layout, *shape_read, dtype, evidence, layouts[1:], tuple(assumed))
