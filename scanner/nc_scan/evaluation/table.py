"""The evidence of a zoo as a table: one row a scan, which a verdict can be computed from again without the models."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from nc_scan.audit.gradients import FALSE_GRADIENT
from nc_scan.errors import IndexFileError
from nc_scan.evaluation.index import KnownModel
from nc_scan.results import Outcome, ScanResult
from nc_scan.standouts import Standout, standouts


@dataclass(frozen=True)
class Row:
    """What is known of a model, and what a scan of it found.

    `norms` are in pixels, `success` the replayed success rates, of the labels that were `searched`, which are all where
    that is empty; both are empty where the scan failed or had no patches to compare. `drawn` are the labels that tell
    what is usual, all of those searched where that is empty; `warned` says that the search was not to be trusted.
    `pixels` are height times width of the images, `probes` names their kind, and `verdict`, `found` and `p_value` are
    what the scan itself said. `scores` are those of detectors that have one, by the detector's name.
    """

    file: str
    truth: str
    targets: tuple[int, ...]
    attack: str
    data: str
    architecture: str
    labels: int
    part: str
    seed: int
    verdict: str
    found: tuple[int, ...]
    p_value: float | None
    probes: str
    pixels: int
    seconds: float
    norms: tuple[float, ...]
    success: tuple[float, ...]
    scores: Mapping[str, float] = field(default_factory=dict)
    searched: tuple[int, ...] = ()
    drawn: tuple[int, ...] = ()
    warned: bool = False

    @property
    def backdoored(self) -> bool:
        """Whether the model is."""
        return self.truth == "backdoored"

    @property
    def names(self) -> tuple[int, ...]:
        """The labels that the norms are of."""
        return self.searched or tuple(range(len(self.norms)))

    @property
    def standouts(self) -> tuple[Standout, ...]:
        """How far the smallest triggers stand out."""
        drawn = [label in self.drawn for label in self.names]
        return standouts(self.norms, self.pixels, self.names, drawn, self.labels)


def row_of(model: KnownModel, outcome: Outcome, seed: int) -> Row:
    """The row of a scan."""
    truth = "backdoored" if model.backdoored else "clean"
    known = (model.file, truth, model.targets, model.attack, model.data, model.architecture)
    if not isinstance(outcome, ScanResult):
        return Row(*known, model.labels, model.part, seed, outcome.verdict, (), None, "", 0, 0.0, (), ())
    labels = [label for label in outcome.labels if label.status != "skipped"]
    return Row(
        *known,
        labels=outcome.contract.labels,
        part=model.part,
        seed=seed,
        verdict=outcome.verdict,
        found=outcome.target_labels,
        p_value=outcome.p_value,
        probes=outcome.probes.source,
        pixels=outcome.contract.pixels,
        seconds=round(sum(outcome.seconds.values()), 1),
        norms=tuple(round(label.norm, 3) for label in labels),
        success=tuple(round(label.success_rate, 3) for label in labels),
        scores={
            one.detector: round(one.statistics["score"], 3) for one in outcome.evidence if "score" in one.statistics
        },
        searched=() if len(labels) == outcome.contract.labels else tuple(label.label for label in labels),
        drawn=() if all(label.drawn for label in labels) else tuple(label.label for label in labels if label.drawn),
        warned=any(one.rule == FALSE_GRADIENT and one.severity == "warning" for one in outcome.findings),
    )


def write_table(rows: Iterable[Row], path: Path) -> None:
    """Writes the rows as CSV, lists with spaces between their values. Raises OSError."""
    names = [field.name for field in fields(Row)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_cell(getattr(row, name)) for name in names] for row in rows)


def read_table(path: Path) -> list[Row]:
    """The rows that `write_table` wrote. Raises IndexFileError for anything else."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [_row(cells) for cells in csv.DictReader(file)]
    except OSError as error:
        raise IndexFileError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise IndexFileError(f"{path} is no table of `nc-scan evaluate`: {error!r}") from error


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return " ".join(f"{name}={number}" for name, number in value.items())
    return " ".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _row(cells: dict[str, str]) -> Row:
    scores = (cells.get("scores") or "").split()  # tables of before lack it and what follows
    return Row(
        file=cells["file"],
        truth=cells["truth"],
        targets=tuple(map(int, cells["targets"].split())),
        attack=cells["attack"],
        data=cells["data"],
        architecture=cells["architecture"],
        labels=int(cells["labels"]),
        part=cells["part"],
        seed=int(cells["seed"]),
        verdict=cells["verdict"],
        found=tuple(map(int, cells["found"].split())),
        p_value=float(cells["p_value"]) if cells["p_value"] else None,
        probes=cells["probes"],
        pixels=int(cells["pixels"]),
        seconds=float(cells["seconds"]),
        norms=tuple(map(float, cells["norms"].split())),
        success=tuple(map(float, cells["success"].split())),
        scores={name: float(number) for name, _, number in (one.partition("=") for one in scores)},
        searched=tuple(map(int, (cells.get("searched") or "").split())),
        drawn=tuple(map(int, (cells.get("drawn") or "").split())),
        warned=cells.get("warned") == "True",
    )
