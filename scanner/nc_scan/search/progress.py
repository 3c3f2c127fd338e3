"""What each search has reached so far: its cost weight, its success, its smallest trigger."""

from __future__ import annotations

import torch
from torch import Tensor

from nc_scan.search.settings import SearchSettings
from nc_scan.triggers import Params, TriggerFamily

MOSTLY = 0.9  # share of the probes that a trigger turns
KNOWN = 0.5  # of the steps that the success rate remembers: before that it says too little


class SearchProgress:
    """State of the searches that go on; every tensor has one row a search, in the same order as `goals`."""

    def __init__(
        self, family: TriggerFamily, goals: Tensor, params: Params, cost: Tensor, settings: SearchSettings
    ) -> None:
        start = {name: values.detach() for name, values in params.items()}
        self._family, self._settings = family, settings
        self.goals = goals
        self.cost = cost
        self.success = torch.zeros_like(cost)
        self.loss = torch.zeros_like(cost)
        self.size = torch.full_like(cost, torch.inf)
        self.params = family.largest(start)  # until a trigger succeeds
        self._last_size = family.size(start)
        self._mean = {name: values.clone() for name, values in start.items()}
        self._weight = 0.0  # of the steps so far in the running averages

    @torch.no_grad()
    def update(self, params: Params, turned: Tensor, loss: Tensor) -> None:
        """Takes in one step: `turned` (searches,) is the share of the batch that a trigger turned, `loss` its loss."""
        settings = self._settings
        self._weight = settings.memory * self._weight + 1
        self.success = torch.lerp(self.success, turned, 1 / self._weight)
        self.loss = torch.lerp(self.loss, loss, 1 / self._weight)
        self._last_size = self._family.size(params)
        for name, values in params.items():
            self._mean[name].lerp_(values, 1 / self._weight)
        failed = turned < settings.success
        works = (self.success >= settings.success) & ~failed
        self._record(works)
        up = torch.where(works, settings.cost_up, 1.0)
        self.cost = self.cost * torch.where(failed, 1 / settings.cost_down, up)

    def best(self, count: int) -> Tensor:
        """The rows (K,), in ascending order, of the `count` best searches for each goal.

        Better is a smaller trigger at the last step among those that mostly succeed: while triggers shrink fast, an
        average over the recent steps says more about where they began. Where the cost is fixed it is a lower loss.
        """
        by_size = (self.success < MOSTLY).float(), self._last_size
        keys = by_size if self._settings.record == "smallest" else (self.loss,)
        searches: dict[int, list[int]] = {}
        for row in sorted(range(len(self.goals)), key=torch.stack(keys, 1).tolist().__getitem__):
            searches.setdefault(int(self.goals[row]), []).append(row)
        best = sorted(row for rows in searches.values() for row in rows[:count])
        return torch.tensor(best, device=self.goals.device)

    def keep(self, rows: Tensor) -> None:
        """Drops all searches but those in `rows` (K,)."""
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, value[rows])
            elif isinstance(value, dict):
                setattr(self, name, {part: values[rows] for part, values in value.items()})

    def works(self) -> Tensor:
        """Which searches (rows,) have a trigger to show, bool."""
        return self.size.isfinite() if self._settings.record == "smallest" else self.success >= self._settings.success

    def _record(self, works: Tensor) -> None:
        """Keeps the average over the recent steps, where it is the smallest trigger that works so far, or the last."""
        size = self._family.size(self._mean)
        known = self._weight * (1 - self._settings.memory) >= KNOWN
        smallest = works & (size < self.size) & known
        better = smallest if self._settings.record == "smallest" else torch.ones_like(works)
        self.size = torch.where(better, size, self.size)
        for name, values in self._mean.items():
            self.params[name][better] = values[better]
