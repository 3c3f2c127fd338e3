"""Writes reports: one that fails leaves the others alone."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from nc_scan.errors import ReportError
from nc_scan.reports.files import write
from nc_scan.reports.formats import FORMATS, Format
from nc_scan.results import Outcome
from nc_scan.text import message_of

log = logging.getLogger("nc_scan")


def write_formats(files: Mapping[str, Path], outcomes: Sequence[Outcome]) -> None:
    """Writes a report in each format, by its name in `FORMATS`.

    Raises ReportError, with what went wrong in each, once those that can be written are.
    """
    problems = Problems()
    for name, file in files.items():
        with problems.collected():
            write_format(FORMATS[name], outcomes, file)
    problems.raise_any()


def write_format(format: Format, outcomes: Sequence[Outcome], file: Path) -> None:
    """Writes one report. Raises ReportError.

    Where none can be made of the outcomes, an old one at its place is removed: it speaks of others.
    """
    try:
        text = format.render(outcomes)
    except Exception as error:  # whatever a model's names do to a report, the other reports are still made
        log.debug("the %s report failed", format.name, exc_info=True)
        if file.is_file():
            with contextlib.suppress(OSError):
                file.unlink()
        reason = str(error) if isinstance(error, ReportError) else f"internal error: {message_of(error)}"
        raise ReportError(f"{file} cannot be written: {reason}") from error
    write(file, text)


class Problems:
    """What went wrong while the rest went on."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    @contextlib.contextmanager
    def collected(self) -> Iterator[None]:
        """Keeps a ReportError for later."""
        try:
            yield
        except ReportError as error:
            self.messages.append(str(error))

    def raise_any(self) -> None:
        """Raises ReportError where there is any message."""
        if self.messages:
            raise ReportError("; ".join(self.messages))
