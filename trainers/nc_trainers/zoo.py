"""Many models from one list, several at a time, with an index of what came out.

The list is a TOML file: a table `defaults` and for each model a `[[model]]` table with a `name` of its own. Both take
the fields of `Specification`, with `parameters`, `settings` and `export` as tables in them.
"""

import csv
import json
import multiprocessing
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import torch

from nc_trainers.data import Dataset
from nc_trainers.errors import TrainerError
from nc_trainers.fit import check, fit
from nc_trainers.memory import keep_freed_memory
from nc_trainers.specification import Specification

INDEX = "index.csv"
COLUMNS = ("name", "architecture", "framework", "attack", "target", "rate", "accuracy", "success_rate", "seed")
TABLES = ("parameters", "settings", "export")

_dataset: Dataset


def read(path: Path) -> dict[str, Specification]:
    """The models of a TOML file by name, in its order. Raises TrainerError where the file is not a list of models."""
    try:
        content = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TrainerError(f"{path} cannot be read: {error}") from error
    if unknown := sorted(set(content) - {"defaults", "model"}):
        raise TrainerError(f"{path} has a table {unknown[0]!r}; there are defaults and model")
    models: dict[str, Specification] = {}
    for position, entry in enumerate(content.get("model", []), 1):
        name = entry.pop("name", None)
        if not isinstance(name, str) or not name or name in models:
            raise TrainerError(f"{path}: model {position} needs a name of its own")
        try:
            models[name] = Specification.from_table(_merged(content.get("defaults", {}), entry))
        except TrainerError as error:
            raise TrainerError(f"{path}: {name}: {error}") from error
    if not models:
        raise TrainerError(f"{path} lists no model")
    return models


def build(
    models: Mapping[str, Specification],
    dataset: Dataset,
    out: Path,
    jobs: int,
    *,
    report: Callable[[str, dict[str, Any]], None] = lambda _name, _truth: None,
) -> list[dict[str, Any]]:
    """Train every model that `out` does not hold yet, `jobs` at a time, and return the ground truth of all.

    The index of all models in `out` is written anew after each. Raises TrainerError before any work starts where a
    model cannot be made, and at the end where one failed.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name, specification in models.items():
        check(specification, dataset, out / f"{name}.onnx")
    missing = [name for name, spec in models.items() if _truth(out, name, spec, dataset) is None]
    write_index(out)
    failures = []
    for name, result in _fitted({name: models[name] for name in missing}, dataset, out, jobs):
        if isinstance(result, Exception):
            failures.append(f"{name}: {result}")
        else:
            write_index(out)
            report(name, result)
    if failures:
        raise TrainerError(f"{len(failures)} of {len(models)} models failed: {'; '.join(failures)}")
    return [json.loads((out / f"{name}.json").read_text()) for name in models]


def _fitted(
    models: Mapping[str, Specification], dataset: Dataset, out: Path, jobs: int
) -> Iterator[tuple[str, dict[str, Any] | Exception]]:
    """The name and the ground truth of each model, or why there is none, as they are done."""
    if jobs == 1:
        _start_worker(dataset, torch.get_num_threads())
        for name, specification in models.items():
            try:
                yield name, _fit(specification, out / f"{name}.onnx")
            except Exception as failure:
                yield name, failure
        return
    threads = max(1, (os.cpu_count() or 1) // jobs)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _start_worker, (dataset, threads)) as pool:
        running = {pool.submit(_fit, spec, out / f"{name}.onnx"): name for name, spec in models.items()}
        try:
            for done in as_completed(running):
                error = done.exception()
                if isinstance(error, BrokenProcessPool):
                    raise TrainerError("a training process was ended from outside, or the memory ran out") from error
                yield running[done], error if isinstance(error, Exception) else done.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _start_worker(dataset: Dataset, threads: int) -> None:
    global _dataset
    torch.set_num_threads(threads)
    keep_freed_memory()
    _dataset = dataset


def _fit(specification: Specification, out: Path) -> dict[str, Any]:
    return fit(specification, _dataset, out)


def _merged(defaults: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry over the defaults, table by table."""
    nested = {name: {**defaults.get(name, {}), **entry.get(name, {})} for name in TABLES}
    return {**defaults, **entry, **nested}


def _truth(out: Path, name: str, specification: Specification, dataset: Dataset) -> dict[str, Any] | None:
    """The ground truth of a finished model, None where it is missing or was made from another specification."""
    path = out / f"{name}.json"
    if not path.exists():
        return None
    truth: dict[str, Any] = json.loads(path.read_text())
    return truth if truth["specification"] == specification.digest(dataset) else None


def write_index(out: Path) -> None:
    """Write one row for each finished model in the folder `out`."""
    partial = out / f"{INDEX}.partial"
    with partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for path in sorted(out.glob("*.json")):
            truth = json.loads(path.read_text())
            attack = truth["attack"] or {"name": "none", "target": "", "rate": ""}
            row = {"name": path.stem, "attack": attack["name"], "target": attack["target"], "rate": attack["rate"]}
            writer.writerow(row | {column: truth[column] for column in COLUMNS if column not in row})
    partial.replace(out / INDEX)
