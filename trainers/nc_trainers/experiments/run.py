"""What every experiment is given, and what it leaves behind: a CSV file, a figure and a summary."""

import csv
import math
import os
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from nc_trainers import zoo
from nc_trainers.checks import check_share
from nc_trainers.data import Dataset
from nc_trainers.errors import TrainerError
from nc_trainers.forward import best_device
from nc_trainers.settings import Settings
from nc_trainers.specification import Specification
from nc_trainers.zoo import Built

Row = Mapping[str, Any]
MOST_EPOCHS = 6
LEARNING_RATE = Settings().learning_rate


@dataclass(frozen=True)
class Run:
    """`base` is what all models have in common; all results go to the folder `out`.

    `dataset` is `scale` (0..1) of a whole one. `values` are the values to run, as text; None is all of them.
    """

    name: str
    base: Specification
    dataset: Dataset
    scale: float
    out: Path
    jobs: int = 1
    values: tuple[str, ...] | None = None
    report: Callable[[Built], None] = lambda _: None

    def chosen(self, values: Iterable[Any]) -> list[Any]:
        """Those of the experiment's values that were asked for. Raises TrainerError for one that it does not have."""
        known = {str(value): value for value in values}
        if unknown := [value for value in self.values or () if value not in known]:
            raise TrainerError(f"{self.name} has no value {unknown[0]!r}; it has {', '.join(known) or 'none'}")
        return [value for text, value in known.items() if self.values is None or text in self.values]

    def train(self, models: Mapping[str, Specification]) -> dict[str, dict[str, Any]]:
        """The ground truths by name.

        The models lie in the folder `models` under a name made from their specification: one that is there, of
        whatever experiment, is not trained again.
        """
        stored = {self.model(specification).stem: specification for specification in models.values()}
        told = {self.model(specification).stem: name for name, specification in models.items()}
        truths = zoo.build(
            {name: zoo.Entry(specification) for name, specification in stored.items()},
            {zoo.ANY_SOURCE: self.dataset},
            self.out / "models",
            self.jobs,
            report=lambda built: self.report(replace(built, name=told[built.name])),
        )
        found = dict(zip(stored, truths, strict=True))
        return {name: found[self.model(specification).stem] for name, specification in models.items()}

    def model(self, specification: Specification) -> Path:
        """Where the model made from a specification lies."""
        stem = f"{specification.architecture}-{specification.attack}-{specification.digest(self.dataset)}"
        return self.out / "models" / f"{stem}.onnx"

    def path(self, suffix: str) -> Path:
        """Where a result of this experiment lies."""
        return self.out / f"{self.name}.{suffix}"

    def write(
        self, rows: Sequence[Row], claim: str, reference: str, options: str = "", *, trained: bool = True
    ) -> None:
        """Write the rows as CSV and the summary that shows them under a sentence on what was done.

        `options` are those of the command beside the ones that every experiment has; `trained` says whether there is a
        model to a row.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        with self.path("csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        runs = f"one model a row, {self.base.settings.epochs} epochs each" if trained else "no model is trained"
        train, test = len(self.dataset.train), len(self.dataset.test)
        lines = [
            f"# {self.name}",
            "",
            claim,
            "",
            f"    {self.command(options)}",
            "",
            f"* data: {self.dataset.name}, {train:,} training and {test:,} test images, scale {self.scale:g}",
            f"* runs: {runs}",
            f"* machine: {machine()}",
            "* versions: " + ", ".join(f"{name} {version(name)}" for name in ("nc-scan", "torch", "keras", "onnx")),
            "",
            *table(rows),
            "",
            f"![{self.name}]({self.path('png').name})",
            "",
            f"In the paper: {reference}",
        ]
        self.path("md").write_text("\n".join(lines) + "\n")

    def command(self, options: str) -> str:
        """The command that runs this again."""
        settings = self.base.settings
        source = "digits" if self.dataset.name == "digits" else "PATH"
        parts = [f"nc-train experiment {self.name} --data {source} --scale {self.scale:g}"]
        parts += [f"--framework {self.base.framework}"] if self.base.framework != "pytorch" else []
        parts += [options] if options else []
        parts += [f"-p {name}={value}" for name, value in self.base.parameters.items()]
        parts += [f"--weights {self.base.weights}"] if self.base.weights else []
        parts += [f"--frozen-epochs {settings.frozen_epochs}"] if settings.frozen_epochs else []
        parts += [f"--learning-rate {settings.learning_rate}"] if settings.learning_rate != LEARNING_RATE else []
        parts += [f"--epochs {settings.epochs} --batch-size {settings.batch_size} --seed {self.base.seed}"]
        parts += [f"--values {','.join(self.values)}"] if self.values else []
        return " ".join([*parts, "--out DIR"])


def epochs_at(scale: float) -> int:
    """How long to train on `scale` (0 < scale <= 1) of the data where nothing is said: a tenth takes three epochs.

    Raises TrainerError for another scale.
    """
    check_share("scale", scale)
    return max(1, MOST_EPOCHS + round(math.log2(scale)))


def table(rows: Sequence[Row]) -> list[str]:
    """The rows as the lines of a Markdown table."""
    lines = [tuple(rows[0]), ("---",) * len(rows[0]), *(tuple(_text(cell) for cell in row.values()) for row in rows)]
    return ["| " + " | ".join(line) + " |" for line in lines]


def machine() -> str:
    """The processor, the cores and the precision that models are trained in."""
    device = best_device()
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name()}, {platform.system()}"
    bfloat16 = "bfloat16" if torch.cpu._is_avx512_bf16_supported() else "float32"
    return f"{os.cpu_count()} cores, {_processor()}, {bfloat16}, no GPU, {platform.system()}"


def _processor() -> str:
    """The processor's name where the system tells it, else its architecture."""
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.machine()


def _text(cell: Any) -> str:
    return f"{cell:.4g}" if isinstance(cell, float) else "" if cell is None else str(cell)
