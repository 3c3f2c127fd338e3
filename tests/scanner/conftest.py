"""What tests of whole scans share."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from nc_scan.detectors import PatchSearch
from nc_scan.detectors.patch.settings import ADAPTIVE
from nc_scan.search import Round

SHORT = dataclasses.replace(ADAPTIVE, rounds=(Round(20, 3, 8), Round(40, 1, 8)), suspects=1, polish=(Round(20, 1, 16),))


@pytest.fixture(scope="module")
def short_search() -> Iterator[None]:
    """Searches of a third of the length, for tests of what stands around the search."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(PatchSearch, "settings", SHORT)
        yield
