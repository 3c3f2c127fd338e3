"""Which labels are searched for: all, a shortlist of many, or those of an earlier search."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from nc_scan.detectors.patch import Agreement, PatchSearch, detector
from nc_scan.probes import ProbeSet
from nc_scan.search import Budget
from nc_scan.triggers import UNCHANGED

SIDE, MANY, FEW = 8, 300, 10
KNOWN = {7: True, 11: False, 250: True}
ALL = dict.fromkeys(range(FEW), True)
IMAGES, OWN = np.zeros((4, 3, SIDE, SIDE), np.float32), np.zeros(4, np.int64)
PROBES = ProbeSet("noise", IMAGES, OWN, IMAGES, OWN, OWN)


class Asked(Exception):
    """The labels that would have been searched for, and those of them that were drawn at random."""


def asked(scores: Any, images: Any, labels: Any, settings: Any, *, drawn: Any, **_: Any) -> None:  # noqa: ARG001
    raise Asked(list(labels), list(drawn))


def subject_of(labels: int, side: int = SIDE) -> Any:
    contract = SimpleNamespace(labels=labels, size=(3, side, side))
    return SimpleNamespace(contract=contract, device=torch.device("cpu"), affine=UNCHANGED, scores=None)


@pytest.mark.parametrize(
    ("search", "labels", "wanted", "drawn"),
    [
        (PatchSearch(), FEW, range(FEW), FEW),
        (PatchSearch(), MANY, range(MANY), 10),
        (Agreement(ALL), FEW, range(FEW), FEW),
        (Agreement(KNOWN), MANY, KNOWN, 2),
    ],
    ids=["few", "many", "few again", "many again"],
)
def test_of_many_labels_those_of_an_earlier_search_are_searched_for_again(
    search: PatchSearch, labels: int, wanted: Any, drawn: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detector, "smallest_patches", asked)
    monkeypatch.setattr(detector, "at_common_scale", lambda subject, _: subject.scores)
    with pytest.raises(Asked) as told:
        search.run(subject_of(labels), PROBES, Budget(), torch.Generator().manual_seed(0))
    assert told.value.args[0] == list(wanted)
    assert len(told.value.args[1]) == drawn
    assert set(told.value.args[1]) <= set(wanted)


def test_another_look_at_few_of_many_labels_costs_little() -> None:
    many = subject_of(MANY)
    assert Agreement(KNOWN).cost(many) < 0.3 * PatchSearch().cost(many)
    assert Agreement(ALL).cost(subject_of(FEW)) == PatchSearch().cost(subject_of(FEW))


def test_where_there_is_no_time_for_another_look_no_label_of_it_is_left_out() -> None:
    search, subject = Agreement(KNOWN), subject_of(MANY)
    short = Budget(affordable=search.cost(subject) - 1)
    evidence = search.run(subject, PROBES, short, torch.Generator().manual_seed(0))
    assert evidence.not_run is not None
    assert "there is time for" in evidence.not_run


@pytest.mark.parametrize("enough", [True, False])
@pytest.mark.parametrize(("labels", "side", "light"), [(2, SIDE, 0), (MANY, SIDE, 0), (MANY, 128, 1)])
def test_a_shorter_search_is_told_of_and_no_less_light(
    enough: bool, labels: int, side: int, light: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {label: SimpleNamespace(goal=label, params={}, status="converged") for label in range(2)}
    for name, result in {
        "smallest_patches": SimpleNamespace(found=list(found.values()), blocks={}),
        "at_common_scale": None,
        "as_trigger": None,
        "replayed": found,
        "false_gradients": (),
        "with_blocks": found,
        "weigh": (),
    }.items():
        monkeypatch.setattr(detector, name, lambda *_, result=result, **__: result)
    search, subject = PatchSearch(), subject_of(labels, side)
    budget = Budget(affordable=search.cost(subject) - (0 if enough else 1))
    evidence = search.run(subject, PROBES, budget, torch.Generator().manual_seed(0))
    assert evidence.not_run is None
    assert (evidence.gave_up == "") == enough
    assert evidence.statistics.get("light", 0) == light
