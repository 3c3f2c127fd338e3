"""What images go into a model, of which size, and which of its values are the label scores."""

from __future__ import annotations

from dataclasses import dataclass, replace

from onnx import ModelProto

from nc_scan.contract.forms import add_batch_axis_to_input, in_one_form
from nc_scan.contract.image_input import ImageInput, find_image_input, takes_one_image
from nc_scan.contract.overrides import Overrides
from nc_scan.contract.score_output import ScoreOutput, find_score_outputs
from nc_scan.contract.trial import runnable
from nc_scan.errors import NotScannableError, OverrideError


@dataclass(frozen=True)
class Signature:
    """A model in the form that the scanner works with, the input that takes the images, and its heads.

    `model` computes what the file does; its edges may be written otherwise (`forms`), which `evidence` says. `heads`
    are the outputs that hold scores, the most plausible one first. `features` names outputs that are taken for what
    another one is computed from.
    """

    model: ModelProto
    image: ImageInput
    heads: tuple[ScoreOutput, ...]
    evidence: dict[str, str]
    features: tuple[str, ...] = ()


def read_signature(model: ModelProto, overrides: Overrides | None = None) -> Signature:
    """What images of which size have to be at hand before the rest of the contract can be inferred.

    Raises NotScannableError where the model is no image classifier, OverrideError for an override that does not fit,
    UnsupportedModelError where onnxruntime runs it on nothing.
    """
    overrides = overrides or Overrides()
    model, evidence = in_one_form(model)
    if (single := takes_one_image(model.graph)) is not None and overrides.layout != "NHW":
        model, evidence["batch"] = add_batch_axis_to_input(model, single), "the graph takes one image at a time"
    image = find_image_input(model.graph, layout=overrides.layout, size=overrides.size, channels=overrides.channels)
    if overrides.given_range() is not None and image.layout == "features":
        raise OverrideError("feature vectors are fed as the data has them: --range, --mean and --std are for images")
    declared = image.batch
    found: list[tuple[ScoreOutput, int]] = []
    refusals: list[NotScannableError] = []
    for scores in find_score_outputs(model.graph, overrides.output):
        try:
            form = runnable(model, image, scores.output)
        except NotScannableError as error:
            refusals.append(error)
            continue
        model, image = form.model, form.image
        if form.output != scores.output:
            scores = replace(scores, output=form.output, scores=form.output, scores_kind=scores.kind)
            evidence["batch"] = "the graph hands out the scores of one image"
        found.append((scores, form.width))
    if not found:
        raise refusals[0]
    if declared != image.batch:
        evidence.setdefault("batch", "open in the graph, which runs on one image only")
    heads = tuple(scores for scores, width in found if scores.read_by is None or width == found[0][1])
    features = tuple(scores.output for scores, _ in found if scores not in heads)
    if features:
        evidence["features"] = f"{', '.join(features)}: read by another output, and not scanned"
    return Signature(model, image, heads, evidence, features)
