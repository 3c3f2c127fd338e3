"""`nc-scan MODEL...`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from nc_scan.cli.cache import cache_command
from nc_scan.cli.evaluate import calibrate_command, evaluate_command
from nc_scan.cli.exits import EPILOG
from nc_scan.cli.options import EXPLAINED, PREFIX, SCAN, all_options
from nc_scan.cli.output import log_to
from nc_scan.reports.formats import FORMATS

OTHER_COMMANDS: dict[str, click.Command] = {
    "cache": cache_command,
    "evaluate": evaluate_command,
    "calibrate": calibrate_command,
}


class ScanCommand(click.Command):
    """Scans, unless the first word names another command. (A model of that name is `./cache`.)"""

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> Any:  # type: ignore[override]
        """As click's, with the other commands."""
        words = list(sys.argv[1:] if args is None else args)
        other = OTHER_COMMANDS.get(words[0]) if words else None
        if other is None:
            return super().main(words, prog_name, **extra)
        return other.main(words[1:], f"nc-scan {words[0]}", **extra)


@click.command(
    cls=ScanCommand,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": PREFIX},
)
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
@all_options
@click.version_option(package_name="nc-scan")
@click.pass_context
def command(context: click.Context, /, models: tuple[str, ...], **options: Any) -> int:
    """Find out whether MODEL, an image classifier, has a backdoor.

    MODEL is a file, a folder with models, an address such as s3://bucket/model.onnx or hf://user/repository, or a model
    in MLflow: models:/name/version, models:/name@alias, runs:/id/path. Files are ONNX, or Keras (.keras, .h5) or
    torch.export.save (.pt2), which are converted first: pip install 'nc-scan[convert]'.

    Searches for every label the smallest trigger that sends all images to it. A label with an abnormally small one
    is the target of a backdoor. Needs no data: without --data it looks through the model with synthetic images.
    """
    from nc_scan.cli.explain import explain
    from nc_scan.cli.run import Request, limits, run

    if options["in_process"] and (options["engine"] != "local" or (options["jobs"] or 1) > 1):
        raise click.UsageError("--in-process is one scan at a time, in this process")
    log_to(options["log_file"], quiet=options["quiet"], verbose=options["verbose"])
    if options["explain_parity"]:
        return explain(models, {name: options[name] for name in EXPLAINED})
    files: dict[str, Path] = {name: options[f"{name}_file"] for name in FORMATS if options[f"{name}_file"] is not None}
    return run(
        Request(
            models=models,
            options={name: options[name] for name in SCAN},
            files=files,
            engine=options["engine"],
            jobs=options["jobs"],
            limits=None if options["in_process"] else limits(options["timeout"], options["max_memory"]),
            report=options["report"],
            cache=options["cache"],
            cache_limit=options["cache_limit"] * 2**20,
            alias=options["alias"],
            fail_on=options["fail_on"],
            accepted=context.obj.accepted,
            quiet=options["quiet"],
            verbose=options["verbose"],
        )
    )
