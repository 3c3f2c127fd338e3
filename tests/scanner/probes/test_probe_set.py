"""Probes are balanced over the predicted labels, split without overlap, and fewer where they are large."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from nc_scan.errors import DataError
from nc_scan.images import Images
from nc_scan.probes import ProbeSet, candidates
from nc_scan.probes.candidates import HELD_OUT, SEARCH, SURPLUS, given_candidates, synthetic_candidates
from nc_scan.probes.probe_set import choose_probes
from nc_scan.probes.recognition import Scores
from nc_scan.under_contract import ContractScan


def scores(predict: Any) -> Scores:
    """Logits of a model that gives these labels, below ten."""
    return lambda images: np.eye(10, dtype=np.float32)[predict(images)]


def made(size: tuple[int, int, int], predict: Any) -> ProbeSet:
    return choose_probes(synthetic_candidates("dead leaves", size, np.random.default_rng(0)), scores(predict))


def given(images: np.ndarray, predict: Any) -> ProbeSet:
    return choose_probes(given_candidates(Images(images, source="here"), np.random.default_rng(0)), scores(predict))


def by_brightness(images: np.ndarray) -> np.ndarray:
    """Three labels, of which the last is rare."""
    return np.digitize(images.mean((1, 2, 3)), [0.5, 0.72])


def test_a_rare_label_is_kept_whole_and_a_frequent_one_thinned_out() -> None:
    probes = made((3, 16, 16), by_brightness)
    counts = np.bincount(np.concatenate([probes.search_labels, probes.held_out_labels]), minlength=3)
    assert len(probes.search) == SEARCH
    assert len(probes.held_out) == HELD_OUT
    assert counts[2] > 0
    assert abs(int(counts[0]) - int(counts[1])) <= 1
    assert np.array_equal(by_brightness(probes.search), probes.search_labels)


def test_search_and_replay_share_no_image() -> None:
    probes = made((1, 8, 8), by_brightness)
    searched = {image.tobytes() for image in probes.search}
    assert not any(image.tobytes() in searched for image in probes.held_out)


@pytest.mark.parametrize(
    ("channels", "side", "search", "held_out"),
    [(1, 28, 1024, 256), (3, 112, 1024, 256), (3, 113, 1005, 251), (3, 224, 256, 64), (3, 2000, 64, 32)],
)
def test_of_large_images_fewer_are_made(
    channels: int, side: int, search: int, held_out: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []

    def dead_leaves(count: int, *_: Any) -> np.ndarray:
        counts.append(count)
        return np.zeros((count, 1, 1, 1), np.float32)

    monkeypatch.setitem(candidates.KINDS, "dead leaves", dead_leaves)
    probes = made((channels, side, side), by_brightness)
    assert (len(probes.search), len(probes.held_out)) == (search, held_out)
    assert counts == [SURPLUS * (search + held_out)]
    assert search == 64 or counts[0] * channels * side * side <= 2560 * 3 * 224 * 224


def test_few_images_are_split_in_half_and_too_few_refused() -> None:
    images = np.random.default_rng(0).random((40, 1, 4, 4), dtype=np.float32)
    probes = given(images, by_brightness)
    assert (len(probes.search), len(probes.held_out)) == (20, 20)
    assert np.array_equal(probes.labels_before_thinning, probes.labels)
    with pytest.raises(DataError, match="at least 16"):
        given(images[:15], by_brightness)


def mostly(share: float) -> Any:
    return lambda images: (np.arange(len(images)) >= share * len(images)).astype(np.int64)


BOTH = {
    "synthetic": lambda predict: made((1, 4, 4), predict),
    "given": lambda predict: given(np.zeros((200, 1, 4, 4), np.float32), predict),
}


def test_every_contract_is_given_the_same_images() -> None:
    images = synthetic_candidates("signs", (3, 8, 8), np.random.default_rng(0))
    first, second = (choose_probes(images, scores(by_brightness)) for _ in range(2))
    assert np.array_equal(first.search, second.search)
    assert np.array_equal(first.held_out, second.held_out)


@pytest.mark.parametrize("make", BOTH.values(), ids=BOTH)
@pytest.mark.parametrize(("share", "warned"), [(0.94, "94% of the images label 0"), (0.89, None), (1.0, "100%")])
def test_one_sided_labels_are_warned_of_as_they_were_before_thinning(make: Any, share: float, warned: str) -> None:
    subject = cast(Any, SimpleNamespace(contract=SimpleNamespace(evidence={}, uncertain=())))
    unused = cast(Any, None)
    warnings = ContractScan(subject, make(mostly(share)), unused, (), unused).warnings()
    assert len(warnings) == (0 if warned is None else 1)
    assert warned is None or warned in warnings[0]
