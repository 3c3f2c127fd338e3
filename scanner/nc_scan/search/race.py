"""Which of many goals deserve a full search: a race in which the better ones go on with more effort."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nc_scan.search.found import Found
from nc_scan.search.search import Search, StartOf, start_from
from nc_scan.search.settings import Round, SearchSettings


@dataclass(frozen=True)
class Rung:
    """Each goal left takes so many `steps` on `batch` probes; then at most the `keep`th part of the goals goes on."""

    steps: int
    batch: int
    keep: int


def race(
    search: Search,
    goals: Sequence[int],
    start_of: StartOf,
    settings: SearchSettings,
    rungs: Sequence[Rung],
    finalists: int,
    key: Callable[[Found], float],
) -> list[Found]:
    """Where the search of every goal stood when it left the race, best first; at least `finalists` reach its end.

    Successive halving (Jamieson and Talwalkar, Non-stochastic Best Arm Identification and Hyperparameter Optimization,
    AISTATS 2016): the effort that a goal gets grows with what came of the effort so far, of which `key` is the measure,
    low for what is good. One search a goal, from the single start that `start_of` gives.
    """
    left, out = list(goals), list[Found]()
    for rung in rungs:
        steps = dataclasses.replace(settings, rounds=(Round(rung.steps, 1, rung.batch),), record="last")
        ranked = sorted(search(left, start_of, steps), key=key)
        going_on = max(finalists, -(-len(ranked) // rung.keep))
        out = ranked[going_on:] + out
        stands = {one.goal: one for one in ranked[:going_on]}
        left = list(stands)
        start_of = lambda part, stands=stands: start_from([stands[goal] for goal in part], search.images.device)  # type: ignore[misc]  # noqa: E731
    return [*stands.values(), *out]


def race_passes(goals: int, rungs: Sequence[Rung], finalists: int) -> int:
    """How many image passes a race of so many goals takes."""
    passes = 0
    for rung in rungs:
        passes += goals * rung.steps * rung.batch
        goals = min(goals, max(finalists, -(-goals // rung.keep)))
    return passes
