"""What the command says, and where: nothing that goes wrong while it prints changes what a scan has found."""

from __future__ import annotations

import codecs
import contextlib
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nc_scan.text import message_of, one_line, visible

if TYPE_CHECKING:
    from rich.console import RenderableType

log = logging.getLogger("nc_scan")
DEBUG = "NC_SCAN_DEBUG"
# For encodings that lack what the reports are drawn with (code page 1252 in a Windows redirect, ASCII).
PLAIN = str.maketrans("━─│┌┐└┘█▓▒░▀▄→×–", "=-|++++#%+.##>x-") | str.maketrans(  # noqa: RUF001
    {"λ": "lambda", "≥": ">=", "…": "..."}
)


def use_plain_characters() -> None:
    """Lets the standard streams write other characters where their encoding lacks one, instead of failing."""
    codecs.register_error("nc-scan-plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError, OSError):  # no stream at all, or one of another kind
            stream.reconfigure(errors="nc-scan-plain")  # type: ignore[union-attr]


def show(make: Callable[[], RenderableType], *, error: bool = False) -> None:
    """Prints what `make` gives, to the standard error if asked to. Never raises: the reports are written already."""
    from rich.console import Console

    try:
        Console(stderr=error, highlight=False, markup=False, emoji=False).print(make())
        (sys.stderr if error else sys.stdout).flush()
    except OSError as problem:  # the reader has gone, or the disk is full
        log.debug("the report cannot be printed: %s", problem)
        silence(sys.stderr if error else sys.stdout)
    except Exception as problem:
        log.debug("the report cannot be printed", exc_info=True)
        say(f"the report cannot be printed: {type(problem).__name__}: {message_of(problem)}")


def say(message: str) -> None:
    """One line on the standard error."""
    with contextlib.suppress(OSError):
        click.echo(f"nc-scan: {one_line(message, 2000)}", err=True)


def silence(stream: object) -> None:
    """Lets nothing that is left in the stream fail when the process ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # type: ignore[attr-defined]


def log_to(file: Path | None, *, quiet: bool, verbose: int) -> None:
    """Sends the library's log to the standard error (warnings; with `verbose` more) and, in full, to a file.

    Raises click.UsageError where the file cannot be opened.
    """
    for handler in list(log.handlers):
        if isinstance(handler, Lines | LogFile):
            log.removeHandler(handler)
            handler.close()
    lines = Lines()
    debug = verbose > 1 or bool(os.environ.get(DEBUG))
    lines.setLevel(logging.DEBUG if debug else logging.INFO if verbose else logging.ERROR if quiet else logging.WARNING)
    lines.setFormatter(VisibleFormatter("nc-scan: %(message)s"))
    handlers: list[logging.Handler] = [lines]
    if file is not None:
        try:
            to_file = LogFile(file, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise click.UsageError(f"{file} cannot be written: {error.strerror}") from error
        to_file.setFormatter(VisibleFormatter("%(asctime)s %(levelname)s %(message)s"))
        handlers.append(to_file)
    log.setLevel(min(logging.DEBUG if file else logging.CRITICAL, lines.level))
    for handler in handlers:
        log.addHandler(handler)


class LogFile(logging.FileHandler):
    """The file of `--log-file`."""


class Lines(logging.Handler):
    """Lines on the standard error as it is at the time: a progress bar may have taken it over."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a line."""
        with contextlib.suppress(OSError):
            click.echo(self.format(record), err=True)


class VisibleFormatter(logging.Formatter):
    """Lines without a character that a terminal obeys or a reader cannot see; only tracebacks have several lines."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return "\n".join(map(visible, super().format(record).split("\n")))

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The message in one line."""
        record.message = visible(record.message)
        return super().formatMessage(record)


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    part = error.object[error.start : error.end].translate(PLAIN)
    return part.encode(error.encoding, "backslashreplace").decode(error.encoding), error.end
