"""Synthetic probes against real images: `python -m tests.bench.probes --data CIFAR-10 MODELS...`.

Scans backdoored models, such as those of CIFAR-10 that `nc-train zoo examples/zoo.toml` makes, twice: on synthetic
probes and on real images. Puts both triggers on CIFAR-10's 10,000 test images, times the making of probes, and writes
`docs/results/probes.md`; clean models among MODELS are left out. Scans that its tables hold are not repeated.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path

import click
import numpy as np
from tests.bench.evidence import Scan, collect
from tests.bench.verdicts import decision, right

from nc_scan.images.dead_leaves import dead_leaves
from nc_trainers.data import load

RESULTS = Path(__file__).parents[2] / "docs" / "results"
KINDS = "dead-leaves", "real"
REAL_PROBES = 2000
SIDES, PROBES, RUNS = (32, 224), 256, 5


def rank(scan: Scan) -> int:
    """The planted target's place among the labels by norm, 1 for the smallest."""
    by_norm = sorted(scan, key=lambda row: row.norm)
    return 1 + next(place for place, row in enumerate(by_norm) if row.planted)


def cells(scan: Scan) -> str:
    """What one scan says of the target, and the share of real images that the smallest trigger turns."""
    target = next(row for row in scan if row.planted)
    others = min(row.norm for row in scan if not row.planted)
    found = decision(scan)
    verdict = found.verdict if right(scan) else f"**{found.verdict} {found.target_labels or ''}**"
    return f"{rank(scan)} | {target.norm:.1f} | {others:.1f} | {verdict} | {on_real(scan):.1%}"


def on_real(scan: Scan) -> float:
    """The share of test images that the smallest trigger turns."""
    return min(scan, key=lambda row: row.norm).on_real


def page(pairs: list[tuple[Scan, Scan]], made: list[str]) -> str:
    """The table with its summary."""
    transfers = [statistics.median(on_real(pair[kind]) for pair in pairs) for kind in (0, 1)]
    first = [sum(rank(pair[kind]) == 1 for pair in pairs) for kind in (0, 1)]
    summary = (
        f"The planted target has the smallest trigger in {first[0]} of {len(pairs)} models with dead leaves, "
        f"in {first[1]} with {REAL_PROBES:,} training images. The smallest trigger turns, in the median, "
        f"{transfers[0]:.1%} of CIFAR-10's test images of other labels when it was found on dead leaves, "
        f"{transfers[1]:.1%} when on real images."
    )
    header = "| model | target |" + " rank | norm | next | verdict | on real images |" * 2
    rows = [
        f"| {pair[0][0].model} | {next(row.label for row in pair[0] if row.planted)} | {' | '.join(map(cells, pair))} |"
        for pair in pairs
    ]
    columns = "The columns after the target: dead leaves first, then real images."
    table = "\n".join([header, "|---" * 12 + "|", *rows])
    command = "    python -m tests.bench.probes --data PATH MODELS"
    return "\n\n".join(("# Probes", command, summary, columns, table, "Making dead leaves:", "\n".join(made))) + "\n"


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
@click.argument("models", type=click.Path(path_type=Path, exists=True, dir_okay=False), nargs=-1, required=True)
@click.option("--data", required=True, help="CIFAR-10 in any form that nc-train reads.")
def main(models: tuple[Path, ...], data: str) -> None:
    made = timings()
    print(*made, sep="\n", flush=True)
    dataset = load(data)
    backdoored = [path for path in models if json.loads(path.with_suffix(".json").read_text())["backdoored"]]
    with tempfile.TemporaryDirectory() as folder:
        real = Path(folder) / "real.npz"
        np.savez(real, images=dataset.train.images[:REAL_PROBES])
        both = [
            collect(backdoored, (0,), RESULTS / f"probes-{kind}.csv", dataset.test, probes)
            for kind, probes in zip(KINDS, (None, real), strict=True)
        ]
        pairs = []
        for pair in zip(*both, strict=True):
            pairs.append(pair)
            print(pair[0][0].model, *map(cells, pair), sep=" | ", flush=True)
            (RESULTS / "probes.md").write_text(page(pairs, made))


if __name__ == "__main__":
    main()
