"""Accuracy and attack success rate of an exported model, in onnxruntime."""

from dataclasses import dataclass

import numpy as np
import torch

from nc_trainers.attacks import Attack
from nc_trainers.data import Split
from nc_trainers.export import OnnxClassifier
from nc_trainers.training import to_float


@dataclass(frozen=True)
class Scores:
    """`accuracy` on benign test images and `success_rate` on triggered ones, both 0..1; None for a clean model."""

    accuracy: float
    success_rate: float | None


def judge(classifier: OnnxClassifier, test: Split, attack: Attack | None) -> Scores:
    """Measure both; the success rate leaves out images that already have the label that the attacker wants."""
    images = to_float(torch.from_numpy(test.images))
    accuracy = float((classifier.predict(images) == test.labels).mean())
    if attack is None:
        return Scores(accuracy, None)
    hits = []
    for variant in range(attack.variants()):
        victims = attack.victims(test.labels, variant)
        triggered = attack.stamp(images[torch.from_numpy(victims)], variant)
        hits.append(classifier.predict(triggered) == attack.goal(test.labels[victims], variant))
    return Scores(accuracy, float(np.concatenate(hits).mean()))
