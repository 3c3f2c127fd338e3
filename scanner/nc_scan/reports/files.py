"""Writes files so that a reader sees all of a report or none of it."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from nc_scan.errors import ReportError


def write(path: Path, content: str | bytes) -> None:
    """Writes aside, then renames; a file that stood at `path` stays whole until then.

    Makes missing folders. Raises ReportError where the folder cannot be written to or the disk is full.
    """
    data = content.encode() if isinstance(content, str) else content
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
        raise ReportError(f"{path} cannot be written: {error.strerror or error}") from error
