"""Whether a model runs at all on what its input seems to be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from onnx import ModelProto

from nc_scan.contract.encoding import encode
from nc_scan.contract.image_input import DEFAULT_SIDE, ImageInput
from nc_scan.errors import UnsupportedModelError
from nc_scan.graph.runtime import Runtime
from nc_scan.results import Layout

OTHER_SIDES = (32, 28, 64, 96, 128, 256, 299, 384)  # of published classifiers, where the usual one does not fit


def runnable(model: ModelProto, image: ImageInput, output: str) -> ImageInput:
    """The input with the layouts, and where the graph leaves it open the first size, that onnxruntime runs.

    A graph may declare less than its weights ask for: a symbolic size in front of a dense layer, say. Raises
    UnsupportedModelError where it runs with none.
    """
    if not image.alternatives and not image.assumed:
        return image
    run = Runtime(model, outputs=[output])
    refusals: list[str] = []
    for candidate in _sizes(image):
        if layouts := [layout for layout in _layouts(image) if _runs(run, candidate, layout, refusals)]:
            return replace(candidate, layout=layouts[0], alternatives=tuple(layouts[1:]))
    raise UnsupportedModelError(f"{refusals[0]}; --layout and --side say what it takes")


def _layouts(image: ImageInput) -> tuple[Layout, ...]:
    return (image.layout, *image.alternatives)


def _sizes(image: ImageInput) -> Iterator[ImageInput]:
    yield image
    if "size" in image.assumed:
        for side in OTHER_SIDES:
            why = f"symbolic in the graph, which does not run on {DEFAULT_SIDE} pixels but on {side}"
            yield replace(image, height=side, width=side, evidence={**image.evidence, "size": why})


def _runs(run: Runtime, image: ImageInput, layout: Layout, refusals: list[str]) -> bool:
    """Whether it does; where not, `refusals` learns why."""
    grey = np.full((1, image.channels, image.height, image.width), 0.5, np.float32)
    try:
        run(encode(grey, scale=(1.0,), offset=(0.0,), layout=layout, dtype=image.dtype))
    except UnsupportedModelError as error:
        refusals.append(str(error))
        return False
    return True
