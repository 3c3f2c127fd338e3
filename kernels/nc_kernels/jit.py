"""Numba's compiler as the kernels use it: without the GIL, cached on disk, and over several threads."""

import itertools
import os
from collections.abc import Callable
from functools import lru_cache
from queue import SimpleQueue
from threading import Thread
from typing import Any

import numba

OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
VALUES_PER_THREAD = 100_000
"""Work below which waking a thread costs more than it saves."""

Kernel = Callable[[int, int], None]
Answers = SimpleQueue[BaseException | None]


def jit(function: Callable[..., Any]) -> Any:
    """Compile function, once for every machine: the second process loads the machine code.

    Numba keeps it in `$NUMBA_CACHE_DIR`, else next to the source, else in the user's cache folder. Where it can write
    to none of them (a read-only container) each process compiles anew.
    """
    try:
        return numba.njit(cache=True, **OPTIONS)(function)
    except RuntimeError:  # "cannot cache function ...: no locator available"
        return numba.njit(**OPTIONS)(function)


def split(kernel: Kernel, units: int, values: int) -> None:
    """Call kernel(first, last) over 0 ... units, on as many threads as the number of values is worth.

    Threads of Python rather than Numba's: they need no OpenMP, may be called from several threads at once and survive a
    fork; and a plain queue rather than a thread pool of the standard library, which takes 50 µs for what takes 5 here.
    """
    threads: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    parts = max(1, min(threads, units, values // VALUES_PER_THREAD))
    bounds = [units * part // parts for part in range(parts + 1)]
    own, *others = itertools.pairwise(bounds)
    answers: Answers = SimpleQueue()
    for bounds_of_part in others:
        _tasks(threads - 1).put((kernel, *bounds_of_part, answers))
    failures = [_attempt(kernel, *own), *(answers.get() for _ in others)]  # the others use memory of the caller: wait
    for failure in failures:
        if failure is not None:
            raise failure


def _attempt(kernel: Kernel, first: int, last: int) -> BaseException | None:
    try:
        kernel(first, last)
    except BaseException as failure:  # for the thread that waits for it to raise
        return failure
    return None


def _work(tasks: SimpleQueue[tuple[Kernel, int, int, Answers]]) -> None:
    while True:
        kernel, first, last, answers = tasks.get()
        answers.put(_attempt(kernel, first, last))
        del kernel, answers  # while it waits, the thread keeps nobody's arrays


@lru_cache(maxsize=1)
def _tasks(threads: int) -> SimpleQueue[tuple[Kernel, int, int, Answers]]:
    """What waiting threads take their work from."""
    tasks: SimpleQueue[tuple[Kernel, int, int, Answers]] = SimpleQueue()
    for number in range(threads):
        Thread(target=_work, args=(tasks,), name=f"nc_kernels_{number}", daemon=True).start()
    return tasks


if hasattr(os, "register_at_fork"):  # a forked child has the queue but not its threads
    os.register_at_fork(after_in_child=_tasks.cache_clear)
