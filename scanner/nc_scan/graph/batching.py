"""Batches through graphs that were exported with a fixed batch."""

from typing import Literal

import torch
from torch import Tensor, nn

from nc_scan.errors import UnsupportedModelError

Strategy = Literal["together", "vmap", "loop"]


class InParts(nn.Module):
    """Runs a module that takes batches of `size` on any batch: part by part, the last one filled up.

    All parts at once (`vmap`), or one after another (`loop`) where a node's course depends on its values.
    """

    def __init__(self, module: nn.Module, size: int, strategy: Strategy) -> None:
        super().__init__()
        self.module = module
        self.size = size
        self.strategy = strategy

    def forward(self, x: Tensor) -> Tensor:
        """x (n, ...) to outputs (n, ...)."""
        missing = -len(x) % self.size
        whole = torch.cat([x, x[-1:].expand(missing, *x.shape[1:])]) if missing else x
        parts = whole.reshape(-1, self.size, *x.shape[1:])
        if self.strategy == "loop":
            result = torch.cat([self.module(part) for part in parts])
        else:
            result = torch.func.vmap(self.module, randomness="different")(parts).flatten(0, 1)
        return result[: len(x)]


def batched(module: nn.Module, size: int, strategy: Strategy) -> nn.Module:
    """A module that takes any batch, around one that was exported for batches of `size`."""
    return module if strategy == "together" else InParts(module, size, strategy)


def batching_strategy(module: nn.Module, samples: Tensor, size: int, *, apart: bool = False) -> Strategy:
    """How a module exported for batches of `size` can be run on any batch and still give what it gives part by part.

    Found out by running it on `samples` (n, ...), two parts or more that differ. `together` is for graphs that only
    declare their batch, the others for those that hard-code it, as in a Reshape; never `together` where parts are
    to be kept `apart`, as for a graph that may look at its batch. Raises UnsupportedModelError where the module cannot
    be run on one part, or its output has no batch axis; ValueError for too few samples.
    """
    if len(samples) < 2 * size:
        raise ValueError(f"{len(samples)} samples are less than two batches of {size}")
    with torch.no_grad():
        wanted = torch.cat([_part(module, part) for part in torch.split(samples, size)])
        ways: tuple[Strategy, ...] = ("vmap",) if apart else ("together", "vmap")
        return next((way for way in ways if _agrees(batched(module, size, way), samples, wanted)), "loop")


def _part(module: nn.Module, part: Tensor) -> Tensor:
    output = module(part)
    if not isinstance(output, Tensor) or not output.dim() or len(output) != len(part):
        raise UnsupportedModelError(
            f"the model's output has no batch axis: {tuple(getattr(output, 'shape', ()))} for a batch of {len(part)}; "
            "export the model with one row of scores an image"
        )
    return output


def _agrees(module: nn.Module, samples: Tensor, wanted: Tensor) -> bool:
    try:
        result = module(samples)
    except (UnsupportedModelError, RuntimeError):
        return False
    if not isinstance(result, Tensor) or result.shape != wanted.shape:
        return False
    scale = float(wanted.abs().max()) if wanted.numel() else 0.0
    return torch.allclose(result, wanted, rtol=1e-4, atol=1e-4 * scale + 1e-6, equal_nan=True)
