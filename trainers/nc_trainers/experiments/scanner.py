"""Scans with the `nc-scan` command and its paper method: the trainers know the scanner by its command line alone."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from nc_trainers.attacks import Attack
from nc_trainers.batches import to_float
from nc_trainers.data import Dataset
from nc_trainers.errors import TrainerError
from nc_trainers.experiments.run import Run
from nc_trainers.experiments.subjects import Subject

CONTAMINATED = "contaminated"
CONTAMINATION = 0.15
CONTRACT = "--range", "0..1"  # what the experiments' models read: a search under other hypotheses would be wasted
SCANNED = (0, 1, 2)  # exit codes of nc-scan: clean, backdoored, and inconclusive or failed


@dataclass(frozen=True)
class Scan:
    """The verdict, for each label what the report says about it, and the recovered masks (H, W) by label."""

    verdict: str
    labels: list[dict[str, Any]]
    masks: dict[int, npt.NDArray[np.float32]]

    @property
    def suspect(self) -> dict[str, Any]:
        """The label with the largest anomaly index."""
        return max(self.labels, key=lambda label: float(label["anomaly_index"]))


def scan(run: Run, subjects: Sequence[Subject], probes: str) -> list[Scan]:
    """Scan the models of an experiment with a probe set, CLEAN or CONTAMINATED, `run.jobs` at a time.

    Reports go to the folder `scans`; one that is there is not made again. Raises TrainerError where a scan fails.
    """
    attack = run.base.make_attack(run.dataset) if probes == CONTAMINATED else None
    data = write_probes(run.dataset, attack, run.out / f"probes-{probes}.npz")
    threads = max(1, (os.cpu_count() or 1) // run.jobs)
    one = partial(scan_model, data=data, seed=run.base.seed, folder=run.out / "scans" / probes, threads=threads)
    with ThreadPoolExecutor(run.jobs) as pool:
        return list(pool.map(one, [run.model(subject.specification) for subject in subjects]))


def write_probes(dataset: Dataset, attack: Attack | None, path: Path) -> Path:
    """Save the test images (N, H, W, C) uint8, the first 15 % of them stamped where there is an attack."""
    images = to_float(torch.from_numpy(dataset.test.images))
    if attack is not None:
        count = round(CONTAMINATION * len(images))
        images[:count] = attack.stamp(images[:count])
    pixels = (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    np.savez_compressed(path, images=pixels)
    return path


def scan_model(model: Path, data: Path, seed: int, folder: Path, threads: int) -> Scan:
    """What `nc-scan --method paper` finds in a model, kept in `folder`; raises TrainerError where it fails."""
    report = folder / model.stem
    probes = ("--method", "paper", "--data", data, "--seed", str(seed), *CONTRACT)
    options = (*probes, "--report", report, "--cache", folder / "cache")
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run([command(), model, *options], capture_output=True, text=True, check=False, env=environment)
    if done.returncode not in SCANNED or not (report / model.stem / "scan.json").exists():
        said = (done.stderr or done.stdout).strip()[-300:]
        raise TrainerError(f"nc-scan {model} failed: {said or f'exit code {done.returncode}'}")
    return read_report(report / model.stem)


def read_report(folder: Path) -> Scan:
    """A report that `nc-scan --report` wrote; raises TrainerError for that of a failed scan."""
    result = json.loads((folder / "scan.json").read_text())
    if "labels" not in result:
        raise TrainerError(f"nc-scan {result['path']} failed: {result['reasons'][0]}")
    with np.load(folder / "triggers.npz") as arrays:
        masks = dict(zip(arrays["labels"].tolist(), arrays["masks"], strict=True))
    return Scan(result["verdict"], sorted(result["labels"], key=lambda label: int(label["label"])), masks)


def command() -> str:
    """The path of nc-scan; raises TrainerError where it is not installed."""
    folders = (os.environ.get("PATH", ""), str(Path(sys.executable).parent))
    found = shutil.which("nc-scan", path=os.pathsep.join(folders))
    if found is None:
        raise TrainerError("the nc-scan command is not installed")
    return found
