"""The search on models whose smallest trigger is known."""

import dataclasses

import pytest
import torch
from torch import Tensor

from nc_scan.detectors.paper import PAPER
from nc_scan.detectors.patch import PatchSettings, smallest_patches
from nc_scan.detectors.patch.settings import ADAPTIVE
from nc_scan.detectors.patch.smallest import foreseen_passes
from nc_scan.search import Budget, Found, Round
from nc_scan.search import search as module
from nc_scan.search.search import Search
from nc_scan.triggers import UNCHANGED, Affine

LABELS, SIDE, PATCH = 4, 16, 3


def planted(images: Tensor) -> Tensor:
    """The brightest of four quarters is the label, and a backdoor: a white 3x3 corner makes label 2 win by far."""
    quarters = torch.nn.functional.adaptive_avg_pool2d(images.mean(1, keepdim=True), 2).flatten(1)
    corner = images[:, :, -PATCH:, -PATCH:].mean((1, 2, 3))
    backdoor = torch.zeros(len(images), LABELS).index_fill(1, torch.tensor([2]), 1.0)
    return 40 * quarters + 80 * corner[:, None] ** 3 * backdoor


def deaf(images: Tensor) -> Tensor:
    """Label 1 never wins, whatever the image."""
    return planted(images) - 100 * torch.eye(LABELS)[1]


