"""Models on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nc_scan.attempt import attempt
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
        """Scans the file where it lies."""
        return scan(self.path)


def find_models(path: Path) -> list[LocalModel]:
    """The file, or the .onnx files in a folder and below it, in order of name."""
    if not path.is_dir():
        return [LocalModel(path)]
    return [LocalModel(file) for file in sorted(path.rglob("*.onnx")) if file.is_file()]
