"""Which of a graph's inputs is the image, and how it lies in memory."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import onnx
from onnx import GraphProto, TensorProto, ValueInfoProto

from nc_scan.contract.image_size import USUAL_CHANNELS as CHANNELS
from nc_scan.contract.image_size import channels_of_first_convolution, size_of_resize
from nc_scan.errors import NotScannableError, OverrideError
from nc_scan.results import Layout

MOST_CHANNELS = 256  # bands of satellite and hyperspectral images; more are features of another network
FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)  # which onnxruntime takes from NumPy
IMAGE_TYPES = (*FLOATS, TensorProto.UINT8)
TOKENS = (TensorProto.INT64, TensorProto.INT32, TensorProto.STRING)
DEFAULT_SIDE = 224  # what most published classifiers with a free image size were trained on
SMALLEST_FLAT_SIDE = 8  # a vector of 9 or 48 numbers is hardly a square image
FOUR_AXES: tuple[Layout, ...] = ("NCHW", "NHWC")
DENOTATIONS = {"DATA_BATCH": "N", "DATA_CHANNEL": "C", "DATA_FEATURE": "HW"}

Size = int | str  # a symbolic size has a name
HEIGHT_OR_WIDTH = re.compile(r"h|w|x|y|rows?|cols?|.*(height|width).*", re.IGNORECASE)


@dataclass(frozen=True)
class ImageInput:
    """The graph input that takes the images; `evidence` says what layout and size were read from.

    `alternatives` are other layouts that the graph would take as well, `assumed` the parts that it leaves open. `batch`
    is the number of images that the graph declares, None where that is open.
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
    batch: int | None = None


def find_image_input(
    graph: GraphProto,
    *,
    layout: Layout | None = None,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
) -> ImageInput:
    """The one input that can hold a batch of images, or of feature vectors.

    `layout`, `size` (height and width in pixels) and `channels` override what the graph leaves open. Raises
    NotScannableError where no input, or more than one, can be the image; OverrideError for what does not fit the input.
    """
    value = _only_image(graph)
    convolved = channels_of_first_convolution(graph, value.name)
    layouts, why = _layouts(value, convolved)
    if layout is not None:
        if not _fits(layout, dimensions(value), size):
            raise OverrideError(f"the layout {layout} does not fit the input {value.name} {describe(value)}")
        layouts, why = (layout,), "given by the user"
    if not layouts:
        raise NotScannableError(f"no image classifier: the input {value.name} {describe(value)} {why}")
    resized = None if size else size_of_resize(graph, value.name)
    return _read_shape(value, layouts, why, _Known(size, resized, channels, convolved))


def takes_one_image(graph: GraphProto) -> str | None:
    """The name of the only image input, if that takes one image without a batch axis: (height, width, 3), say."""
    value = _only_image(graph)
    shape = dimensions(value)
    if len(shape) != 3:
        return None
    for channels, sides in ((shape[2], shape[:2]), (shape[0], shape[1:])):
        named = all(isinstance(side, int) or HEIGHT_OR_WIDTH.fullmatch(side) for side in sides)
        if channels in CHANNELS[1:] and (named or value.type.tensor_type.elem_type == TensorProto.UINT8):
            return value.name
    grey = shape[2] == 1 and isinstance(shape[0], int) and shape[0] == shape[1]
    return value.name if grey else None


def _only_image(graph: GraphProto) -> ValueInfoProto:
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
    image: ValueInfoProto = images[0]
    return image


def describe(value: ValueInfoProto) -> str:
    """Type and shape in short, such as `float (batch, 3, 32, 32)`."""
    tensor = value.type.tensor_type
    name = TensorProto.DataType.Name(tensor.elem_type).lower() if tensor.elem_type else "unknown"
    return f"{name} ({', '.join(str(size) for size in dimensions(value))})"


