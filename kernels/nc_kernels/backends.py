"""Which implementation runs: by argument, by environment variable, else by where the arrays live."""

import os
import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Literal, get_args

import numpy as np

from nc_kernels.errors import KernelError

Backend = Literal["numpy", "numba", "torch", "cupy"]
ENVIRONMENT_VARIABLE = "NC_KERNELS_BACKEND"


def is_tensor(array: Any) -> bool:
    """Whether array is a torch tensor; torch is not imported to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor)


def device_of(array: Any) -> str:
    """`cpu`, `cuda:0`, `mps:0`, ...: where the array lives."""
    if is_tensor(array):
        return str(array.device)
    if isinstance(array, np.ndarray):
        return "cpu"
    raise KernelError(f"expected a NumPy array or a torch tensor, got {type(array).__name__}")


def choose_backend(array: Any, requested: str | None = None) -> Backend:
    """The backend that works on array.

    requested, else `$NC_KERNELS_BACKEND`, else the default: `numba` on the CPU; on CUDA `cupy` where CuPy is installed
    and `torch` where it is not; `torch` on any other device.

    Raises:
        KernelError: the wanted backend is unknown, not installed, or cannot reach the array.
    """
    wanted = requested or os.environ.get(ENVIRONMENT_VARIABLE) or _default(array)
    if wanted not in get_args(Backend):
        raise KernelError(f"unknown backend {wanted!r}; choose one of {', '.join(get_args(Backend))}")
    device = device_of(array)
    reachable = {
        "numpy": device == "cpu",
        "numba": device == "cpu",
        "torch": is_tensor(array),
        "cupy": device.startswith("cuda"),
    }
    if not reachable[wanted]:
        raise KernelError(f"backend {wanted!r} cannot work on a {type(array).__name__} on {device}")
    if wanted == "cupy" and find_spec("cupy") is None:
        raise KernelError("backend 'cupy' needs CuPy: pip install 'nc-scan[gpu]', or choose backend 'torch'")
    return wanted  # type: ignore[return-value]


def _default(array: Any) -> Backend:
    device = device_of(array)
    if device == "cpu":
        return "numba"
    return "cupy" if device.startswith("cuda") and find_spec("cupy") else "torch"


def load(backend: Backend) -> ModuleType:
    """The module with the backend's kernels, imported when first needed."""
    names = {"numpy": "reference", "numba": "numba_backend", "torch": "torch_backend", "cupy": "cuda"}
    return import_module(f"nc_kernels.{names[backend]}")
