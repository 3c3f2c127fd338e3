"""The calibration: what the fit learns from known models, and what the shipped one says."""

import numpy as np
import pytest

from nc_scan.calibration import Calibration, fit, shipped_calibration

SMALL, LARGE = (0.01, 2.0), (0.03, 0.5)


def models(count: int, seed: int, overlap: float = 0.1):
    """Evidence of clean and backdoored models in turn, scattered around their centres."""
    rng = np.random.default_rng(seed)
    labels = [bool(n % 2) for n in range(count)]
    centres = [SMALL if backdoored else LARGE for backdoored in labels]
    scattered = [(size * np.exp(overlap * rng.normal()), depth + overlap * rng.normal()) for size, depth in centres]
    return scattered, labels


def test_the_fit_separates_and_stays_finite_where_nothing_overlaps() -> None:
    calibration = fit(*models(40, 0))
    assert calibration.models == (20, 20)
    assert calibration.probability(*SMALL) > 0.9
    assert calibration.probability(*LARGE) < 0.1
    assert np.isfinite([calibration.intercept, calibration.size, calibration.depth]).all()


def test_probabilities_of_models_not_fitted_on_are_calibrated() -> None:
    """Among models whose two kinds overlap, the stated probabilities add up to the backdoored ones."""
    calibration = fit(*models(400, 1, overlap=0.8))
    evidence, labels = models(2000, 2, overlap=0.8)
    stated = np.array([calibration.probability(*row) for row in evidence])
    for low, high in [(0.0, 0.1), (0.1, 0.5), (0.5, 0.9), (0.9, 1.0)]:
        inside = (stated >= low) & (stated < high)
        assert np.array(labels)[inside].mean() == pytest.approx(stated[inside].mean(), abs=0.05)


def test_features_that_say_nothing_get_no_weight() -> None:
    rng = np.random.default_rng(3)
    evidence = [(float(np.exp(rng.normal())), float(rng.normal())) for _ in range(2000)]
    calibration = fit(evidence, [bool(n % 2) for n in range(2000)])
    assert calibration.probability(1.0, 0.0) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("norm", [0.0, 1e-9, 1.0])
@pytest.mark.parametrize("depth", [-50.0, 0.0, 1e3])
def test_a_probability_is_one_whatever_the_evidence(norm: float, depth: float) -> None:
    assert 0 <= shipped_calibration().probability(norm, depth) <= 1


@pytest.mark.parametrize("models", [(9, 9), (50, 148)])
def test_a_few_models_allow_little_certainty(models: tuple[int, int]) -> None:
    calibration = Calibration(intercept=-20.0, size=-4.0, depth=2.0, models=models)
    least = 1 / (sum(models) + 2)
    assert calibration.probability(1e-6, 50.0) == pytest.approx(1 - least)
    assert calibration.probability(1.0, 0.0) == pytest.approx(least, rel=1e-6)
    assert calibration.probability(np.exp(-5.0), 0.0) == pytest.approx(0.5)


def test_the_shipped_calibration_grows_with_the_evidence() -> None:
    shipped = shipped_calibration()
    assert shipped.size < 0 < shipped.depth
    assert min(shipped.models) >= 5


def test_the_id_names_the_coefficients() -> None:
    one, other = Calibration(0.0, -1.0, 1.0, (5, 5)), Calibration(0.0, -1.0, 1.1, (5, 5))
    assert one.id != other.id
    assert one.id == Calibration(0.0, -1.0, 1.0, (5, 5)).id
