"""Is the input contract inferred right in many clothes? `python -m tests.bench.contract --data CIFAR-10 MODELS`

Takes the shipped examples, and models trained on inputs of another scale, which are trained into the folder MODELS
where they are not there. Changes what goes in and what comes out in many ways, infers each contract without being told
anything, and writes `docs/results/contract.md`. `tests.bench.cases` tells how the variants are scanned.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import click
import numpy as np
import onnx
from tests.bench.cases import AS_EXPORTED, Case, examples
from tests.bench.scaled_models import train_missing

from nc_scan.contract import infer_contract, read_signature
from nc_scan.contract.value_range import RANGES
from nc_scan.probes import sample
from nc_scan.results import InputContract
from nc_trainers.data import Dataset, load

ROOT = Path(__file__).parents[2]
TABLE, PAGE = ROOT / "docs/results/contract.csv", ROOT / "docs/results/contract.md"
SAME = 0.15  # share of the pixels' range by which two value ranges may differ and still be the same for a scan


@dataclass(frozen=True)
class Row:
    """One model: what it is, and what was inferred."""

    model: str
    variant: str
    truth: str
    inferred: str
    outcome: str
    evidence: str


def cases(models: Path, dataset: Dataset) -> Iterator[Case]:
    """Every variant of every example, then the models trained on other value ranges."""
    with tempfile.TemporaryDirectory() as folder:
        yield from examples(Path(folder))
    for model, path in train_missing(dataset, models):
        layout, output_kind = AS_EXPORTED[model.framework]
        yield Case(model.name, "trained so", path, layout, model.value_range, output_kind)


def outcome(case: Case, contracts: tuple[InputContract, ...]) -> str:
    """`right`, `uncertain` where the truth is one of several, `WRONG` otherwise."""
    fitting = [
        contract
        for contract in contracts
        if (contract.layout, contract.output_kind) == (case.layout, case.output_kind)
        and same_range(contract, case.value_range)
    ]
    if not fitting:
        return "WRONG"
    return "right" if len(contracts) == 1 else "uncertain"


def same_range(contract: InputContract, name: str) -> bool:
    """Whether the contract's value range and the one of that name map pixels to nearly the same values."""
    truth = RANGES[name].for_channels(contract.channels)
    scale, offset = np.array(truth.scale), np.array(truth.offset)
    ends = [
        abs((np.array(contract.scale) - scale) * pixel + np.array(contract.offset) - offset) for pixel in (0.0, 1.0)
    ]
    return bool(max(float((end / scale).max()) for end in ends) <= SAME)


def look(case: Case) -> Row:
    """Infers the contract of one case."""
    model = onnx.load(case.path)
    signature = read_signature(model)
    contracts = infer_contract(signature, sample(None, signature.image, np.random.default_rng(0)))
    first = contracts[0]
    ranges = " or ".join(dict.fromkeys(contract.value_range for contract in contracts))
    layouts = " or ".join(dict.fromkeys(contract.layout for contract in contracts))
    inferred = f"{layouts}, {ranges}, {first.output_kind}"
    evidence = first.evidence["value range"]
    return Row(case.model, case.variant, case.truth, inferred, outcome(case, contracts), evidence)


def write(rows: list[Row], scale: float) -> None:
    """The table as CSV and as a page with its summary."""
    with TABLE.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(field.name for field in fields(Row))
        writer.writerows(astuple(row) for row in rows)
    right, uncertain = (sum(row.outcome == word for row in rows) for word in ("right", "uncertain"))
    summary = (
        f"{len(rows)} models: {right} contracts right ({right / len(rows):.0%}), {uncertain} uncertain with the truth "
        f"among the hypotheses, {len(rows) - right - uncertain} wrong."
    )
    cells = ("model", "variant", "truth", "inferred", "outcome")
    lines = ["| " + " | ".join(str(getattr(row, cell)) for cell in cells) + " |" for row in rows]
    table = "\n".join(["| " + " | ".join(cells) + " |", "|---" * len(cells) + "|", *lines])
    command = f"    python -m tests.bench.contract --data PATH --scale {scale:g} MODELS"
    notes = (
        f"The evidence for each is in [{TABLE.name}]({TABLE.name}); [variants.md](variants.md) has the verdicts on the "
        f"variants of the examples. The models of other value ranges were trained on {scale:.0%} of the data. A range "
        f"is right that differs from the true one by at most {SAME:.0%} of the pixels' range, as the constants of "
        "ImageNet and of CIFAR-10 do from each other. The criterion and its bounds were chosen while looking at the "
        "examples, at models of the zoo and at such models of other ranges, so this table shows that they work there, "
        "not on models never seen."
    )
    PAGE.write_text("\n\n".join(("# Input contracts", command, summary, notes, table)) + "\n")


@click.command(help=__doc__)
@click.argument("models", type=click.Path(path_type=Path, file_okay=False))
@click.option("--data", help="CIFAR-10 in any form that nc-train reads.")
@click.option("--scale", type=click.FloatRange(0, 1, min_open=True), default=1.0, help="Share of the data to train on.")
def main(models: Path, data: str, scale: float) -> None:
    models.mkdir(parents=True, exist_ok=True)
    rows = []
    for case in cases(models, load(data).scaled(scale)):
        rows.append(look(case))
        print(*astuple(rows[-1]), sep=" | ", flush=True)
        write(rows, scale)


if __name__ == "__main__":
    main()
