"""A report is written whole or not at all."""

import os
import resource
from pathlib import Path

import pytest

from nc_scan.errors import ReportError
from nc_scan.reports import files


def test_writes_text_and_bytes_into_new_folders(tmp_path: Path) -> None:
    files.write(tmp_path / "a" / "b" / "text", "λ")
    files.write(tmp_path / "a" / "bytes", b"\x00")
    assert (tmp_path / "a" / "b" / "text").read_text("utf-8") == "λ"
    assert (tmp_path / "a" / "bytes").read_bytes() == b"\x00"


def test_what_fails_midway_leaves_the_old_report_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report"
    files.write(path, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ReportError, match="report cannot be written: No space left on device"):
        files.write(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(ReportError, match="cannot be written"):
            files.write(tmp_path / "report", b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match="cannot be written"):
        files.write(tmp_path / "file" / "report", "new")


def test_keeps_the_usual_permissions(tmp_path: Path) -> None:
    files.write(tmp_path / "ours", "")
    (tmp_path / "theirs").write_text("")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "theirs").stat().st_mode
