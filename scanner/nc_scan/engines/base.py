"""What an engine is, and work on many models with as many scans at a time as it has workers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, ExitStack
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

from nc_scan.results import Outcome

Scan = Callable[..., Outcome]
"""`scan(path, **options)` with those of `nc_scan.scan`: what it gives, or why there is nothing."""
Item = TypeVar("Item")
Result = TypeVar("Result")


class Engine(Protocol):
    """Runs scans, so many `workers` at a time."""

    workers: int

    def scanner(self) -> AbstractContextManager[Scan]:
        """What scans one model after another, for one thread at a time; its end ends the scan that it is at."""
        ...


def in_parallel(
    engine: Engine, items: Sequence[Item], work: Callable[[Item, Scan], Result]
) -> Iterator[tuple[Item, Result]]:
    """Each item with what `work` makes of it, in the order in which they end: that of the items for a single worker.

    `work` gets a scanner that no other item uses meanwhile. What it raises ends the iteration, and all scans with it.
    """
    with ExitStack() as scanners:
        free = SimpleQueue[Scan]()
        for _ in range(min(engine.workers, len(items))):
            free.put(scanners.enter_context(engine.scanner()))
        stopped = threading.Event()

        def with_a_scanner(item: Item) -> Result:
            scan = free.get()
            try:
                return work(item, _unless(stopped, scan))
            finally:
                free.put(scan)

        if engine.workers == 1:  # in this thread, so that Ctrl-C reaches the scan
            yield from ((item, with_a_scanner(item)) for item in items)
            return
        pool = ThreadPoolExecutor(engine.workers)
        scanners.callback(pool.shutdown, wait=False, cancel_futures=True)
        scanners.callback(stopped.set)
        running = {pool.submit(with_a_scanner, item): item for item in items}
        for future in as_completed(running):
            yield running[future], future.result()


def _unless(stopped: threading.Event, scan: Scan) -> Scan:
    """The scan, whose outcome nobody gets to see once all has stopped: it is that of a process that was ended."""

    def run(*args: Any, **options: Any) -> Outcome:
        outcome = scan(*args, **options)
        if stopped.is_set():
            raise CancelledError
        return outcome

    return run
