"""Scans the shipped models with several seeds: `python -m tests.bench.examples [--data CIFAR-10] [--seeds N]`.

Prints one line a scan and writes `docs/results/examples.md`. With `--data`, CIFAR-10 in any form that `nc-train` reads,
the recovered trigger is also put on its 10,000 test images, none of which the scan has seen, and run by onnxruntime.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from nc_kernels import apply_trigger
from nc_scan import scan
from nc_scan.graph import load_model
from nc_scan.prepare import prepare
from nc_scan.results import ScanResult
from nc_trainers.data import Split, load

ROOT = Path(__file__).parents[2]
MODELS = sorted((ROOT / "examples/models").glob("simple-cnn-*.onnx"))
PAGE = ROOT / "docs/results/examples.md"
HEADER = (
    "| model | seed | verdict | label | probability | norm | next norm | index | success | on real images | CPU s |\n"
    + "|---" * 11
    + "|\n"
)


@dataclass(frozen=True)
class Scanned:
    """One scan, with its processor time in seconds and the share of real images that the smallest trigger turns."""

    result: ScanResult
    seconds: float
    real: float | None

    def right(self) -> bool:
        """Whether verdict and label are those of the sidecar."""
        truth = json.loads(Path(self.result.path).with_suffix(".json").read_text())
        wanted = (truth["attack"]["target"],) if truth["backdoored"] else ()
        verdict = "backdoored" if wanted else "clean"
        return (self.result.verdict, self.result.target_labels) == (verdict, wanted)

    def row(self) -> str:
        """A line of the table."""
        result = self.result
        first, second = sorted(result.labels, key=lambda label: label.norm)[:2]
        cells = (
            Path(result.path).stem,
            result.seed,
            result.verdict,
            first.label,
            "" if result.confidence is None else f"{result.confidence:.3f}",
            f"{first.norm:.1f}",
            f"{second.norm:.1f}",
            f"{first.anomaly_index:.2f}",
            f"{first.success_rate:.1%}",
            "" if self.real is None else f"{self.real:.1%}",
            f"{self.seconds:.1f}",
        )
        return "| " + " | ".join(map(str, cells)) + " |"


def success_on(result: ScanResult, images: Split) -> float:
    """The share of the images of other labels that the smallest trigger sends to its label, in onnxruntime."""
    smallest = min(result.labels, key=lambda label: label.norm)
    assert smallest.trigger is not None
    others = images.images[images.labels != smallest.label].astype(np.float32) / 255
    stamped = apply_trigger(others, smallest.trigger.mask[None, None], smallest.trigger.pattern[None])[0]
    model = prepare(load_model(Path(result.path)), result.contract, "cpu")
    return float((model.deployed_labels(stamped) == smallest.label).mean())


@click.command(help=__doc__)
@click.option("--data", help="CIFAR-10, for the success on real images.")
@click.option("--seeds", type=int, default=5, show_default=True)
def main(data: str | None, seeds: int) -> None:
    images = load(data).test if data else None
    rows: list[Scanned] = []
    for path in MODELS:
        for seed in range(seeds):
            start = time.process_time()
            result = scan(path, seed=seed)
            seconds = time.process_time() - start
            rows.append(Scanned(result, seconds, success_on(result, images) if images else None))
            print(rows[-1].row(), flush=True)
    right = sum(row.right() for row in rows)
    summary = (
        f"{right} of {len(rows)} verdicts are right, backdoored ones with the right label. "
        f"Median processor time of a scan: {np.median([row.seconds for row in rows]):.1f} s "
        f"({rows[0].result.device}, versions {rows[0].result.versions})."
    )
    print(summary)
    command = "    python -m tests.bench.examples --data PATH\n"
    table = HEADER + "\n".join(row.row() for row in rows)
    PAGE.write_text(f"# Scans of the shipped models\n\n{command}\n{summary}\n\n{table}\n")


if __name__ == "__main__":
    main()
