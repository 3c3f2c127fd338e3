"""What the scans of a zoo come to: tables by attack, data set, architecture and number of labels, and a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nc_scan.errors import ReportError
from nc_scan.evaluation.rates import Rate, auc, detection_at, roc
from nc_scan.evaluation.rules import Opinion, Rule
from nc_scan.evaluation.table import Row

GROUPS: dict[str, Callable[[Row], str]] = {
    "attack": lambda row: row.attack,
    "data": lambda row: row.data,
    "architecture": lambda row: row.architecture,
    "labels": lambda row: str(row.labels),
    "probes": lambda row: row.probes,
}
AT = (0.01, 0.05)  # false alarms at which detections are counted


@dataclass(frozen=True)
class Line:
    """One rule on one group of models.

    Attributes:
        auc: of its score, NaN where the group lacks clean or backdoored models.
        alarms: clean models called backdoored.
        found: backdoored models called so.
        alone: of the backdoored models with one target that were found, those of which it alone was named; of rules
            that name labels.
        at: detections at the false alarms AT.
    """

    rule: str
    group: str
    value: str
    auc: float
    alarms: Rate
    found: Rate
    alone: Rate
    at: tuple[Rate, ...]


def summarise(rows: Sequence[Row], rules: Mapping[str, Rule]) -> list[Line]:
    """A line for every rule and group, over all rows that the rule has an opinion on first.

    The clean models of a group by attack are those of all groups, since a clean model has no attack.
    """
    lines = []
    for name, rule in rules.items():
        opinions = judged(rows, rule)
        lines.append(_line(name, "all", "", opinions, opinions))
        for group, key in GROUPS.items():
            for value in sorted({key(row) for row, _ in opinions}):
                chosen = [(row, opinion) for row, opinion in opinions if key(row) == value]
                lines.append(_line(name, group, value, chosen, opinions if group == "attack" else chosen))
    return lines


def judged(rows: Sequence[Row], rule: Rule) -> list[tuple[Row, Opinion]]:
    """The rows that the rule has an opinion on, with it."""
    opinions = ((row, rule(row)) for row in rows)
    return [(row, opinion) for row, opinion in opinions if opinion is not None]


def as_markdown(lines: Iterable[Line]) -> str:
    """The lines as a table."""
    head = ["rule", "models", "", "AUC", "false alarms", "found", *[f"found at {at:.0%}" for at in AT], "target alone"]
    rows = [
        [line.rule, line.group, line.value, f"{line.auc:.3f}", line.alarms, line.found, *line.at, line.alone]
        for line in lines
    ]
    cells = [head, ["---"] * len(head), *[[str(cell).replace("nan", "-") for cell in row] for row in rows]]
    return "".join(f"| {' | '.join(row)} |\n" for row in cells)


def draw_roc(rows: Sequence[Row], rules: Mapping[str, Rule], path: Path) -> None:
    """The ROC of every rule as a picture, in the format of the file's ending.

    Raises ReportError without matplotlib, or where the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ReportError("drawing needs matplotlib: pip install 'nc-scan[plot]'") from error
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.add_subplot(xlabel="false alarms", ylabel="found", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    for name, rule in rules.items():
        clean, backdoored = _scores(judged(rows, rule))
        axes.step(*roc(clean, backdoored), where="post", label=f"{name}, AUC {auc(clean, backdoored):.3f}")
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.5)
    axes.legend(loc="lower right")
    try:
        figure.savefig(path)
    except OSError as error:
        raise ReportError(f"{path} cannot be written: {error.strerror}") from error


def _line(
    rule: str, group: str, value: str, chosen: Sequence[tuple[Row, Opinion]], clean: Sequence[tuple[Row, Opinion]]
) -> Line:
    negatives = [opinion for row, opinion in clean if not row.backdoored]
    positives = [(row, opinion) for row, opinion in chosen if row.backdoored]
    single = [(row, opinion) for row, opinion in positives if opinion.labels and len(row.targets) == 1]
    named = [(row, opinion) for row, opinion in single if opinion.backdoored]
    scores = [opinion.score for opinion in negatives], [opinion.score for _, opinion in positives]
    return Line(
        rule,
        group,
        value,
        auc(*scores),
        Rate(sum(opinion.backdoored for opinion in negatives), len(negatives)),
        Rate(sum(opinion.backdoored for _, opinion in positives), len(positives)),
        Rate(sum(opinion.labels == row.targets for row, opinion in named), len(named)),
        tuple(detection_at(*scores, at) for at in AT),
    )


def _scores(opinions: Sequence[tuple[Row, Opinion]]) -> tuple[list[float], list[float]]:
    return (
        [opinion.score for row, opinion in opinions if not row.backdoored],
        [opinion.score for row, opinion in opinions if row.backdoored],
    )
