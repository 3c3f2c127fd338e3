"""The input contract of a model, each part with the evidence for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto

from nc_scan.contract.answers import Answers
from nc_scan.contract.hypothesis import Hypothesis, Judgement, by_accuracy, by_response, by_statistics
from nc_scan.contract.image_input import ImageInput
from nc_scan.contract.metadata import label_names, nominal_range
from nc_scan.contract.overrides import Overrides
from nc_scan.contract.preprocessing import ranges_behind, read_scaling
from nc_scan.contract.score_output import ScoreOutput
from nc_scan.contract.scores import as_logits, kind_of
from nc_scan.contract.signature import Signature
from nc_scan.contract.statistics import divergence, normalized_values
from nc_scan.contract.value_range import RANGES, ValueRange, hypotheses, of_features
from nc_scan.errors import NotScannableError
from nc_scan.graph.runtime import Runtime
from nc_scan.images import Images
from nc_scan.results import InputContract, OutputKind

# Shares of the sample that are looked at in turn, and the standard errors that count, the more the earlier: while more
# images may decide.
STAGES = ((1 / 16, 4.0), (1 / 4, 3.0), (1.0, 2.0))
STATISTICS_IMAGES = 64  # each has many values; those of several layers are held


def infer_contract(signature: Signature, seen: Images, overrides: Overrides | None = None) -> tuple[InputContract, ...]:
    """The contracts that the evidence leaves standing: for each head of the model the most plausible one first.

    `seen` are images of the signature's size to look through the model with. Raises NotScannableError where the model
    is no image classifier, OverrideError for an override that does not fit.
    """
    overrides = overrides or Overrides()
    contracts: list[InputContract] = []
    refusals: list[NotScannableError] = []
    for scores in signature.heads:
        try:
            contracts += _contracts(signature, scores, seen, overrides)
        except NotScannableError as error:
            refusals.append(error)
    if not contracts:
        raise refusals[0]
    return tuple(contracts)


def _contracts(
    signature: Signature, scores: ScoreOutput, seen: Images, overrides: Overrides
) -> Iterator[InputContract]:
    """Those of one head."""
    model, image = signature.model, signature.image
    answers = Answers(model, scores.output, seen)
    standing, evidence = _narrow(model, image, scores, answers, overrides)
    values = answers.first(standing[0])
    scores = _with_kind(scores, values, overrides.output_kind)
    labels = as_logits(torch.from_numpy(values), scores.kind).shape[1]
    names = label_names(model, labels)
    parts = {**image.evidence, **signature.evidence, **scores.evidence, "labels": "width of the output", **evidence}
    if names:
        parts["label names"] = "metadata of the file"
    for hypothesis in standing:
        yield InputContract(
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
            uncertain=(*image.assumed, *_open_parts(standing)),
        )


def _narrow(
    model: ModelProto, image: ImageInput, scores: ScoreOutput, answers: Answers, overrides: Overrides
) -> tuple[tuple[Hypothesis, ...], dict[str, str]]:
    """The hypotheses that stand in the end, the best first, and the evidence for value range and layout.

    What the user says is final. Accuracy on labelled images outranks what type, metadata and graph say, and that
    outranks what the model's answers do.
    """
    given, seen = overrides.given_range(), answers.seen
    kind = overrides.output_kind or (scores.kind if scores.kind != "logits" else None)
    if given is not None:
        possible: Sequence[ValueRange] = (given.for_channels(image.channels),)
    elif seen.limits is not None:
        possible = (of_features(*seen.limits),)
    elif image.dtype == "uint8":
        possible = (RANGES["0..255"].for_channels(image.channels),)
    else:
        possible = hypotheses(image.channels, max(image.height, image.width))
    stated, why = _stated(model, image, seen, given, possible)
    ranges = dict.fromkeys((*stated, *(possible if seen.labels is not None else ())))
    layouts = (image.layout, *image.alternatives)
    standing = tuple(Hypothesis(layout, r, image.dtype) for layout in layouts for r in ranges)
    reasons = []
    if seen.labels is not None and len(standing) > 1:
        chance = float(np.unique(seen.labels, return_counts=True)[1].max() / len(seen.labels))
        judgement = by_accuracy(answers.responses(standing, kind, 1.0), chance)
        standing = judgement.left
        reasons.append(judgement.evidence)
    if agreeing := tuple(hypothesis for hypothesis in standing if hypothesis.value_range in stated):
        standing = agreeing
        reasons += [why] if why else []
    for judge in _judges(model, image, answers, kind):
        if len(standing) == 1:
            break
        judged = judge(standing)
        if judged is not None:
            standing = judged.left
            reasons.append(judged.evidence)
            if judged.settled:
                break
    evidence = {"value range": "; ".join(reasons)}
    if image.alternatives:
        evidence["layout"] = f"{image.evidence['layout']}; {reasons[-1]}"
    return standing, evidence


def _stated(
    model: ModelProto, image: ImageInput, seen: Images, given: ValueRange | None, possible: Sequence[ValueRange]
) -> tuple[Sequence[ValueRange], str]:
    """Those of the possible value ranges that user, data, type, metadata or graph leave, and which of them said so."""
    if given is not None:
        return possible, "given by the user"
    if seen.limits is not None:
        return possible, "smallest and largest value of each feature in the data"
    if image.dtype == "uint8":
        return possible, "the input is uint8"
    if (name := nominal_range(model)) is not None:
        return (RANGES[name].for_channels(image.channels),), "metadata Image.NominalPixelRange"
    scaling = read_scaling(model.graph, image.name, image.channels)
    fitting = ranges_behind(scaling, possible) if scaling is not None else []
    return (fitting, "the graph scales its input itself") if fitting else (possible, "")


def _judges(
    model: ModelProto, image: ImageInput, answers: Answers, kind: OutputKind | None
) -> Iterator[Callable[[tuple[Hypothesis, ...]], Judgement | None]]:
    """The kinds of evidence that need the model to run, the strongest one first. `kind` is that of its output."""
    trained = normalized_values(model.graph, image.name)
    if trained:
        run = Runtime(model, outputs=list(trained))
        statistics, images = list(trained.values()), answers.seen.values[:STATISTICS_IMAGES]
        yield lambda standing: by_statistics({h: divergence(run(h.encode(images)), statistics) for h in standing})
    for share, errors in STAGES:
        yield lambda standing, share=share, errors=errors: by_response(  # type: ignore[misc]
            answers.responses(standing, kind, share), errors
        )


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


def _open_parts(standing: Sequence[Hypothesis]) -> Iterator[str]:
    if len({hypothesis.value_range.name for hypothesis in standing}) > 1:
        yield "value range"
    if len({hypothesis.layout for hypothesis in standing}) > 1:
        yield "layout"
