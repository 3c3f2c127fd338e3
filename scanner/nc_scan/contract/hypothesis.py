"""What a model's input may be, and the evidence that tells one hypothesis from another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from nc_scan.contract.encoding import encode
from nc_scan.contract.responses import Response
from nc_scan.contract.value_range import ValueRange
from nc_scan.results import FloatArray, Layout

SATURATED = 0.99  # no classifier is so certain of images that it has never seen
CLEARLY_BETTER = 0.85  # hypotheses below this share of the best one's score are out
CLEARLY_CLOSER = 2.0  # hypotheses further off by this factor are out, and by LEAST_GAP nats
LEAST_GAP = 0.2
LEAST_INFORMATION = 0.05  # nats; below it the model tells hardly two images apart


@dataclass(frozen=True)
class Hypothesis:
    """A layout and a value range of an input of type `dtype`."""

    layout: Layout
    value_range: ValueRange
    dtype: str

    def encode(self, images: FloatArray) -> NDArray[Any]:
        """The model's input for images (N, C, H, W) in [0, 1]."""
        scaled = self.value_range
        return encode(images, scale=scaled.scale, offset=scaled.offset, layout=self.layout, dtype=self.dtype)

    def __str__(self) -> str:
        return f"{self.value_range.name} {self.layout}"


@dataclass(frozen=True)
class Judgement:
    """The hypotheses that a kind of evidence leaves standing, the best first, and what it says."""

    left: tuple[Hypothesis, ...]
    evidence: str


def by_accuracy(responses: dict[Hypothesis, Response]) -> Judgement | None:
    """By the share of the user's labelled images that come out right; None where that is the same for all."""
    accuracies = {hypothesis: response.accuracy or 0.0 for hypothesis, response in responses.items()}
    left = _clearly_best(accuracies)
    if len(left) == len(responses):
        return None
    return Judgement(left, f"accuracy on the labelled images: {_listed(accuracies, '.0%')}")


def by_response(responses: dict[Hypothesis, Response]) -> Judgement:
    """By what the model's labels say twice about the same image, leaving out saturated answers."""
    answers = {h: r for h, r in responses.items() if r.certainty < SATURATED} or responses
    information = {hypothesis: response.information for hypothesis, response in answers.items()}
    evidence = f"labels of an image and a changed copy share, in nats: {_listed(information, '.2f')}"
    saturated = [hypothesis for hypothesis in responses if hypothesis not in answers]
    if saturated:
        evidence += f"; saturated: {', '.join(map(str, saturated))}"
    if max(information.values()) < LEAST_INFORMATION:
        return Judgement(tuple(information), evidence)
    return Judgement(_clearly_best(information), evidence)


def by_statistics(divergences: dict[Hypothesis, float]) -> Judgement | None:
    """By how far the values inside are from those in training; None where that does not tell them apart."""
    best = min(divergences.values())
    near = {h: d for h, d in divergences.items() if d < CLEARLY_CLOSER * best or d < best + LEAST_GAP}
    if len(near) == len(divergences):
        return None
    left = tuple(sorted(near, key=near.__getitem__))
    return Judgement(left, f"distance from the BatchNormalization statistics, in nats: {_listed(divergences, '.2g')}")


def _clearly_best(scores: dict[Hypothesis, float]) -> tuple[Hypothesis, ...]:
    least = CLEARLY_BETTER * max(scores.values())
    return tuple(sorted((h for h, score in scores.items() if score >= least), key=scores.__getitem__, reverse=True))


def _listed(values: dict[Hypothesis, float], form: str) -> str:
    layouts = len({hypothesis.layout for hypothesis in values}) > 1
    names = {h: str(h) if layouts else h.value_range.name for h in values}
    return ", ".join(f"{names[h]} {format(value, form)}" for h, value in values.items())
