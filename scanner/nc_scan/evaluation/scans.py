"""Scanning a zoo: several models at a time, each once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nc_scan.detectors import names_of
from nc_scan.digest import file_digest
from nc_scan.engines import Engine, Scan, in_parallel
from nc_scan.errors import ModelFileError
from nc_scan.evaluation.index import KnownModel
from nc_scan.reports.as_json import from_json, to_json
from nc_scan.reports.files import write
from nc_scan.results import Outcome, ScanResult

UNASKED = {"behaviour", "agreement"}  # what a scan finds out as the need arises
Done = Callable[[KnownModel, int, Outcome], None]


def scan_all(
    models: Sequence[KnownModel],
    seeds: Sequence[int],
    folder: Path,
    options: Mapping[str, Any],
    engine_for: Callable[[int], Engine],
    done: Done = lambda model, seed, outcome: None,
) -> list[tuple[KnownModel, int, Outcome]]:
    """The outcome of every model with every seed, in order; each is written to `folder` as it ends.

    A scan whose report is there already is not repeated, as long as the model's file and the detectors asked are the
    same. `engine_for` makes an engine for the number of scans that are left. `done` is called after each. Raises
    ReportError.
    """
    wanted = [(model, seed) for seed in seeds for model in models]
    asked = set(names_of("calibrated", options.get("effort", "standard")))
    outcomes = {(model.file, seed): _kept(model, seed, folder, asked) for model, seed in wanted}

    def work(one: tuple[KnownModel, int], scan: Scan) -> Outcome:
        model, seed = one
        outcome = scan(model.path, seed=seed, **options)
        write(report_path(model, seed, folder), to_json(outcome))
        return outcome

    missing = [one for one in wanted if outcomes[one[0].file, one[1]] is None]
    for (model, seed), outcome in in_parallel(engine_for(len(missing)), missing, work):
        outcomes[model.file, seed] = outcome
        done(model, seed, outcome)
    return [(model, seed, found) for model, seed in wanted if (found := outcomes[model.file, seed]) is not None]


def report_path(model: KnownModel, seed: int, folder: Path) -> Path:
    """Where the report of a scan is kept."""
    return folder / f"{model.file.replace('/', '--')}.{seed}.json"


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
