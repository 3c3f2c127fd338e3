"""From starts to the smallest trigger of every goal, all goals in one stack."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from nc_scan.search.adam import StackedAdam
from nc_scan.search.budget import Budget
from nc_scan.search.found import Found
from nc_scan.search.objective import CHUNK_VALUES, Objective
from nc_scan.search.progress import SearchProgress
from nc_scan.search.settings import SearchSettings
from nc_scan.triggers import Params


@dataclass(frozen=True)
class Start:
    """Where searches begin, one row a search: parameters and λ (rows,). The starts of a goal follow each other."""

    params: Params
    cost: Tensor


StartOf = Callable[[Sequence[int]], Start]


def start_from(found: Sequence[Found], device: torch.device) -> Start:
    """One search at each of the triggers, with the λ that it was found with."""
    params = {name: torch.cat([one.params[name] for one in found]).to(device) for name in found[0].params}
    return Start(params, torch.tensor([one.cost for one in found], device=device))


@dataclass(frozen=True)
class Search:
    """Searches over the same images (B, C, H, W) in [0, 1] with their own labels (B,); `generator` orders them."""

    objective: Objective
    images: Tensor
    own: Tensor
    generator: torch.Generator
    budget: Budget

    def __call__(self, goals: Sequence[int], start_of: StartOf, settings: SearchSettings) -> list[Found]:
        """Solves the objective for each goal, in order, from `settings.starts` starts each.

        Goals are searched for together, as many as fit the memory that a step may take.
        """
        size = max(1, CHUNK_VALUES // (settings.images_a_step * self.images[0].numel()))
        parts = [goals[first : first + size] for first in range(0, len(goals), size)]
        return [found for part in parts for found in self._solve(part, start_of(part), settings)]

    def _solve(self, goals: Sequence[int], start: Start, settings: SearchSettings) -> list[Found]:
        family = self.objective.family
        adam = StackedAdam(start.params, settings.rates, settings.betas, family.project_)
        rows = torch.tensor(goals, device=self.images.device).repeat_interleave(settings.starts)
        progress = SearchProgress(family, rows, adam.params, start.cost, settings)
        for part in settings.rounds:
            best = progress.best(part.searches)
            adam.keep(best)
            progress.keep(best)
            for batch in islice(self._batches(part.batch), part.steps):
                searches = adam.params, progress.goals, progress.cost
                losses, turned, gradients = self.objective(self.images[batch], self.own[batch], *searches)
                self.budget.spend(len(progress.goals) * len(batch))
                progress.update(adam.params, turned, losses)
                adam.step(gradients)
        found = [self._found(progress, row) for row in range(len(progress.goals))]
        return [min((one for one in found if one.goal == goal), key=lambda one: one.rank) for goal in goals]

    def _batches(self, size: int) -> Iterator[Tensor]:
        """Indices of batches of shuffled images, epoch after epoch; a last incomplete one is left out."""
        count = len(self.images)
        size = min(size, count)
        while True:
            order = torch.randperm(count, generator=self.generator).to(self.images.device)
            for start in range(0, count - size + 1, size):
                yield order[start : start + size]

    def _found(self, progress: SearchProgress, row: int) -> Found:
        params = {name: values[row : row + 1].cpu().clone() for name, values in progress.params.items()}
        return Found(
            goal=int(progress.goals[row]),
            params=params,
            size=float(self.objective.family.size(params)),
            status="converged" if progress.works()[row] else "not_converged",
            cost=float(progress.cost[row]),
            success=float(progress.success[row]),
        )
