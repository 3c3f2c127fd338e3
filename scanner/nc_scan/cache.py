"""Results of earlier scans, found again by what they depend on."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nc_scan.calibration import SHIPPED
from nc_scan.convert import converter_versions
from nc_scan.digest import file_digest, model_digest
from nc_scan.errors import NcScanError
from nc_scan.reports.arrays import to_npz, with_arrays
from nc_scan.reports.as_json import from_json, to_json
from nc_scan.reports.files import write
from nc_scan.results import Outcome, ScanResult
from nc_scan.safely import scan_safely
from nc_scan.versions import library_versions

log = logging.getLogger("nc_scan")
LIMIT = 2**30  # bytes
SUFFIXES = (".json", ".npz")
NAME = re.compile("[0-9a-f]{64}")


class Cache:
    """A folder of results. Whoever can write to it can forge a verdict, so it must be as trusted as the scanner.

    A result belongs to the bytes of the model with its external weights, the options of the scan, the bytes of the
    user's images, the calibration and the versions of the libraries. One that does not read only keeps; `limit` is
    what it holds at most, in bytes.
    """

    def __init__(self, folder: Path, limit: int = LIMIT, *, reads: bool = True) -> None:
        self.folder = folder
        self.limit = limit
        self.reads = reads

    def get(self, path: Path, options: dict[str, Any]) -> ScanResult | None:
        """The result under the model's present path; None where there is none that is whole."""
        try:
            entry = self._entry(path, options, *model_digest(path))
        except NcScanError:  # the scan says what is wrong with it
            return None
        if not entry.with_suffix(".json").exists():
            return None
        try:
            result = from_json(entry.with_suffix(".json").read_text("utf-8"))
            if not isinstance(result, ScanResult):
                raise ValueError("a failed scan")
            whole = dataclasses.replace(with_arrays(result, entry.with_suffix(".npz")), path=str(path))
            os.utime(entry.with_suffix(".json"))  # it was asked for just now
            return whole
        except (OSError, ValueError) as error:
            log.warning("%s is no result that can be read, scanning again: %s", entry.with_suffix(".json"), error)
            return None

    def put(self, path: Path, options: dict[str, Any], result: ScanResult) -> None:
        """Keeps a result, under the bytes that were scanned, whatever the file holds now.

        Raises ReportError; DataError where the user's images cannot be read any more.
        """
        if any(one.gave_up and one.not_run for one in result.evidence):
            return  # the time limit cut it short: with more time there is more to say
        entry = self._entry(path, options, result.sha256, result.external_data)
        write(entry.with_suffix(".npz"), to_npz(result))
        write(entry.with_suffix(".json"), to_json(result))
        self._shrink()

    def clear(self) -> tuple[int, int]:
        """Removes all results, and nothing else; how many they were, and their bytes."""
        entries = self._entries()
        for entry in entries:
            _remove(entry)
        return len(entries), sum(size for _, size in entries.values())

    def scan(self, path: Path, options: dict[str, Any], scan: Callable[..., Outcome] = scan_safely) -> Outcome:
        """The kept result, or that of a new `scan` with these options, which is kept unless it failed."""
        kept = self.get(path, options) if self.reads else None
        if kept is not None:
            return kept
        outcome = scan(path, **options)
        if isinstance(outcome, ScanResult):
            try:
                self.put(path, options, outcome)
            except NcScanError as error:  # the result is worth more than its copy
                log.warning("the result for %s is not kept: %s", path, error)
        return outcome

    def _entry(self, path: Path, options: dict[str, Any], sha256: str, external: dict[str, str]) -> Path:
        """The file without its suffix."""
        data = options.get("data")
        key = {
            "model": [sha256, external],
            "options": {name: str(value) for name, value in options.items() if name != "progress"},
            "data": None if data is None else _data_digest(Path(data)),
            "calibration": file_digest(Path(options.get("calibration") or SHIPPED)),
            "versions": library_versions() | converter_versions(path),
        }
        return self.folder / hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()

    def _entries(self) -> dict[Path, tuple[float, int]]:
        """When each result was last asked for, and its bytes."""
        found: dict[Path, tuple[float, int]] = {}
        for file in self.folder.iterdir() if self.folder.is_dir() else ():
            if file.suffix in SUFFIXES and NAME.fullmatch(file.stem):
                with contextlib.suppress(OSError):  # another process has just removed it
                    status = file.stat()
                    used, size = found.get(file.with_suffix(""), (0.0, 0))
                    found[file.with_suffix("")] = max(used, status.st_mtime), size + status.st_size
        return found

    def _shrink(self) -> None:
        """Removes the results that were longest not asked for, until the rest is within the limit."""
        entries = sorted(self._entries().items(), key=lambda entry: entry[1][0])
        total = sum(size for _, (_, size) in entries)
        for entry, (_, size) in entries[:-1]:  # the last one is what has just been kept
            if total <= self.limit:
                return
            _remove(entry)
            total -= size


def _remove(entry: Path) -> None:
    """The JSON first: where it is, the result is whole."""
    for suffix in SUFFIXES:
        with contextlib.suppress(OSError):
            entry.with_suffix(suffix).unlink(missing_ok=True)


def _data_digest(path: Path) -> list[tuple[str, str]]:
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    return [(str(file.relative_to(path)), file_digest(file)) for file in files]
