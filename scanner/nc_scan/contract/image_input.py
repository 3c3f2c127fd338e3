"""Which of a graph's inputs is the image, and how it lies in memory."""

from __future__ import annotations

from dataclasses import dataclass

import onnx
from onnx import GraphProto, TensorProto, ValueInfoProto

from nc_scan.errors import NotScannableError
from nc_scan.results import Layout

CHANNELS = (1, 3, 4)
FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
IMAGE_TYPES = (*FLOATS, TensorProto.UINT8)
DEFAULT_SIDE = 224  # what most published classifiers with a free image size were trained on


@dataclass(frozen=True)
class ImageInput:
    """The graph input that takes the images; `evidence` says what layout and size were read from."""

    name: str
    layout: Layout
    channels: int
    height: int
    width: int
    dtype: str
    evidence: dict[str, str]


def find_image_input(graph: GraphProto, *, layout: Layout | None = None, side: int | None = None) -> ImageInput:
    """The one input that can hold a batch of images.

    `layout` and `side` (pixels, for a symbolic height and width) override what the graph says.
    Raises NotScannableError where no input, or more than one, can be the image.
    """
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    images = [value for value in inputs if _may_be_images(value)]
    if len(inputs) != 1 or len(images) != 1:
        listed = ", ".join(f"{value.name} {describe(value)}" for value in inputs) or "none"
        raise NotScannableError(f"no image classifier: it needs exactly one image input, the model has: {listed}")
    return _read_shape(images[0], layout, side)


def describe(value: ValueInfoProto) -> str:
    """Type and shape in short, such as `float (batch, 3, 32, 32)`."""
    tensor = value.type.tensor_type
    name = TensorProto.DataType.Name(tensor.elem_type).lower() if tensor.elem_type else "unknown"
    return f"{name} ({', '.join(str(size) for size in _dimensions(value))})"


def _dimensions(value: ValueInfoProto) -> list[int | str]:
    shape = value.type.tensor_type.shape.dim
    return [dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?" for dim in shape]


def _may_be_images(value: ValueInfoProto) -> bool:
    shape = _dimensions(value)
    return (
        value.type.tensor_type.elem_type in IMAGE_TYPES
        and len(shape) == 4
        and any(isinstance(size, str) or size in CHANNELS for size in (shape[1], shape[3]))
    )


def _read_shape(value: ValueInfoProto, layout: Layout | None, side: int | None) -> ImageInput:
    shape = _dimensions(value)
    evidence: dict[str, str] = {}
    if layout is None:
        layout, evidence["layout"] = _read_layout(shape)
    else:
        evidence["layout"] = "given by the user"
    channels, height, width = (shape[1], shape[2], shape[3]) if layout == "NCHW" else (shape[3], shape[1], shape[2])
    if isinstance(channels, str):
        channels, evidence["channels"] = 3, "symbolic in the graph, RGB assumed"
    else:
        evidence["channels"] = "shape of the input"
    sizes = []
    for size in (height, width):
        if isinstance(size, str):
            size = side or DEFAULT_SIDE
            evidence["size"] = "given by the user" if side else f"symbolic in the graph, {DEFAULT_SIDE} assumed"
        sizes.append(size)
    evidence.setdefault("size", "shape of the input")
    dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name
    evidence["dtype"] = "type of the input"
    return ImageInput(value.name, layout, channels, sizes[0], sizes[1], dtype, evidence)


def _read_layout(shape: list[int | str]) -> tuple[Layout, str]:
    first, last = shape[1] in CHANNELS, shape[3] in CHANNELS
    if first != last:
        return ("NCHW" if first else "NHWC"), f"the axis of {shape[1] if first else shape[3]} holds the channels"
    return "NCHW", "both axes could hold the channels, ONNX's own order assumed"
