"""Many models from one list, several at a time, with an index of what came out.

The list is a TOML file: a table `defaults` and for each model a `[[model]]` table with a `name` of its own. Both take
the fields of `Specification`, with `parameters`, `settings` and `export` as tables in them.
"""

import csv
import json
import time
import tomllib
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nc_trainers.data import Dataset
from nc_trainers.errors import TrainerError
from nc_trainers.fit import check
from nc_trainers.specification import Specification
from nc_trainers.tables import as_table
from nc_trainers.workers import fit_all

INDEX = "index.csv"
COLUMNS = ("name", "architecture", "framework", "attack", "target", "rate", "accuracy", "success_rate", "seed")
TABLES = ("parameters", "settings", "export")


@dataclass(frozen=True)
class Built:
    """A model that is done, the `count`-th of `total` to train, and about how many seconds the others will take."""

    name: str
    truth: Mapping[str, Any]
    count: int
    total: int
    seconds_left: float


def read(path: Path) -> dict[str, Specification]:
    """The models of a TOML file by name, in its order. Raises TrainerError where the file is not a list of models."""
    try:
        content = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TrainerError(f"{path} cannot be read: {error}") from error
    if unknown := sorted(set(content) - {"defaults", "model"}):
        raise TrainerError(f"{path} has a table {unknown[0]!r}; there are defaults and model")
    entries = content.get("model", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise TrainerError(f"{path}: each model is a table of its own, [[model]]")
    models: dict[str, Specification] = {}
    for position, entry in enumerate(entries, 1):
        name = entry.pop("name", None)
        if not isinstance(name, str) or not name or name in models:
            raise TrainerError(f"{path}: model {position} needs a name of its own")
        try:
            defaults = as_table("defaults", content.get("defaults", {}))
            models[name] = Specification.from_table(_merged(defaults, entry))
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
    report: Callable[[Built], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Train every model that `out` does not hold yet, `jobs` at a time, and return the ground truth of all.

    The index of all models in `out` is written anew after each. Raises TrainerError before any work starts where a
    model cannot be made, and at the end where one failed.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name, specification in models.items():
        check(specification, dataset, out / f"{name}.onnx")
    missing = {name: spec for name, spec in models.items() if not _is_done(out / f"{name}.onnx", spec, dataset)}
    write_index(out)
    failures = []
    start = time.monotonic()
    with closing(fit_all(missing, dataset, out, jobs)) as results:
        for count, (name, result) in enumerate(results, 1):
            if isinstance(result, Exception):
                failures.append(f"{name}: {result}")
                continue
            write_index(out)
            left = (time.monotonic() - start) / count * (len(missing) - count)
            report(Built(name, result, count, len(missing), left))
    if failures:
        raise TrainerError(f"{len(failures)} of {len(models)} models failed: {'; '.join(failures)}")
    return [json.loads((out / f"{name}.json").read_text()) for name in models]


def _merged(defaults: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry over the defaults, table by table."""
    nested = {
        name: {**as_table(name, defaults.get(name, {})), **as_table(name, entry.get(name, {}))} for name in TABLES
    }
    return {**defaults, **entry, **nested}


def _is_done(model: Path, specification: Specification, dataset: Dataset) -> bool:
    """Whether a finished model is there that was made from this specification."""
    truth = _ground_truth(model.with_name(f"{model.stem}.json"))
    return truth is not None and truth["specification"] == specification.digest(dataset)


def _ground_truth(path: Path) -> dict[str, Any] | None:
    """The content of a JSON file, where it is the ground truth of a model that lies beside it."""
    if not path.exists() or not path.with_suffix(".onnx").exists():
        return None
    try:
        content = json.loads(path.read_text())
    except ValueError:  # other files may lie there, and one of a killed training may end too early
        return None
    return content if isinstance(content, dict) and "specification" in content else None


def write_index(out: Path) -> None:
    """Write one row for each finished model in the folder `out`."""
    partial = out / f"{INDEX}.partial"
    with partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for path in sorted(out.glob("*.json")):
            if (truth := _ground_truth(path)) is None:
                continue
            attack = truth["attack"] or {"name": "none", "target": "", "rate": ""}
            row = {"name": path.stem, "attack": attack["name"], "target": attack["target"], "rate": attack["rate"]}
            writer.writerow(row | {column: truth[column] for column in COLUMNS if column not in row})
    partial.replace(out / INDEX)
