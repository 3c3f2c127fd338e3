"""The input contract of a model, each part with the evidence for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto

from nc_scan.contract.hypothesis import Hypothesis, Judgement, by_accuracy, by_response, by_statistics
from nc_scan.contract.image_input import ImageInput, find_image_input
from nc_scan.contract.metadata import label_names, nominal_range
from nc_scan.contract.preprocessing import ranges_behind, read_scaling
from nc_scan.contract.responses import Response, changed, respond
from nc_scan.contract.score_output import ScoreOutput, find_score_output
from nc_scan.contract.scores import as_logits, kind_of
from nc_scan.contract.statistics import divergence, normalized_values
from nc_scan.contract.value_range import ValueRange, hypotheses, parse_range
from nc_scan.errors import NotScannableError
from nc_scan.graph.runtime import Runtime
from nc_scan.results import FloatArray, InputContract, Layout, OutputKind

MOST_HYPOTHESES = 3  # more are not covered by a scan


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
class Sample:
    """Images (N, C, H, W) in [0, 1] to look through a model with, their labels (N,) where known.

    `value_range` is given where the data itself shows it, as for feature vectors.
    """

    images: FloatArray
    labels: NDArray[np.int64] | None = None
    value_range: ValueRange | None = None


def infer_contract(
    model: ModelProto, sample: Callable[[ImageInput], Sample], overrides: Overrides | None = None
) -> tuple[InputContract, ...]:
    """The contracts that the evidence leaves standing, the most plausible one first; a single one where it decides.

    Raises NotScannableError where the model is no image classifier, ValueError for an override that does not fit.
    """
    overrides = overrides or Overrides()
    image = find_image_input(model.graph, layout=overrides.layout, side=overrides.side)
    scores = find_score_output(model.graph, overrides.output)
    given = parse_range(overrides.value_range) if overrides.value_range else None
    seen = sample(image)
    standing, evidence = _narrow(model, image, scores, seen, given)
    values = Runtime(model, outputs=[scores.output])(standing[0].encode(seen.images))[0]
    if values.ndim > 2 and values[0].size != values.shape[1]:
        raise NotScannableError(f"no image classifier: output {scores.output} has shape {values.shape}")
    scores = _with_kind(scores, values, overrides.output_kind)
    labels = as_logits(torch.from_numpy(values[:1]), scores.kind).shape[1]
    names = label_names(model, labels)
    uncertain = [part for part, several in _open_parts(standing, scores) if several]
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
            output_name=scores.output,
            output_kind=scores.kind,
            scores_name=scores.scores,
            labels=labels,
            scores_kind=scores.scores_kind,
            label_names=names,
            evidence=parts,
            uncertain=tuple(uncertain),
        )
        for hypothesis in standing
    )


def _narrow(
    model: ModelProto, image: ImageInput, scores: ScoreOutput, seen: Sample, given: ValueRange | None
) -> tuple[tuple[Hypothesis, ...], dict[str, str]]:
    """The hypotheses that stand in the end, and the evidence for value range and layout."""
    ranges, why = _stated_range(model, image, seen, given)
    layouts = (image.layout, *image.alternatives)
    standing = tuple(Hypothesis(layout, r, image.dtype) for layout in layouts for r in ranges)
    reasons = [why] if why else []
    for judge in _judges(model, scores, seen):
        if len(standing) == 1:
            break
        judgement = judge(standing)
        if judgement is not None:
            standing = judgement.left
            reasons.append(judgement.evidence)
    standing = standing[:MOST_HYPOTHESES]
    evidence = {"value range": "; ".join(reasons)}
    if image.alternatives:
        evidence["layout"] = f"{image.evidence['layout']}; {reasons[-1]}"
    return standing, evidence


def _stated_range(
    model: ModelProto, image: ImageInput, seen: Sample, given: ValueRange | None
) -> tuple[Sequence[ValueRange], str]:
    """The value ranges that user, type, metadata, data or graph leave possible, and which of them said so."""
    if given is not None:
        return (given.for_channels(image.channels),), "given by the user"
    if image.dtype == "uint8":
        return (parse_range("0..255").for_channels(image.channels),), "the input is uint8"
    if (name := nominal_range(model)) is not None:
        return (parse_range(name).for_channels(image.channels),), "metadata Image.NominalPixelRange"
    if seen.value_range is not None:
        return (seen.value_range,), "smallest and largest value of the data"
    possible = hypotheses(image.channels, max(image.height, image.width))
    scaling = read_scaling(model.graph, image.name)
    fitting = ranges_behind(scaling, possible) if scaling is not None else []
    return (fitting, "the graph scales its input itself") if fitting else (possible, "")


def _judges(
    model: ModelProto, scores: ScoreOutput, seen: Sample
) -> Iterator[Callable[[tuple[Hypothesis, ...]], Judgement | None]]:
    """The kinds of evidence that need the model to run, the strongest one first."""
    answers: dict[Hypothesis, Response] = {}

    def responses(standing: tuple[Hypothesis, ...]) -> dict[Hypothesis, Response]:
        if not answers:
            answers.update(_responses(model, scores, seen, standing))
        return {hypothesis: answers[hypothesis] for hypothesis in standing}

    if seen.labels is not None:
        yield lambda standing: by_accuracy(responses(standing))
    trained = normalized_values(model.graph)
    if trained:
        run = Runtime(model, outputs=list(trained))
        statistics = list(trained.values())
        yield lambda standing: by_statistics({h: divergence(run(h.encode(seen.images)), statistics) for h in standing})
    yield lambda standing: by_response(responses(standing))


def _responses(
    model: ModelProto, scores: ScoreOutput, seen: Sample, standing: tuple[Hypothesis, ...]
) -> dict[Hypothesis, Response]:
    run = Runtime(model, outputs=[scores.output])
    copies = changed(seen.images, np.random.default_rng(0))

    def logits(hypothesis: Hypothesis, images: FloatArray) -> FloatArray:
        values = run(hypothesis.encode(images))[0]
        kind = scores.kind if scores.kind != "logits" else kind_of(values)
        return as_logits(torch.from_numpy(values), kind).numpy()

    return {h: respond(logits(h, seen.images), logits(h, copies), seen.labels) for h in standing}


def _with_kind(scores: ScoreOutput, values: NDArray[np.float32], given: OutputKind | None) -> ScoreOutput:
    """The output with its kind, where the graph has not shown it, read off the values or given by the user."""
    if given is None and scores.kind != "logits":
        return scores
    kind = given or kind_of(values)
    tapped = scores.scores != scores.output
    why = "given by the user" if given else f"values of the output, {scores.evidence['output kind']}"
    return replace(
        scores,
        kind=kind,
        scores_kind=scores.scores_kind if tapped else kind,
        evidence={**scores.evidence, "output kind": why},
    )


def _open_parts(standing: Sequence[Hypothesis], scores: ScoreOutput) -> Iterator[tuple[str, bool]]:
    yield "value range", len({h.value_range.name for h in standing}) > 1
    yield "layout", len({h.layout for h in standing}) > 1
    yield "output", bool(scores.alternatives)
