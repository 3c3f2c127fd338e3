"""All reports of a run as a folder, each model's written as its scan ends."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from nc_scan.errors import ReportError
from nc_scan.reports.arrays import to_npz
from nc_scan.reports.as_index import Entry, to_index
from nc_scan.reports.as_json import SCHEMA_ID
from nc_scan.reports.files import write
from nc_scan.reports.formats import FORMATS
from nc_scan.reports.pictures import image_png, mask_png
from nc_scan.reports.writing import Problems, write_format, write_formats
from nc_scan.results import Outcome, ScanResult
from nc_scan.text import visible

JSON, HTML = FORMATS["json"].file, FORMATS["html"].file
ARRAYS, PICTURES = "triggers.npz", ("masks", "patterns")
INDEX = "index.html"
UNFINISHED = ".unfinished"  # what a run that was interrupted has scanned so far
SUMMARIES = [format for format in FORMATS.values() if not format.of_one]
RESERVED = {INDEX, *(format.file for format in FORMATS.values())}
LONGEST_NAME = 100


class ReportFolder:
    """The folder of one run: a folder for each model, what sums them up, and `index.html`.

    `begin` removes what an earlier run has left, so that nothing in the folder speaks of another one. `unfinished` is
    a place for results that lasts until `finish`: where a run was `interrupted`, the next one finds there what that one
    has scanned.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.unfinished = folder / UNFINISHED
        self.interrupted = self.unfinished.is_dir()
        self._outcomes: list[Outcome] = []

    def begin(self) -> None:
        """Removes the reports of an earlier run, and nothing else. Raises ReportError."""
        try:
            for name in (INDEX, *(format.file for format in SUMMARIES)):
                (self.folder / name).unlink(missing_ok=True)
            for old in _model_folders(self.folder):
                _remove_report(old)
        except OSError as error:
            raise ReportError(f"{self.folder}: old reports cannot be removed: {error.strerror or error}") from error

    def add(self, outcome: Outcome, planned: int) -> None:
        """Writes one model's report and the index, of `planned` models so far. Raises ReportError."""
        self._outcomes.append(outcome)
        write_report(outcome, self.folder / self._names()[-1])
        self._write_index(planned)

    def finish(self) -> None:
        """Writes what sums the models up. Raises ReportError, once all that can be written is."""
        readable = any(outcome.sha256 is not None for outcome in self._outcomes)  # a statement needs a subject
        files = {f.name: self.folder / f.file for f in SUMMARIES if readable or f.name != "intoto"}
        problems = Problems()
        with problems.collected():
            write_formats(files, self._outcomes)
        with problems.collected():
            self._write_index(len(self._outcomes), [file.name for file in files.values()])
        shutil.rmtree(self.unfinished, ignore_errors=True)
        problems.raise_any()

    def _names(self) -> list[str]:
        return folder_names([outcome.path for outcome in self._outcomes])

    def _write_index(self, planned: int, summaries: Sequence[str] = ()) -> None:
        entries = [Entry(o, name) for o, name in zip(self._outcomes, self._names(), strict=True)]
        write(self.folder / INDEX, to_index(entries, planned, summaries))


def write_reports(outcomes: Sequence[Outcome], folder: Path) -> None:
    """All reports of a run that has ended. Raises ReportError."""
    reports = ReportFolder(folder)
    reports.begin()
    for outcome in outcomes:
        reports.add(outcome, len(outcomes))
    reports.finish()


def write_report(outcome: Outcome, folder: Path) -> None:
    """One scan: `report.html`, `triggers.npz`, the masks and patterns as PNG and, when all is there, `scan.json`.

    Raises ReportError, once all that can be written is.
    """
    problems = Problems()
    with problems.collected():
        write_format(FORMATS["html"], [outcome], folder / HTML)
    with problems.collected():
        _write_pixels(outcome, folder)
    if not problems.messages:
        write_format(FORMATS["json"], [outcome], folder / JSON)
    problems.raise_any()


def _write_pixels(outcome: Outcome, folder: Path) -> None:
    if isinstance(outcome, ScanResult):
        write(folder / ARRAYS, to_npz(outcome))
        for label in outcome.labels:
            if label.trigger is not None:
                write(folder / "masks" / f"{label.label}.png", mask_png(label.trigger.mask))
                write(folder / "patterns" / f"{label.label}.png", image_png(label.trigger.pattern))


def folder_names(paths: Sequence[str]) -> list[str]:
    """The models' file names without suffix; a name that comes again, or is that of a report, gets a number.

    Names that differ in their case alone count as one, as on many file systems.
    """
    names: list[str] = []
    used = {name.casefold() for name in RESERVED}
    for path in paths:
        stem = PurePath(path).stem.lstrip(".")
        stem = "".join("_" if c == "\\" or visible(c) != c else c for c in stem)[:LONGEST_NAME] or "model"
        candidates = (stem if n == 1 else f"{stem}-{n}" for n in range(1, len(used) + 2))
        names.append(next(name for name in candidates if name.casefold() not in used))
        used.add(names[-1].casefold())
    return names


def _model_folders(folder: Path) -> Iterator[Path]:
    """The folders in it that hold a report of ours, whole or not."""
    for candidate in sorted(folder.iterdir()) if folder.is_dir() else ():
        if candidate.is_dir() and not candidate.is_symlink() and _is_ours(candidate):
            yield candidate


def _is_ours(folder: Path) -> bool:
    if (folder / JSON).is_file():
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            return bool(json.loads((folder / JSON).read_text("utf-8"))["schema"] == SCHEMA_ID)
        return False
    return {file.name for file in folder.iterdir()} <= {HTML, ARRAYS, *PICTURES}  # interrupted while it was written


def _remove_report(folder: Path) -> None:
    for name in (JSON, HTML, ARRAYS):  # the JSON first: where it is, the report is whole
        (folder / name).unlink(missing_ok=True)
    for kind in PICTURES:
        if (folder / kind).is_dir() and not (folder / kind).is_symlink():
            for picture in (folder / kind).glob("*.png"):
                picture.unlink()
            _remove_if_empty(folder / kind)
    _remove_if_empty(folder)


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # it holds something that is not ours
        folder.rmdir()
