"""Batches through graphs that were exported with a batch of one."""

from typing import Literal

import torch
from torch import Tensor, nn

from nc_scan.errors import UnsupportedModelError

Strategy = Literal["vmap", "loop"]


class PerSample(nn.Module):
    """Runs a batch-of-one module on a batch, each sample as a batch of its own.

    All samples at once (`vmap`), or one after another (`loop`) where a node's course depends on its values.
    """

    def __init__(self, module: nn.Module, strategy: Strategy) -> None:
        super().__init__()
        self.module = module
        self.strategy = strategy

    def forward(self, x: Tensor) -> Tensor:
        """x (n, ...) to outputs (n, ...)."""
        if self.strategy == "loop":
            return torch.cat([self.module(sample.unsqueeze(0)) for sample in x])
        result: Tensor = torch.func.vmap(self._one, randomness="different")(x)
        return result

    def _one(self, sample: Tensor) -> Tensor:
        result: Tensor = self.module(sample.unsqueeze(0))
        return result.squeeze(0)


def batched(module: nn.Module, samples: Tensor) -> nn.Module:
    """A module that gives for a batch what `module` gives for each sample alone.

    Found out by running it on `samples` (n, ...), of which there should be at least two that differ: the module itself
    where it takes batches, else `PerSample` around it. Raises UnsupportedModelError where the module cannot even be run
    on one sample, or its output has no batch axis.
    """
    with torch.no_grad():
        alone = [module(sample.unsqueeze(0)) for sample in samples]
        if not all(isinstance(output, Tensor) and output.dim() and len(output) == 1 for output in alone):
            raise UnsupportedModelError("the model's output has no batch axis")
        wanted = torch.cat(alone)
        strategies: list[nn.Module] = [module, PerSample(module, "vmap"), PerSample(module, "loop")]
        return next(candidate for candidate in strategies if _agrees(candidate, samples, wanted))


def _agrees(module: nn.Module, samples: Tensor, wanted: Tensor) -> bool:
    try:
        result = module(samples)
    except (UnsupportedModelError, RuntimeError):
        return False
    if not isinstance(result, Tensor) or result.shape != wanted.shape:
        return False
    scale = float(wanted.abs().max()) if wanted.numel() else 0.0
    return torch.allclose(result, wanted, rtol=1e-4, atol=1e-4 * scale + 1e-6, equal_nan=True)
