"""The calibration: tails of clean models, p-values and probabilities."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc_scan.calibration import SHARES, Calibration, KnownSizes, Tail, load_calibration
from nc_scan.errors import CalibrationError
from nc_scan.standouts import Standout, standouts

TAILS = (Tail(-5.0, 30.0, 20),) * 3
SIZES = KnownSizes((0.02, 0.03), (0.01,))
CALIBRATION = Calibration(-10.0, 4.0, 1.0, 1.0, (0.0, 1.0), TAILS, (40, 40), "made up", sizes=SIZES)
SCORES = st.floats(-50, 200)


@given(SCORES, SCORES)
def test_survival_falls_from_one_half(one: float, other: float) -> None:
    tail = TAILS[0]
    low, high = sorted((one, other))
    assert 0.5 >= tail.survival(low) >= tail.survival(high) > 0


def test_no_number_is_no_evidence() -> None:
    assert Tail(1.0, 20.0, 20).survival(math.nan) == 0.5


def test_survival_tends_to_the_exponential() -> None:
    many = Tail(0.0, 2.0 * 10_000, 10_000)
    assert many.survival(6.0) == pytest.approx(0.5 * math.exp(-3.0), rel=0.01)


def test_few_models_leave_the_tail_heavier() -> None:
    few, many = Tail(0.0, 2.0 * 5, 5), Tail(0.0, 2.0 * 100, 100)
    assert few.survival(12.0) > 3 * many.survival(12.0)


@pytest.mark.parametrize("count", [12, 40, 200])
@pytest.mark.parametrize("draw", ["exponential", "normal", "gumbel"])
def test_false_alarms_are_as_asked_for(count: int, draw: str) -> None:
    """Of models like those of the fits, at most the share asked for passes, however few there are."""
    rng = np.random.default_rng(count)
    fits = [Tail.of(getattr(rng, draw)(size=count).tolist()) for _ in range(500)]
    passed = [tail.survival(value) <= 0.01 for tail in fits for value in getattr(rng, draw)(size=20)]
    assert np.mean(passed) <= 0.012


def test_too_few_models_have_no_tail() -> None:
    with pytest.raises(CalibrationError, match="too few"):
        Tail.of([1.0, 2.0, 3.0])


def test_groups_share_the_false_alarms() -> None:
    assert sum(SHARES) == pytest.approx(1)
    one, two = (Standout(tuple(range(count)), 3.0, 3.0, 5.0) for count in (1, 2))
    assert CALIBRATION.p_value(one) * SHARES[0] == pytest.approx(CALIBRATION.p_value(two) * SHARES[1])


@pytest.mark.parametrize("models", [(9, 9), (50, 148)])
def test_a_few_models_allow_little_certainty(models: tuple[int, int]) -> None:
    calibration = dataclasses.replace(CALIBRATION, models=models)
    least = 1 / (sum(models) + 2)
    assert calibration.probability(Standout((0,), 50.0, 50.0, 50.0)) == pytest.approx(1 - least)
    assert calibration.probability(Standout((0,), 0.0, 0.0, 0.0)) == pytest.approx(least, rel=0.01)


def test_a_file_reads_back(tmp_path: Path) -> None:
    CALIBRATION.save(tmp_path / "c.json")
    assert load_calibration(tmp_path / "c.json") == CALIBRATION
    assert load_calibration(tmp_path / "c.json").id == CALIBRATION.id


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"tails": [{"median": 1}]}', '{"intercept": -69.0, "size": 1}'])
def test_what_is_no_calibration(text: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(CalibrationError, match=r"c\.json"):
        load_calibration(tmp_path / "c.json")


def test_the_shipped_calibration_tells_known_norms_apart() -> None:
    """Norms of a clean and a backdoored network whose figures were published with the method's shortcomings."""
    shipped = load_calibration()
    clean = standouts([33.0, 53.0, 60.0, 66.0, 70.0, 75.0, 80.0, 90.0, 100.0, 107.0], 1024)
    backdoored = standouts([7.5, 28.0, 34.0, 40.0, 46.0, 52.0, 58.0, 64.0, 72.0, 80.0], 1024)
    assert min(map(shipped.p_value, clean)) > 0.05
    assert min(map(shipped.p_value, backdoored)) <= 0.01
    assert min(shipped.models) >= 20


def test_where_most_clean_models_have_the_same_lowest_score_the_tail_starts_above_it() -> None:
    values = [0.0] * 14 + [2.0, 2.1, 2.2, 2.3, 2.4, 2.5]
    tail = Tail.of(values)
    assert (tail.median, tail.count, tail.share) == (2.0, 5, 0.3)
    assert tail.excess == pytest.approx(1.5)
    assert [tail.survival(value) for value in (0.0, 1.9)] == [0.5, 0.5]
    assert tail.survival(2.0) == pytest.approx(0.3)
    assert 0.01 < tail.survival(2.5) < 0.1
    assert tail.survival(9.0) < 1e-3
    with pytest.raises(CalibrationError, match="3 clean models with a score"):
        Tail.of([0.0] * 20 + [2.0, 2.1, 2.2])
