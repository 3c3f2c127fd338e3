"""Successive halving on searches whose outcome is known."""

from dataclasses import dataclass, field
from operator import attrgetter

import pytest
import torch

from nc_scan.search import Found, Rung, SearchSettings, Start, race, race_passes

SETTINGS = SearchSettings(rounds=(), rates={}, cost=1.0)


@dataclass
class Toy:
    """A search in which goal n ends at the size `sizes[n]`, and which remembers what it was asked."""

    sizes: dict[int, float]
    images: torch.Tensor = field(default_factory=lambda: torch.zeros(1, 3, 2, 2))
    asked: list[tuple[list[int], int, list[float]]] = field(default_factory=list)

    def __call__(self, goals, start_of, settings) -> list[Found]:
        start = start_of(goals)
        (only,) = settings.rounds
        self.asked.append((sorted(goals), only.steps * only.batch, start.params["x"].flatten().tolist()))
        return [
            Found(goal, {"x": start.params["x"][row : row + 1] + 1}, self.sizes[goal], "not_converged", 1.0, 0.0)
            for row, goal in enumerate(goals)
        ]


def at_zero(goals) -> Start:
    return Start({"x": torch.zeros(len(goals), 1)}, torch.ones(len(goals)))


SIZE = attrgetter("size")
RUNGS = (Rung(2, 4, 4), Rung(8, 8, 2))


def test_the_better_ones_go_on_from_where_they_were() -> None:
    toy = Toy({goal: float(100 - goal) for goal in range(20)})
    found = race(toy, range(20), at_zero, SETTINGS, RUNGS, 2, SIZE)
    assert [one.goal for one in found] == list(range(19, -1, -1))
    assert [asked[:2] for asked in toy.asked] == [(list(range(20)), 8), ([15, 16, 17, 18, 19], 64)]
    assert toy.asked[1][2] == [1.0] * 5
    assert [float(one.params["x"]) for one in found] == [2.0] * 5 + [1.0] * 15


@pytest.mark.parametrize(("goals", "finalists"), [(20, 2), (7, 7), (3, 12), (100, 12)])
def test_passes_are_foreseen(goals: int, finalists: int) -> None:
    toy = Toy({goal: float(goal) for goal in range(goals)})
    found = race(toy, range(goals), at_zero, SETTINGS, RUNGS, finalists, SIZE)
    assert len(found) == goals
    assert len(toy.asked[-1][0]) >= min(goals, finalists)
    assert race_passes(goals, RUNGS, finalists) == sum(len(asked) * images for asked, images, _ in toy.asked)
