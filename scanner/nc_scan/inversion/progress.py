"""What each label has reached so far: its cost weight, its success, its smallest trigger."""

from __future__ import annotations

import torch
from torch import Tensor

from nc_scan.inversion.settings import InversionSettings

SHRINK = 0.98  # a smaller decrease of the norm than to this share of it is no progress


class LabelProgress:
    """State of the labels still searched for; every tensor has one row a label, in the same order as `labels`."""

    def __init__(self, labels: Tensor, masks: Tensor, patterns: Tensor, settings: InversionSettings) -> None:
        self._settings = settings
        count, device = len(labels), masks.device
        self.labels = labels
        self.cost = torch.full((count,), settings.cost, device=device)
        self.success = torch.zeros(count, device=device)
        self.loss = torch.zeros(count, device=device)
        self.norm = torch.full((count,), torch.inf, device=device)
        self.mask, self.pattern = masks.detach().clone(), patterns.detach().clone()
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
        failed = turned < settings.success
        works = (self.success >= settings.success) & ~failed
        norm = masks.sum((1, 2, 3))
        better = works & (norm < self.norm) if settings.smallest else torch.ones_like(works)
        self.norm = torch.where(better, norm, self.norm)
        self.mask[better], self.pattern[better] = masks[better], patterns[better]
        progressed = self.norm < SHRINK * self._milestone
        self._milestone = torch.where(progressed, self.norm, self._milestone)
        self._since = torch.where(progressed | ~self.norm.isfinite(), 0, self._since + 1)
        up = torch.where(works, settings.cost_up, 1.0)
        self.cost = self.cost * torch.where(failed, 1 / settings.cost_down, up)

    def done(self) -> Tensor:
        """Which labels (bool) have stopped shrinking."""
        patience = self._settings.patience
        return self._since >= patience if patience else torch.zeros_like(self._since, dtype=torch.bool)

    def behind(self) -> Tensor:
        """Which searches (bool) have a better one beside them for their label.

        Better is a smaller successful trigger or a higher success; where the cost is fixed, a lower loss.
        """
        keys = (self.norm, -self.success) if self._settings.smallest else (self.loss,)
        order = torch.stack(keys, 1).tolist()
        labels = self.labels.tolist()
        ahead = {label: min((order[i], i) for i, other in enumerate(labels) if other == label) for label in set(labels)}
        best = [ahead[label][1] == i for i, label in enumerate(labels)]
        return ~torch.tensor(best, device=self.labels.device)

    def keep(self, index: Tensor) -> None:
        """Drops all labels but those at `index`."""
        for name in ("labels", "cost", "success", "loss", "norm", "mask", "pattern", "_milestone", "_since"):
            setattr(self, name, getattr(self, name)[index])
