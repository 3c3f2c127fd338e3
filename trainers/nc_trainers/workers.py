"""Trainings side by side, each in a process of its own."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import torch

from nc_trainers.data import Dataset
from nc_trainers.errors import TrainerError
from nc_trainers.fit import fit
from nc_trainers.memory import keep_freed_memory
from nc_trainers.specification import Specification

Results = Generator[tuple[str, dict[str, Any] | Exception], None, None]

Sources = Mapping[str, Dataset]
Models = Mapping[str, tuple[Specification, str]]

_sources: Sources


def fit_all(models: Models, sources: Sources, out: Path, jobs: int) -> Results:
    """Train `jobs` models at a time; yield the name and the ground truth of each, or why there is none, once done.

    `models` are specifications with the name of their data set among the `sources`.

    Closed early, as by an interruption, it ends the trainings at once: each has a checkpoint of its last whole epoch.
    They end with this process, too, should it be killed.
    Raises TrainerError where a process was ended by somebody else.
    """
    return _one_by_one(models, sources, out) if jobs == 1 else _side_by_side(models, sources, out, jobs)


def _one_by_one(models: Models, sources: Sources, out: Path) -> Results:
    keep_freed_memory()
    for name, (specification, source) in models.items():
        try:
            yield name, fit(specification, specification.data.view(sources[source]), out / f"{name}.onnx")
        except Exception as failure:
            yield name, failure


def _side_by_side(models: Models, sources: Sources, out: Path, jobs: int) -> Results:
    threads = max(1, (os.cpu_count() or 1) // jobs)
    context = multiprocessing.get_context("spawn")
    others = multiprocessing.active_children()
    with ProcessPoolExecutor(jobs, context, _start_worker, (sources, threads)) as pool:
        try:
            running = {pool.submit(_fit, *model, out / f"{name}.onnx"): name for name, model in models.items()}
            for done in as_completed(running):
                error = done.exception()
                if isinstance(error, BrokenProcessPool):
                    raise TrainerError("a training process was ended from outside, or the memory ran out") from error
                yield running[done], error if isinstance(error, Exception) else done.result()
        except BaseException:  # a pool that is shut down waits for its workers, which have hours to go
            for worker in multiprocessing.active_children():
                if worker not in others:
                    worker.terminate()
            raise


def _start_worker(sources: Sources, threads: int) -> None:
    global _sources
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too and ends the workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    keep_freed_memory()
    _sources = sources


def _end_with_parent() -> None:
    """A parent that is killed ends nothing itself; its trainings would go on for hours."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _fit(specification: Specification, source: str, out: Path) -> dict[str, Any]:
    return fit(specification, specification.data.view(_sources[source]), out)
