"""Scanning a zoo: several models at a time, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from nc_scan.detectors import names_of
from nc_scan.digest import file_digest
from nc_scan.errors import ModelFileError
from nc_scan.evaluation.index import KnownModel
from nc_scan.reports.as_json import from_json, to_json
from nc_scan.reports.files import write
from nc_scan.results import Outcome, ScanResult
from nc_scan.safely import scan_safely

UNASKED = {"behaviour", "agreement"}  # what a scan finds out as the need arises
Done = Callable[[KnownModel, int, Outcome], None]


def scan_all(
    models: Sequence[KnownModel],
    seeds: Sequence[int],
    folder: Path,
    options: Mapping[str, Any],
    jobs: int,
    done: Done = lambda model, seed, outcome: None,
) -> list[tuple[KnownModel, int, Outcome]]:
    """The outcome of every model with every seed, in order; each is written to `folder` as it ends.

    A scan whose report is there already is not repeated, as long as the model's file and the detectors asked are the
    same. With several jobs each has its share of the cores. `done` is called after each scan. Raises ReportError.
    """
    wanted = [(model, seed) for seed in seeds for model in models]
    asked = set(names_of("calibrated", options.get("effort", "standard")))
    outcomes = {(model.file, seed): _kept(model, seed, folder, asked) for model, seed in wanted}
    for model, seed, outcome in _scans(
        [one for one in wanted if outcomes[one[0].file, one[1]] is None], folder, options, jobs
    ):
        outcomes[model.file, seed] = outcome
        done(model, seed, outcome)
    return [(model, seed, found) for model, seed in wanted if (found := outcomes[model.file, seed]) is not None]


def report_path(model: KnownModel, seed: int, folder: Path) -> Path:
    """Where the report of a scan is kept."""
    return folder / f"{model.file.replace('/', '--')}.{seed}.json"


def _scans(
    wanted: Sequence[tuple[KnownModel, int]], folder: Path, options: Mapping[str, Any], jobs: int
) -> Iterator[tuple[KnownModel, int, Outcome]]:
    if jobs == 1:
        for model, seed in wanted:
            yield model, seed, _scan(model, seed, folder, dict(options))
        return
    threads = max(1, torch.get_num_threads() // jobs)
    with ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(threads,)
    ) as pool:
        running = {pool.submit(_scan, model, seed, folder, dict(options)): (model, seed) for model, seed in wanted}
        for future in as_completed(running):
            yield *running[future], future.result()


def _scan(model: KnownModel, seed: int, folder: Path, options: dict[str, Any]) -> Outcome:
    outcome = scan_safely(model.path, seed=seed, **options)
    write(report_path(model, seed, folder), to_json(outcome))
    return outcome


def _kept(model: KnownModel, seed: int, folder: Path, asked: set[str]) -> Outcome | None:
    """The outcome of an earlier run, None where there is none of this file by the detectors that are asked."""
    try:
        outcome = from_json(report_path(model, seed, folder).read_text("utf-8"))
        same = outcome.sha256 == file_digest(model.path)
    except (OSError, ValueError, ModelFileError):
        return None
    if not same or not isinstance(outcome, ScanResult):
        return None
    return outcome if {one.detector for one in outcome.evidence} - UNASKED == asked else None
