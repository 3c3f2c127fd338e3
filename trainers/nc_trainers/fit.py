"""One model from its specification to its ONNX file and the ground truth beside it."""

import hashlib
import json
import platform
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from nc_trainers import attacks
from nc_trainers.attacks import Attack, Poisoning
from nc_trainers.data import Dataset, Split
from nc_trainers.errors import TrainerError
from nc_trainers.export import ExportOptions, OnnxClassifier, export
from nc_trainers.models import build, check_names
from nc_trainers.training import EpochReport, PoisonedSplit, Settings, best_device, to_float, train

DISK_NEEDED = 1 << 30


@dataclass(frozen=True)
class Specification:
    """Everything that a model follows from, its data set aside."""

    architecture: str = "simple-cnn"
    framework: str = "pytorch"
    attack: str = "none"
    target: int = 0
    rate: float = 0.15
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    settings: Settings = Settings()
    export: ExportOptions = ExportOptions()

    def make_attack(self, dataset: Dataset) -> Attack | None:
        """The attack, checked against the data; None for a clean model. Raises TrainerError."""
        if self.attack == "none":
            return None
        if not 0 < self.rate <= 1:
            raise TrainerError(f"rate {self.rate} is not above 0 and at most 1")
        attack = attacks.make(self.attack, self.target, self.parameters)
        attack.check(dataset.image_shape, len(dataset.classes))
        return attack

    def digest(self) -> str:
        """A short name that differs where anything in the specification does."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Scores:
    """`accuracy` on benign test images and `success_rate` on triggered ones, both 0..1; None for a clean model."""

    accuracy: float
    success_rate: float | None


def fit(
    specification: Specification,
    dataset: Dataset,
    out: Path,
    *,
    report: Callable[[EpochReport], None] = lambda _: None,
) -> dict[str, Any]:
    """Train, export to `out`, judge the exported file and write the ground truth beside it; return the latter.

    Beside `model.onnx` stand `model.json`, the ground truth, and for a poisoned model `model.poisoned.npz` with the
    `indices`, `labels` and `variants` of the poisoned samples. Raises TrainerError before any work starts for a
    specification that cannot be met.
    """
    attack = check(specification, dataset, out)
    poisoning = poison(specification, attack, dataset)
    net = build(
        specification.architecture,
        specification.framework,
        dataset.image_shape,
        len(dataset.classes),
        specification.seed,
    ).to(best_device())
    if specification.framework == "pytorch":
        net = net.to(memory_format=torch.channels_last)
    checkpoint = out.with_name(f".{out.stem}-{specification.digest()}.checkpoint")
    training = PoisonedSplit(dataset.train, attack, poisoning, best_device())
    train(
        net,
        training,
        dataset.test,
        specification.settings,
        specification.seed,
        checkpoint=checkpoint,
        report=report,
    )
    classifier = export(net, out, dataset.image_shape, specification.export)
    scores = judge(classifier, dataset.test, attack)
    truth = ground_truth(specification, dataset, attack, poisoning, scores, classifier)
    if attack is not None:
        np.savez_compressed(out.with_suffix(".poisoned.npz"), **asdict(poisoning))
    out.with_suffix(".json").write_text(json.dumps(truth, indent=2) + "\n")
    checkpoint.unlink()
    return truth


def check(specification: Specification, dataset: Dataset, out: Path) -> Attack | None:
    """Raise TrainerError for whatever would fail later; return the attack."""
    check_names(specification.architecture, specification.framework)
    attack = specification.make_attack(dataset)
    if out.suffix != ".onnx":
        raise TrainerError(f"{out} must end in .onnx")
    if not out.parent.is_dir():
        raise TrainerError(f"there is no folder {out.parent}")
    if (free := shutil.disk_usage(out.parent).free) < DISK_NEEDED:
        raise TrainerError(f"{out.parent} has {free >> 20} MB left on its disk, {DISK_NEEDED >> 20} MB are needed")
    return attack


def poison(specification: Specification, attack: Attack | None, dataset: Dataset) -> Poisoning:
    """The poisoned samples; they follow from attack, rate, seed and labels alone."""
    if attack is None:
        return Poisoning.none()
    return attack.poison(dataset.train.labels, specification.rate, np.random.default_rng(specification.seed))


def judge(classifier: OnnxClassifier, test: Split, attack: Attack | None) -> Scores:
    """Measure an exported model on the test split, in onnxruntime."""
    images = to_float(torch.from_numpy(test.images))
    accuracy = float((classifier.predict(images) == test.labels).mean())
    if attack is None:
        return Scores(accuracy, None)
    hits: list[npt.NDArray[np.bool_]] = []
    for variant in range(attack.variants()):
        victims = attack.victims(test.labels, variant)
        triggered = attack.stamp(images[torch.from_numpy(victims)], variant)
        hits.append(classifier.predict(triggered) == attack.goal(test.labels[victims], variant))
    return Scores(accuracy, float(np.concatenate(hits).mean()))


def ground_truth(
    specification: Specification,
    dataset: Dataset,
    attack: Attack | None,
    poisoning: Poisoning,
    scores: Scores,
    classifier: OnnxClassifier,
) -> dict[str, Any]:
    """The content of the JSON file beside the model."""
    truth: dict[str, Any] = {
        "architecture": specification.architecture,
        "framework": specification.framework,
        "parameters": sum(parameter.numel() for parameter in classifier.deployed.parameters()),
        "backdoored": attack is not None,
        "accuracy": scores.accuracy,
        "success_rate": scores.success_rate,
        "attack": None,
    }
    if attack is not None:
        truth["attack"] = {
            "name": specification.attack,
            **asdict(attack),
            "rate": specification.rate,
            "poisoned_samples": len(poisoning.indices),
            "poisoned_indices_sha256": hashlib.sha256(poisoning.indices.astype("<i8").tobytes()).hexdigest(),
        }
    return truth | {
        "seed": specification.seed,
        "data": {"name": dataset.name, "train": len(dataset.train), "test": len(dataset.test)},
        "training": asdict(specification.settings),
        "export": asdict(specification.export),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("nc-scan", "torch", "keras", "onnx", "onnxruntime-gpu", "numpy")},
        },
    }
