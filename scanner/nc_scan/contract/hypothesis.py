"""What a model's input may be, and the evidence that tells one hypothesis from another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from nc_scan.contract.encoding import encode
from nc_scan.contract.responses import Measure, Response
from nc_scan.contract.value_range import ValueRange
from nc_scan.results import FloatArray, Layout

SATURATED = 0.99  # no classifier is so certain of images that it has never seen
CLEARLY_BETTER = 0.85  # hypotheses below this share of the best one's score are out,
ERRORS = 2.0  # unless they are within so many standard errors of its difference
ABOVE_CHANCE = 3.0  # standard errors; labels that the model gives no more often than that are not its own
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
        scaled, layout = self.value_range, self.layout
        affine = {"scale": scaled.scale, "offset": scaled.offset}
        return encode(images, **affine, layout=layout, dtype=self.dtype, order=scaled.order)

    def __str__(self) -> str:
        return f"{self.value_range.name} {self.layout}"


@dataclass(frozen=True)
class Judgement:
    """The hypotheses that a kind of evidence leaves standing, the best first, and what it says."""

    left: tuple[Hypothesis, ...]
    evidence: str


def by_accuracy(responses: dict[Hypothesis, Response], chance: float) -> Judgement:
    """By the share of the user's labelled images that come out right, if one hypothesis beats `chance`.

    `chance` is the share of the most frequent of those labels, which a model that says nothing else would reach. Where
    no hypothesis beats it the labels are not the model's own, numbered otherwise perhaps, and say nothing.
    """
    accuracies = {hypothesis: response.accuracy for hypothesis, response in responses.items() if response.accuracy}
    best = max(accuracies.values(), key=lambda accuracy: accuracy.value)
    said = f"accuracy on the labelled images: {_listed(accuracies, '.0%')}"
    if best.value < chance + ABOVE_CHANCE * best.error():
        why = "no more than chance: the labels are not the model's own, and ignored"
        return Judgement(tuple(responses), f"{said}, {why}")
    return Judgement(_clearly_best(accuracies), said)


def by_response(responses: dict[Hypothesis, Response]) -> Judgement:
    """By what the model's labels say twice about the same image, leaving out saturated answers."""
    answers = {h: r for h, r in responses.items() if r.certainty < SATURATED} or responses
    information = {hypothesis: response.information for hypothesis, response in answers.items()}
    images = len(next(iter(information.values())).terms)
    evidence = f"labels of {images} images and changed copies share, in nats: {_listed(information, '.2f')}"
    saturated = [hypothesis for hypothesis in responses if hypothesis not in answers]
    if saturated:
        evidence += f"; saturated: {', '.join(map(str, saturated))}"
    if max(measure.value for measure in information.values()) < LEAST_INFORMATION:
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


def _clearly_best(scores: dict[Hypothesis, Measure]) -> tuple[Hypothesis, ...]:
    best = max(scores.values(), key=lambda score: score.value)

    def near(score: Measure) -> bool:
        return score.value >= min(CLEARLY_BETTER * best.value, best.value - ERRORS * score.error(best))

    return tuple(sorted((h for h in scores if near(scores[h])), key=lambda h: scores[h].value, reverse=True))


def _listed(values: Mapping[Hypothesis, Measure | float], form: str) -> str:
    layouts = len({hypothesis.layout for hypothesis in values}) > 1
    names = {h: str(h) if layouts else h.value_range.name for h in values}
    return ", ".join(f"{names[h]} {format(value, form)}" for h, value in values.items())
