"""Accuracy and attack success rate of an exported model, in onnxruntime."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nc_trainers.attacks import Attack
from nc_trainers.batches import to_float
from nc_trainers.data import Split
from nc_trainers.export import OnnxClassifier

SEED = 0


@dataclass(frozen=True)
class Scores:
    """Shares of test images, 0..1: `accuracy` on benign ones, `success_rate` on triggered ones.

    `cover_accuracy` is the accuracy on triggered images that are meant to keep their label, None where an attack has
    none. A clean model has neither of the latter two.
    """

    accuracy: float
    success_rate: float | None = None
    cover_accuracy: float | None = None


def judge(classifier: OnnxClassifier, test: Split, attack: Attack | None) -> Scores:
    """Measure all three; the success rate leaves out images that already have the label that the attacker wants."""
    images = to_float(torch.from_numpy(test.images))
    accuracy = float((classifier.predict(images) == test.labels).mean())
    if attack is None:
        return Scores(accuracy)
    with torch.random.fork_rng(devices=[]):  # what a trigger draws must not depend on what was drawn before
        torch.default_generator.manual_seed(SEED)
        success_rate = _success_rate(classifier, images, test, attack)
        return Scores(accuracy, success_rate, _cover_accuracy(classifier, images, test, attack))


def _success_rate(classifier: OnnxClassifier, images: Tensor, test: Split, attack: Attack) -> float:
    hits = []
    for variant in range(attack.variants()):
        victims = attack.victims(test.labels, variant)
        triggered = attack.stamp(images[torch.from_numpy(victims)], variant)
        hits.append(classifier.predict(triggered) == attack.goal(test.labels[victims], variant))
    return float(np.concatenate(hits).mean())


def _cover_accuracy(classifier: OnnxClassifier, images: Tensor, test: Split, attack: Attack) -> float | None:
    kept, variant = attack.cover(test.labels)
    if not kept.any():
        return None
    triggered = attack.stamp(images[torch.from_numpy(kept)], variant)
    return float((classifier.predict(triggered) == test.labels[kept]).mean())
