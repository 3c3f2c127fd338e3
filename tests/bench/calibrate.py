"""Fits the verdict's calibration on a zoo: `python tests/bench/calibrate.py ZOO`, a folder of models with sidecars.

Scans each model once, writes the evidence of its most suspicious label to `ZOO/evidence.csv` (scans found there are not
repeated), prints it, and prints the calibration as JSON for `scanner/nc_scan/detection/calibration.json`.
"""

import csv
import json
import sys
from dataclasses import asdict
from pathlib import Path

from nc_scan import scan
from nc_scan.detection.calibration import fit

SEEDS = (0,)


def main(zoo: Path) -> None:
    table = zoo / "evidence.csv"
    known = {row[0]: row for row in csv.reader(table.open())} if table.exists() else {}
    with table.open("a", newline="") as file:
        for path in sorted(zoo.glob("*.onnx"), key=lambda p: [*p.stem.split("-")[1:], p.stem]):
            if path.stem not in known:
                result = scan(path)
                top = min(result.labels, key=lambda label: label.norm)
                truth = json.loads(path.with_suffix(".json").read_text())["backdoored"]
                row = [
                    path.stem,
                    str(truth),
                    top.norm / result.contract.pixels,
                    top.robust_z,
                    top.label,
                    top.success_rate,
                ]
                known[path.stem] = [str(value) for value in row]
                csv.writer(file).writerow(row)
                file.flush()
            print(*known[path.stem])
            rows = list(known.values())
            if len({row[1] for row in rows}) == 2:
                print(
                    json.dumps(asdict(fit([(float(r[2]), float(r[3])) for r in rows], [r[1] == "True" for r in rows])))
                )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
