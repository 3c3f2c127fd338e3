"""One model, from its specification to its ONNX file and the ground truth beside it."""

import hashlib
import json
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import nn

from nc_trainers.attacks import Attack, Poisoning
from nc_trainers.batches import PoisonedSplit
from nc_trainers.data import Dataset
from nc_trainers.disk import check_disk, count_values
from nc_trainers.errors import TrainerError
from nc_trainers.evaluation import Scores, judge
from nc_trainers.export import export
from nc_trainers.forward import best_device
from nc_trainers.models import Pretrained, build, weights
from nc_trainers.specification import Specification
from nc_trainers.training import Progress, train

SURROGATE_SEED = 1 << 20  # the model that an attacker has at hand is not the one that is attacked


def fit(
    specification: Specification,
    dataset: Dataset,
    out: Path,
    *,
    report: Callable[[Progress], None] = lambda _: None,
) -> dict[str, Any]:
    """Train, export to `out`, judge the exported file and write the ground truth beside it; return the latter.

    `dataset` is the view of the data that the specification asks for. Beside `model.onnx` stand `model.json`, the
    ground truth, and for a poisoned model `model.poisoned.npz` with the `indices`, `labels`, `variants` and `cover` of
    the stamped samples. Until the model is done a hidden checkpoint lies there too: the same call takes it up. Raises
    TrainerError before any work starts for what cannot be done.
    """
    start = time.monotonic()
    attack = check(specification, dataset, out)
    poisoning = poison(specification, attack, dataset)
    digest = specification.digest(dataset)
    checkpoint = out.with_name(f".{out.stem}-{digest}.checkpoint")
    surrogate = out.with_name(f".{out.stem}-{digest}.surrogate")

    def train_surrogate(epochs: int) -> nn.Module:
        clean = replace(
            specification.without_attack(),
            seed=specification.seed + SURROGATE_SEED,
            settings=replace(specification.settings, epochs=epochs, target_accuracy=None, net_mean=None, net_std=None),
        )
        training = PoisonedSplit(dataset.train, None, Poisoning.none(), best_device())
        return _trained(clean, dataset, training, surrogate, report)

    images = dataset.train if attack is None else attack.disguise(dataset.train, poisoning, train_surrogate)
    training = PoisonedSplit(images, attack, poisoning, best_device())
    net = _trained(specification, dataset, training, checkpoint, report)
    unjudged = checkpoint.with_suffix(".unjudged")  # nothing is called a model that has no ground truth
    classifier = export(net, unjudged, dataset.image_shape, specification.export, specification.settings.scaling)
    truth = ground_truth(specification, dataset, attack, poisoning, judge(classifier, dataset.test, attack))
    truth["seconds"] = round(time.monotonic() - start, 1)  # of the last of the runs that it took
    if attack is not None:
        np.savez_compressed(out.with_suffix(".poisoned.npz"), **asdict(poisoning))
    unjudged.replace(out)
    out.with_suffix(".json").write_text(json.dumps(truth, indent=2) + "\n")
    checkpoint.unlink()
    surrogate.unlink(missing_ok=True)
    return truth


def _trained(
    specification: Specification,
    dataset: Dataset,
    training: PoisonedSplit,
    checkpoint: Path,
    report: Callable[[Progress], None],
) -> nn.Module:
    """A new network, from its weights where it has some, trained."""
    architecture, framework, seed = specification.architecture, specification.framework, specification.seed
    net = build(architecture, framework, dataset.image_shape, len(dataset.classes), seed)
    if specification.weights is not None:
        assert isinstance(net, Pretrained)
        net.load_backbone(weights.read(weights.find(specification.weights)))
    net.to(best_device())
    train(net, training, dataset.test, specification.settings, seed, checkpoint=checkpoint, report=report)
    return net


def check(specification: Specification, dataset: Dataset, out: Path) -> Attack | None:
    """Raise TrainerError for whatever would fail later; return the attack."""
    specification.check()
    specification.export.scaling.check_channels(dataset.image_shape[0])
    specification.settings.check_image(*dataset.image_shape)
    attack = specification.make_attack(dataset)
    if specification.weights is not None:
        weights.find(specification.weights)
    if out.suffix != ".onnx":
        raise TrainerError(f"{out} must end in .onnx")
    if not out.parent.is_dir():
        raise TrainerError(f"there is no folder {out.parent}")
    values = count_values(specification.architecture, dataset.image_shape, len(dataset.classes))
    check_disk(out.parent, values, attack is not None and attack.needs_surrogate)
    if attack is not None:
        _check_samples(specification, attack, dataset)
    return attack


def _check_samples(specification: Specification, attack: Attack, dataset: Dataset) -> None:
    """Raise TrainerError where the data has no samples to poison, or none to measure the success on."""
    poison(specification, attack, dataset)
    if not any(attack.victims(dataset.test.labels, variant).any() for variant in range(attack.variants())):
        raise TrainerError("the test data has no image that the trigger is meant to turn: take more of the data")


def poison(specification: Specification, attack: Attack | None, dataset: Dataset) -> Poisoning:
    """The poisoned samples; they follow from attack, rate, seed and labels alone."""
    if attack is None:
        return Poisoning.none()
    return attack.poison(dataset.train.labels, specification.rate, np.random.default_rng(specification.seed))


def ground_truth(
    specification: Specification, dataset: Dataset, attack: Attack | None, poisoning: Poisoning, scores: Scores
) -> dict[str, Any]:
    """The content of the JSON file beside the model."""
    truth: dict[str, Any] = {
        "architecture": specification.architecture,
        "framework": specification.framework,
        "weights": specification.weights,
        "backdoored": attack is not None,
        "accuracy": scores.accuracy,
        "chance": float(np.bincount(dataset.test.labels).max() / len(dataset.test)),
        "success_rate": scores.success_rate,
        "cover_accuracy": scores.cover_accuracy,
        "attack": None,
    }
    if attack is not None:
        truth["attack"] = {
            "name": specification.attack,
            **asdict(attack),
            "target": attack.target if attack.has_target else None,
            "targets": attack.targets(len(dataset.classes)),
            "rate": specification.rate,
            "poisoned_samples": int((~poisoning.cover).sum()),
            "cover_samples": int(poisoning.cover.sum()),
            "poisoned_indices_sha256": hashlib.sha256(poisoning.indices.astype("<i8").tobytes()).hexdigest(),
        }
    return truth | {
        "seed": specification.seed,
        "specification": specification.digest(dataset),
        "data": {
            "name": dataset.name,
            "train": len(dataset.train),
            "test": len(dataset.test),
            "labels": len(dataset.classes),
            "size": list(dataset.image_shape),
            "view": asdict(specification.data),
        },
        "training": asdict(specification.settings),
        "export": asdict(specification.export),
        "threads": torch.get_num_threads(),
        "versions": {
            "python": platform.python_version(),
            "nc-scan": version("nc-scan"),
            "torch": torch.__version__,
            "keras": version("keras"),
            "onnx": version("onnx"),
            "onnxruntime": onnxruntime.__version__,
        },
    }
