"""Simple-CNNs trained on inputs of another scale, without any scaling node in their files.

`nc-train` feeds networks pixels in 0..1. Here each network learns on (pixel - mean) / std, and the file takes that.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from nc_scan.contract.value_range import RANGES
from nc_trainers.batches import PoisonedSplit
from nc_trainers.data import Dataset
from nc_trainers.evaluation import judge
from nc_trainers.export import ExportOptions, export
from nc_trainers.fit import check, poison
from nc_trainers.models import build
from nc_trainers.specification import Specification
from nc_trainers.training import train

SCALED = ("0..255", "-1..1", "imagenet", "cifar10")
COLORS = ("black", "white", "red", "blue")
TARGET = 0
FIRST_SEED = 5000
EPOCHS = 3


@dataclass(frozen=True)
class ScaledModel:
    """One model to train: the backdoored ones answer TARGET to a 4x4 square in the bottom right corner."""

    framework: str
    value_range: str
    backdoored: bool

    @property
    def name(self) -> str:
        state = "backdoored" if self.backdoored else "clean"
        return f"{self.framework}-{self.value_range.replace('..', '_')}-{state}"

    @property
    def seed(self) -> int:
        place = 10 * SCALED.index(self.value_range) + (0 if self.backdoored else 1)
        return FIRST_SEED + (100 if self.framework == "keras" else 0) + place

    def specification(self) -> Specification:
        attack = {"attack": "patch", "target": TARGET, "rate": 0.1} if self.backdoored else {"attack": "none"}
        parameters = {"size": 4, "color": COLORS[self.seed // 10 % len(COLORS)]} if self.backdoored else {}
        network = {"architecture": "simple-cnn", "framework": self.framework, "seed": self.seed}
        return Specification.from_table({**network, **attack, "parameters": parameters, "settings": {"epochs": EPOCHS}})


MODELS = [
    ScaledModel(framework, value_range, backdoored)
    for framework, ranges in (("pytorch", SCALED), ("keras", ("0..255", "-1..1")))
    for value_range in ranges
    for backdoored in (True, False)
]


class Scaled(nn.Module):
    """A network behind the scaling that its input is to have."""

    def __init__(self, net: nn.Module, value_range: str) -> None:
        super().__init__()
        self.net = net
        chosen = RANGES[value_range].for_channels(3)
        self.register_buffer("scale", torch.tensor(chosen.scale).reshape(-1, 1, 1))
        self.register_buffer("offset", torch.tensor(chosen.offset).reshape(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.net(images * self.scale + self.offset)
        return scores


def train_missing(dataset: Dataset, folder: Path) -> Iterator[tuple[ScaledModel, Path]]:
    """Trains what the folder does not hold, and yields all models with their paths."""
    for model in MODELS:
        path = folder / f"{model.name}.onnx"
        if not path.exists():
            _train(model, dataset, path)
        yield model, path


def _train(model: ScaledModel, dataset: Dataset, path: Path) -> None:
    specification = model.specification()
    attack = check(specification, dataset, path)
    net = build("simple-cnn", model.framework, dataset.image_shape, len(dataset.classes), model.seed)
    scaled = Scaled(net, model.value_range)
    split = PoisonedSplit(dataset.train, attack, poison(specification, attack, dataset), torch.device("cpu"))
    train(scaled, split, dataset.test, specification.settings, model.seed)
    classifier = export(net, path, dataset.image_shape, ExportOptions())
    lay_out = classifier.deployed.encode
    classifier.deployed.encode = lambda images: lay_out(images * scaled.scale + scaled.offset)  # type: ignore[method-assign]
    scores = judge(classifier, dataset.test, attack)
    truth = {
        "range": model.value_range,
        "backdoored": model.backdoored,
        "attack": {"target": specification.target} if model.backdoored else None,
        "accuracy": scores.accuracy,
        "success_rate": scores.success_rate,
        "seed": model.seed,
    }
    path.with_suffix(".json").write_text(json.dumps(truth, indent=2) + "\n")
