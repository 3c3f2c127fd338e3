"""Which attacks does a scan see? `python -m tests.bench.attacks MODELS...`.

Scans the models that `nc-train experiment attacks` left in its folder `models`, keeps what was found for each label in
`docs/results/attacks.csv`, and writes the verdict on each attack to `docs/results/attacks.md`. Scans that the table
holds are not repeated.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from tests.bench.evidence import Scan, collect, targets
from tests.bench.verdicts import RESULTS, decision

from nc_trainers.experiments.sweeps import ATTACK_SETTINGS

COLUMNS = "attack", "leads to", "ACC", "ASR", "verdict", "labels named", "smallest norm", "at label", "probability"


def line(truth: dict[str, Any], scan: Scan) -> str:
    """A line of the table."""
    attack, found = truth["attack"], decision(scan)
    first = min(found.labels, key=lambda label: label.norm)
    planted = targets(truth, len(scan))
    cells = (
        attack["name"] if attack else "none",
        "the next label" if len(planted) == len(scan) else ", ".join(map(str, planted)),
        f"{truth['accuracy']:.1%}",
        f"{truth['success_rate']:.1%}" if attack else "",
        found.verdict,
        ", ".join(map(str, found.target_labels)),
        f"{first.norm:.1f}",
        first.label,
        f"{first.probability:.3f}",
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def page(lines: list[str]) -> str:
    """The table under the commands that made it."""
    commands = (
        "    nc-train experiment attacks --data PATH --scale 1 --epochs 4 --seed 100 --out DIR\n"
        "    python -m tests.bench.attacks DIR/models/*.onnx"
    )
    claim = (
        "One model and one scan an attack. ASR is the attacker's; norm, label, probability are those of the smallest "
        "trigger that the scan found. The evidence of all labels is in [attacks.csv](attacks.csv)."
    )
    table = "\n".join(["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|", *lines])
    return "\n\n".join(("# What a scan says of each attack", commands, claim, table)) + "\n"


@click.command(help=__doc__)
@click.argument("models", type=click.Path(path_type=Path, exists=True, dir_okay=False), nargs=-1, required=True)
def main(models: tuple[Path, ...]) -> None:
    truths = {model: json.loads(model.with_suffix(".json").read_text()) for model in models}
    order = ["none", *ATTACK_SETTINGS]
    ordered = sorted(models, key=lambda model: order.index((truths[model]["attack"] or {"name": "none"})["name"]))
    lines = []
    for model, scan in zip(ordered, collect(ordered, [0], RESULTS / "attacks.csv"), strict=True):
        lines.append(line(truths[model], scan))
        print(lines[-1], flush=True)
    (RESULTS / "attacks.md").write_text(page(lines))


if __name__ == "__main__":
    main()
