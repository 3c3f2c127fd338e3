"""The paper's tables and figures, one command each."""

from collections.abc import Callable

from nc_trainers.experiments.appearance import poisoned_images, triggers
from nc_trainers.experiments.detection import DETECTIONS, detect
from nc_trainers.experiments.masks import masks
from nc_trainers.experiments.run import Run, epochs_at
from nc_trainers.experiments.sweeps import SWEEPS, leading, sweep

SCANNED: dict[str, Callable[[Run], None]] = {**dict.fromkeys(DETECTIONS, detect), "masks": masks}
DRAWN: dict[str, Callable[[Run], None]] = {"triggers": triggers, "poisoned-images": poisoned_images}
NAMES = (*DRAWN, *SWEEPS, *SCANNED)

__all__ = [
    "DETECTIONS",
    "DRAWN",
    "NAMES",
    "SCANNED",
    "SWEEPS",
    "Run",
    "detect",
    "epochs_at",
    "leading",
    "masks",
    "sweep",
]
