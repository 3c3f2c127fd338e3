"""Trigger application and robust statistics for NumPy, Numba and CUDA."""

from nc_kernels.backends import choose_backend
from nc_kernels.errors import KernelError
from nc_kernels.statistics import anomaly_index, mad
from nc_kernels.trigger import apply_trigger

__all__ = ["KernelError", "anomaly_index", "apply_trigger", "choose_backend", "mad"]
