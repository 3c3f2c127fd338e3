"""The paper's tables and figures, one command each."""

from nc_trainers.experiments.detection import DETECTIONS, detect
from nc_trainers.experiments.run import Run
from nc_trainers.experiments.sweeps import SWEEPS, sweep

__all__ = ["DETECTIONS", "SWEEPS", "Run", "detect", "sweep"]
