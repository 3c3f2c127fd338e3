"""The statistics of a scan, on the paper's own figures."""

import math

import numpy as np
import pytest

from nc_scan.detectors.patch.statistics import SCALE_FLOOR, below_median, robust_z, weigh
from nc_scan.detectors.replay import Replayed
from nc_scan.results import LabelResult, Trigger

# Table 1 of the paper: L1 norms of labels 0 to 9
CLEAN_2 = (57.6, 55.4, 57.2, 53.2, 52.3, 58.8, 49.5, 41.4, 48.7, 58.2)
CLEAN_4 = (38.2, 40.0, 55.3, 53.5, 56.2, 54.7, 41.6, 56.1, 56.0, 58.7)
BACKDOORED_1 = (7.26, 47.2, 44.1, 51.4, 53.8, 45.8, 50.7, 48.6, 54.6, 34.7)
# A small trigger among norms that spread widely
SPREAD = (7.5, 28.0, 31.0, 38.0, 42.0, 47.0, 55.0, 60.0, 72.0, 80.0)


def weighed(norms, rates, drawn=None) -> tuple[LabelResult, ...]:
    """Triggers of these norms, spread over masks of 8x8."""
    pattern = np.zeros((3, 8, 8), np.float32)
    found = {
        label: Replayed(Trigger(np.full((8, 8), norm / 64), pattern), "converged", rate)
        for label, (norm, rate) in enumerate(zip(norms, rates, strict=True))
    }
    return weigh(found, frozenset(found if drawn is None else drawn))


@pytest.mark.parametrize(
    ("norms", "label", "index"),
    [(CLEAN_2, 7, 2.42), (CLEAN_4, 0, 8.39)],
    ids=["clean experiment 2", "clean experiment 4"],
)
def test_the_index_flags_two_clean_models_of_the_paper(norms, label: int, index: float) -> None:
    top = max(weighed(norms, [1.0] * 10), key=lambda found: found.anomaly_index)
    assert top.label == label
    assert top.anomaly_index == pytest.approx(index, abs=0.01)


def test_the_log_scale_separates_what_the_index_does_not() -> None:
    clean = max(robust_z(np.array(CLEAN_2)).max(), robust_z(np.array(CLEAN_4)).max())
    assert clean < 2 < 3 < robust_z(np.array(SPREAD))[0] < robust_z(np.array(BACKDOORED_1))[0]


def test_below_the_median_in_nats() -> None:
    assert below_median(np.array([20.0, 40.0, 80.0])).tolist() == pytest.approx([math.log(2), 0.0, -math.log(2)])
    assert below_median(np.array([10.0]), np.array([40.0, 40.0])).tolist() == pytest.approx([math.log(4)])


def test_norms_that_lie_close_together_make_no_outlier() -> None:
    norms = np.array([50.0, 50.1, 49.9, 50.0, 50.2, 45.0])
    assert robust_z(norms).max() == pytest.approx((math.log(50.0) - math.log(45.0)) / SCALE_FLOOR, rel=0.01)


def test_an_empty_mask_is_finite_and_far_out() -> None:
    scores = robust_z(np.array([0.0, 40.0, 45.0, 50.0, 55.0]))
    assert np.isfinite(scores).all()
    assert scores.argmax() == 0
    assert scores[0] > 10


def test_each_label_keeps_what_was_found_for_it() -> None:
    found = weighed(BACKDOORED_1, [n / 10 for n in range(10)])
    assert [label.label for label in found] == list(range(10))
    assert [label.norm for label in found] == pytest.approx(BACKDOORED_1)
    assert [label.success_rate for label in found] == [n / 10 for n in range(10)]


def test_labels_singled_out_for_small_triggers_do_not_tell_what_is_usual() -> None:
    singled_out = (7.5, 12.0, 12.5, 13.0, 14.0)
    among_all = weighed(singled_out + SPREAD[1:], [1.0] * 14)[0]
    among_drawn = weighed(singled_out + SPREAD[1:], [1.0] * 14, drawn=range(5, 14))
    alone = weighed(SPREAD, [1.0] * 10, drawn=range(1, 10))[0]
    assert among_all.robust_z < among_drawn[0].robust_z == alone.robust_z
    assert among_drawn[0].anomaly_index == alone.anomaly_index
    assert [label.drawn for label in among_drawn] == [False] * 5 + [True] * 9
