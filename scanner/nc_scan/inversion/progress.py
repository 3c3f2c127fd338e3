"""What each label has reached so far: its cost weight, its success, its smallest trigger."""

from __future__ import annotations

import torch
from torch import Tensor

from nc_scan.inversion.settings import InversionSettings

MOSTLY = 0.9  # share of the probes that a trigger turns
KNOWN = 0.5  # of the steps that the success rate remembers: before that it says too little
SHRINK = 0.98  # a smaller decrease of the norm than to this share of it is no progress


class LabelProgress:
    """State of the labels still searched for; every tensor has one row a label, in the same order as `labels`."""

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
        self.mask, self.pattern = masks.detach().clone(), patterns.detach().clone()
        self._mean_mask, self._mean_pattern = self.mask.clone(), self.pattern.clone()
        self._milestone = self.norm.clone()
        self._since = torch.zeros(count, dtype=torch.long, device=device)
        self._weight = 0.0  # of the steps so far in the running averages

    @torch.no_grad()
    def update(self, masks: Tensor, patterns: Tensor, turned: Tensor, loss: Tensor) -> None:
        """Takes in one step: `turned` (labels,) is the share of the batch that each trigger turned, `loss` its loss."""
        settings = self._settings
        self._weight = settings.memory * self._weight + 1
        self.success = torch.lerp(self.success, turned, 1 / self._weight)
        self.loss = torch.lerp(self.loss, loss, 1 / self._weight)
        self._mean_mask.lerp_(masks, 1 / self._weight)
        self._mean_pattern.lerp_(patterns, 1 / self._weight)
        failed = turned < settings.success
        works = (self.success >= settings.success) & ~failed
        norm = self._mean_mask.sum((1, 2, 3))
        known = self._weight * (1 - settings.memory) >= KNOWN
        better = works & (norm < self.norm) & known if settings.smallest else torch.ones_like(works)
        self.norm = torch.where(better, norm, self.norm)
        self.mask[better], self.pattern[better] = self._mean_mask[better], self._mean_pattern[better]
        progressed = norm < SHRINK * self._milestone
        self._milestone = torch.where(progressed, norm, self._milestone)
        self._since = torch.where(progressed | ~self.norm.isfinite(), 0, self._since + 1)
        up = torch.where(works, settings.cost_up, 1.0)
        self.cost = self.cost * torch.where(failed, 1 / settings.cost_down, up)

    def done(self) -> Tensor:
        """Which labels (bool) have stopped shrinking."""
        patience = self._settings.patience
        return self._since >= patience if patience else torch.zeros_like(self._since, dtype=torch.bool)

    def behind(self, count: int) -> Tensor:
        """Which searches (bool) have at least `count` better ones beside them for their label.

        Better is a smaller mask, averaged over the recent steps, among those that mostly succeed; where the cost is
        fixed, a lower loss.
        """
        sizes = self._mean_mask.sum((1, 2, 3))
        keys = ((self.success < MOSTLY).float(), sizes) if self._settings.smallest else (self.loss,)
        searches: dict[int, list[int]] = {}
        for row in sorted(range(len(self.labels)), key=torch.stack(keys, 1).tolist().__getitem__):
            searches.setdefault(int(self.labels[row]), []).append(row)
        behind = torch.zeros(len(self.labels), dtype=torch.bool)
        for rows in searches.values():
            behind[rows[count:]] = True
        return behind.to(self.labels.device)

    def keep(self, index: Tensor) -> None:
        """Drops all labels but those at `index`."""
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, value[index])
