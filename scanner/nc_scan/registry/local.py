"""Models on disk: files, folders, and snapshots in the cache of the Hugging Face Hub."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nc_scan.attempt import attempt
from nc_scan.convert import SUFFIXES
from nc_scan.digest import external_locations
from nc_scan.errors import ModelFileError, RegistryError
from nc_scan.registry.target import Scan
from nc_scan.results import Outcome


@dataclass(frozen=True)
class LocalModel:
    """A file."""

    path: Path

    @property
    def address(self) -> str:
        """The path as the user gave it."""
        return str(self.path)

    def scan(self, scan: Scan = attempt) -> Outcome:
        """Scans the file where it lies, or a copy of it where its weights lie behind links of the Hub's cache."""
        blobs = _blobs(self.path)
        if blobs is None:
            return scan(self.path)
        with _checkout(self.path, blobs) as file:
            return dataclasses.replace(scan(file), path=self.address)


def find_models(path: Path) -> list[LocalModel]:
    """The file, or the models in a folder and below it, told by their suffix, in order of name."""
    if not path.is_dir():
        return [LocalModel(path)]
    return [LocalModel(file) for file in sorted(path.rglob("*")) if file.suffix in SUFFIXES and file.is_file()]


def _blobs(path: Path) -> Path | None:
    """The folder that holds the files of a snapshot, `repository/blobs` for `repository/snapshots/revision/...`.

    None for any other file, and for a model without external data, which can be read through its link.
    """
    if not path.is_symlink():
        return None
    snapshots = next((folder for folder in path.absolute().parents if folder.name == "snapshots"), None)
    if snapshots is None or path.resolve().parent != (snapshots.parent / "blobs").resolve():
        return None
    with contextlib.suppress(ModelFileError):  # the scan says what is wrong with the file
        if external_locations(path):
            return (snapshots.parent / "blobs").resolve()
    return None


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
