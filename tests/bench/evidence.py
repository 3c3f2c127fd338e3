"""What scans of known models found, label by label, in a table that later runs add to."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from nc_kernels import apply_trigger
from nc_scan import scan
from nc_scan.graph import load_model
from nc_scan.results import LabelResult, ScanResult
from nc_scan.subject import open_subject
from nc_trainers.data import Split


@dataclass(frozen=True)
class Row:
    """What one scan found for one label.

    Attributes:
        model, seed: which scan.
        label: index of the label.
        planted: 1 where a backdoor leads to it, else 0.
        norm, pixels: of the trigger's mask; how many pixels an image has.
        success_rate: share of held-out probes that the trigger turns.
        status: of the search for it.
        on_real: share of real images of other labels that the trigger turns; NaN where that was not measured, as for
            all labels but the one with the smallest trigger.
        cpu_seconds: processor time of the whole scan.
    """

    model: str
    seed: int
    label: int
    planted: int
    norm: float
    pixels: int
    success_rate: float
    status: str
    on_real: float
    cpu_seconds: float


Scan = list[Row]


def collect(
    models: Iterable[Path],
    seeds: Iterable[int],
    table: Path,
    images: Split | None = None,
    probes: Path | None = None,
) -> Iterator[Scan]:
    """Scans each model with each seed, unless the table holds that scan; adds to the table, and yields all scans.

    `images` are those to measure `on_real` with, `probes` those to scan with where they are not synthetic.
    """
    rows = read(table)
    known = {(scan[0].model, scan[0].seed): scan for scan in scans(rows)}
    for path in models:
        for seed in seeds:
            found = known.get((path.stem, seed))
            if found is None:
                found = _scan(path, seed, images, probes)
                rows += found
                write(table, rows)
            yield found


def scans(rows: Iterable[Row]) -> list[Scan]:
    """The rows of each scan."""
    groups: dict[tuple[str, int], Scan] = {}
    for row in rows:
        groups.setdefault((row.model, row.seed), []).append(row)
    return list(groups.values())


def read(table: Path) -> list[Row]:
    """The table so far."""
    if not table.exists():
        return []
    kinds = [{"str": str, "int": int, "float": float}[str(field.type)] for field in fields(Row)]
    with table.open() as file:
        return [Row(*(kind(v) for kind, v in zip(kinds, values, strict=True))) for values in list(csv.reader(file))[1:]]


def write(table: Path, rows: Iterable[Row]) -> None:
    """Replaces the table."""
    with table.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(field.name for field in fields(Row))
        writer.writerows(astuple(row) for row in rows)


def _scan(path: Path, seed: int, images: Split | None, probes: Path | None) -> Scan:
    start = time.process_time()
    result = scan(path, seed=seed, data=probes)
    return rows_of(result, time.process_time() - start, success_on(result, images) if images else float("nan"))


def rows_of(result: ScanResult, cpu_seconds: float, on_real: float) -> Scan:
    """The evidence of one scan; its model's sidecar tells which label is planted."""
    planted = targets(json.loads(Path(result.path).with_suffix(".json").read_text()), len(result.labels))
    smallest = _smallest(result)
    return [
        Row(
            Path(result.path).stem,
            result.seed,
            label.label,
            int(label.label in planted),
            round(label.norm, 3),
            result.contract.pixels,
            round(label.success_rate, 4),
            label.status,
            round(on_real, 4) if label is smallest else float("nan"),
            round(cpu_seconds, 1),
        )
        for label in result.labels
    ]


def targets(truth: dict[str, Any], labels: int) -> tuple[int, ...]:
    """The labels that the backdoors of a model with so many labels lead to, as its sidecar tells."""
    attack = truth["attack"] if truth["backdoored"] else None
    if attack is None:
        return ()
    if attack["target"] is None:
        return tuple(range(labels))
    return tuple((attack["target"] + trigger) % labels for trigger in range(attack.get("triggers", 1)))


def success_on(result: ScanResult, images: Split) -> float:
    """The share of the images of other labels that the smallest trigger sends to its label, in onnxruntime."""
    smallest = _smallest(result)
    assert smallest.trigger is not None
    others = images.images[images.labels != smallest.label].astype(np.float32) / 255
    stamped = apply_trigger(others, smallest.trigger.mask[None, None], smallest.trigger.pattern[None])[0]
    model = open_subject(load_model(Path(result.path)), result.contract, "cpu")
    return float((model.deployed_labels(stamped) == smallest.label).mean())


def _smallest(result: ScanResult) -> LabelResult:
    return min(result.labels, key=lambda label: label.norm)
