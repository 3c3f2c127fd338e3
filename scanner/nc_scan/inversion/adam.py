"""Adam for a stack of independent problems, from which finished ones leave."""

from __future__ import annotations

import torch
from torch import Tensor


class StackedAdam:
    """Kingma and Ba 2014, algorithm 1, on `values` (labels, ...), kept in [0, 1] by projection.

    Projection takes the place of the usual tanh parametrisation: its gradient does not vanish where a mask nears 0 or
    1, so that a search needs about a quarter of the steps.
    """

    def __init__(self, values: Tensor, rate: float, betas: tuple[float, float]) -> None:
        self.values = values.requires_grad_()
        self.rate = rate
        self.betas = betas
        self._first = torch.zeros_like(values)
        self._second = torch.zeros_like(values)
        self._steps = 0

    @torch.no_grad()
    def step(self, gradient: Tensor) -> None:
        """Moves the values against the gradient, in place."""
        self._steps += 1
        beta1, beta2 = self.betas
        self._first.lerp_(gradient, 1 - beta1)
        self._second.lerp_(gradient.square(), 1 - beta2)
        mean = self._first / (1 - beta1**self._steps)
        scale = (self._second / (1 - beta2**self._steps)).sqrt_().add_(1e-8)
        self.values.addcdiv_(mean, scale, value=-self.rate).clamp_(0, 1)

    @torch.no_grad()
    def keep(self, labels: Tensor) -> None:
        """Drops all problems but those at the indices `labels`."""
        self.values = self.values[labels].clone().requires_grad_()
        self._first, self._second = self._first[labels], self._second[labels]
