"""Which synthetic images does a model recognise, and are they good probes?

`python -m tests.bench.recognition INDEX --range 0..1 --real mnist=DIGITS.npz --real cifar10=PHOTOS.npz`

For every model of an index (as `nc-scan evaluate` reads it) and every kind of images, the real ones of its data set
among them: how much the model's answers tell. Then the smallest patches of its target and of a few other labels, or of
a few labels where it is clean, searched once without a second look, on dead leaves, on the synthetic kind that tells
most and on real images. Writes `docs/results/probes-kinds.csv`, and with all rows `docs/results/probes-kinds.md`; rows
that are there are not made again.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import click
import numpy as np
import torch

from nc_scan.clock import Clock
from nc_scan.contract import Overrides
from nc_scan.detectors.patch.settings import ADAPTIVE
from nc_scan.detectors.patch.smallest import foreseen_passes, smallest_patches
from nc_scan.evaluation.index import KnownModel, read_index
from nc_scan.images import Images
from nc_scan.images.files import read_images
from nc_scan.opening import open_model
from nc_scan.probes import Supply
from nc_scan.probes.candidates import given_candidates
from nc_scan.probes.probe_set import choose_probes
from nc_scan.probes.recognition import recognise, recognised_first
from nc_scan.results import FloatArray, Recognition
from nc_scan.search import Budget
from nc_scan.subject import Subject, open_subject

RESULTS = Path(__file__).parents[2] / "docs" / "results"
TABLE, PAGE = RESULTS / "probes-kinds.csv", RESULTS / "probes-kinds.md"
REAL = "real images"
SETTINGS = dataclasses.replace(ADAPTIVE, suspects=0, polish=())
SEARCHED = (0, 1, 3, 6)  # after the target, the labels that triggers are searched for


@dataclass(frozen=True)
class Row:
    """A model and a kind of images; no norms where no triggers were searched, none of a target where there is none."""

    model: str
    data: str
    verdict: str
    kind: str
    used: bool  # a scan would use this kind
    information: float
    certainty: float
    most_frequent: float
    labels: int
    target_norm: float | None = None
    smallest_other: float | None = None
    median_other: float | None = None


def rows_of(known: KnownModel, value_range: str, real: dict[str, Path]) -> Iterator[Row]:
    """What one model says to each kind."""
    model = open_model(known.path, None, 0, Overrides(value_range=value_range), Clock())
    contract = model.contracts[0]
    subject, supply = open_subject(model.proto, contract, "cpu"), model.images
    found = [recognise(kind, supply.preview(kind), subject.deployed_scores) for kind in supply.kinds]
    used = recognised_first(found, supply.channels)[0].kind
    searched = {supply.kinds[0], max(found, key=lambda one: one.information).kind}
    for one in found:
        probes = _probes(supply, one.kind, subject) if one.kind in searched else None
        yield _row(known, one, subject, probes, used)
    if known.data in real:
        size = contract.size
        images = read_images(real[known.data], *size, np.random.default_rng(0))
        seen = recognise(REAL, images.values[:256], subject.deployed_scores)
        yield _row(known, seen, subject, _of_real(images, subject), used)


def _probes(supply: Supply, kind: str, subject: Subject) -> FloatArray:
    return choose_probes(supply.candidates(kind), subject.deployed_scores).search


def _of_real(images: Images, subject: Subject) -> FloatArray:
    return choose_probes(given_candidates(images, np.random.default_rng(0)), subject.deployed_scores).search


def _row(known: KnownModel, seen: Recognition, subject: Subject, probes: FloatArray | None, used: str) -> Row:
    norms = _norms(known, subject, probes) if probes is not None else (None, None, None)
    figures = (round(seen.information, 3), round(seen.certainty, 3), round(seen.most_frequent, 3), seen.labels)
    verdict = "backdoored" if known.backdoored else "clean"
    return Row(known.path.stem, known.data, verdict, seen.kind, seen.kind == used, *figures, *norms)


def _norms(known: KnownModel, subject: Subject, probes: FloatArray) -> tuple[float | None, float, float]:
    """The norms of the target's smallest patch, of the smallest one of another label and of their median."""
    contract = subject.contract
    planted = known.targets[:1] if len(known.targets) == 1 else ()
    first = planted[0] if planted else 0
    labels = sorted({(first + step) % contract.labels for step in SEARCHED})
    size = contract.size
    patches = smallest_patches(
        subject.scores,
        torch.from_numpy(probes).to(subject.device),
        labels,
        SETTINGS,
        affine=subject.affine,
        generator=torch.Generator().manual_seed(0),
        budget=Budget(foreseen_passes(SETTINGS, len(labels), size), lambda spent, whole: None),
    )
    norms = {one.goal: round(float(one.size), 1) for one in patches.found}
    others = [norm for label, norm in norms.items() if label not in known.targets] or list(norms.values())
    return (norms[planted[0]] if planted else None), min(others), round(float(np.median(others)), 1)


def page(rows: list[dict[str, str]], command: str) -> str:
    """A line a model: what each kind tells it, and the norms on the kinds that were searched."""
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    head = ["model", "truth", *kinds, *(f"norms, {kind}" for kind in ("dead leaves", "kind that tells most", REAL))]
    lines = []
    for model in dict.fromkeys(row["model"] for row in rows):
        own = {row["kind"]: row for row in rows if row["model"] == model}
        told = [_told(own[kind]) if kind in own else "" for kind in kinds]
        best = max((kind for kind in own if kind != REAL), key=lambda kind: float(own[kind]["information"]))
        norms = [_compared(own.get(kind)) for kind in ("dead leaves", best, REAL)]
        lines.append([model, next(iter(own.values()))["verdict"], *told, *norms])
    table = "\n".join("| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *lines))
    notes = (
        "Under the kinds: the information, in nats, that the answers to 256 images and to disturbed copies share; "
        "bold is the kind that a scan uses. Norms, in pixels: that of the target, the smallest and the median of three "
        "other labels; of clean models the smallest and the median of four labels. Searched once, no second look."
    )
    return "\n\n".join(("# Kinds of synthetic images", f"    {command}", notes, table)) + "\n"


def _told(row: dict[str, str]) -> str:
    return f"**{row['information']}**" if row["used"] == "True" else row["information"]


def _compared(row: dict[str, str] | None) -> str:
    if row is None or not row["smallest_other"]:
        return ""
    target = f"{row['target_norm']} : " if row["target_norm"] else ""
    return f"{target}{row['smallest_other']}, {row['median_other']}"


@click.command(help=__doc__)
@click.argument("index", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--range", "value_range", required=True, help="What pixels are scaled to, in all of these models.")
@click.option("--real", multiple=True, help="NAME=PATH: real images of the data set that the index calls NAME.")
def main(index: Path, value_range: str, real: tuple[str, ...]) -> None:
    paths = {name: Path(path) for name, _, path in (one.partition("=") for one in real)}
    names = [field.name for field in fields(Row)]
    if not TABLE.exists():
        TABLE.write_text(",".join(names) + "\n")
    done = {row["model"] for row in csv.DictReader(TABLE.open())}
    for known in read_index(index):
        if known.path.stem in done:
            continue
        rows = list(rows_of(known, value_range, paths))
        with TABLE.open("a", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(astuple(row) for row in rows)
        for row in rows:
            print(*astuple(row), sep=" | ", flush=True)
    reals = " ".join(f"--real {name}=IMAGES" for name in paths)
    command = f"python -m tests.bench.recognition INDEX --range {value_range} {reals}"
    PAGE.write_text(page(list(csv.DictReader(TABLE.open())), command))


if __name__ == "__main__":
    main()
