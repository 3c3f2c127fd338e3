"""Fitting a calibration on the evidence of known models."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nc_scan.calibration import FEWEST as FEWEST_CLEAN
from nc_scan.calibration import Calibration, KnownSizes, Tail
from nc_scan.detectors.patch import PatchSearch
from nc_scan.errors import CalibrationError
from nc_scan.evaluation.table import Row
from nc_scan.standouts import ENOUGH, MOST

ODD = 0.05  # of the clean models, at either end of each feature
PRIOR_SD = 3.0  # of the slope of the log odds
ITERATIONS = 50
FEWEST = 8  # models of each kind

Features = NDArray[np.float64]


def fit_calibration(rows: Sequence[Row], scored: Sequence[Row] | None = None) -> Calibration:
    """Fisher's direction, tails of the clean models' scores along it, and the odds of a backdoor.

    Several scans of a model count as their mean. Backdoors that no patch stands in for, and scans whose target does not
    have the smallest trigger, say nothing about how a target stands out, and are left out. Direction and odds rest on
    models with ENOUGH labels, if there are enough of these; the others then have tails of their own. Detectors with a
    score of their own get the tail of the scores of clean models in `scored`, by default in the same rows, where there
    are enough of these: nothing is fitted to backdoored models there, so that more rows may count. Scans that were not
    to be trusted do not count, as no backdoor is called by them.

    Raises CalibrationError for too few models.
    """
    trusted = [row for row in rows if len(row.norms) >= 2 and not row.warned]
    usable = [row for row in trusted if not row.backdoored or _shows_its_target(row)]
    known, many = _kinds(usable), _kinds([row for row in usable if row.labels >= ENOUGH])
    clean, backdoored = many if min(map(len, many)) >= FEWEST else known
    if min(len(clean), len(backdoored)) < FEWEST:
        raise CalibrationError(
            f"{len(clean)} clean and {len(backdoored)} backdoored models: it takes {FEWEST} of each at least"
        )
    ordinary, planted = (np.array([groups[0] for groups in kind]) for kind in (clean, backdoored))
    weights = direction(ordinary, planted)
    offset = -float((ordinary @ weights).mean())
    gap, depth, size = (float(weight) for weight in weights)

    def tails(kind: Sequence[Features]) -> tuple[Tail, ...]:
        by_size = [[offset + float(groups[k] @ weights) for groups in kind if len(groups) > k] for k in range(MOST)]
        return tails_of([scores for scores in by_size if len(scores) >= FEWEST_CLEAN])

    return Calibration(
        offset,
        gap,
        depth,
        size,
        odds=logistic(offset + np.concatenate([ordinary, planted]) @ weights, len(ordinary)),
        tails=tails(clean),
        models=(len(known[0]), len(known[1])),
        basis=describe(usable),
        others=other_tails([row for row in scored or rows if not row.backdoored and not row.warned]),
        few=tails(_kinds([row for row in usable if row.labels < ENOUGH])[0]),
        sizes=KnownSizes(*map(_shares, known)),
    )


def other_tails(clean: Sequence[Row]) -> dict[str, Tail]:
    """The tails of the scores of detectors other than the patch search, several scans of a model as their mean."""
    scores: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in clean:
        for detector, score in row.scores.items():
            scores[detector][row.file].append(score)
    means = {name: [float(np.mean(values)) for values in models.values()] for name, models in scores.items()}
    tails = {}
    for name, values in means.items():
        with suppress(CalibrationError):  # too few to tell: its evidence is reported and decides nothing
            tails[name] = Tail.of(values)
    return tails


def tails_of(by_size: Sequence[Sequence[float]]) -> tuple[Tail, ...]:
    """The tails of the clean models' scores, of groups of one, two, ... labels.

    That of a larger group is taken to be no lighter than that of single labels: it rests on fewer models, of which by
    chance none may have three easy labels. None where there are no scores.
    """
    if not by_size:
        return ()
    single, *larger = (Tail.of(scores) for scores in by_size)
    scale = single.excess / single.count
    return (single, *(replace(tail, excess=max(tail.excess, scale * tail.count)) for tail in larger))


def direction(clean: Features, backdoored: Features) -> Features:
    """Weights (3,) along which backdoored models (M, 3) lie farthest from clean ones (N, 3), whose scores deviate by 1.

    Fisher's discriminant with the covariance of the clean models alone, since their spread is what false alarms come
    from. Its most extreme values count as the quantiles ODD and 1 - ODD: one clean model with a label that is easy
    by nature would turn the direction away from what tells all others apart; its score still weighs down the tail. No
    weight is negative: a larger gap, depth or size is never evidence against a backdoor.
    """
    usual = clean.clip(*np.quantile(clean, (ODD, 1 - ODD), axis=0))
    weights = np.linalg.solve(shrunk_covariance(usual), backdoored.mean(0) - usual.mean(0)).clip(min=0)
    return np.asarray(weights / (clean @ weights).std(ddof=1))


def shrunk_covariance(values: Features) -> Features:
    """The covariance of few samples (N, D), drawn towards a multiple of the identity as far as their noise asks for.

    Ledoit and Wolf, A well-conditioned estimator for large-dimensional covariance matrices, J. Multivariate Analysis
    88 (2004), section 3.2.
    """
    centred = values - values.mean(0)
    count, dimensions = centred.shape
    sample = centred.T @ centred / count
    target = np.trace(sample) / dimensions * np.eye(dimensions)
    distance = ((sample - target) ** 2).sum()
    noise = sum(((np.outer(row, row) - sample) ** 2).sum() for row in centred) / count**2
    share = min(1.0, noise / distance) if distance else 1.0
    return np.asarray(share * target + (1 - share) * sample)


def logistic(scores: Features, clean: int) -> tuple[float, float]:
    """Intercept and slope of the log odds of a backdoor, of scores the first of which are clean models'.

    Newton's method; a normal prior on the slope keeps it finite where the scores are separated without error.
    """
    x = np.column_stack([np.ones(len(scores)), scores])
    positive = np.arange(len(scores)) >= clean
    prior = np.diag([1e-6, PRIOR_SD**-2])
    found = np.zeros(2)
    for _ in range(ITERATIONS):
        likely = 1 / (1 + np.exp(-x @ found))
        hessian = (x * (likely * (1 - likely))[:, None]).T @ x + prior
        found -= np.linalg.solve(hessian, x.T @ (likely - positive) + prior @ found)
    return float(found[0]), float(found[1])


def describe(rows: Sequence[Row]) -> str:
    """Which models these are, in words."""
    data = sorted({row.data for row in rows if row.data})
    labels = sorted({row.labels for row in rows})
    architectures = len({row.architecture for row in rows if row.architecture})
    span = f"{labels[0]} to {labels[-1]}" if len(labels) > 1 else str(labels[0])
    return f"{', '.join(data)}; {architectures} architectures; {span} labels"


def _shares(models: Sequence[Features]) -> tuple[float, ...]:
    """The shares of the image that the models' smallest triggers cover, in ascending order."""
    return tuple(sorted(round(math.exp(-size), 5) for (_, _, size), *_ in models))


def _shows_its_target(row: Row) -> bool:
    return row.attack in PatchSearch.covers and row.names[int(np.argmin(row.norms))] in row.targets


def _kinds(rows: Sequence[Row]) -> tuple[list[Features], list[Features]]:
    """The features of the clean models and of the backdoored ones."""
    return _by_model([row for row in rows if not row.backdoored]), _by_model([row for row in rows if row.backdoored])


def _by_model(rows: Sequence[Row]) -> list[Features]:
    """The features (groups, 3) of each model, the mean of its scans."""
    scans: dict[str, list[Features]] = defaultdict(list)
    for row in rows:
        scans[row.file].append(np.array([group.features for group in row.standouts]))
    return [np.mean(several, axis=0) for several in scans.values()]
