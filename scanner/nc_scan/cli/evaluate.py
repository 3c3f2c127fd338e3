"""`nc-scan evaluate` and `nc-scan calibrate`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nc_scan.cli.options import EFFORT, engine_option, jobs_option
from nc_scan.errors import NcScanError

if TYPE_CHECKING:
    from nc_scan.engines import EngineName
    from nc_scan.evaluation.index import KnownModel
    from nc_scan.evaluation.rules import Rule
    from nc_scan.evaluation.table import Row
    from nc_scan.results import Outcome

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
NEW_FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
SETTINGS = {"help_option_names": ["-h", "--help"]}


def _told(command: Callable[..., int]) -> Callable[..., int]:
    """The command, whose errors are one line and the exit code of wrong usage: what it reads are the user's tables."""

    @functools.wraps(command)
    def run(*args: Any, **options: Any) -> int:
        try:
            return command(*args, **options)
        except NcScanError as error:
            raise click.ClickException(str(error)) from error

    return run


@click.command(context_settings=SETTINGS)
@click.argument("index", metavar="INDEX", type=FILE)
@click.option("--out", type=FOLDER, required=True, metavar="DIR", help="Where reports, tables and the picture go.")
@click.option("--part", metavar="NAME", help="Only the models of this part of the index, such as judge.")
@click.option("--seeds", default=1, show_default=True, type=click.IntRange(1), help="Scans of each model.")
@engine_option
@jobs_option
@click.option(
    "--fpr", default=0.01, show_default=True, type=click.FloatRange(0, 1, min_open=True), help="False alarms."
)
@click.option("--calibration", type=FILE, metavar="FILE", help="Judge by this calibration, see nc-scan calibrate.")
@click.option("--device", default="cpu", show_default=True, help="Where the search runs: cpu, cuda, cuda:1.")
@click.option(
    "--effort",
    type=EFFORT,
    default="standard",
    show_default=True,
    help="How much to look for, as for a scan.",
)
@_told
def evaluate_command(
    index: Path,
    out: Path,
    part: str | None,
    seeds: int,
    engine: EngineName,
    jobs: int | None,
    fpr: float,
    calibration: Path | None,
    device: str,
    effort: str,
) -> int:
    """Scan the models of INDEX, whose truth is known, and count how often the verdict is right.

    INDEX is JSON: {"version": 1, "models": [{"file": "a.onnx", "verdict": "backdoored", "targets": [3], "attack":
    "patch", "data": "cifar10", "architecture": "resnet-20", "labels": 10, "part": "judge"}, ...]}; nc-train zoo writes
    one. DIR gets a report for each scan, evidence.csv, which nc-scan calibrate reads, evaluation.md and roc.svg. What
    has been scanned before is not scanned again. With an evidence.csv for INDEX nothing is scanned: what was found then
    is judged anew.
    """
    from nc_scan.engines import make_engine
    from nc_scan.evaluation.index import read_index
    from nc_scan.evaluation.scans import scan_all
    from nc_scan.evaluation.table import read_table, row_of, write_table
    from nc_scan.isolation import Limits

    if index.suffix == ".csv":
        rows = [row for row in read_table(index) if part in (None, row.part)]
    else:
        models = [model for model in read_index(index) if part in (None, model.part)]
        settings = {"device": device, "effort": effort}
        engine_for = functools.partial(make_engine, engine, jobs=jobs, limits=Limits())
        scans = scan_all(models, range(seeds), out / "scans", settings, engine_for, _tell)
        rows = [row_of(model, outcome, seed) for model, seed, outcome in scans]
    if not rows:
        raise click.UsageError(f"{index} has no models{f' of part {part}' if part else ''}")
    out.mkdir(parents=True, exist_ok=True)
    write_table(rows, out / "evidence.csv")
    _write_summary(out, rows, fpr, calibration)
    return 0


@click.command(context_settings=SETTINGS)
@click.argument("evidence", metavar="EVIDENCE...", nargs=-1, required=True, type=FILE)
@click.option("--out", type=NEW_FILE, required=True, metavar="FILE", help="Where the calibration goes (JSON).")
@click.option("--part", default="fit", show_default=True, metavar="NAME", help="The part of the models to fit on.")
@_told
def calibrate_command(evidence: tuple[Path, ...], out: Path, part: str) -> int:
    """Fit the verdict's calibration on models of your own: the tables that nc-scan evaluate wrote.

    The scores of detectors other than the patch search are held against the clean models of all parts. Says how the fit
    judges each data set, architecture, attack and number of labels when it is left out. Scan with it:
    nc-scan MODEL --calibration FILE. Judge it on other models: nc-scan evaluate INDEX --part judge --calibration FILE.
    """
    from nc_scan.evaluation.cross import leave_out
    from nc_scan.evaluation.fit import fit_calibration
    from nc_scan.evaluation.table import read_table

    everything = [row for path in evidence for row in read_table(path)]
    rows = [row for row in everything if row.part == part]
    calibration = fit_calibration(rows, everything)
    calibration.save(out)
    clean, backdoored = calibration.models
    click.echo(f"fitted on {clean} clean and {backdoored} backdoored models ({calibration.basis}): {calibration.id}")
    click.echo(f"scores of other detectors: {', '.join(sorted(calibration.others)) or 'none'}")
    click.echo("left out, each in turn:")
    for left in leave_out(rows):
        click.echo(f"  {left}")
    return 0


def _tell(model: KnownModel, seed: int, outcome: Outcome) -> None:
    from nc_scan.text import visible

    truth = "backdoored" if model.backdoored else "clean"
    click.echo(f"{visible(model.file)} seed {seed}: {outcome.verdict} (is {truth})", err=True)


def _write_summary(out: Path, rows: Sequence[Row], fpr: float, calibration: Path | None) -> None:
    from nc_scan.calibration import SHIPPED, load_calibration
    from nc_scan.errors import ReportError
    from nc_scan.evaluation.rules import as_scanned, by_score, calibrated, former, paper
    from nc_scan.evaluation.summary import as_markdown, draw_roc, summarise

    known = load_calibration(calibration or SHIPPED)
    rules: dict[str, Rule] = {"patches": calibrated(known, fpr), "former": former, "paper": paper}
    scored = sorted({detector for row in rows for detector in row.scores})
    rules |= {detector: by_score(detector, known, fpr) for detector in scored}
    if all(row.verdict for row in rows):  # a table may hold norms alone
        rules = {"verdict": as_scanned, **rules}
    table = as_markdown(summarise(rows, rules))
    (out / "evaluation.md").write_text(table, "utf-8")
    click.echo(table, nl=False)
    try:
        draw_roc(rows, rules, out / "roc.svg")
    except ReportError as error:
        click.echo(f"no picture: {error}", err=True)
