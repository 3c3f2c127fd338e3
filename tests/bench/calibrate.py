"""Fits the verdict's calibration on a zoo of known models: `python -m tests.bench.calibrate ZOO`.

Scans every model of the folder ZOO with each seed: that of `nc-train zoo examples/zoo.toml --data PATH --out ZOO`,
then that of `tests.bench.contract`, whose models read other value ranges. Keeps the evidence of all labels in
`docs/results/calibration.csv` and writes `scanner/nc_scan/detection/calibration.json`. Scans
that the table holds already are not repeated, so that the fit can be redone without the models (leave ZOO out).
"""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path

import click
import numpy as np

from nc_scan import scan
from nc_scan.detection.calibration import Calibration, fit
from nc_scan.detection.evidence import below_median

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs/results/calibration.csv"
CALIBRATION = ROOT / "scanner/nc_scan/detection/calibration.json"
SEEDS = (0,)


@dataclass(frozen=True)
class Row:
    """What one scan found for one label; `planted` tells whether a backdoor leads to it."""

    model: str
    seed: int
    label: int
    planted: int
    relative_norm: float
    robust_z: float
    success_rate: float


def scan_model(path: Path, seed: int) -> list[Row]:
    """The evidence of one scan, label by label."""
    truth = json.loads(path.with_suffix(".json").read_text())
    target = truth["attack"]["target"] if truth["backdoored"] else None
    result = scan(path, seed=seed)
    pixels = result.contract.pixels
    return [
        Row(
            path.stem,
            seed,
            label.label,
            int(label.label == target),
            round(label.norm / pixels, 6),
            round(label.robust_z, 4),
            round(label.success_rate, 4),
        )
        for label in result.labels
    ]


def calibrate(rows: list[Row]) -> Calibration:
    """One row a scan: its smallest trigger. A target that the search missed is no evidence of how a target looks."""
    scans: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        scans.setdefault((row.model, row.seed), []).append(row)
    smallest = [min(labels, key=lambda row: row.relative_norm) for labels in scans.values()]
    evidence = [(row.relative_norm, depth(row, rows)) for row in smallest]
    return fit(evidence, [bool(row.planted) for row in smallest], scans_per_model=len(SEEDS))


def depth(row: Row, rows: list[Row]) -> float:
    """How far the norm lies below the median of its scan, in nats."""
    norms = [other.relative_norm for other in rows if (other.model, other.seed) == (row.model, row.seed)]
    return float(below_median(np.array([row.relative_norm]), np.array(norms))[0])


def read() -> list[Row]:
    """The table so far."""
    if not TABLE.exists():
        return []
    with TABLE.open() as file:
        kinds = [{"str": str, "int": int, "float": float}[str(field.type)] for field in fields(Row)]
        return [Row(*(kind(v) for kind, v in zip(kinds, values, strict=True))) for values in list(csv.reader(file))[1:]]


def write(rows: list[Row]) -> None:
    """Replaces the table."""
    with TABLE.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(field.name for field in fields(Row))
        writer.writerows(astuple(row) for row in rows)


@click.command(help=__doc__)
@click.argument("zoo", type=click.Path(path_type=Path, exists=True, file_okay=False), required=False)
def main(zoo: Path | None) -> None:
    rows = read()
    done = {(row.model, row.seed) for row in rows}
    for path in sorted(zoo.glob("*.onnx")) if zoo else ():
        for seed in SEEDS:
            if (path.stem, seed) not in done:
                found = scan_model(path, seed)
                print(min(found, key=lambda row: row.relative_norm), flush=True)
                rows += found
                write(rows)
    calibration = calibrate(rows)
    CALIBRATION.write_text(json.dumps(asdict(calibration), indent=2) + "\n")
    print(calibration)
    scans = {(row.model, row.seed) for row in rows}
    for model, seed in sorted(scans):
        labels = [row for row in rows if (row.model, row.seed) == (model, seed)]
        likely = min(labels, key=lambda row: row.relative_norm)
        probability = calibration.probability(likely.relative_norm, depth(likely, labels))
        print(f"{model:28} {seed} label {likely.label} {'target' if likely.planted else '':7} {probability:.3f}")


if __name__ == "__main__":
    main()
