"""Writes files so that a reader sees all of a report or none of it."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import sys
from pathlib import Path

from nc_scan.errors import ReportError

STANDARD_OUTPUT = Path("-")


def write(path: Path, content: str | bytes) -> None:
    """Writes aside, then renames; a file that stood at `path` stays whole until then.

    Links are followed. What is no regular file (a device, a named pipe) is written to, not replaced, and `-` is the
    standard output. Makes missing folders. Raises ReportError where the folder cannot be written to, the disk is full.
    """
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    try:
        if is_standard_output(path):
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        elif _is_special(path):
            path.write_bytes(data)
        else:
            _replace(path.resolve(), data)
    except (OSError, RuntimeError) as error:  # RuntimeError: a circle of links, up to Python 3.12
        raise ReportError(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}") from error


def check_writable(path: Path) -> None:
    """Raises ReportError where `write` would fail for want of a folder or a permission; creates nothing."""
    if is_standard_output(path):
        return
    if path.is_dir():
        raise ReportError(f"{path} cannot be written: it is a folder")
    allowed = os.access(path, os.W_OK) if _is_special(path) else _can_hold(path.resolve().parent)
    if not allowed:
        raise ReportError(f"{path} cannot be written: its folder cannot be made or written to")


def check_writable_folder(folder: Path) -> None:
    """Raises ReportError where `folder` is a file, or can neither be made nor written to; creates nothing."""
    if not _can_hold(folder.resolve()):
        raise ReportError(f"{folder} cannot be written: it is no folder, or may not be made or written to")


def is_standard_output(path: Path) -> bool:
    """Whether the path is `-` or leads to where the standard output goes, such as /dev/stdout."""
    if path == STANDARD_OUTPUT:
        return True
    try:
        return os.path.samestat(path.stat(), os.fstat(sys.stdout.fileno()))
    except (OSError, ValueError, AttributeError):  # no such file; a standard output that is no file
        return False


def _is_special(path: Path) -> bool:
    try:
        return not stat.S_ISREG(path.stat().st_mode) and not path.is_dir()
    except OSError:
        return False


def _can_hold(folder: Path) -> bool:
    """Whether files can be made in the folder, or in the first folder above it that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _replace(path: Path, data: bytes) -> None:
    aside = path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
