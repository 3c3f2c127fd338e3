"""The process that scans: `python -m nc_scan.isolation.worker`. Jobs come as lines on its standard input.

It ends when its standard input does, which is when the process that started it does, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from nc_scan.isolation.limits import SOFT, Limits
from nc_scan.isolation.messages import ARRAYS, RESULT, parse, send

if TYPE_CHECKING:
    from nc_scan.opening import OpenedModel

SPARE_ADDRESSES = 4 << 30  # bytes that libraries reserve beside what they use
OFTEN = 0.1  # seconds between two reports of progress
DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG


def main() -> None:
    """Scans one model after another."""
    answers = _own_output()
    with contextlib.suppress(ValueError, OSError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other process says when to stop
    _die_with_parent()
    jobs: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_read_jobs, args=(jobs,), daemon=True).start()
    import nc_scan.pipeline  # noqa: F401  (takes seconds, before a clock runs)

    send(answers, "ready")
    while True:
        _work(jobs.get(), answers)


def _work(job: dict[str, Any], answers: IO[str]) -> None:
    from nc_scan.reports.arrays import to_npz
    from nc_scan.reports.as_json import to_json
    from nc_scan.results import ScanResult
    from nc_scan.safely import scan_safely

    limit_memory(job["memory"] if job["options"].get("device", "cpu") == "cpu" else None)
    progress = _Progress(answers, job["timeout"])
    options = {name: tuple(value) if isinstance(value, list) else value for name, value in job["options"].items()}
    outcome = scan_safely(job["path"], **options, progress=progress, opened=progress.expect)
    folder = Path(job["folder"])
    if isinstance(outcome, ScanResult):
        (folder / ARRAYS).write_bytes(to_npz(outcome))
    (folder / RESULT).write_text(to_json(outcome), "utf-8")
    send(answers, "done")


class _Progress:
    """Tells how far the scan is, and ends it where its time is over.

    `timeout` is the user's, in seconds; None for the one that the model's size gives, once it is known.
    """

    def __init__(self, answers: IO[str], timeout: float | None) -> None:
        self._answers = answers
        self._start = time.monotonic()
        self._timeout = timeout
        self._told = 0.0
        self._stage = ""

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage != self._stage or now - self._told > OFTEN or done == total:
            send(self._answers, "progress", stage=stage, done=done, total=total)
            self._stage, self._told = stage, now
        if self._timeout is not None and now - self._start > SOFT * self._timeout:
            from nc_scan.search import OutOfTime

            raise OutOfTime(f"the time limit of {self._timeout:.0f} seconds is reached (--timeout)")

    def expect(self, model: OpenedModel) -> None:
        """Reckons with the size of the work, which is known now."""
        work = sum(contract.labels * contract.pixels for contract in model.contracts)
        self._timeout = Limits(self._timeout).scan_seconds(work)
        send(self._answers, "expect", seconds=self._timeout)


def limit_memory(limit: int | None) -> None:
    """Lets allocations beyond the limit fail in this process, where the system can do that."""
    try:
        import resource
    except ImportError:  # Windows
        return
    with contextlib.suppress(ValueError, OSError):
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        soft = resource.RLIM_INFINITY if limit is None else limit + SPARE_ADDRESSES
        if hard != resource.RLIM_INFINITY and (soft == resource.RLIM_INFINITY or soft > hard):
            soft = hard
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _own_output() -> IO[str]:
    """The standard output for messages alone; what libraries print goes to the standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return answers


def _read_jobs(jobs: queue.Queue[dict[str, Any]]) -> None:
    for line in sys.stdin:
        job = parse(line)
        if job is not None:
            jobs.put(job)
    os._exit(0)


def _die_with_parent() -> None:
    """Linux: the kernel ends this process when the one that started it ends."""
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL)


if __name__ == "__main__":
    main()
