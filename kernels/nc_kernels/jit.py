"""Numba's compiler as the kernels use it: without the GIL, cached on disk, and over several threads."""

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numba

OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}


def jit(function: Callable[..., Any]) -> Any:
    """Compile function, once for every machine: the second process loads the machine code.

    Numba keeps it in `$NUMBA_CACHE_DIR`, else next to the source, else in the user's cache folder. Where it can write
    to none of them (a read-only container) each process compiles anew.
    """
    try:
        return numba.njit(cache=True, **OPTIONS)(function)
    except RuntimeError:  # "cannot cache function ...: no locator available"
        return numba.njit(**OPTIONS)(function)


def split(kernel: Callable[[int, int], None], length: int, step: int) -> None:
    """Call kernel(first, last) over 0 ... length on all threads, each range a multiple of step long.

    A pool of Python threads rather than Numba's: it starts faster, needs no OpenMP, may be entered from several threads
    at once and survives a fork.
    """
    threads: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    steps = -(-length // step)
    parts = min(steps, threads)
    bounds = [min(length, steps * part // max(parts, 1) * step) for part in range(parts + 1)]
    ranges = list(itertools.pairwise(bounds))
    waiting = [_pool(threads).submit(kernel, *bounds) for bounds in ranges[1:]]
    for first, last in ranges[:1]:
        kernel(first, last)
    for future in waiting:
        future.result()


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="nc_kernels")


if hasattr(os, "register_at_fork"):  # a forked child has the pool but not its threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
