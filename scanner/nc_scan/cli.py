"""The command `nc-scan`: the only module that prints and exits."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from nc_scan.pipeline import Progress
    from nc_scan.results import Outcome

CLEAN, FINDINGS, FAILED, NOTHING_TO_SCAN, USAGE = range(5)
EXIT_CODES = {
    "clean": CLEAN,
    "backdoored": FINDINGS,
    "inconclusive": FAILED,
    "failed": FAILED,
    "not_applicable": NOTHING_TO_SCAN,
}

EPILOG = """\b
Exit codes:
  0  clean
  1  a backdoor was found
  2  the scan failed, or is inconclusive
  3  the model is no image classifier: nothing to scan
  4  wrong usage
"""


@click.command(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="Images to scan with: a folder, .npy, .npz or .parquet.")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the result here.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Decides probes and search.")
@click.option(
    "--method",
    type=click.Choice(["calibrated", "paper"]),
    default="calibrated",
    show_default=True,
    help="`paper`: fixed λ = 0.01, backdoored where the anomaly index is at least 2.",
)
@click.option("--device", default="cpu", show_default=True, help="Where to search: cpu, cuda, cuda:1.")
@click.option(
    "--layout", type=click.Choice(["NCHW", "NHWC"]), help="Axes of the input, where the graph leaves it open."
)
@click.option("--side", type=click.IntRange(min=1), help="Height and width in pixels, where the graph leaves it open.")
@click.option(
    "--range",
    "value_range",
    type=click.Choice(["0..1", "0..255", "-1..1", "imagenet", "cifar10"]),
    help="What the model expects pixels to be scaled to.  [default: 0..1, or 0..255 for uint8]",
)
@click.version_option(package_name="nc-scan")
def command(model: Path, json_file: Path | None, **options: Any) -> int:
    """Find out whether MODEL, an ONNX image classifier, has a backdoor.

    Searches for every label the smallest trigger that sends all images to it. A label with an abnormally small one
    is the target of a backdoor. Needs no data: without --data it looks through the model with synthetic images.
    """
    from nc_scan.attempt import attempt
    from nc_scan.errors import ReportError

    with _progress_bar() as progress:
        outcome = attempt(model, progress=progress, **options)
    _show(outcome)
    try:
        if json_file is not None:
            from nc_scan.reports.as_json import to_json
            from nc_scan.reports.files import write

            write(json_file, to_json(outcome))
    except ReportError as error:
        return _fail(str(error), FAILED)
    return EXIT_CODES[outcome.verdict]


def main() -> None:
    """Entry point: runs the command and exits with its code."""
    try:
        code = command.main(standalone_mode=False)
    except click.exceptions.Abort:
        code = _fail("interrupted", FAILED)
    except click.ClickException as error:
        error.show()
        code = USAGE
    except Exception as error:  # an exit code of 1 would tell a gate that a backdoor was found
        if os.environ.get("NC_SCAN_DEBUG"):
            raise
        message = f"{type(error).__name__}: {_first_line(error)}"
        code = _fail(f"internal error: {message} (set NC_SCAN_DEBUG=1 for the traceback)", FAILED)
    raise SystemExit(code)


@contextlib.contextmanager
def _progress_bar() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def update(stage: str, done: int, total: int) -> None:
            bar.update(task, description=stage, completed=done, total=total if total > 1 else None)

        yield update


def _show(outcome: Outcome) -> None:
    from rich.console import Console

    from nc_scan.reports.terminal import failure_line, render
    from nc_scan.results import FailedScan

    if isinstance(outcome, FailedScan):
        _fail(failure_line(outcome), FAILED)
    else:
        Console(highlight=False).print(render(outcome))


def _fail(message: str, code: int) -> int:
    click.echo(f"nc-scan: {' '.join(message.split())}", err=True)
    return code


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
