"""Reading files that an attacker may have put in place of a model: regular ones only, and no more than they have."""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

from nc_scan.errors import ModelFileError, NcScanError
from nc_scan.text import message_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def open_regular(path: Path) -> Iterator[BufferedReader]:
    """The file, opened for reading. Raises ModelFileError for what is missing, or no regular file.

    A device never ends, and opening a FIFO waits for a writer: both are told before anything is read, by the file that
    is open and not by its name, which may lead elsewhere a moment later.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        if isinstance(error, FileNotFoundError):
            raise ModelFileError(f"{path}: no such file") from error
        raise ModelFileError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ModelFileError(f"{path}: not a file")
    with open(handle, "rb") as file:
        try:
            yield file
        except OSError as error:
            raise ModelFileError(f"{path} cannot be read: {error.strerror or error}") from error


@contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """Within it, what libraries raise over a message that is no whole model becomes ModelFileError.

    A text that is no UTF-8 comes as bytes, a number that fits no type as one that overflows, and so on.
    """
    try:
        yield
    except NcScanError:
        raise
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        raise ModelFileError(f"{path} is not a valid ONNX model: {message_of(error)}") from error


def read_whole(path: Path, most: int) -> bytes:
    """The content of a regular file. Raises ModelFileError where it cannot be read, or has more than `most` bytes."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise ModelFileError(f"{path} has {size} bytes, more than the limit of {most}")
        return file.read(most + 1)[:most]


def file_digest(path: Path) -> str:
    """SHA-256 in hexadecimal. Raises ModelFileError where the file cannot be read."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
