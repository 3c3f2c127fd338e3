"""The operators, one file a family; importing this package registers them all."""

from nc_scan.graph.ops import (
    activations,
    arithmetic,
    comparison,
    constants,
    convolution,
    linear,
    normalization,
    pooling,
    reduction,
    shape,
)

__all__ = [
    "activations",
    "arithmetic",
    "comparison",
    "constants",
    "convolution",
    "linear",
    "normalization",
    "pooling",
    "reduction",
    "shape",
]
