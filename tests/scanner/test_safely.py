"""Failures as values."""

from pathlib import Path
from typing import Any

import pytest

from nc_scan import pipeline
from nc_scan.errors import NotScannableError, UnsupportedModelError
from nc_scan.results import FailedScan
from nc_scan.safely import scan_safely

CASES = {
    "not applicable": (NotScannableError("no image\n classifier"), "not_applicable", "no image classifier"),
    "unsupported": (UnsupportedModelError("no operator Foo"), "failed", "no operator Foo"),
    "runtime": (RuntimeError("\nout  of memory\nat line 7"), "failed", "the scan failed: out of memory at line 7"),
    "silent": (MemoryError(), "failed", "the scan failed: MemoryError"),
    "internal": (KeyError("x"), "failed", "internal error: KeyError: 'x'"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_scan_raises_becomes_one_line(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error, verdict, reason = CASES[case]

    def scan(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(pipeline, "scan", scan)
    (tmp_path / "model.onnx").write_bytes(b"model")
    outcome = scan_safely(tmp_path / "model.onnx")
    assert isinstance(outcome, FailedScan)
    assert outcome.verdict == verdict
    assert outcome.reasons == (reason,)
    assert outcome.sha256 == "9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4"


def test_a_missing_file_has_no_digest(tmp_path: Path) -> None:
    outcome = scan_safely(tmp_path / "model.onnx")
    assert isinstance(outcome, FailedScan)
    assert outcome.sha256 is None
    assert "no such file" in outcome.reasons[0]
