"""The recovered masks themselves (paper, figures 6 to 16)."""

import numpy as np
import numpy.typing as npt

from nc_trainers.attacks.patch import LocalTrigger
from nc_trainers.experiments import figures, scanner, subjects
from nc_trainers.experiments.run import Row, Run
from nc_trainers.experiments.scanner import CONTAMINATED, Scan, scan
from nc_trainers.experiments.subjects import CLEAN, Subject, by_target

VALUES = (0, CLEAN, *range(1, 10))
CLAIM = "The recovered masks of all labels, for a backdoor to each of the ten labels and for a clean model."
REFERENCE = "figures 6 to 16: the target's mask shrinks to the bottom-right corner, the others spread over the image."


def masks(run: Run) -> None:
    """Train and scan a model for each target and a clean one; write size, place and picture of the masks."""
    models = [subject for value in run.chosen(VALUES) for subject in by_target(run.base, value)]
    scanner.command()
    subjects.train(run, models)
    square = planted_square(run)
    scans = scan(run, models, CONTAMINATED)
    rows = [row for subject, found in zip(models, scans, strict=True) for row in _rows(subject, found, square)]
    run.write(rows, CLAIM, REFERENCE, f"--arch {run.base.architecture}")
    grids = [(subject.name, subject.target, found.masks) for subject, found in zip(models, scans, strict=True)]
    figures.masks(grids, run.path("png"))


def planted_square(run: Run) -> npt.NDArray[np.float32]:
    """The mask (H, W) of the trigger that was planted."""
    attack = run.base.make_attack(run.dataset)
    assert isinstance(attack, LocalTrigger)
    return attack.trigger(run.dataset.image_shape)[0][0].numpy()


def _rows(subject: Subject, found: Scan, square: npt.NDArray[np.float32]) -> list[Row]:
    return [
        {
            "target": subject.name,
            "label": label,
            "norm": round(float(mask.sum()), 2),
            "share in the planted square": round(float((mask * square).sum() / mask.sum()), 3) if mask.any() else None,
            "seed": subject.specification.seed,
        }
        for label, mask in sorted(found.masks.items())
    ]
