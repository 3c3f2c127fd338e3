"""The options of `nc-scan`, in the order in which `--help` lists them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from nc_scan.cli.exits import FAIL_ON
from nc_scan.cli.settings import read_settings
from nc_scan.reports.formats import FORMATS

PREFIX = "NC_SCAN"  # of the environment variables, one an option
LAYOUTS = ("NCHW", "NHWC", "NHW", "CHW", "HWC", "features")
KINDS = ("logits", "probabilities", "log-probabilities", "sigmoid")
CONTRACT = ("layout", "size", "channels", "value_range", "mean", "std", "output", "output_kind")
# What `nc_scan.scan` is given; `--explain-parity` is given those of the last line.
SCAN = ("data", "seed", "method", "effort", "detectors", "false_alarms", "calibration", "device", "budget", *CONTRACT)
EXPLAINED = ("data", "seed", *CONTRACT)

Option = Callable[[Callable[..., Any]], Callable[..., Any]]


def parsed(name: str) -> Callable[[click.Context, click.Parameter, str | None], Any]:
    """The callback that makes a value of an option's text as the function of `nc_scan.contract.overrides` does."""

    def parse(_context: click.Context, _option: click.Parameter, text: str | None) -> Any:
        if text is None:
            return None
        from nc_scan.contract import overrides

        try:
            return getattr(overrides, name)(text)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error

    return parse


def usable(_context: click.Context, _option: click.Parameter, name: str) -> str:
    """The device, if it is there; `cpu` is, without a look."""
    if name != "cpu":
        from nc_scan.device import usable_device
        from nc_scan.errors import DeviceError

        try:
            usable_device(name)
        except DeviceError as error:
            raise click.BadParameter(str(error)) from error
    return name


def verdicts(_context: click.Context, _option: click.Parameter, text: str) -> frozenset[str]:
    """The verdicts in a list with commas; `none` for no verdict."""
    names = {name.strip().replace("-", "_") for name in text.split(",") if name.strip()} - {"none"}
    if unknown := names - set(FAIL_ON):
        raise click.BadParameter(f"unknown verdict {', '.join(sorted(unknown))}: one of {', '.join(FAIL_ON)}, none")
    return frozenset(names)


def separated(_context: click.Context, _option: click.Parameter, text: str) -> tuple[str, ...]:
    """The names in a list with commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def with_settings(context: click.Context, _option: click.Parameter, given: str | None) -> None:
    """Takes the defaults of the other options from the settings, which become the context's object."""
    context.obj = read_settings(context.command, given, Path.cwd())
    context.default_map = context.obj.defaults


def _file(name: str, help: str) -> Option:
    file = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
    return click.option(
        f"--{name}", f"{name}_file", type=file, metavar="FILE", envvar=f"{PREFIX}_{name.upper()}", help=help
    )


FOLDER = click.Path(path_type=Path, file_okay=False)