def dimensions(value: ValueInfoProto) -> list[Size]:
    """The sizes of all axes, symbolic ones by name."""
    shape = value.type.tensor_type.shape.dim
    return [dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?" for dim in shape]


@dataclass(frozen=True)
class _Known:
    """What is known of an input beside its shape: said by the user, by a Resize and by the first convolution."""

    size: tuple[int, int] | None
    resized: tuple[int, int] | None
    channels: int | None
    convolved: int | None


def _layouts(value: ValueInfoProto, convolved: int | None) -> tuple[tuple[Layout, ...], str]:
    """The layouts that the input can have, the most probable one first, and why; or none, and why not."""
    shape = dimensions(value)
    if len(shape) == 4:
        return _four_axes(value, shape, convolved)
    if len(shape) == 3:
        _, height, width = shape
        if height == width and isinstance(height, int):
            return ("NHW",), "three axes, two of them equal: grey images without a channel axis"
        return (), "looks like a sequence (audio, text or a time series)"
    if len(shape) == 2 and isinstance(shape[1], int):
        return _flat(shape[1])
    return (), "cannot hold images"


def _four_axes(value: ValueInfoProto, shape: list[Size], convolved: int | None) -> tuple[tuple[Layout, ...], str]:
    denoted = "".join(DENOTATIONS.get(dim.denotation, "?") for dim in value.type.tensor_type.shape.dim)
    if denoted in ("NCHWHW", "NHWHWC"):
        return ("NCHW" if denoted[1] == "C" else "NHWC",), "denotations of the axes"
    possible = tuple(layout for layout in FOUR_AXES if _may_be_channels(_channel_axis(layout, shape)))
    fixed = tuple(layout for layout in possible if isinstance(_channel_axis(layout, shape), int))
    if not possible:
        return _many_channels(shape, convolved)
    if len(fixed) == 1:
        return fixed, f"the axis of {_channel_axis(fixed[0], shape)} holds the channels"
    if len(possible) == 1:
        return possible, "no other axis can hold the channels"
    return possible, "both axes could hold the channels, ONNX's own order assumed"


def _many_channels(shape: list[Size], convolved: int | None) -> tuple[tuple[Layout, ...], str]:
    """Where no axis has a usual number of channels: what the first convolution reads, or the odd one of three."""
    if convolved is not None and convolved <= MOST_CHANNELS:
        read = tuple(layout for layout in FOUR_AXES if _channel_axis(layout, shape) == convolved)
        if read:
            return read, f"the first convolution reads {convolved} channels"
    odd = {"NCHW": shape[2] == shape[3], "NHWC": shape[1] == shape[2]}
    alone = tuple(
        layout
        for layout in FOUR_AXES
        if odd[layout] and isinstance(size := _channel_axis(layout, shape), int) and size <= MOST_CHANNELS
    )
    if len(alone) == 1:
        return alone, f"the axis of {_channel_axis(alone[0], shape)} holds the channels, as the others are equal"
    return (), "has no axis of 1, 3 or 4 channels, nor one that the first convolution reads"


def _channel_axis(layout: Layout, shape: list[Size]) -> Size:
    return shape[layout.index("C")]


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


def _fits(layout: Layout, shape: list[Size], size: tuple[int, int] | None) -> bool:
    if layout in ("CHW", "HWC"):
        if len(shape) != 2 or not isinstance(shape[1], int):
            return False
        return shape[1] % math.prod(size) == 0 if size else "features" not in _flat(shape[1])[0]
    if layout == "features":
        return len(shape) == 2 and isinstance(shape[1], int)
    return len(shape) == len(layout)


def _read_shape(value: ValueInfoProto, layouts: tuple[Layout, ...], why: str, known: _Known) -> ImageInput:
    evidence = {"layout": why, "channels": "shape of the input", "size": "shape of the input"}
    axes = _axes(layouts[0], dimensions(value), known.size)
    assumed = []
    if isinstance(axes[0], str):
        axes[0], evidence["channels"] = _open_channels(known)
        assumed += ["channels"] if "assumed" in evidence["channels"] else []
    if isinstance(axes[1], str) or isinstance(axes[2], str):
        size, evidence["size"] = _open_size(known)
        axes[1:] = [pixels if isinstance(pixels, int) else side for pixels, side in zip(axes[1:], size, strict=True)]
        assumed += ["size"] if "assumed" in evidence["size"] else []
    channels, height, width = (axis for axis in axes if isinstance(axis, int))
    if known.size not in (None, (height, width)):
        asked = "x".join(map(str, known.size or ()))
        raise OverrideError(f"the size {asked} does not fit the input {value.name} {describe(value)}")
    if known.channels not in (None, channels):
        raise OverrideError(f"{known.channels} channels do not fit the input {value.name} {describe(value)}")
    dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name
    evidence["dtype"] = "type of the input"
    batch = dimensions(value)[0]
    return ImageInput(
        value.name,
        layouts[0],
        channels,
        height,
        width,
        dtype,
        evidence,
        layouts[1:],
        tuple(assumed),
        batch if isinstance(batch, int) else None,
    )


def _axes(layout: Layout, shape: list[Size], size: tuple[int, int] | None) -> list[Size]:
    """Channels, height and width; of flat images those that make a square, unless the user gives the size."""
    match layout:
        case "features":
            return [1, 1, shape[1]]
        case "CHW" | "HWC":
            length = shape[1]
            assert isinstance(length, int)
            if size:
                return [length // math.prod(size), *size]
            channels = 1 if _flat(length)[0] == ("CHW",) else 3
            return [channels, *[math.isqrt(length // channels)] * 2]
        case "NHW":
            return [1, *shape[1:]]
        case _:
            return [shape[layout.index(axis)] for axis in "CHW"]


def _open_channels(known: _Known) -> tuple[int, str]:
    if known.channels is not None:
        return known.channels, "given by the user"
    if known.convolved is not None and known.convolved <= MOST_CHANNELS:
        return known.convolved, "weights of the first convolution"
    return 3, "symbolic in the graph, RGB assumed"


def _open_size(known: _Known) -> tuple[tuple[int, int], str]:
    if known.size is not None:
        return known.size, "given by the user"
    if known.resized is not None:
        return known.resized, "a Resize in the graph makes every image so large"
    return (DEFAULT_SIDE, DEFAULT_SIDE), f"symbolic in the graph, {DEFAULT_SIDE} assumed"
