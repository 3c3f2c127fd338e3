"""Many models from one list, several at a time, with an index of what came out that `nc-scan evaluate` reads.

The list is a TOML file: a table `defaults` and for each model a `[[model]]` table with a `name` of its own, the
`source` of its data, the `part` ("fit" or "judge") that it is for and, for a clean one that is easily mistaken, the
name of what makes it so (`lookalike`). Both take the fields of `Specification`, with its tables in them.
"""

import json
import time
import tomllib
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nc_trainers.data import DataOptions, Dataset
from nc_trainers.errors import TrainerError
from nc_trainers.fit import check
from nc_trainers.specification import TABLES, Specification
from nc_trainers.tables import as_table
from nc_trainers.workers import fit_all

INDEX = "index.json"
VERSION = 1
PARTS = ("fit", "judge")
ANY_SOURCE = ""  # of a model whose data the command line alone names


@dataclass(frozen=True)
class Entry:
    """A model of the list; `source` is the name of its data set, ANY_SOURCE where the list does not say."""

    specification: Specification
    source: str = ANY_SOURCE
    part: str = "fit"
    lookalike: str = "none"

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> "Entry":
        """Raises TrainerError for whatever has no meaning in it."""
        plain = {name: str(table[name]) for name in ("source", "part", "lookalike") if name in table}
        entry = cls(Specification.from_table({k: v for k, v in table.items() if k not in plain}), **plain)
        if entry.part not in PARTS:
            raise TrainerError(f"part {entry.part!r} is not one of {', '.join(PARTS)}")
        if entry.lookalike != "none" and entry.specification.attack != "none":
            raise TrainerError("a model with an attack is no lookalike")
        return entry


@dataclass(frozen=True)
class Built:
    """A model that is done, the `count`-th of `total` to train, and about how many seconds the others will take."""

    name: str
    truth: Mapping[str, Any]
    count: int
    total: int
    seconds_left: float


def read(path: Path) -> dict[str, Entry]:
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
    models: dict[str, Entry] = {}
    for position, entry in enumerate(entries, 1):
        name = entry.pop("name", None)
        if not isinstance(name, str) or not name or name in models:
            raise TrainerError(f"{path}: model {position} needs a name of its own")
        try:
            defaults = as_table("defaults", content.get("defaults", {}))
            models[name] = Entry.from_table(_merged(defaults, entry))
        except TrainerError as error:
            raise TrainerError(f"{path}: {name}: {error}") from error
    if not models:
        raise TrainerError(f"{path} lists no model")
    return models


def build(
    models: Mapping[str, Entry],
    sources: Mapping[str, Dataset],
    out: Path,
    jobs: int,
    *,
    part: str | None = None,
    report: Callable[[Built], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Train every model that `out` does not hold yet, `jobs` at a time, and return the ground truth of all there.

    With a `part` only models of that one are trained, those of the other are left as they are. `sources` are the data
    sets by name; one under ANY_SOURCE is for the models that name none. The index of the finished models is written
    anew after each. Raises TrainerError before any work starts where a model cannot be made, and at the end where one
    failed.
    """
    out.mkdir(parents=True, exist_ok=True)
    done = _checked(models, sources, out)
    missing = {
        name: (entry.specification, entry.source)
        for name, entry in models.items()
        if name not in done and part in (None, entry.part)
    }
    write_index(out, done)
    failures = []
    start = time.monotonic()
    with closing(fit_all(missing, sources, out, jobs)) as results:
        for count, (name, result) in enumerate(results, 1):
            if isinstance(result, Exception):
                failures.append(f"{name}: {result}")
                continue
            done[name] = models[name]
            write_index(out, done)
            left = (time.monotonic() - start) / count * (len(missing) - count)
            report(Built(name, result, count, len(missing), left))
    if failures:
        raise TrainerError(f"{len(failures)} of {len(missing)} models failed: {'; '.join(failures)}")
    return [json.loads((out / f"{name}.json").read_text()) for name in models if name in done]


def _checked(models: Mapping[str, Entry], sources: Mapping[str, Dataset], out: Path) -> dict[str, Entry]:
    """The models that are done. Raises TrainerError where one cannot be made."""
    views: dict[tuple[str, DataOptions], list[str]] = {}
    for name, entry in models.items():
        if entry.source not in sources:
            raise TrainerError(f"{name} is trained on {entry.source or 'data of your choice'}: give --data for it")
        views.setdefault((entry.source, entry.specification.data), []).append(name)
    done = {}
    for (source, view), names in views.items():
        dataset = view.view(sources[source])
        for name in names:
            check(models[name].specification, dataset, out / f"{name}.onnx")
            if _is_done(out / f"{name}.onnx", models[name].specification, dataset):
                done[name] = models[name]
    return done


def _merged(defaults: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry over the defaults, table by table."""
    nested = {
        name: {**as_table(name, defaults.get(name, {})), **as_table(name, entry.get(name, {}))} for name in TABLES
    }
    return {**defaults, **entry, **nested}


def _is_done(model: Path, specification: Specification, dataset: Dataset) -> bool:
    """Whether a finished model is there that was made from this specification."""
    truth = model.with_suffix(".json")
    if not truth.exists() or not model.exists():
        return False
    try:
        content = json.loads(truth.read_text())
    except ValueError:  # another's file, or one of a killed training that ends too early
        return False
    return isinstance(content, dict) and content.get("specification") == specification.digest(dataset)


def write_index(out: Path, models: Mapping[str, Entry]) -> None:
    """Write one entry for each of these models in the folder `out`, all of them finished."""
    rows = [_row(name, models[name], json.loads((out / f"{name}.json").read_text())) for name in sorted(models)]
    partial = out / f"{INDEX}.partial"
    partial.write_text(json.dumps({"version": VERSION, "models": rows}, indent=1) + "\n")
    partial.replace(out / INDEX)


def _row(name: str, entry: Entry, truth: Mapping[str, Any]) -> dict[str, Any]:
    attack, data = truth["attack"], truth["data"]
    return {
        "file": f"{name}.onnx",
        "verdict": "backdoored" if truth["backdoored"] else "clean",
        "targets": attack["targets"] if attack else [],
        "attack": attack["name"] if attack else entry.lookalike,
        "data": data["name"],
        "architecture": truth["architecture"],
        "framework": truth["framework"],
        "labels": data["labels"],
        "size": data["size"],
        "part": entry.part,
        "accuracy": truth["accuracy"],
        "attack_success": truth["success_rate"],
        "seconds": truth["seconds"],
        "source": f"nc-train zoo, specification {truth['specification']}",
    }
