"""Whether a model runs at all on what its input seems to be, and gives a row of scores for each image."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from onnx import ModelProto

from nc_scan.contract.encoding import encode
from nc_scan.contract.forms import add_batch_axis_to_output, with_batch_of_one
from nc_scan.contract.image_input import DEFAULT_SIDE, ImageInput
from nc_scan.errors import NcScanError, NotScannableError, UnsupportedModelError
from nc_scan.graph.runtime import Array, Runtime
from nc_scan.results import Layout

MOST_LABELS = 1 << 17  # the largest public data sets of images have some ten thousands
OTHER_SIDES = (32, 28, 64, 96, 128, 256, 299, 384)  # of published classifiers, where the usual one does not fit


@dataclass(frozen=True)
class Runnable:
    """A model that gives a row of scores an image, its input with the layouts and the size that it runs with.

    `output` is the value that holds the rows of `width` numbers: the one asked for, or the same with a batch axis.
    """

    model: ModelProto
    image: ImageInput
    output: str
    width: int


def runnable(model: ModelProto, image: ImageInput, output: str) -> Runnable:
    """The model and its input in the first form that onnxruntime runs: as declared, else with a batch of one.

    A graph may declare less than its weights ask for: a symbolic size in front of a dense layer, an open batch where a
    Reshape asks for one image. Raises UnsupportedModelError where it runs with nothing, NotScannableError where it
    gives no row of scores an image.
    """
    refusals: list[NcScanError] = []
    sizes, forms = _sizes(image), _Forms(model, image, output)
    for candidate in sizes:
        if found := _in_some_form(forms, candidate, refusals):
            if candidate is not image and not any(_in_some_form(forms, other, []) for other in sizes):
                found = replace(found, image=_of_certain_size(found.image))
            return found
    refusal = next((error for error in refusals if isinstance(error, NotScannableError)), refusals[0])
    advice = "; --layout and --size say what it takes" if image.alternatives or image.assumed else ""
    raise type(refusal)(f"{refusal}{advice}")


def _in_some_form(forms: _Forms, image: ImageInput, refusals: list[NcScanError]) -> Runnable | None:
    """In the first form that runs on images of that size, with all layouts that it runs with."""
    for form, name, run in forms:
        widths = {
            layout: width
            for layout in (image.layout, *image.alternatives)
            if (width := _width(run, image, layout, name, refusals))
        }
        if widths:
            first, *others = widths
            fitting = replace(image, layout=first, alternatives=tuple(others), batch=run.fixed_batch)
            return Runnable(form, fitting, name, widths[first])
    return None


def _of_certain_size(image: ImageInput) -> ImageInput:
    """The input, of the only size that the graph runs on."""
    evidence = {**image.evidence, "size": f"{image.evidence['size']} alone of those tried"}
    return replace(image, evidence=evidence, assumed=tuple(part for part in image.assumed if part != "size"))


def check_rows(value: Array, images: int, output: str) -> None:
    """Raises NotScannableError where an output is no row of at most MOST_LABELS scores for each of so many images."""
    if value.ndim < 1 or len(value) != images or value[0].size != max(value.shape[1:], default=1):
        raise NotScannableError(
            f"no image classifier: output {output} has shape {value.shape} for {images} images, not a row of scores "
            "for each"
        )
    if value[0].size > MOST_LABELS:
        raise NotScannableError(
            f"no image classifier: output {output} holds {value[0].size} numbers for an image, at most {MOST_LABELS}"
        )


class _Forms:
    """The model as it is, for one image at a time, and that with a batch axis at the output; with their sessions.

    Each is made when it is asked for and kept. What onnxruntime does not load is left out, but for the first.
    """

    def __init__(self, model: ModelProto, image: ImageInput, output: str) -> None:
        self._made: list[tuple[ModelProto, str, Runtime]] = []
        self._others = self._make(model, image, output)

    def __iter__(self) -> Iterator[tuple[ModelProto, str, Runtime]]:
        yield from self._made
        for form in self._others:
            self._made.append(form)
            yield form

    def _make(self, model: ModelProto, image: ImageInput, output: str) -> Iterator[tuple[ModelProto, str, Runtime]]:
        yield model, output, Runtime(model, outputs=[output])
        single = model
        if image.batch is None:
            single = with_batch_of_one(model, image.name)
            yield from self._loaded(single, output)
        if image.batch in (None, 1):
            yield from self._loaded(*add_batch_axis_to_output(single, output))

    def _loaded(self, model: ModelProto, output: str) -> Iterator[tuple[ModelProto, str, Runtime]]:
        with contextlib.suppress(UnsupportedModelError):
            yield model, output, Runtime(model, outputs=[output])


def _sizes(image: ImageInput) -> Iterator[ImageInput]:
    yield image
    if "size" in image.assumed:
        for side in OTHER_SIDES:
            why = f"symbolic in the graph, which does not run on {DEFAULT_SIDE} pixels but on {side}"
            yield replace(image, height=side, width=side, evidence={**image.evidence, "size": why})


def _width(run: Runtime, image: ImageInput, layout: Layout, output: str, refusals: list[NcScanError]) -> int | None:
    """How many scores an image has, where the model runs and gives rows; where not, `refusals` learns why."""
    count = run.fixed_batch or 2
    grey = np.full((count, image.channels, image.height, image.width), 0.5, np.float32)
    try:
        (value,) = run(encode(grey, scale=(1.0,), offset=(0.0,), layout=layout, dtype=image.dtype))
        check_rows(value, count, output)
    except (UnsupportedModelError, NotScannableError) as error:
        refusals.append(error)
        return None
    return int(value[0].size)
