"""Models on disk: files, folders, and snapshots in the cache of the Hugging Face Hub."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nc_scan.convert import ADVICE, PICKLE_SUFFIXES, SUFFIXES
from nc_scan.digest import external_locations
from nc_scan.errors import ModelFileError, RegistryError
from nc_scan.isolation import scan_isolated
from nc_scan.registry.target import Scan
from nc_scan.results import Outcome

log = logging.getLogger("nc_scan")


@dataclass(frozen=True)
class LocalModel:
    """A file."""

    path: Path

    @property
    def address(self) -> str:
        """The path as the user gave it."""
        return str(self.path)

    def scan(self, scan: Scan = scan_isolated) -> Outcome:
        """Scans the file where it lies, or a copy of it where its weights lie behind links of the Hub's cache.

        A link in a snapshot that leads anywhere but to the blobs of its own repository is not followed.
        """
        blobs = _blobs(self.path)
        if blobs is None:
            return scan(self.path)
        if self.path.resolve().parent != blobs:
            raise RegistryError(f"{self.path} is a link out of its repository in the Hub's cache: it is not followed")
        if not _has_weights_elsewhere(self.path):
            return scan(self.path)
        with _checkout(self.path, blobs) as file:
            return dataclasses.replace(scan(file), path=self.address)


def find_models(path: Path) -> list[LocalModel]:
    """The file, or the models in a folder and below it, told by their suffix, in order of name.

    Files that are left out are told to the logger `nc_scan`, each with the reason, at the level INFO.
    """
    if not path.is_dir():
        return [LocalModel(path)]
    files = [file for file in sorted(path.rglob("*")) if not file.is_dir()]
    for file in files:
        if reason := _left_out(file):
            log.info("%s is not scanned: %s", file, reason)
    return [LocalModel(file) for file in files if not _left_out(file)]


def find_pickles(path: Path) -> list[Path]:
    """The files in a folder that are pickles by their names, in order."""
    return sorted(file for file in path.rglob("*") if file.suffix.lower() in PICKLE_SUFFIXES and file.is_file())


def _left_out(file: Path) -> str | None:
    """Why a file in a folder is not taken for a model; None where it is."""
    suffix = file.suffix.lower()
    if file.exists() and not file.is_file():
        return "it is no regular file"
    if suffix in SUFFIXES:
        return None
    if suffix in PICKLE_SUFFIXES:
        return f"a pickle can run any code when it is loaded: {ADVICE}"
    if suffix in (".h5", ".hdf5"):
        return "it may hold data as well as a model: name it to have it scanned"
    return f"its name ends in none of {', '.join(SUFFIXES)}"


def _blobs(path: Path) -> Path | None:
    """The folder that holds the files of a snapshot, `repository/blobs` for `repository/snapshots/revision/...`.

    None for any other file.
    """
    if not path.is_symlink():
        return None
    for folder in path.absolute().parents:
        if folder.name == "snapshots" and (folder.parent / "blobs").is_dir():
            return (folder.parent / "blobs").resolve()
    return None


def _has_weights_elsewhere(path: Path) -> bool:
    """Whether the model has external data; one without can be read through its link."""
    try:
        return bool(external_locations(path))
    except ModelFileError:  # the scan says what is wrong with the file
        return False


@contextlib.contextmanager
def _checkout(path: Path, blobs: Path) -> Iterator[Path]:
    """A copy of a model with its external data, without links: the importer follows none. Raises RegistryError."""
    with tempfile.TemporaryDirectory(prefix="nc-scan-") as name:
        folder = Path(name).resolve()
        try:
            shutil.copyfile(path, folder / path.name)
            for location in external_locations(path):
                source, target = (path.parent / location).resolve(), (folder / location).resolve()
                if source.parent == blobs and target.is_relative_to(folder):  # else the scan finds it missing
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source, target)
        except OSError as error:
            raise RegistryError(f"{path} cannot be copied: {error.strerror or error}") from error
        yield folder / path.name
