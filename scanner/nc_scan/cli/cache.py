"""`nc-scan cache`."""

from __future__ import annotations

from pathlib import Path

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cache_command() -> None:
    """What `--cache DIR` has kept."""


@cache_command.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
def clear(folder: Path) -> int:
    """Remove all results from DIR, and nothing else."""
    from nc_scan.cache import Cache

    count, size = Cache(folder).clear()
    click.echo(f"removed {count} result{'s' if count != 1 else ''}, {size / 2**20:.1f} MiB")
    return 0
