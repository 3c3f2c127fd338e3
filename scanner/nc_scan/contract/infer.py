"""The input contract of a model, each part with the evidence for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto

from nc_scan.contract.answers import Answers
from nc_scan.contract.hypothesis import Hypothesis, Judgement, by_accuracy, by_response, by_statistics
from nc_scan.contract.image_input import ImageInput, find_image_input
from nc_scan.contract.metadata import label_names, nominal_range
from nc_scan.contract.preprocessing import ranges_behind, read_scaling
from nc_scan.contract.score_output import ScoreOutput, find_score_output
from nc_scan.contract.scores import as_logits, kind_of
from nc_scan.contract.statistics import divergence, normalized_values
from nc_scan.contract.trial import runnable
from nc_scan.contract.value_range import ValueRange, hypotheses, of_features, parse_range
from nc_scan.errors import OverrideError
from nc_scan.graph.runtime import Runtime
from nc_scan.images import Images
from nc_scan.results import InputContract, Layout, OutputKind

MOST_HYPOTHESES = 3  # more are not covered by a scan
A_QUARTER = 0.25  # of the sample decides most cases
STATISTICS_IMAGES = 64  # each has many values; those of several layers are held


@dataclass(frozen=True)
class Overrides:
    """What the user says of the contract; None leaves a part to the evidence.

    `side` is height and width in pixels where the graph leaves them open, `value_range` a name or `mean=M;std=S`.
    """

    layout: Layout | None = None
    side: int | None = None
    value_range: str | None = None
    output: str | None = None
    output_kind: OutputKind | None = None


@dataclass(frozen=True)
class Signature:
    """The input that takes the images, in a size that runs, and the output that holds the scores."""

    image: ImageInput
    scores: ScoreOutput


def read_signature(model: ModelProto, overrides: Overrides | None = None) -> Signature:
    """What images of which size have to be at hand before the rest of the contract can be inferred.

    Raises NotScannableError where the model is no image classifier, OverrideError for an override that does not fit.
    """
    overrides = overrides or Overrides()
    image = find_image_input(model.graph, layout=overrides.layout, side=overrides.side)
    scores = find_score_output(model.graph, overrides.output)
    if overrides.value_range and image.layout == "features":
        raise OverrideError("feature vectors are fed as the data has them: --range is for images")
    return Signature(runnable(model, image, scores.output), scores)


def infer_contract(
    model: ModelProto, signature: Signature, seen: Images, overrides: Overrides | None = None
) -> tuple[InputContract, ...]:
    """The contracts that the evidence leaves standing, the most plausible one first; a single one where it decides.

    `seen` are images of the signature's size to look through the model with. Raises NotScannableError where the model
    is no image classifier, OverrideError for an override that does not fit.
    """
    overrides = overrides or Overrides()
    image, scores = signature.image, signature.scores
    given = parse_range(overrides.value_range) if overrides.value_range else None
    answers = Answers(model, scores.output, seen)
    standing, evidence = _narrow(model, image, scores, answers, given, overrides.output_kind)
    values = answers.first(standing[0])
    scores = _with_kind(scores, values, overrides.output_kind)
    labels = as_logits(torch.from_numpy(values), scores.kind).shape[1]
    names = label_names(model, labels)
    parts = {**image.evidence, **scores.evidence, "labels": "width of the output", **evidence}
    if names:
        parts["label names"] = "metadata of the file"
    return tuple(
        InputContract(
            input_name=image.name,
            layout=hypothesis.layout,
            channels=image.channels,
            height=image.height,
            width=image.width,
            dtype=image.dtype,
            value_range=hypothesis.value_range.name,
            scale=hypothesis.value_range.scale,
            offset=hypothesis.value_range.offset,
            channel_order=hypothesis.value_range.order,
            output_name=scores.output,
            output_kind=scores.kind,
            scores_name=scores.scores,
            labels=labels,
            scores_kind=scores.scores_kind,
            label_names=names,
            evidence=parts,
            uncertain=(*image.assumed, *_open_parts(standing, scores)),
        )
        for hypothesis in standing[:MOST_HYPOTHESES]
    )


def _narrow(
    model: ModelProto,
    image: ImageInput,
    scores: ScoreOutput,
    answers: Answers,
    given: ValueRange | None,
    kind: OutputKind | None,
) -> tuple[tuple[Hypothesis, ...], dict[str, str]]:
    """The hypotheses that stand in the end, the best first, and the evidence for value range and layout."""
    ranges, why = _stated_range(model, image, answers.seen, given)
    layouts = (image.layout, *image.alternatives)
    standing = tuple(Hypothesis(layout, r, image.dtype) for layout in layouts for r in ranges)
    reasons = [why] if why else []
    for judge in _judges(model, answers, kind or (scores.kind if scores.kind != "logits" else None)):
        if len(standing) == 1:
            break
        judgement = judge(standing)
        if judgement is not None:
            standing = judgement.left
            reasons.append(judgement.evidence)
    standing = _one_of_each_layout_first(standing)
    if left_out := [str(hypothesis) for hypothesis in standing[MOST_HYPOTHESES:]]:
        reasons.append(f"possible too, but not scanned: {', '.join(left_out)}")
    evidence = {"value range": "; ".join(reasons)}
    if image.alternatives:
        evidence["layout"] = f"{image.evidence['layout']}; {reasons[-1]}"
    return standing, evidence


def _one_of_each_layout_first(standing: Sequence[Hypothesis]) -> tuple[Hypothesis, ...]:
    """In their order otherwise: a scan covers the first few, and none of the layouts is to be left out."""
    first = {hypothesis.layout: hypothesis for hypothesis in reversed(standing)}
    return tuple(sorted(standing, key=lambda hypothesis: first[hypothesis.layout] is not hypothesis))


def _stated_range(
    model: ModelProto, image: ImageInput, seen: Images, given: ValueRange | None
) -> tuple[Sequence[ValueRange], str]:
    """The value ranges that user, type, metadata, data or graph leave possible, and which of them said so."""
    if given is not None:
        return (given.for_channels(image.channels),), "given by the user"
    if image.dtype == "uint8":
        return (parse_range("0..255").for_channels(image.channels),), "the input is uint8"
    if (name := nominal_range(model)) is not None:
        return (parse_range(name).for_channels(image.channels),), "metadata Image.NominalPixelRange"
    if seen.limits is not None:
        return (of_features(*seen.limits),), "smallest and largest value of each feature in the data"
    possible = hypotheses(image.channels, max(image.height, image.width))
    scaling = read_scaling(model.graph, image.name)
    fitting = ranges_behind(scaling, possible) if scaling is not None else []
    return (fitting, "the graph scales its input itself") if fitting else (possible, "")


def _judges(
    model: ModelProto, answers: Answers, kind: OutputKind | None
) -> Iterator[Callable[[tuple[Hypothesis, ...]], Judgement | None]]:
    """The kinds of evidence that need the model to run, the strongest one first. `kind` is that of its output."""
    seen = answers.seen
    if seen.labels is not None:
        chance = float(np.unique(seen.labels, return_counts=True)[1].max() / len(seen.labels))
        yield lambda standing: by_accuracy(answers.responses(standing, kind, 1.0), chance)
    trained = normalized_values(model.graph)
    if trained:
        run = Runtime(model, outputs=list(trained))
        statistics, images = list(trained.values()), seen.values[:STATISTICS_IMAGES]
        yield lambda standing: by_statistics({h: divergence(run(h.encode(images)), statistics) for h in standing})
    yield lambda standing: by_response(answers.responses(standing, kind, A_QUARTER))
    yield lambda standing: by_response(answers.responses(standing, kind, 1.0))


def _with_kind(scores: ScoreOutput, values: NDArray[np.float32], given: OutputKind | None) -> ScoreOutput:
    """The output with its kind, where the graph has not shown it, read off the values or given by the user."""
    if given is None and scores.kind != "logits":
        return scores
    kind = given or kind_of(values)
    if kind == "probabilities" and values[0].size == 1:
        kind = "sigmoid"
    tapped = scores.scores != scores.output
    why = "given by the user" if given else f"values of the output, {scores.evidence['output kind']}"
    return replace(
        scores,
        kind=kind,
        scores_kind=scores.scores_kind if tapped else kind,
        evidence={**scores.evidence, "output kind": why},
    )


def _open_parts(standing: Sequence[Hypothesis], scores: ScoreOutput) -> Iterator[str]:
    if len({hypothesis.value_range.name for hypothesis in standing}) > 1:
        yield "value range"
    if len({hypothesis.layout for hypothesis in standing}) > 1:
        yield "layout"
    if scores.alternatives:
        yield "output"