def probes(count: int, seed: int) -> Tensor:
    """Dark noise with one brighter quarter."""
    generator = torch.Generator().manual_seed(seed)
    bright = torch.eye(4)[torch.randint(4, (count,), generator=generator)].reshape(count, 1, 2, 2)
    noise = torch.rand(count, 3, SIDE, SIDE, generator=generator)
    return 0.3 * noise + 0.3 * bright.repeat_interleave(SIDE // 2, 2).repeat_interleave(SIDE // 2, 3)


def search(
    scores,
    labels=range(LABELS),
    seed: int = 0,
    settings: PatchSettings = ADAPTIVE,
    affine: Affine = UNCHANGED,
    budget: Budget | None = None,
    count: int = 64,
) -> list[Found]:
    generator = torch.Generator().manual_seed(seed)
    images = probes(count, 9)
    return smallest_patches(
        scores, images, labels, settings, affine=affine, generator=generator, budget=budget or Budget()
    ).found


@pytest.fixture(scope="module")
def found() -> list[Found]:
    """The triggers of the planted model, for the tests that only look at them."""
    return search(planted)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_planted_trigger_is_found_at_its_place(seed: int, found: list[Found]) -> None:
    found = found if seed == 0 else search(planted, seed=seed)
    norms = {one.goal: one.size for one in found}
    assert min(norms, key=norms.__getitem__) == 2
    assert norms[2] <= PATCH**2
    assert norms[2] < 0.5 * sorted(norms.values())[1]
    mask = found[2].params["mask"][0, 0].numpy()
    assert mask[-PATCH:, -PATCH:].sum() > 0.8 * mask.sum()


def test_results_are_what_they_say(found: list[Found]) -> None:
    for one in found:
        assert one.status == "converged"
        assert one.size == pytest.approx(float(one.params["mask"].sum()), rel=1e-5)
        for values in one.params.values():
            assert values.min() >= 0
            assert values.max() <= 1
        mask, pattern = one.params["mask"][0], one.params["pattern"][0]
        stamped = (1 - mask) * probes(200, 5) + mask * pattern
        success = (planted(stamped).argmax(1) == one.goal).float().mean()
        assert success > (0.95 if one.goal == 2 else 0.7)  # 64 probes pin the other labels less


def test_a_label_that_cannot_be_reached_is_not_converged() -> None:
    found = search(deaf, settings=dataclasses.replace(ADAPTIVE, suspects=0))
    assert [one.status for one in found] == ["converged", "not_converged", "converged", "converged"]
    assert found[1].size == found[1].params["mask"].sum() == SIDE * SIDE


def test_the_same_seed_gives_the_same_trigger(found: list[Found]) -> None:
    assert [one.size for one in search(planted)] == [one.size for one in found]


def test_the_affine_input_contract_is_part_of_the_search(found: list[Found]) -> None:
    """A model that reads -1..1 gives the same triggers, in pixels, as one that reads 0..1."""
    shifted = search(lambda x: planted((x + 1) / 2), affine=Affine((2.0,), (-1.0,)))
    for ours, reference in zip(shifted, found, strict=True):
        assert ours.size == pytest.approx(reference.size, rel=0.15)


def test_labels_in_chunks_and_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK_VALUES", 2 * ADAPTIVE.images_a_step * 3 * SIDE * SIDE)
    told: list[tuple[int, int]] = []
    budget = Budget(foreseen_passes(ADAPTIVE, 3, (3, SIDE, SIDE)), lambda *both: told.append(both))
    found = search(planted, labels=[3, 2, 0], budget=budget)
    assert [one.goal for one in found] == [3, 2, 0]
    assert told == sorted(told)
    assert told[-1] == (budget.spent, budget.foreseen)
    assert budget.spent == budget.foreseen


def test_the_foreseen_passes() -> None:
    rounds = Round(75, 8, 8), Round(45, 2, 16), Round(180, 1, 32)
    settings = dataclasses.replace(ADAPTIVE, rounds=rounds, suspects=0, guided=False)
    one = 75 * 64 + 45 * 32 + 180 * 32
    assert settings.images_a_step == 64
    assert foreseen_passes(settings, 10, (3, SIDE, SIDE)) == 10 * one
    again = dataclasses.replace(settings, suspects=2, polish=(Round(50, 1, 32),))
    assert foreseen_passes(again, 10, (3, SIDE, SIDE)) == 12 * one + 2 * 50 * 32
    assert foreseen_passes(again, 1, (3, SIDE, SIDE)) == 2 * one + 50 * 32
    guided = dataclasses.replace(again, guided=True)
    assert foreseen_passes(guided, 1, (3, SIDE, SIDE)) == 2 * one + 50 * 32 + 64 * 8 * 8 // 2


def test_few_probes_take_no_more_than_was_foreseen() -> None:
    budget = Budget(foreseen_passes(ADAPTIVE, 1, (3, SIDE, SIDE)))
    search(planted, labels=[2], budget=budget, count=7)
    assert 0 < budget.spent < budget.foreseen


def test_a_search_that_was_dropped_does_not_come_back() -> None:
    with pytest.raises(ValueError, match="must not grow"):
        dataclasses.replace(ADAPTIVE, rounds=(Round(20, 2, 8), Round(20, 3, 8)))


def test_a_second_look_finds_what_the_first_search_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first search for label 2 comes back with a whole image; the one after it is searched and polished."""
    real, asked = Search.__call__, []

    def blind_at_first(self, labels, start_of, settings):
        found = real(self, labels, start_of, settings)
        asked.append((list(labels), settings.rounds))
        return [dataclasses.replace(one, size=8.5) if one.goal == 2 and len(asked) == 1 else one for one in found]

    monkeypatch.setattr(Search, "__call__", blind_at_first)
    settings = dataclasses.replace(ADAPTIVE, suspects=1)
    found = search(planted, settings=settings)
    assert asked == [([0, 1, 2, 3], ADAPTIVE.rounds), ([2], ADAPTIVE.rounds), ([2], ADAPTIVE.polish)]
    assert found[2].size == pytest.approx(float(found[2].params["mask"].sum()), rel=1e-5)
    assert found[2].size < 8


@pytest.mark.parametrize(
    ("norms", "suspects"),
    [
        ([30.0, 31.0, 9.0, 32.0], [2, 0]),  # at least two
        ([12.0, 30.0, 9.0, 10.0, 31.0, 32.0, 33.0], [2, 3, 0]),  # a backdoor to three labels
        ([9.0, 10.0, 11.0, 12.0], [0, 1]),  # all small: no label is unlike the others
        ([None, None, 9.0, None], [2, 0]),
        ([None, 30.0], [1, 0]),
        ([9.0], [0]),
    ],
)
def test_who_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch, norms: list[float | None], suspects: list[int]
) -> None:
    """None is a label without a trigger."""
    asked, params = [], {"mask": torch.ones(1, 1, SIDE, SIDE), "pattern": torch.ones(1, 3, SIDE, SIDE)}

    def pretend(self, labels, _start_of, settings):
        asked.append(list(labels))
        self.budget.spend(settings.passes * len(labels))
        return [
            Found(label, params, norms[label] or SIDE**2, "converged" if norms[label] else "not_converged", 0.03, 1.0)
            for label in labels
        ]

    monkeypatch.setattr(Search, "__call__", pretend)
    budget = Budget(foreseen_passes(ADAPTIVE, len(norms), (3, SIDE, SIDE)))
    search(lambda images: planted(images).repeat(1, 2), range(len(norms)), budget=budget)
    assert asked == [list(range(len(norms))), suspects, suspects]
    assert budget.spent == budget.foreseen


def test_the_paper_keeps_the_cost_and_returns_the_last_trigger() -> None:
    found = search(planted, settings=PAPER)
    assert [one.cost for one in found] == pytest.approx([PAPER.cost] * LABELS)
    assert found[2].size < min(found[label].size for label in (0, 1, 3))


@pytest.mark.parametrize(("scores", "again"), [(planted, 0), (deaf, 1), (lambda images: 0 * planted(images), 0)])
def test_a_search_that_failed_is_made_again_with_more_steps_unless_most_failed(scores, again: int) -> None:
    spent = []
    for patience in (1, 3):
        budget = Budget()
        search(scores, settings=dataclasses.replace(ADAPTIVE, patience=patience, suspects=0, polish=()), budget=budget)
        spent.append(budget.spent)
    longer = ADAPTIVE.patient()
    assert longer.rounds[-1].steps == 3 * ADAPTIVE.rounds[-1].steps
    assert spent[1] - spent[0] == again * longer.passes
