"""Settings from a file: `nc-scan.toml`, or the table `[tool.nc-scan]` of `pyproject.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from nc_scan.policy import AcceptedModel

OWN, SHARED = "nc-scan.toml", "pyproject.toml"
NOT_SETTINGS = ("config", "models", "version", "help", "explain_parity")  # what only a command line says


@dataclass(frozen=True)
class Settings:
    """Defaults of the options, by the name of their parameter, and the models that are accepted."""

    file: Path | None
    defaults: dict[str, Any]
    accepted: tuple[AcceptedModel, ...] = ()


def read_settings(command: click.Command, given: str | None, start: Path) -> Settings:
    """The file that is given (none for `none`), or the nearest one in `start` or a folder above it.

    Paths in a file count from its folder. Raises click.UsageError for a file that cannot be read, an option that does
    not exist, or an entry of `accepted` that is not whole.
    """
    if given == "none":
        return Settings(None, {})
    file, table = (Path(given), _table(Path(given))) if given else next(_found(start), (None, None))
    if file is None:
        return Settings(None, {})
    if table is None:
        raise click.UsageError(f"{file} has no table [tool.nc-scan]")
    accepted = _accepted(file, table.pop("accepted")) if "accepted" in table else ()
    return Settings(file, _defaults(command, file, table), accepted)


def _accepted(file: Path, entries: Any) -> tuple[AcceptedModel, ...]:
    from nc_scan.policy import accepted_models

    try:
        return accepted_models(entries)
    except ValueError as error:
        raise click.UsageError(f"{file}: {error}") from error


def _found(start: Path) -> Iterator[tuple[Path, dict[str, Any] | None]]:
    """The files with settings, the nearest first; in a folder, our own before the shared one."""
    for folder in (start, *start.parents):
        for name in (OWN, SHARED):
            if (folder / name).is_file():
                table = _table(folder / name)
                if table is not None:
                    yield folder / name, table


def _table(file: Path) -> dict[str, Any] | None:
    try:
        values = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:  # UnicodeDecodeError and TOMLDecodeError are ValueErrors
        if file.name == SHARED and not isinstance(error, OSError):
            return None  # another tool's file: not ours to complain about
        raise click.UsageError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if file.name == SHARED:
        tools = values.get("tool", {})
        table = tools.get("nc-scan") if isinstance(tools, dict) else None
        return dict(table) if isinstance(table, dict) else None
    return values


def _defaults(command: click.Command, file: Path, table: dict[str, Any]) -> dict[str, Any]:
    parameters = {
        name.removeprefix("--"): parameter
        for parameter in command.params
        if parameter.name not in NOT_SETTINGS
        for name in parameter.opts
        if name.startswith("--")
    }
    defaults = {}
    for name, value in table.items():
        parameter = parameters.get(name)
        if parameter is None or parameter.name is None:
            raise click.UsageError(f"{file}: there is no setting '{name}'")
        if isinstance(parameter.type, click.Path) and isinstance(value, str) and value != "-":
            value = str(file.parent / value)
        defaults[parameter.name] = ",".join(map(str, value)) if isinstance(value, list) else value
    return defaults
