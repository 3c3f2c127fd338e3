"""What every kind of registry gives: models that can be fetched and scanned."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from nc_scan.isolation import scan_isolated
from nc_scan.results import Outcome

Scan = Callable[[Path], Outcome]


class Target(Protocol):
    """One model at its address."""

    @property
    def address(self) -> str:
        """How the user names it; the `path` of the outcome."""
        ...

    def scan(self, scan: Scan = scan_isolated) -> Outcome:
        """Fetches the model, scans the file with `scan`, and tells the registry where that is asked for.

        Never changes the model. Raises RegistryError.
        """
        ...
