"""Experiments that scan models with the `nc-scan` command and its paper method (paper, section 3.2)."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nc_trainers import data
from nc_trainers.attacks import Attack
from nc_trainers.data import Dataset
from nc_trainers.errors import TrainerError
from nc_trainers.experiments import figures
from nc_trainers.experiments.run import Run
from nc_trainers.specification import Specification
from nc_trainers.training import to_float

CONTAMINATION = 0.15
EXIT_CODES = (0, 1, 2)  # of nc-scan: clean, backdoored, and inconclusive or failed


@dataclass(frozen=True)
class Detection:
    """`models` gives the models from what they have in common; `probes` names the probe sets to scan with."""

    models: Callable[[Specification], dict[str, Specification]]
    probes: tuple[str, ...]
    claim: str
    reference: str


def five_pairs(base: Specification) -> dict[str, Specification]:
    """Five backdoored and five clean models, ten different seeds."""
    backdoored = {f"backdoored-{i + 1}": replace(base, seed=base.seed + i) for i in range(5)}
    return backdoored | {f"clean-{i + 1}": replace(base, attack="none", seed=base.seed + 5 + i) for i in range(5)}


def ten_targets(base: Specification) -> dict[str, Specification]:
    """A backdoored model for each target."""
    return {f"target-{target}": replace(base, target=target, seed=base.seed + target) for target in range(10)}


DETECTIONS = {
    "detection": Detection(
        five_pairs,
        ("contaminated", "clean"),
        "Norms of the recovered masks and the anomaly index, five backdoored and five clean models.",
        "table 1: 7 to 9 for the target, 35 to 60 for the others; two clean rows of five reach an index of 2.",
    ),
    "detection-by-target": Detection(
        ten_targets,
        ("clean",),
        "Norms of the recovered masks and the anomaly index for a backdoor to each of the ten labels.",
        "table 7: 5.4 to 13.2 for the target, 32 to 61 for the others; every target is found.",
    ),
}


def detect(run: Run) -> None:
    """Train the models, scan them with each probe set and write norms, index and verdict of all."""
    plan = DETECTIONS[run.name]
    models = plan.models(run.base)
    run.train(models)
    dataset = data.load(run.source).scaled(run.scale)
    attack = run.base.make_attack(dataset)
    assert attack is not None
    rows = []
    for probes in plan.probes:
        path = write_probes(dataset, attack if probes == "contaminated" else None, run.out / f"probes-{probes}.npz")
        for name, specification in models.items():
            result = scan(run.out / "models" / f"{name}.onnx", path, run.base.seed, run.out / f"{name}-{probes}.json")
            rows.append(_row(name, probes, specification, result))
    run.write(rows, plan.claim, plan.reference)
    figures.detection(rows, run.path("png"))


def write_probes(dataset: Dataset, attack: Attack | None, path: Path) -> Path:
    """Save the test images (N, H, W, C) uint8, the first 15 % of them stamped where there is an attack."""
    images = to_float(torch.from_numpy(dataset.test.images))
    if attack is not None:
        count = round(CONTAMINATION * len(images))
        images[:count] = attack.stamp(images[:count])
    pixels = (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    np.savez_compressed(path, images=pixels)
    return path


def scan(model: Path, probes: Path, seed: int, out: Path) -> dict[str, Any]:
    """What `nc-scan --method paper` says about a model, kept in `out`; raises TrainerError where it fails."""
    if not out.exists() or out.stat().st_mtime < model.stat().st_mtime:
        folders = (os.environ.get("PATH", ""), str(Path(sys.executable).parent))
        command = shutil.which("nc-scan", path=os.pathsep.join(folders))
        if command is None:
            raise TrainerError("the nc-scan command is not installed")
        options = ("--method", "paper", "--data", probes, "--seed", str(seed), "--json", out)
        done = subprocess.run([command, model, *options], capture_output=True, text=True, check=False)
        if done.returncode not in EXIT_CODES or not out.exists():
            raise TrainerError(f"nc-scan {model} failed: {(done.stderr or done.stdout).strip()[-300:]}")
    result: dict[str, Any] = json.loads(out.read_text())
    return result


def _row(name: str, probes: str, specification: Specification, result: dict[str, Any]) -> dict[str, Any]:
    suspect = max(result["labels"], key=lambda label: label["anomaly_index"])
    return {
        "model": name,
        "probes": probes,
        "target": None if specification.attack == "none" else specification.target,
        "index": suspect["anomaly_index"],
        "suspect": suspect["label"],
        "verdict": result["verdict"],
        **{str(label["label"]): label["norm"] for label in result["labels"]},
    }
