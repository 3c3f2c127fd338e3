"""Numba's compiler as the kernels use it: without the GIL, cached on disk, and over several threads."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache
from typing import Any

import numba
import numpy as np

from nc_kernels.memory import Array

OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
VALUES_PER_THREAD = 250_000
"""Work below which waking a thread, some 40 µs, costs more than it saves."""


def jit(function: Callable[..., Any]) -> Any:
    """Compile function, once for every machine: the second process loads the machine code.

    Numba keeps it in `$NUMBA_CACHE_DIR`, else next to the source, else in the user's cache folder. Where it can write
    to none of them (a read-only container) each process compiles anew.
    """
    try:
        return numba.njit(cache=True, **OPTIONS)(function)
    except RuntimeError:  # "cannot cache function ...: no locator available"
        return numba.njit(**OPTIONS)(function)


def split(kernel: Callable[[Array], None], units: int, values: int) -> None:
    """Call kernel(counter) on as many threads as the number of values is worth; they share the units.

    counter (1,) counts the units that the threads have taken (`intrinsics.take`). So the caller begins at once, and a
    thread that wakes late or runs on a busy processor does less. Threads of Python rather than Numba's: they need no
    OpenMP, may be called from several threads at once and survive a fork.
    """
    threads: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    helpers = min(threads, units, values // VALUES_PER_THREAD) - 1
    counter = np.zeros(1, np.int64)
    if helpers <= 0:
        kernel(counter)
        return
    helping = [_pool(threads).submit(kernel, counter) for _ in range(helpers)]
    try:
        kernel(counter)
    finally:  # nobody may still write to the caller's arrays
        started = [future for future in helping if not future.cancel()]
        wait(started)
    for future in started:
        future.result()


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="nc_kernels")


if hasattr(os, "register_at_fork"):  # a forked child has the pool but not its threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
