"""Norms and anomaly indices of clean and backdoored models (paper, tables 1 and 7, figure 5)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nc_trainers.experiments import figures, scanner, subjects
from nc_trainers.experiments.run import Row, Run
from nc_trainers.experiments.scanner import CONTAMINATED, Scan, scan
from nc_trainers.experiments.subjects import CLEAN, Subject, by_target, pair
from nc_trainers.specification import Specification


@dataclass(frozen=True)
class Detection:
    """`subjects` gives the models for one of `values` on the axis named `axis`; `probes` names the probe sets."""

    axis: str
    values: Sequence[Any]
    subjects: Callable[[Specification, Any], list[Subject]]
    probes: tuple[str, ...]
    claim: str
    reference: str


DETECTIONS = {
    "detection": Detection(
        "experiment",
        range(1, 6),
        pair,
        (CONTAMINATED, CLEAN),
        "Norms of the recovered masks and the largest anomaly index, five backdoored and five clean models. A "
        "contaminated probe set has the trigger on 15 % of its images.",
        "table 1 and figure 5 (contaminated): 7 to 9 for the target, 35 to 60 for the others; two clean rows of five "
        "reach an index of 2.",
    ),
    "detection-by-target": Detection(
        "target",
        range(10),
        by_target,
        (CONTAMINATED,),
        "Norms of the recovered masks and the largest anomaly index for a backdoor to each of the ten labels.",
        "table 7: 5.4 to 13.2 for the target, 32 to 61 for the others; every target is found.",
    ),
}


def detect(run: Run) -> None:
    """Train the models, scan them with each probe set and write norms, index and verdict of all."""
    plan = DETECTIONS[run.name]
    models = [subject for value in run.chosen(plan.values) for subject in plan.subjects(run.base, value)]
    scanner.command()
    subjects.train(run, models)
    rows = [
        _row(plan.axis, probes, subject, found)
        for probes in plan.probes
        for subject, found in zip(models, scan(run, models, probes), strict=True)
    ]
    run.write(rows, plan.claim, plan.reference, f"--arch {run.base.architecture}")
    figures.detection(rows, plan.axis, run.path("png"))


def _row(axis: str, probes: str, subject: Subject, found: Scan) -> Row:
    return {
        axis: subject.name,
        "model": subject.kind,
        "target": subject.target,
        "probes": probes,
        **{str(label["label"]): round(label["norm"], 2) for label in found.labels},
        "index": round(found.suspect["anomaly_index"], 2),
        "suspect": found.suspect["label"],
        "verdict": found.verdict,
        "seed": subject.specification.seed,
    }
