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

SATURATED = 0.99  # hardly a classifier is so certain of images that it has never seen
CLEARLY_BETTER = 0.85  # hypotheses below this share of the best one's score are out,
ERRORS = 2.0  # unless they are within so many standard errors of its difference
MOST_USUAL, BENEFIT = "0..1", 0.5  # what most models read is out only below this share of what others need
ABOVE_CHANCE = 3.0  # standard errors; labels that the model gives no more often than that are not its own
CLEARLY_CLOSER = 2.0  # hypotheses further off by this factor are out, and by LEAST_GAP nats
LEAST_GAP = 0.2
LEAST_INFORMATION = 0.05  # nats; below it the model tells hardly two images apart
FAINT_INFORMATION = 0.15  # nats; below it none is clearly better than another
MANY = 10  # labels, beyond which more of them make a difference say no more
NOTHING = 0.1  # share of the best score; what is below says nothing, however few the labels


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
    """The hypotheses that a kind of evidence leaves standing, the best first, and what it says.

    `settled` says that more images would hardly leave fewer of them.
    """

    left: tuple[Hypothesis, ...]
    evidence: str
    settled: bool = False


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
    left, _ = _clearly_best(accuracies, dict.fromkeys(accuracies, CLEARLY_BETTER), ERRORS)
    return Judgement(left, said)


def by_response(responses: dict[Hypothesis, Response], errors: float = ERRORS) -> Judgement:
    """By what the model's labels say twice about the same image.

    A hypothesis under which the model is certain of everything is out, unless the others say nothing beside it. The
    fewer labels there are, the less a difference of information says: of two labels none is too large. Where there is
    little information at all, none says anything.
    """
    answers = _without_saturated(responses)
    information = {hypothesis: response.information for hypothesis, response in answers.items()}
    images = len(next(iter(information.values())).terms)
    evidence = f"labels of {images} images and changed copies share, in nats: {_listed(information, '.2f')}"
    saturated = [hypothesis for hypothesis in responses if hypothesis not in answers]
    if saturated:
        evidence += f"; saturated: {', '.join(map(str, saturated))}"
    most = max(measure.value for measure in information.values())
    reach = max(measure.value + errors * measure.error() for measure in information.values())
    if most < LEAST_INFORMATION:
        return Judgement(tuple(responses), evidence, settled=reach < LEAST_INFORMATION)
    if most < FAINT_INFORMATION:
        left = tuple(sorted(information, key=lambda hypothesis: information[hypothesis].value, reverse=True))
        return Judgement(left, evidence, settled=reach < FAINT_INFORMATION)
    needed = {hypothesis: _needed(hypothesis, response.labels) for hypothesis, response in answers.items()}
    left, by_chance = _clearly_best(information, needed, errors)
    return Judgement(left, evidence, not by_chance)


def _without_saturated(responses: dict[Hypothesis, Response]) -> dict[Hypothesis, Response]:
    answers = {h: r for h, r in responses.items() if r.certainty < SATURATED}
    most = max((r.information.value for r in answers.values()), default=0.0)
    if most < max(LEAST_INFORMATION, BENEFIT * max(r.information.value for r in responses.values())):
        return responses
    return answers


def _needed(hypothesis: Hypothesis, labels: int) -> float:
    """The share of the best hypothesis's information that this one needs, in [0, CLEARLY_BETTER]."""
    usual = BENEFIT if hypothesis.value_range.name == MOST_USUAL else 1.0
    return usual * CLEARLY_BETTER * (1 - 2 / min(max(labels, 2), MANY))


def by_statistics(divergences: dict[Hypothesis, float]) -> Judgement | None:
    """By how far the values inside are from those in training; None where that does not tell them apart."""
    best = min(divergences.values())
    near = {h: d for h, d in divergences.items() if d < CLEARLY_CLOSER * best or d < best + LEAST_GAP}
    if len(near) == len(divergences):
        return None
    left = tuple(sorted(near, key=near.__getitem__))
    return Judgement(left, f"distance from the BatchNormalization statistics, in nats: {_listed(divergences, '.2g')}")


def _clearly_best(
    scores: dict[Hypothesis, Measure], needed: Mapping[Hypothesis, float], errors: float
) -> tuple[tuple[Hypothesis, ...], bool]:
    """Those that have the share of the best score that they need, or may have it; whether any of them only may.

    A score of nothing beside one of something is out in any case.
    """
    best = max(scores.values(), key=lambda score: score.value)
    has = {h for h, score in scores.items() if score.value >= max(needed[h] * best.value, NOTHING * best.value)}
    may = {h for h, score in scores.items() if score.value >= best.value - errors * score.error(best)}
    left = sorted((h for h in scores if h in has | may), key=lambda h: scores[h].value, reverse=True)
    return tuple(left), bool(may - has)


def _listed(values: Mapping[Hypothesis, Measure | float], form: str) -> str:
    layouts = len({hypothesis.layout for hypothesis in values}) > 1
    names = {h: str(h) if layouts else h.value_range.name for h in values}
    return ", ".join(f"{names[h]} {format(value, form)}" for h, value in values.items())
