"""The operators, one file a family; importing this package registers them all."""

from nc_scan.graph.ops import (
    activations,
    arithmetic,
    comparison,
    constants,
    control_flow,
    convolution,
    linear,
    normalization,
    pooling,
    quantization,
    recurrent,
    reduction,
    resize,
    sequence,
    shape,
)

__all__ = [
    "activations",
    "arithmetic",
    "comparison",
    "constants",
    "control_flow",
    "convolution",
    "linear",
    "normalization",
    "pooling",
    "quantization",
    "recurrent",
    "reduction",
    "resize",
    "sequence",
    "shape",
]
