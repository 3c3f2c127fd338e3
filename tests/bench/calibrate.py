"""Fits the verdict's calibration on a zoo of known models: `python -m tests.bench.calibrate ZOO`.

Scans every model of the folder ZOO: that of `nc-train zoo examples/zoo.toml --data PATH --out ZOO`, then that of
`tests.bench.contract`, whose models read other value ranges. Keeps the evidence of all labels in
`docs/results/calibration.csv` and writes `scanner/nc_scan.calibration.json`. Scans that the table holds
already are not repeated, so that the fit can be redone without the models (leave ZOO out).
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
import numpy as np
from tests.bench.evidence import Row, Scan, collect, read, scans

from nc_scan.calibration import Calibration, fit
from nc_scan.detectors.patch.statistics import below_median

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs/results/calibration.csv"
CALIBRATION = ROOT / "scanner/nc_scan.calibration.json"
SEEDS = (0,)


def smallest(scan: Scan) -> Row:
    """The label with the smallest trigger."""
    return min(scan, key=lambda row: row.norm)


def evidence(scan: Scan) -> tuple[float, float]:
    """The smallest norm as a share of the pixels, and how many nats it lies below the median."""
    row = smallest(scan)
    norms = np.array([other.norm for other in scan])
    return row.norm / row.pixels, float(below_median(np.array([row.norm]), norms)[0])


def calibrate(rows: list[Row]) -> Calibration:
    """One row a scan: its smallest trigger. A target that the search missed is no evidence of how a target looks."""
    known = scans(rows)
    planted = [bool(smallest(scan).planted) for scan in known]
    return fit([evidence(scan) for scan in known], planted, scans_per_model=len(SEEDS))


def loss_left_out(rows: list[Row]) -> float:
    """The mean of -log probability, in nats, of what a scan's smallest label is, by the fit on the other scans."""
    known = scans(rows)
    losses = []
    for scan in known:
        calibration = calibrate([row for other in known if other is not scan for row in other])
        probability = calibration.probability(*evidence(scan))
        losses.append(-np.log(probability if smallest(scan).planted else 1 - probability))
    return float(np.mean(losses))


@click.command(help=__doc__)
@click.argument("zoo", type=click.Path(path_type=Path, exists=True, file_okay=False), required=False)
def main(zoo: Path | None) -> None:
    for scan in collect(sorted(zoo.glob("*.onnx")) if zoo else (), SEEDS, TABLE):
        print(smallest(scan), flush=True)
    rows = read(TABLE)
    calibration = calibrate(rows)
    CALIBRATION.write_text(json.dumps(asdict(calibration), indent=2) + "\n")
    print(calibration, f"loss left out {loss_left_out(rows):.3f}")
    for scan in scans(rows):
        row = smallest(scan)
        probability = calibration.probability(*evidence(scan))
        target = "target" if row.planted else ""
        print(f"{row.model:28} {row.seed} label {row.label} {target:7} {row.norm:5.1f} {probability:.3f}")


if __name__ == "__main__":
    main()
