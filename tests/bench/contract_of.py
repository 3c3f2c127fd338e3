"""The inferred contracts of models whose value range is known: `python -m tests.bench.contract_of INDEX NAME`

INDEX is a JSON file: a list of objects with `file` (relative to it), `range` (the name of a value range), `source`, and
`size` (height, width) where the graph leaves it open. Writes `docs/results/contract-NAME.csv` and `.md`: what is
inferred without being told anything, whether it is right, covered by one of several hypotheses, or wrong, and the
processor time of the evidence.
"""

from __future__ import annotations

import csv
import json
import time
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import click
import numpy as np
from tests.bench.contract import same_range

from nc_scan.contract import Overrides, infer_contract, read_signature
from nc_scan.graph import load_model
from nc_scan.probes import sample

RESULTS = Path(__file__).parents[2] / "docs/results"


@dataclass(frozen=True)
class Row:
    """One model: what it reads, and what was inferred."""

    model: str
    source: str
    labels: int
    size: str
    truth: str
    hypotheses: str
    outcome: str
    seconds: float
    evidence: str


def look(entry: dict[str, str], folder: Path) -> Row:
    """Infers the contract of one model. `right` is a single hypothesis, `covered` one of several, all scanned."""
    start = time.process_time()
    overrides = Overrides(size=tuple(entry["size"])) if "size" in entry else Overrides()  # type: ignore[arg-type]
    signature = read_signature(load_model(folder / entry["file"]), overrides)
    contracts = infer_contract(signature, sample(None, signature.image, np.random.default_rng(0)), overrides)
    seconds = time.process_time() - start
    fitting = any(same_range(contract, entry["range"]) for contract in contracts)
    first = contracts[0]
    return Row(
        Path(entry["file"]).name,
        entry.get("source", ""),
        first.labels,
        f"{first.channels}x{first.height}x{first.width}",
        entry["range"],
        " or ".join(dict.fromkeys(contract.value_range for contract in contracts)),
        "WRONG" if not fitting else "right" if len(contracts) == 1 else "covered",
        round(seconds, 1),
        first.evidence["value range"],
    )


def write(rows: list[Row], name: str) -> None:
    """The table as CSV and as a page with its summary."""
    with (RESULTS / f"contract-{name}.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(field.name for field in fields(Row))
        writer.writerows(astuple(row) for row in rows)
    counts = {word: sum(row.outcome == word for row in rows) for word in ("right", "covered", "WRONG")}
    hypotheses = [len(row.hypotheses.split(" or ")) for row in rows]
    summary = (
        f"{len(rows)} models: {counts['right']} with one hypothesis, the right one; {counts['covered']} with several, "
        f"the right one among them, all of which a scan covers; {counts['WRONG']} wrong. {np.mean(hypotheses):.1f} "
        f"hypotheses a model, {max(hypotheses)} at most."
    )
    cells = ("model", "source", "labels", "size", "truth", "hypotheses", "outcome", "seconds")
    lines = ["| " + " | ".join(str(getattr(row, cell)) for cell in cells) + " |" for row in rows]
    table = "\n".join(["| " + " | ".join(cells) + " |", "|---" * len(cells) + "|", *lines])
    notes = (
        f"Nothing is told but the size where a graph leaves it open. The evidence for each is in "
        f"[contract-{name}.csv](contract-{name}.csv); `seconds` is processor time, on a busy machine. A range is right "
        "that differs from the true one by at most 15% of the pixels' range. The bounds of the evidence were chosen "
        "while looking at these models."
    )
    command = f"    python -m tests.bench.contract_of INDEX {name}"
    page = "\n\n".join((f"# Input contracts: {name}", command, summary, notes, table)) + "\n"
    (RESULTS / f"contract-{name}.md").write_text(page)


@click.command(help=__doc__)
@click.argument("index", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.argument("name")
def main(index: Path, name: str) -> None:
    rows: list[Row] = []
    for entry in json.loads(index.read_text()):
        rows.append(look(entry, index.parent))
        print(*astuple(rows[-1]), sep=" | ", flush=True)
        write(rows, name)


if __name__ == "__main__":
    main()
