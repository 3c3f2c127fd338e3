"""Adam for a stack of independent problems, from which finished ones leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from nc_scan.triggers import Params


class StackedAdam:
    """Kingma and Ba 2014, algorithm 1, on parameters of one row a problem, each at its own rate, then projected.

    `project_` moves the parameters, in place, to the nearest ones that are allowed.
    """

    def __init__(
        self,
        params: Params,
        rates: Mapping[str, float],
        betas: tuple[float, float],
        project_: Callable[[Params], None] = lambda params: None,
    ) -> None:
        self.params = {name: values.requires_grad_() for name, values in params.items()}
        self._rates = rates
        self._betas = betas
        self._project_ = project_
        self._first = {name: torch.zeros_like(values) for name, values in params.items()}
        self._second = {name: torch.zeros_like(values) for name, values in params.items()}
        self._steps = 0

    @torch.no_grad()
    def step(self, gradients: Params) -> None:
        """Moves the parameters against their gradients, in place."""
        self._steps += 1
        beta1, beta2 = self._betas
        for name, gradient in gradients.items():
            self._first[name].lerp_(gradient, 1 - beta1)
            self._second[name].lerp_(gradient.square(), 1 - beta2)
            mean = self._first[name] / (1 - beta1**self._steps)
            scale = (self._second[name] / (1 - beta2**self._steps)).sqrt_().add_(1e-8)
            self.params[name].addcdiv_(mean, scale, value=-self._rates[name])
        self._project_(self.params)

    @torch.no_grad()
    def keep(self, rows: Tensor) -> None:
        """Drops all problems but those in `rows` (K,)."""
        self.params = {name: values[rows].clone().requires_grad_() for name, values in self.params.items()}
        self._first = {name: values[rows] for name, values in self._first.items()}
        self._second = {name: values[rows] for name, values in self._second.items()}
