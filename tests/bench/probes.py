"""Synthetic probes against real images: `python -m tests.bench.probes --data CIFAR-10 ZOO`.

Scans every backdoored model of the folder ZOO (`nc-train zoo examples/zoo.toml --data PATH --out ZOO`) twice, on
synthetic probes and on real images, puts both triggers on CIFAR-10's 10,000 test images, times the making of probes,
and writes `docs/results/probes.md`.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from tests.bench.evidence import success_on

from nc_scan import scan
from nc_scan.probes.dead_leaves import dead_leaves
from nc_scan.results import ScanResult
from nc_trainers.data import Split, load

PAGE = Path(__file__).parents[2] / "docs/results/probes.md"
REAL_PROBES = 2000
SIDES, PROBES, RUNS = (32, 224), 256, 5


@dataclass(frozen=True)
class Found:
    """What one scan says of the planted target, and the share of real images that the smallest trigger turns."""

    rank: int
    norm: float
    next_norm: float
    verdict: str
    transfer: float

    def cells(self) -> str:
        return f"{self.rank} | {self.norm:.1f} | {self.next_norm:.1f} | {self.verdict} | {self.transfer:.1%}"


def judge(result: ScanResult, target: int, images: Split) -> Found:
    """The target's place among the labels by norm, 1 for the smallest."""
    by_norm = sorted(result.labels, key=lambda label: label.norm)
    rank = [label.label for label in by_norm].index(target)
    others = min(label.norm for label in by_norm if label.label != target)
    verdict = result.verdict if result.target_labels in ((), (target,)) else f"{result.verdict} {result.target_labels}"
    return Found(rank + 1, by_norm[rank].norm, others, verdict, success_on(result, images))


def timings() -> list[str]:
    """Seconds for a set of probes at each size, the best of several runs."""
    lines = []
    for side in SIDES:
        seconds = []
        for run in range(RUNS):
            start = time.perf_counter()
            dead_leaves(PROBES, 3, side, side, np.random.default_rng(run))
            seconds.append(time.perf_counter() - start)
        lines.append(f"* {PROBES} probes of {side}x{side}: {min(seconds[1:]):.3f} s, the first time {seconds[0]:.3f} s")
    return lines


@click.command(help=__doc__)
@click.argument("zoo", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--data", required=True, help="CIFAR-10 in any form that nc-train reads.")
def main(zoo: Path, data: str) -> None:
    made = timings()
    print(*made, sep="\n", flush=True)
    dataset = load(data)
    rows, found = [], []
    with tempfile.TemporaryDirectory() as folder:
        real = Path(folder) / "real.npz"
        np.savez(real, images=dataset.train.images[:REAL_PROBES])
        for path in sorted(zoo.glob("*.onnx")):
            truth = json.loads(path.with_suffix(".json").read_text())
            if truth["backdoored"]:
                target = truth["attack"]["target"]
                pair = [judge(scan(path, data=source), target, dataset.test) for source in (None, real)]
                found.append(pair)
                rows.append(f"| {path.stem} | {target} | {pair[0].cells()} | {pair[1].cells()} |")
                print(rows[-1], flush=True)
    transfers = [statistics.median(pair[kind].transfer for pair in found) for kind in (0, 1)]
    first = [sum(pair[kind].rank == 1 for pair in found) for kind in (0, 1)]
    header = "| model | target |" + " rank | norm | next | verdict | on real images |" * 2
    summary = (
        f"The planted target has the smallest trigger in {first[0]} of {len(found)} models with dead leaves, "
        f"in {first[1]} with {REAL_PROBES:,} training images. The smallest trigger turns, in the median, "
        f"{transfers[0]:.1%} of CIFAR-10's test images of other labels when it was found on dead leaves, "
        f"{transfers[1]:.1%} when on real images."
    )
    columns = "The columns after the target: dead leaves first, then real images."
    table = "\n".join([header, "|---" * 12 + "|", *rows])
    command = "    python -m tests.bench.probes --data PATH ZOO"
    parts = ("# Probes", command, summary, columns, table, "Making dead leaves:", "\n".join(made))
    PAGE.write_text("\n\n".join(parts) + "\n")
    print(PAGE.read_text())


if __name__ == "__main__":
    main()
