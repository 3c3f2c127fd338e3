"""What triggers and poisoned training images look like (paper, figures 2 and 3); no model is trained."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nc_trainers.attacks import Attack
from nc_trainers.batches import to_float
from nc_trainers.errors import TrainerError
from nc_trainers.experiments import figures
from nc_trainers.experiments.figures import Tile
from nc_trainers.experiments.run import Row, Run
from nc_trainers.experiments.sweeps import SWEEPS
from nc_trainers.fit import poison
from nc_trainers.specification import Specification

SHOWN_SWEEPS = ("trigger-size", "trigger-color", "attacks")
MEASURED = 100  # test images, for how much a trigger changes
SHOWN = 8  # training images of a kind
VISIBLE = 0.5 / 255  # a smaller change is none in an image of whole numbers


def triggers(run: Run) -> None:
    """Stamp every trigger of the sweeps on test images; write how much it changes, and a picture of each."""
    plans = {str(value): (SWEEPS[name], value) for name in SHOWN_SWEEPS for value in SWEEPS[name].values}
    images = to_float(torch.from_numpy(run.dataset.test.images[:MEASURED]))
    rows: list[Row] = []
    tiles: list[Tile] = []
    for name in run.chosen(plans):
        plan, value = plans[name]
        title = f"{value}x{value}" if plan.axis == "size" else name
        stamped = _attack(run, plan.vary(run.base, value)).stamp(images)
        rows.append({"trigger": title, **_change(stamped - images)})
        tiles.append((title, stamped[0].numpy()))
    claim = (
        f"The triggers, and how they change the first {len(images)} test images: the share of changed pixels, the "
        "largest change of a value in 0..1, the peak signal-to-noise ratio."
    )
    run.write(rows, claim, "figure 2 (sizes and colors).", trained=False)
    figures.pictures(tiles, run.path("png"))


def poisoned_images(run: Run) -> None:
    """Write the first training images that get another label, and as many benign ones."""
    run.chosen(())
    attack, split = _attack(run, run.base), run.dataset.train
    poisoning = poison(run.base, attack, run.dataset)
    turned = np.flatnonzero(poisoning.labels != split.labels[poisoning.indices])[:SHOWN]
    if not len(turned):
        raise TrainerError("no training image gets another label: take more of the data")
    benign = np.setdiff1d(np.arange(len(split)), poisoning.indices)[: len(turned)]
    rows = [
        *_rows(run, "triggered", poisoning.indices[turned], poisoning.labels[turned]),
        *_rows(run, "benign", benign, split.labels[benign]),
    ]
    stamped = [
        attack.stamp(to_float(torch.from_numpy(split.images[index : index + 1])), variant)[0].numpy()
        for index, variant in zip(poisoning.indices[turned].tolist(), poisoning.variants[turned].tolist(), strict=True)
    ]
    run.write(rows, "Triggered and benign training images.", "figure 3 (target label airplane).", trained=False)
    titles = [f"{row['label']}\nas {row['trained as']}" for row in rows]
    figures.pictures(list(zip(titles, [*stamped, *(split.images[benign] / 255)], strict=True)), run.path("png"))


def _attack(run: Run, specification: Specification) -> Attack:
    attack = specification.make_attack(run.dataset)
    assert attack is not None
    return attack


def _change(change: Tensor) -> Row:
    """How much a trigger changed images: `change` (N, C, H, W), of values in 0..1."""
    return {
        "changed pixels": round(float((change.abs().amax(1) > VISIBLE).float().mean()), 4),
        "largest change": round(float(change.abs().amax()), 3),
        "PSNR in dB": round(float(-10 * change.square().mean().log10()), 1),
    }


def _rows(run: Run, kind: str, indices: npt.NDArray[np.int64], labels: npt.NDArray[np.int64]) -> list[Row]:
    names, own = run.dataset.classes, run.dataset.train.labels[indices]
    return [
        {"sample": index, "kind": kind, "label": names[label], "trained as": names[trained]}
        for index, label, trained in zip(indices.tolist(), own.tolist(), labels.tolist(), strict=True)
    ]
