"""What every experiment is given, and what it leaves behind: a CSV file, a figure and a summary."""

import csv
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nc_trainers import zoo
from nc_trainers.specification import Specification

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """`base` is what all models have in common; `source` and `scale` name the data; all results go to `out`."""

    name: str
    base: Specification
    source: str | None
    scale: float
    out: Path
    jobs: int = 1
    report: Callable[[str, dict[str, Any]], None] = lambda _name, _truth: None

    def train(self, models: Mapping[str, Specification]) -> dict[str, dict[str, Any]]:
        """The ground truths by name, of models in the folder `models`; those that are there are not trained again."""
        truths = zoo.build(models, self.source, self.scale, self.out / "models", self.jobs, report=self.report)
        return dict(zip(models, truths, strict=True))

    def path(self, suffix: str) -> Path:
        """Where a result of this experiment lies."""
        return self.out / f"{self.name}.{suffix}"

    def write(self, rows: Sequence[Row], claim: str, reference: str) -> None:
        """Write the rows as CSV and the summary that shows them under a sentence on what was done."""
        with self.path("csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        settings = self.base.settings
        trained = f"--epochs {settings.epochs} --batch-size {settings.batch_size} --seed {self.base.seed}"
        data = "digits" if self.source == "digits" else "CIFAR-10"
        lines = [
            f"# {self.name}",
            "",
            claim,
            "",
            f"    nc-train experiment {self.name} --scale {self.scale:g} {trained} --out DIR",
            "",
            f"* data: {data}, {self.scale:.0%} of it; one run a row, each with its own seed",
            f"* machine: {os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
            "* versions: " + ", ".join(f"{name} {version(name)}" for name in ("nc-scan", "torch", "keras", "onnx")),
            "",
            *table(rows),
            "",
            f"![{self.name}]({self.path('png').name})",
            "",
            f"In the paper: {reference}",
        ]
        self.path("md").write_text("\n".join(lines) + "\n")


def table(rows: Sequence[Row]) -> list[str]:
    """The rows as the lines of a Markdown table."""
    lines = [tuple(rows[0]), ("---",) * len(rows[0]), *(tuple(_text(cell) for cell in row.values()) for row in rows)]
    return ["| " + " | ".join(line) + " |" for line in lines]


def _text(cell: Any) -> str:
    return f"{cell:.4g}" if isinstance(cell, float) else "" if cell is None else str(cell)
