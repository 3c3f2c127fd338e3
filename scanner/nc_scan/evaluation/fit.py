"""Fitting a calibration on the evidence of known models."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from nc_scan.calibration import FEWEST as FEWEST_CLEAN
from nc_scan.calibration import Calibration, Tail
from nc_scan.detectors.patch import PatchSearch
from nc_scan.detectors.patch.standouts import MOST, Standout, standouts
from nc_scan.errors import CalibrationError
from nc_scan.evaluation.table import Row

PRIOR_SD = 3.0  # of a coefficient on standardised features
ITERATIONS = 2000
FEWEST = 8  # models of each kind


def fit_calibration(rows: Sequence[Row]) -> Calibration:
    """Weights by logistic regression, tails by the scores of the clean models.

    Of a model that was scanned several times each scan counts as a share. Backdoors that no patch stands in for, and
    models whose target does not have the smallest trigger, say nothing about how a target stands out, and are left out.

    Raises CalibrationError for too few models.
    """
    usable = [row for row in rows if len(row.norms) >= 2 and (not row.backdoored or _shows_its_target(row))]
    counts = Counter(row.file for row in usable)
    weights = np.array([1 / counts[row.file] for row in usable])
    planted = np.array([row.backdoored for row in usable], bool)
    clean_models = len({row.file for row in usable if not row.backdoored})
    backdoored_models = len(counts) - clean_models
    if min(clean_models, backdoored_models) < FEWEST:
        raise CalibrationError(
            f"{clean_models} clean and {backdoored_models} backdoored models: it takes {FEWEST} of each at least"
        )
    groups = [standouts(row.norms, row.pixels) for row in usable]
    features = np.array([group[0].features for group in groups])
    intercept, (gap, depth, size) = logistic(features, planted, weights)
    clean = [(row.file, group) for group, row in zip(groups, usable, strict=True) if not row.backdoored]

    def score(standout: Standout) -> float:
        return float(intercept + np.dot((gap, depth, size), standout.features))

    def scores(count: int) -> list[float]:
        """Of the groups of so many labels, the mean over the scans of each clean model."""
        by_model: dict[str, list[float]] = defaultdict(list)
        for file, group in clean:
            if len(group) >= count:
                by_model[file].append(score(group[count - 1]))
        return [float(np.mean(values)) for values in by_model.values()]

    by_size = [scores(count) for count in range(1, MOST + 1)]
    tails = tuple(Tail.of(values) for values in by_size if len(values) >= FEWEST_CLEAN)
    return Calibration(intercept, gap, depth, size, tails, (clean_models, backdoored_models), describe(usable))


def logistic(
    features: np.ndarray, positive: np.ndarray, weights: np.ndarray
) -> tuple[float, tuple[float, float, float]]:
    """Intercept and coefficients, none of them negative, of a regularised logistic regression.

    Projected gradient ascent on the log posterior; the prior on the coefficients of standardised features is normal and
    keeps the odds finite where the models are separated without error. A larger gap, depth or size is never evidence
    against a backdoor, so a negative coefficient would be noise.
    """
    mean, deviation = features.mean(0), features.std(0)
    x = np.column_stack([np.ones(len(features)), (features - mean) / deviation])
    prior = np.array([0.0, *[PRIOR_SD**-2] * features.shape[1]])
    step = 1 / (0.25 * np.linalg.norm(x * np.sqrt(weights)[:, None], 2) ** 2 + prior.max())
    found = np.zeros(x.shape[1])
    for _ in range(ITERATIONS):
        likely = 1 / (1 + np.exp(-x @ found))
        found -= step * (x.T @ (weights * (likely - positive)) + prior * found)
        found[1:] = np.maximum(found[1:], 0)
    coefficients = found[1:] / deviation
    gap, depth, size = (float(value) for value in coefficients)
    return float(found[0] - coefficients @ mean), (gap, depth, size)


def describe(rows: Sequence[Row]) -> str:
    """Which models these are, in words."""
    data = sorted({row.data for row in rows if row.data})
    labels = sorted({row.labels for row in rows})
    architectures = len({row.architecture for row in rows if row.architecture})
    return f"{', '.join(data)}; {architectures} architectures; {labels[0]} to {labels[-1]} labels"


def _shows_its_target(row: Row) -> bool:
    return row.attack in PatchSearch.covers and int(np.argmin(row.norms)) in row.targets
