"""The input contract of a model, each part with the evidence for it."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto

from nc_scan.contract.image_input import find_image_input
from nc_scan.contract.score_output import find_score_output
from nc_scan.contract.value_range import RANGES
from nc_scan.errors import NotScannableError
from nc_scan.graph.runtime import Runtime
from nc_scan.results import InputContract, Layout


def infer_contract(
    model: ModelProto,
    *,
    layout: Layout | None = None,
    side: int | None = None,
    value_range: str | None = None,
) -> InputContract:
    """Reads the contract off the graph; what the user gives is taken as it is.

    Raises NotScannableError where the model is no image classifier, ValueError for an unknown `value_range`.
    """
    image = find_image_input(model.graph, layout=layout, side=side)
    scores = find_score_output(model.graph)
    if value_range is not None and value_range not in RANGES:
        raise ValueError(f"unknown value range {value_range!r}: one of {', '.join(RANGES)}")
    default = "0..255" if image.dtype == "uint8" else "0..1"
    chosen = RANGES[value_range or default].for_channels(image.channels)
    range_evidence = "given by the user" if value_range else f"assumed for a {image.dtype} input"
    shape = (image.channels, image.height, image.width)
    batch = np.zeros((1, *(shape if image.layout == "NCHW" else (*shape[1:], shape[0]))), image.dtype)
    out = Runtime(model, outputs=[scores.output])(batch)[0]
    if out.ndim != 2 or out.shape[1] < 2:
        raise NotScannableError(f"no image classifier: output {scores.output} has shape {out.shape}, not (1, labels)")
    return InputContract(
        input_name=image.name,
        layout=image.layout,
        channels=image.channels,
        height=image.height,
        width=image.width,
        dtype=image.dtype,
        value_range=chosen.name,
        scale=chosen.scale,
        offset=chosen.offset,
        output_name=scores.output,
        output_kind=scores.kind,
        scores_name=scores.scores,
        labels=out.shape[1],
        evidence={**image.evidence, "value range": range_evidence, **scores.evidence, "labels": "width of the output"},
    )
