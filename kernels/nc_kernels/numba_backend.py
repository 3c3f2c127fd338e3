"""The kernels for the CPU."""

from nc_kernels.numba_statistics import mad
from nc_kernels.numba_trigger import blend, blend_backward

__all__ = ["blend", "blend_backward", "mad"]
