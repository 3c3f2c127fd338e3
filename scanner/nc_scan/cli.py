"""The command `nc-scan`: the only module that prints results and exits."""

from __future__ import annotations

import logging
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import RenderableType

    from nc_scan.registry import Target
    from nc_scan.results import Outcome

CLEAN, FINDINGS, FAILED, NOTHING_TO_SCAN, USAGE = range(5)
EXIT_CODES = {
    "clean": CLEAN,
    "backdoored": FINDINGS,
    "inconclusive": FAILED,
    "failed": FAILED,
    "not_applicable": NOTHING_TO_SCAN,
}
SEVERITY = (CLEAN, NOTHING_TO_SCAN, FAILED, FINDINGS)  # of many models the worst one counts
LAYOUTS = ("NCHW", "NHWC", "NHW", "CHW", "HWC", "features")
KINDS = ("logits", "probabilities", "log-probabilities", "sigmoid")
EXPLAINED = ("data", "seed", "layout", "side", "value_range", "output", "output_kind")  # by --explain-parity
PATH, FILE = click.Path(path_type=Path), click.Path(path_type=Path, dir_okay=False)


def _known_range(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    if text is not None:
        from nc_scan.contract.value_range import parse_range

        try:
            parse_range(text)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error
    return text


EPILOG = """\b
Exit codes:
  0  clean
  1  a backdoor was found
  2  the scan failed, or is inconclusive
  3  the model is no image classifier: nothing to scan
  4  wrong usage
Of many models the worst one counts: 1, then 2, 3, 0.
"""


@click.command(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
@click.option("--data", type=PATH, help="Images to scan with: a folder, .npy, .npz or .parquet.")
@click.option("--report", type=PATH, metavar="DIR", help="Write all reports here, a folder for each model.")
@click.option("--json", "json_file", type=FILE, metavar="FILE", help="Write the result here; one model only.")
@click.option("--html", "html_file", type=FILE, metavar="FILE", help="Write a page here; one model only.")
@click.option("--sarif", "sarif_file", type=FILE, metavar="FILE", help="Write SARIF for code scanning here.")
@click.option("--junit", "junit_file", type=FILE, metavar="FILE", help="Write JUnit XML here.")
@click.option("--markdown", "markdown_file", type=FILE, metavar="FILE", help="Write a summary for a pull request here.")
@click.option("--intoto", "intoto_file", type=FILE, metavar="FILE", help="Write an unsigned in-toto statement here.")
@click.option("--bom", "bom_file", type=FILE, metavar="FILE", help="Write a CycloneDX ML-BOM here.")
@click.option("--cache", type=PATH, metavar="DIR", help="Keep results here and scan nothing twice with these settings.")
@click.option("--alias", metavar="NAME", help="MLflow: let this alias point to the version if it is clean.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Decides probes and search.")
@click.option(
    "--method",
    type=click.Choice(["calibrated", "paper"]),
    default="calibrated",
    show_default=True,
    help="`paper`: fixed λ = 0.01, backdoored where the anomaly index is at least 2.",
)
@click.option("--device", default="cpu", show_default=True, help="Where to search: cpu, cuda, cuda:1.")
@click.option("--layout", type=click.Choice(LAYOUTS), help="Axes of the input; CHW and HWC are flat vectors of images.")
@click.option("--side", type=click.IntRange(min=1), help="Height and width in pixels, where the graph leaves it open.")
@click.option(
    "--range",
    "value_range",
    metavar="RANGE",
    callback=_known_range,
    help="What pixels are scaled to: 0..1, 0..255, -1..1, imagenet, cifar10, caffe, or mean=M;std=S.",
)
@click.option("--output", metavar="NAME", help="The output that holds a score for each label.")
@click.option("--output-kind", type=click.Choice(KINDS), help="What the output holds.")
@click.option("--explain-parity", is_flag=True, help="No scan: compare with onnxruntime, node by node.")
@click.version_option(package_name="nc-scan")
def command(
    models: tuple[str, ...],
    alias: str | None,
    report: Path | None,
    cache: Path | None,
    explain_parity: bool,
    **options: Any,
) -> int:
    """Find out whether MODEL, an image classifier, has a backdoor.

    MODEL is a file, a folder with models, an address such as s3://bucket/model.onnx or hf://user/repository, or a model
    in MLflow: models:/name/version, models:/name@alias, runs:/id/path. Files are ONNX, or Keras (.keras, .h5) or
    torch.export.save (.pt2), which are converted first: pip install 'nc-scan[convert]'.

    Searches for every label the smallest trigger that sends all images to it. A label with an abnormally small one
    is the target of a backdoor. Needs no data: without --data it looks through the model with synthetic images.
    """
    from nc_scan.errors import ReportError
    from nc_scan.reports.chosen import write_chosen
    from nc_scan.reports.terminal import render_summary

    _log_tracebacks()
    if explain_parity:
        codes = [_explain(model, **{name: options[name] for name in EXPLAINED}) for model in models]
        return max(codes, key=SEVERITY.index)
    files = {name.removesuffix("_file"): options.pop(name) for name in list(options) if name.endswith("_file")}
    targets, outcomes = _locate(models, alias)
    if len(targets) + len(outcomes) > 1 and (files["json"] or files["html"]):
        raise click.UsageError("--json and --html take one model; --report writes them for many")
    if not targets and not outcomes:
        return _fail(f"{', '.join(models)}: no model (.onnx, .keras, .pt2) in it", NOTHING_TO_SCAN)
    try:
        outcomes += _scan(targets, cache, options)
        if len(outcomes) > 1:
            _print(render_summary(outcomes))
        write_chosen(outcomes, files, report)
    except ReportError as error:
        return _fail(str(error), FAILED)
    return max((EXIT_CODES[outcome.verdict] for outcome in outcomes), key=SEVERITY.index)


def main() -> None:
    """Entry point: runs the command and exits with its code."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # there is a bar already
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


def _locate(models: tuple[str, ...], alias: str | None) -> tuple[list[Target], list[Outcome]]:
    """The models behind the addresses, each once, and failed scans for the addresses that lead nowhere."""
    from nc_scan.attempt import failed
    from nc_scan.errors import RegistryError
    from nc_scan.registry import locate

    targets: dict[str, Target] = {}
    outcomes: list[Outcome] = []
    for address in models:
        try:
            targets.update({target.address: target for target in locate(address, alias=alias)})
        except RegistryError as error:
            outcomes.append(_shown(failed(address, "failed", str(error)), brief=True))
        except ValueError as error:
            raise click.UsageError(str(error)) from error
    return list(targets.values()), outcomes


def _scan(targets: list[Target], cache_folder: Path | None, options: dict[str, Any]) -> list[Outcome]:
    from nc_scan.attempt import attempt, failed
    from nc_scan.cache import Cache
    from nc_scan.errors import RegistryError
    from nc_scan.reports.progress import progress_bar

    cache = Cache(cache_folder) if cache_folder else None
    outcomes: list[Outcome] = []
    for number, target in enumerate(targets, 1):
        with progress_bar(f"{number}/{len(targets)} " if len(targets) > 1 else "") as progress:
            settings = {**options, "progress": progress}
            scan = partial(cache.scan, options=settings) if cache else partial(attempt, **settings)
            try:
                outcome = target.scan(scan)
            except RegistryError as error:
                outcome = failed(target.address, "failed", str(error))
        outcomes.append(_shown(outcome, brief=len(targets) > 1))
    return outcomes


def _explain(path: str, **options: Any) -> int:
    """Prints how far the importer's values are from onnxruntime's."""
    from nc_scan.errors import NcScanError, NotScannableError
    from nc_scan.explain import explain_parity
    from nc_scan.reports.parity import render_parity

    try:
        explanation = explain_parity(path, **options)
    except NcScanError as error:
        message = str(error) if path in str(error) else f"{path}: {error}"
        return _fail(message, NOTHING_TO_SCAN if isinstance(error, NotScannableError) else FAILED)
    _print(render_parity(path, explanation))
    return CLEAN if explanation.scores.agrees else FAILED


def _log_tracebacks() -> None:
    """The failures' tracebacks on the standard error, for NC_SCAN_DEBUG=1."""
    if os.environ.get("NC_SCAN_DEBUG"):
        logging.basicConfig()
        logging.getLogger("nc_scan").setLevel(logging.DEBUG)


def _shown(outcome: Outcome, *, brief: bool) -> Outcome:
    """Prints the outcome and returns it."""
    from nc_scan.reports.terminal import failure_line, headline, render
    from nc_scan.results import FailedScan

    if isinstance(outcome, FailedScan):
        _fail(failure_line(outcome), FAILED)
    else:
        _print(headline(outcome) if brief else render(outcome))
    return outcome


def _print(part: RenderableType) -> None:
    from rich.console import Console

    Console(highlight=False).print(part)


def _fail(message: str, code: int) -> int:
    click.echo(f"nc-scan: {' '.join(message.split())}", err=True)
    return code


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
