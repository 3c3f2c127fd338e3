"""What each search has reached so far: its cost weight, its success, its smallest trigger."""

from __future__ import annotations

import torch
from torch import Tensor

from nc_scan.inversion.settings import InversionSettings

MOSTLY = 0.9  # share of the probes that a trigger turns
KNOWN = 0.5  # of the steps that the success rate remembers: before that it says too little


class SearchProgress:
    """State of the searches that go on; every tensor has one row a search, in the same order as `labels`."""

    def __init__(
        self, labels: Tensor, masks: Tensor, patterns: Tensor, cost: Tensor, settings: InversionSettings
    ) -> None:
        self._settings = settings
        count, device = len(labels), masks.device
        self.labels = labels
        self.cost = cost
        self.success = torch.zeros(count, device=device)
        self.loss = torch.zeros(count, device=device)
        self.norm = torch.full((count,), torch.inf, device=device)
        self.mask, self.pattern = torch.ones_like(masks), patterns.detach().clone()  # until a trigger succeeds
        self._size = masks.detach().sum((1, 2, 3))
        self._mean_mask, self._mean_pattern = masks.detach().clone(), self.pattern.clone()
        self._weight = 0.0  # of the steps so far in the running averages

    @torch.no_grad()
    def update(self, masks: Tensor, patterns: Tensor, turned: Tensor, loss: Tensor) -> None:
        """Takes in one step: `turned` (searches,) is the share of the batch that a trigger turned, `loss` its loss."""
        settings = self._settings
        self._weight = settings.memory * self._weight + 1
        self.success = torch.lerp(self.success, turned, 1 / self._weight)
        self.loss = torch.lerp(self.loss, loss, 1 / self._weight)
        self._size = masks.sum((1, 2, 3))
        self._mean_mask.lerp_(masks, 1 / self._weight)
        self._mean_pattern.lerp_(patterns, 1 / self._weight)
        failed = turned < settings.success
        works = (self.success >= settings.success) & ~failed
        norm = self._mean_mask.sum((1, 2, 3))
        known = self._weight * (1 - settings.memory) >= KNOWN
        better = works & (norm < self.norm) & known if settings.smallest else torch.ones_like(works)
        self.norm = torch.where(better, norm, self.norm)
        self.mask[better], self.pattern[better] = self._mean_mask[better], self._mean_pattern[better]
        up = torch.where(works, settings.cost_up, 1.0)
        self.cost = self.cost * torch.where(failed, 1 / settings.cost_down, up)

    def best(self, count: int) -> Tensor:
        """The rows (K,), in ascending order, of the `count` best searches for each label.

        Better is a smaller mask at the last step among those that mostly succeed: while masks shrink fast, an average
        over the recent steps says more about where they began. Where the cost is fixed it is a lower loss.
        """
        keys = ((self.success < MOSTLY).float(), self._size) if self._settings.smallest else (self.loss,)
        searches: dict[int, list[int]] = {}
        for row in sorted(range(len(self.labels)), key=torch.stack(keys, 1).tolist().__getitem__):
            searches.setdefault(int(self.labels[row]), []).append(row)
        chosen = sorted(row for rows in searches.values() for row in rows[:count])
        return torch.tensor(chosen, device=self.labels.device)

    def keep(self, rows: Tensor) -> None:
        """Drops all searches but those in `rows` (K,)."""
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, value[rows])
