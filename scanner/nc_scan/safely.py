"""A scan whose failure is a value too."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nc_scan.digest import file_digest
from nc_scan.errors import ModelFileError, NcScanError, NotScannableError
from nc_scan.results import FailedScan, Failure, Outcome
from nc_scan.text import message_of, one_line
from nc_scan.versions import library_versions

log = logging.getLogger("nc_scan")
LONGEST_REASON = 1000


def scan_safely(path: str | Path, **options: Any) -> Outcome:
    """`nc_scan.scan` with its options, or why there is no result; raises nothing but KeyboardInterrupt.

    A hostile model can make the libraries underneath raise anything: that is a failed scan as well. Its traceback goes
    to the logger `nc_scan`.
    """
    from nc_scan.pipeline import scan

    try:
        return scan(path, **options)
    except NotScannableError as error:
        return failed(path, "not_applicable", str(error))
    except NcScanError as error:
        return failed(path, "failed", str(error))
    except (ValueError, RuntimeError, MemoryError) as error:
        log.debug("the scan of %s failed", path, exc_info=True)
        return failed(path, "failed", f"the scan failed: {message_of(error)}")
    except Exception as error:
        log.debug("the scan of %s failed", path, exc_info=True)
        return failed(path, "failed", f"internal error: {type(error).__name__}: {message_of(error)}")


def failed(path: str | Path, verdict: Failure, reason: str) -> FailedScan:
    """A failed scan with a reason of one line."""
    try:
        sha256 = file_digest(Path(path))
    except ModelFileError:
        sha256 = None
    finished = datetime.now(UTC).isoformat(timespec="seconds")
    return FailedScan(verdict, (one_line(reason, LONGEST_REASON),), str(path), sha256, library_versions(), finished)
