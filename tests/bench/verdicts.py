"""Are the verdicts right? `python -m tests.bench.verdicts NAME MODELS... [--data CIFAR-10] [--seeds N]`.

Scans the models with several seeds, keeps what was found for each label in `docs/results/NAME.csv`, and writes the
verdicts of the present calibration to `docs/results/NAME.md`. Scans that the table holds are not repeated. With
`--data`, CIFAR-10 in any form that `nc-train` reads, the recovered trigger is also put on its 10,000 test images, none
of which the scan has seen, and run by onnxruntime. The shipped models, without `--data` 20 scans:

    python -m tests.bench.verdicts examples examples/models/simple-cnn-*.onnx
"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import cast

import click
import numpy as np
from tests.bench.evidence import Scan, collect

from nc_kernels import anomaly_index
from nc_scan.calibration import load_calibration
from nc_scan.results import LabelResult, Status
from nc_scan.verdict import FALSE_ALARMS, Decision
from nc_scan.verdict.patches import judge_patches
from nc_trainers.data import load

RESULTS = Path(__file__).parents[2] / "docs" / "results"
COLUMNS = "model", "seed", "verdict", "label", "p", "norm", "next norm", "index", "success", "on real images"


def decision(scan: Scan) -> Decision:
    """The verdict on what a scan found."""
    indices = anomaly_index(np.array([row.norm for row in scan]), side="low")
    labels = [
        LabelResult(row.label, row.norm, float(index), 0.0, row.success_rate, cast(Status, row.status))
        for row, index in zip(scan, indices, strict=True)
    ]
    return judge_patches(labels, scan[0].pixels, FALSE_ALARMS, load_calibration())


def right(scan: Scan) -> bool:
    """Whether the planted labels, and no others, are found."""
    planted = tuple(row.label for row in scan if row.planted)
    found = decision(scan)
    return (found.verdict, found.target_labels) == ("backdoored" if planted else "clean", planted)


def line(scan: Scan) -> str:
    """A line of the table."""
    found = decision(scan)
    first, second = sorted(found.labels, key=lambda label: label.norm)[:2]
    on_real = max((row.on_real for row in scan if row.on_real == row.on_real), default=None)
    cells = (
        scan[0].model,
        scan[0].seed,
        found.verdict if right(scan) else f"**{found.verdict} {found.target_labels or ''}**",
        first.label,
        f"{found.p_value:.2g}",
        f"{first.norm:.1f}",
        f"{second.norm:.1f}",
        f"{first.anomaly_index:.2f}",
        f"{first.success_rate:.1%}",
        "" if on_real is None else f"{on_real:.1%}",
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def page(name: str, done: list[Scan]) -> str:
    """The table with its summary."""
    seconds = statistics.median(scan[0].cpu_seconds for scan in done)
    summary = (
        f"{sum(map(right, done))} of {len(done)} verdicts are right, backdoored ones with the right label. Median "
        f"processor time of a scan: {seconds:.0f} s. The evidence of all labels is in [{name}.csv]({name}.csv); label, "
        "and norm are those of the smallest trigger."
    )
    command = f"    python -m tests.bench.verdicts {name} --data PATH MODELS"
    table = "\n".join(["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|", *map(line, done)])
    return "\n\n".join((f"# Verdicts: {name}", command, summary, table)) + "\n"


@click.command(help=__doc__)
@click.argument("name")
@click.argument("models", type=click.Path(path_type=Path, exists=True, dir_okay=False), nargs=-1, required=True)
@click.option("--data", help="CIFAR-10, for the success on real images.")
@click.option("--seeds", type=int, default=5, show_default=True)
def main(name: str, models: tuple[Path, ...], data: str | None, seeds: int) -> None:
    done = []
    for scan in collect(models, range(seeds), RESULTS / f"{name}.csv", load(data).test if data else None):
        done.append(scan)
        print(line(scan), flush=True)
    (RESULTS / f"{name}.md").write_text(page(name, done))


if __name__ == "__main__":
    main()
