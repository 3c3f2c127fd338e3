"""A patch of few, large pixels: the same change with parameters that a thousand searches can hold in memory."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Generator, Tensor
from torch.nn import functional as F

from nc_scan.triggers.base import Affine, Params
from nc_scan.triggers.patch import Patch


class CoarsePatch(Patch):
    """A patch whose mask and pattern are enlarged before they are stamped on images of `size` (H, W).

    Each of its cells covers `cell` x `cell` pixels, those at the right and lower edge what is left of them.
    """

    def __init__(self, size: Sequence[int], cell: int) -> None:
        self._height, self._width = size
        self._cell = cell

    def start(self, images: Tensor, goals: int, starts: int, generator: Generator) -> Params:
        """Those of a patch, averaged over each cell."""
        return self.shrink(super().start(images, goals, starts, generator))

    def stamp(self, images: Tensor, params: Params, affine: Affine) -> Tensor:
        """Blends every enlarged trigger into every image."""
        return super().stamp(images, self.enlarge(params), affine)

    def size(self, params: Params) -> Tensor:
        """The L1 norm of each enlarged mask, in pixels."""
        return super().size(self.enlarge({"mask": params["mask"]}))

    def shrink(self, params: Params) -> Params:
        """A patch's parameters (rows, C, H, W), averaged over each cell."""
        return {name: F.avg_pool2d(values, self._cell, ceil_mode=True) for name, values in params.items()}

    def enlarge(self, params: Params) -> Params:
        """Parameters as those of a patch."""
        return {name: self._enlarged(values) for name, values in params.items()}

    def _enlarged(self, values: Tensor) -> Tensor:
        if self._cell == 1:
            return values
        whole = F.interpolate(values, scale_factor=self._cell, mode="nearest")
        return whole[..., : self._height, : self._width].contiguous()
