"""Starts the scanning process, watches its time and memory, and takes its answer."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from nc_scan.isolation.limits import Limits, size_on_disk
from nc_scan.isolation.messages import ARRAYS, RESULT, parse, plain_options, send
from nc_scan.results import FailedScan, Outcome, ScanResult

Report = Callable[[str, int, int], None]
POLL = 0.1  # seconds
STARTING = 300.0  # seconds that importing the libraries may take
LARGEST_RESULT = 1 << 30  # bytes


class Supervisor:
    """Scans models one after another in a process of their own, which is started anew where a model breaks it.

    To be used as a context; at its end the process is ended, with all that it started, and its files are removed.
    """

    def __init__(self, limits: Limits | None = None, threads: int | None = None) -> None:
        """The process computes with so many `threads`, by default as many as there are cores."""
        self._limits = limits or Limits()
        self._folder = tempfile.TemporaryDirectory(prefix="nc-scan-")
        self._environment = {"TMPDIR": self._folder.name, "TEMP": self._folder.name}
        if threads is not None:
            self._environment |= {"OMP_NUM_THREADS": str(threads), "NUMBA_NUM_THREADS": str(threads)}
        self._process: subprocess.Popen[str] | None = None
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def process_id(self) -> int | None:
        """The number of the scanning process; None where there is none."""
        return self._process.pid if self._process is not None else None

    def start(self) -> bool:
        """Starts the process, if it does not run yet; says whether it runs."""
        return self._started() is not None

    def close(self) -> None:
        """Ends the process and removes its files."""
        self._end()
        self._folder.cleanup()

    def scan(self, path: str | Path, *, progress: Report = lambda stage, done, total: None, **options: Any) -> Outcome:
        """What `nc_scan.scan` gives with these options, or why there is nothing; raises KeyboardInterrupt only."""
        from nc_scan.safely import failed

        job = tempfile.mkdtemp(dir=self._folder.name)
        stage = _Stage(progress)
        try:
            problem = self._run(Path(path), Path(job), options, stage)
        except BaseException:
            self._end()
            raise
        if problem is None:
            outcome = _answer(Path(job), str(path))
            problem = "the scanning process gave no answer that can be read" if outcome is None else None
            if outcome is not None:
                return outcome
        self._end()
        during = f" while {stage.name}" if stage.name else ""
        return failed(path, "failed", f"{problem}{during}")

    def _run(self, path: Path, folder: Path, options: dict[str, Any], stage: _Stage) -> str | None:
        """Has the model scanned; None where there is an answer, else what went wrong."""
        process = self._started()
        if process is None:
            return "the scanning process cannot be started"
        size = size_on_disk(path)
        memory, deadline = self._limits.memory_bytes(size), time.monotonic() + self._limits.reading_seconds(size)
        seconds = self._limits.reading_seconds(size)
        start = time.monotonic()
        assert process.stdin is not None
        job = {"path": os.path.abspath(path), "options": plain_options(options), "folder": str(folder)}
        try:
            send(process.stdin, "scan", **job, memory=memory, timeout=self._limits.timeout)
        except OSError:
            return _how_it_ended(process)
        while True:
            try:
                message = self._messages.get(timeout=POLL)
            except queue.Empty:
                message = {"kind": "nothing"}
            if message is None:
                return _how_it_ended(process)
            match message["kind"]:
                case "done":
                    return None
                case "progress":
                    stage(message)
                case "expect" if self._limits.timeout is None:
                    seconds = float(message.get("seconds", seconds))
                    deadline = start + seconds
            if time.monotonic() > deadline:
                return f"it ran past the time limit of {seconds:.0f} seconds (--timeout)"
            if _resident(process.pid) > memory:
                return f"it ran past the memory limit of {memory / 2**30:.1f} GB (--max-memory)"

    def _started(self) -> subprocess.Popen[str] | None:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        self._messages = queue.Queue()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "nc_scan.isolation.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, **self._environment, "PYTHONPATH": _path()},
            start_new_session=True,  # Ctrl-C reaches this process, which ends that one
        )
        threading.Thread(target=_listen, args=(self._process, self._messages), daemon=True).start()
        try:
            ready = self._messages.get(timeout=STARTING)
        except queue.Empty:
            ready = None
        return self._process if ready is not None else None

    def _end(self) -> None:
        """Ends the process and what it started."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        with contextlib.suppress(OSError):
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()


def scan_isolated(path: str | Path, **options: Any) -> Outcome:
    """One scan, with these options of `nc_scan.scan`, in a process of its own and within the limits of its size."""
    with Supervisor() as supervisor:
        return supervisor.scan(path, **options)


class _Stage:
    """What the scan does at the moment, handed on to the user."""

    def __init__(self, report: Report) -> None:
        self.name = ""
        self._report = report

    def __call__(self, message: dict[str, Any]) -> None:
        name, done, total = (message.get(key) for key in ("stage", "done", "total"))
        if isinstance(name, str) and isinstance(done, int) and isinstance(total, int):
            self.name = name
            self._report(name, done, total)


def _listen(process: subprocess.Popen[str], messages: queue.Queue[dict[str, Any] | None]) -> None:
    assert process.stdout is not None
    with contextlib.suppress(ValueError, OSError):
        for line in process.stdout:
            message = parse(line)
            if message is not None:
                messages.put(message)
    messages.put(None)


def _answer(folder: Path, path: str) -> Outcome | None:
    """The outcome that the process wrote; None where it cannot be read."""
    from nc_scan.reports.arrays import with_arrays
    from nc_scan.reports.as_json import from_json

    try:
        if (folder / RESULT).stat().st_size > LARGEST_RESULT:
            return None
        outcome = from_json((folder / RESULT).read_text("utf-8"))
        if isinstance(outcome, ScanResult):
            outcome = with_arrays(outcome, folder / ARRAYS)
    except (OSError, ValueError):
        return None
    return as_asked(outcome, path)


def as_asked(outcome: Outcome, path: str) -> Outcome:
    """The outcome of a file at its absolute path, under the path that the user gave."""
    if isinstance(outcome, FailedScan):
        reasons = tuple(reason.replace(os.path.abspath(path), path) for reason in outcome.reasons)
        return dataclasses.replace(outcome, path=path, reasons=reasons)
    return dataclasses.replace(outcome, path=path)


def _how_it_ended(process: subprocess.Popen[str]) -> str:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=1)
    code = process.returncode
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return f"the scanning process was ended by {signal.Signals(-code).name}"
    return f"the scanning process ended with {code}"


def _resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 where the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _path() -> str:
    """This process's own search path, so that the other one runs the same code."""
    return os.pathsep.join(filter(None, sys.path))
