"""Fitting on tables of known models."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf
from tests.scanner.evaluation.conftest import zoo

from nc_scan.calibration import SHARES, Tail, load_calibration
from nc_scan.detectors import EFFORTS
from nc_scan.errors import CalibrationError
from nc_scan.evaluation.cross import leave_out
from nc_scan.evaluation.fit import direction, fit_calibration, logistic, shrunk_covariance, tails_of
from nc_scan.evaluation.rules import calibrated
from nc_scan.evaluation.table import read_table, write_table

EVIDENCE = Path(__file__).parents[3] / "docs/results/evidence.csv"


@pytest.mark.parametrize("labels", [2, 10, 43])
def test_what_is_planted_is_found_and_what_is_not_is_rarely_named(labels: int) -> None:
    rule = calibrated(fit_calibration(zoo(80, 0, labels)), 0.01)
    judged = zoo(400, 1, labels, ratio=20.0 if labels == 2 else 5.0)
    opinions = [(row, rule(row)) for row in judged]
    found = [opinion.labels == row.targets and opinion.backdoored for row, opinion in opinions if row.backdoored]
    alarms = [opinion.backdoored for row, opinion in opinions if not row.backdoored]
    assert np.mean(found) >= 0.9
    assert np.mean(alarms) <= 0.02


def test_the_shipped_calibration_is_that_of_the_published_evidence() -> None:
    """`nc-scan calibrate docs/results/evidence.csv --part fit --out scanner/nc_scan/calibration.json` makes it so."""
    rows = read_table(EVIDENCE)
    fitted = fit_calibration([row for row in rows if row.part == "fit"], rows)
    shipped = load_calibration()
    assert set(fitted.others) == set(shipped.others) == set(EFFORTS["deep"]) - set(EFFORTS["quick"])
    assert (fitted.models, fitted.basis) == (shipped.models, shipped.basis)
    parts = [
        (one, *one.tails, *one.few, *(one.others[name] for name in sorted(one.others))) for one in (fitted, shipped)
    ]
    for one, other in zip(*parts, strict=True):
        numbers = [
            {name: value for name, value in vars(part).items() if isinstance(value, float)} for part in (one, other)
        ]
        assert numbers[0] == pytest.approx(numbers[1], rel=1e-6)
    assert fitted.odds == pytest.approx(shipped.odds, rel=1e-6)
    assert fitted.sizes.clean == pytest.approx(shipped.sizes.clean, abs=1e-4)
    assert fitted.sizes.backdoored == pytest.approx(shipped.sizes.backdoored, abs=1e-4)
    assert (len(fitted.sizes.clean), len(fitted.sizes.backdoored)) == fitted.models


def test_the_direction_is_that_of_the_difference_in_units_of_the_clean_spread() -> None:
    rng = np.random.default_rng(0)
    clean = rng.normal(size=(4000, 3)) * (1.0, 2.0, 4.0)
    weights = direction(clean, clean + np.array([1.0, 4.0, 16.0]))
    assert weights / weights[0] == pytest.approx([1.0, 1.0, 1.0], rel=0.2)
    assert (clean @ weights).std(ddof=1) == pytest.approx(1)


def test_one_odd_clean_model_does_not_turn_the_direction() -> None:
    rng = np.random.default_rng(0)
    clean, planted = rng.normal(size=(60, 3)) * (0.2, 0.4, 0.4), np.array([2.0, 1.0, 1.0]) + rng.normal(size=(40, 3))
    odd = np.concatenate([clean, [[3.0, 1.0, 1.0]]])
    usual, turned = (
        weights / np.linalg.norm(weights) for weights in (direction(clean, planted), direction(odd, planted))
    )
    assert usual @ turned > 0.98


def test_the_tail_of_a_larger_group_is_no_lighter_than_that_of_single_labels() -> None:
    single, light, heavy = [0.0, 0.0, 1.0, 2.0, 3.0], [0.0, 0.0, 0.1, 0.2, 0.3], [0.0, 0.0, 10.0, 20.0, 30.0]
    tails = tails_of([single, light, heavy])
    assert tails[0] == Tail.of(single)
    assert tails[1].excess / tails[1].count == pytest.approx(tails[0].excess / tails[0].count)
    assert tails[2] == Tail.of(heavy)


def test_no_feature_speaks_against_a_backdoor() -> None:
    clean = np.random.default_rng(0).normal(size=(200, 3))
    weights = direction(clean, clean + np.array([3.0, -3.0, 0.0]))
    assert weights[0] > 0.9
    assert weights[1] == 0


@pytest.mark.parametrize("count", [8, 24, 200])
def test_the_covariance_is_drawn_as_far_as_sklearn_draws_it(count: int) -> None:
    values = np.random.default_rng(count).normal(size=(count, 3)) * (0.1, 0.4, 0.5)
    assert shrunk_covariance(values) == pytest.approx(ledoit_wolf(values)[0])


def test_the_odds_are_even_between_the_kinds_and_finite_where_nothing_overlaps() -> None:
    intercept, slope = logistic(np.array([-1.0, 0.0, 1.0, 5.0, 6.0, 7.0]), 3)
    assert -intercept / slope == pytest.approx(3.0, abs=0.2)
    assert 1 < slope < 20


def test_scans_of_one_model_share_its_weight() -> None:
    rows = zoo(40, 2)
    twice = [dataclasses.replace(row, seed=seed) for row in rows for seed in (0, 1)]
    assert fit_calibration(twice) == fit_calibration(rows)


@pytest.mark.parametrize("attack", ["all-to-all", "sig"])
def test_other_kinds_of_backdoors_do_not_count(attack: str) -> None:
    others = [dataclasses.replace(row, attack=attack, file=f"o{row.file}") for row in zoo(40, 3) if row.backdoored]
    assert fit_calibration(zoo(40, 2) + others) == fit_calibration(zoo(40, 2))


def test_too_few_models() -> None:
    with pytest.raises(CalibrationError, match="at least"):
        fit_calibration(zoo(10, 0))


def test_each_family_is_left_out() -> None:
    left = {(one.family, one.value): one for one in leave_out(zoo(80, 0))}
    families = [("data", "a"), ("data", "b"), ("data", "c"), ("architecture", "x"), ("architecture", "y")]
    assert list(left) == [*families, ("attack", "patch")]
    assert all(one.auc > 0.95 for key, one in left.items() if key[0] != "attack")
    assert "at least" in left["attack", "patch"].reason


def test_what_no_patch_stands_in_for_is_left_out_of_all_families_but_attacks() -> None:
    rows = zoo(80, 0)
    others = [dataclasses.replace(row, attack="sig", norms=rows[0].norms) for row in rows[:20] if row.backdoored]
    left = {(one.family, one.value): one for one in leave_out([*rows, *others])}
    assert {key: one for key, one in left.items() if key[0] != "attack"} == {
        (one.family, one.value): one for one in leave_out(rows) if one.family != "attack"
    }
    assert left["attack", "sig"].auc < 0.6


def test_other_detectors_get_the_tail_of_the_scores_of_clean_models(tmp_path: Path) -> None:
    rows = [
        dataclasses.replace(
            row, scores={"all-to-all": 9.0 if row.backdoored else number / 10} | ({"rare": 1.0} if number < 6 else {})
        )
        for number, row in enumerate(zoo(40, 0))
    ]
    write_table(rows, tmp_path / "zoo.csv")
    assert read_table(tmp_path / "zoo.csv") == rows
    others = fit_calibration(rows).others
    clean = [row.scores["all-to-all"] for row in rows if not row.backdoored]
    assert others == {"all-to-all": Tail.of(clean)}  # of "rare" there are three clean models only


def test_few_labels_are_held_against_clean_models_of_few_labels() -> None:
    """Of two labels one is often the easier by far: what is no evidence there does not blunt the rule for ten."""
    many, few = zoo(80, 0), zoo(80, 1, labels=2, ratio=20.0)
    alone, both = fit_calibration(many), fit_calibration(many + few)
    assert both.tails == alone.tails
    assert len(both.few) == 1
    assert both.models == (80, 80)
    group = few[0].standouts[0]
    assert both.p_value(group) == both.few[0].survival(both.score(group)) / SHARES[0]
    assert alone.few == ()
    assert alone.p_value(group) == alone.tails[0].survival(alone.score(group)) / SHARES[0]


def test_scans_that_were_not_to_be_trusted_do_not_count() -> None:
    rows = zoo(80, 0)
    odd = dataclasses.replace(rows[0], file="odd", norms=(0.5, *rows[0].norms[1:]), warned=True)
    assert fit_calibration([*rows, odd]) == fit_calibration(rows)
    assert not calibrated(fit_calibration(rows), 0.01)(odd).backdoored
    assert calibrated(fit_calibration(rows), 0.01)(dataclasses.replace(odd, warned=False)).backdoored