REPORTS: list[Option] = [
    click.option("--report", type=FOLDER, metavar="DIR", help="Write all reports here, a folder for each model."),
    *(_file(format.name, f"Write {format.help}.") for format in FORMATS.values()),
]
EFFORT = click.Choice(["quick", "standard", "deep"])
engine_option: Option = click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Where scans run: on this machine, or on the Ray cluster at RAY_ADDRESS.",
)
jobs_option: Option = click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Models at a time; by default one, or what the cluster has room for.",
)
SCANNING: list[Option] = [
    click.option(
        "--data", type=click.Path(path_type=Path, exists=True), help="Images: a folder, .npy, .npz or .parquet."
    ),
    click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Decides probes and search."),
    click.option(
        "--method",
        type=click.Choice(["calibrated", "paper"]),
        default="calibrated",
        show_default=True,
        help="`paper`: fixed λ = 0.01, backdoored where the anomaly index is at least 2.",
    ),
    click.option(
        "--effort",
        type=EFFORT,
        default="standard",
        show_default=True,
        envvar=f"{PREFIX}_EFFORT",
        help="How much to look for: `quick` is the graph and patches, `deep` warps of the image, too.",
    ),
    click.option(
        "--detectors",
        metavar="NAME,...",
        default="",
        callback=separated,
        help="Ask these instead: graph, patch, paper, pattern, warp, all-to-all, or another package's.",
    ),
    click.option(
        "--fpr",
        "false_alarms",
        type=click.FloatRange(0, 1, min_open=True),
        default=0.01,
        show_default=True,
        envvar=f"{PREFIX}_FPR",
        help="Share of clean models that may be called backdoored.",
    ),
    click.option(
        "--calibration",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        metavar="FILE",
        help="Judge by known models of your own, see nc-scan calibrate.",
    ),
    click.option(
        "--device", default="cpu", show_default=True, callback=usable, help="Where to search: cpu, cuda, cuda:1."
    ),
    click.option(
        "--budget",
        type=click.FloatRange(min=1),
        metavar="SECONDS",
        help="Keep to this time; what cannot be decided in it is inconclusive.",
    ),
    click.option("--layout", type=click.Choice(LAYOUTS), help="Axes of the input; CHW and HWC are flat vectors."),
    click.option("--size", metavar="HEIGHTxWIDTH", callback=parsed("parse_size"), help="Of the images, in pixels."),
    click.option("--channels", type=click.IntRange(min=1), help="Of the images, where the graph leaves them open."),
    click.option(
        "--range",
        "value_range",
        metavar="RANGE",
        envvar=f"{PREFIX}_RANGE",
        callback=parsed("range_name"),
        help="What pixels are scaled to: 0..1, 0..255, -1..1, imagenet, cifar10, gtsrb, mnist or caffe.",
    ),
    click.option(
        "--mean",
        metavar="M,...",
        callback=parsed("parse_numbers"),
        help="Subtracted from pixels in 0..1, one or R,G,B,",
    ),
    click.option("--std", metavar="S,...", callback=parsed("parse_numbers"), help="and what they are divided by then."),
    click.option("--output", metavar="NAME", help="The output that holds a score for each label."),
    click.option("--output-kind", type=click.Choice(KINDS), help="What the output holds."),
]
RUNNING: list[Option] = [
    engine_option,
    jobs_option,
    click.option("--cache", type=FOLDER, metavar="DIR", help="Keep results here, scan nothing twice."),
    click.option(
        "--cache-limit",
        type=click.IntRange(min=1),
        metavar="MIB",
        default=1024,
        show_default=True,
        help="What the cache may hold; the results that were longest not asked for go.",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(min=1),
        metavar="SECONDS",
        help="How long a scan may take; by default as the model's size asks for, half an hour at least.",
    ),
    click.option(
        "--max-memory",
        type=click.FloatRange(min=0.5),
        metavar="GB",
        help="What a scan may hold; by default 8 GB and what the weights ask for, if the machine has that.",
    ),
    click.option("--in-process", is_flag=True, help="Scan in this process, without limits."),
    click.option("--alias", metavar="NAME", help="MLflow: let this alias point to the version if it is clean."),
    click.option(
        "--fail-on",
        metavar="VERDICT,...",
        default=",".join(FAIL_ON),
        callback=verdicts,
        help=f"Which verdicts end with a code other than 0: {', '.join(FAIL_ON)}, or none. All by default.",
    ),
    click.option("--explain-parity", is_flag=True, help="No scan: compare with onnxruntime, node by node."),
    click.option("-q", "--quiet", is_flag=True, help="Print what is not clean, a line each, and no progress."),
    click.option("-v", "--verbose", count=True, help="Print the evidence for what was assumed, and skipped files."),
    click.option(
        "--log-file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Append a log here."
    ),
    click.option(
        "--config",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        is_eager=True,  # its defaults must be known before the others are looked at
        expose_value=False,
        callback=with_settings,
        help="Settings, in place of nc-scan.toml or [tool.nc-scan] in pyproject.toml here or above; `none` for none.",
    ),
]


def all_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds them all to a command's function."""
    for option in reversed([*REPORTS, *SCANNING, *RUNNING]):
        function = option(function)
    return function
