"""How probable a backdoor is, given one label's evidence: a logistic regression fitted on a zoo of known models."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import resources

import numpy as np

PRIOR_SD = 10.0  # of a coefficient on standardised features; why, stands in docs/method.md
ITERATIONS = 100
SMALLEST = 1e-6  # share of the pixels; keeps the logarithm of an empty mask finite


@dataclass(frozen=True)
class Calibration:
    """log odds = intercept + size * log(norm / pixels) + depth * log(median norm / norm).

    `models` counts the models that it was fitted on, clean and backdoored.
    """

    intercept: float
    size: float
    depth: float
    models: tuple[int, int]

    @property
    def id(self) -> str:
        """A digest that names these coefficients."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]

    def probability(self, relative_norm: float, below_median: float) -> float:
        """Probability in [0, 1] that a backdoor leads to a label with that norm, as a share of the pixels, so many nats
        below the median of its model's.

        By the rule of succession, (n p + 1) / (n + 2) for n models, it stays 1 / (n + 2) away from 0 and 1: the next
        model may be of a kind that none of them was.
        """
        odds = self.intercept + self.size * math.log(max(relative_norm, SMALLEST)) + self.depth * below_median
        fitted = 1 / (1 + math.exp(-max(-500.0, min(500.0, odds))))
        models = sum(self.models)
        return (models * fitted + 1) / (models + 2)


def shipped_calibration() -> Calibration:
    """The calibration that comes with this version."""
    fields = json.loads(resources.files("nc_scan").joinpath("calibration.json").read_text())
    return Calibration(**{**fields, "models": tuple(fields["models"])})


def fit(evidence: Sequence[tuple[float, float]], backdoored: Sequence[bool], scans_per_model: int = 1) -> Calibration:
    """Logistic regression by Newton's method on one row a scan: its smallest trigger's norm, as a share of the pixels,
    and how many nats that lies below the median.

    The prior on the coefficients keeps the odds finite where the zoo is separated without error. Several scans of one
    model (with other seeds) share the weight of one.
    """
    features = np.array([(math.log(max(norm, SMALLEST)), depth) for norm, depth in evidence])
    mean, std = features.mean(0), features.std(0)
    x = np.column_stack([np.ones(len(features)), (features - mean) / std])
    y = np.array(backdoored, float)
    prior = scans_per_model * np.diag([0.0, PRIOR_SD**-2, PRIOR_SD**-2])
    weights = np.zeros(3)
    for _ in range(ITERATIONS):
        p = 1 / (1 + np.exp(-x @ weights))
        hessian = (x * (p * (1 - p))[:, None]).T @ x + prior
        weights -= np.linalg.solve(hessian, x.T @ (p - y) + prior @ weights)
    size, depth = weights[1:] / std
    intercept = weights[0] - size * mean[0] - depth * mean[1]
    models = round((1 - y).sum() / scans_per_model), round(y.sum() / scans_per_model)
    return Calibration(float(intercept), float(size), float(depth), models)
