"""Runs of the command with scans that take no time: a file's text is its verdict."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from nc_scan.cli import command
from nc_scan.digest import file_digest
from nc_scan.errors import ModelFileError, NotScannableError
from nc_scan.results import InputContract, LabelResult, Parity, ProbeReport, ScanResult

HERE = Path(__file__).parent


def quick_scan(path: Path, **_: Any) -> ScanResult:
    """A result whose verdict is the file's text; `stop` is Ctrl-C."""
    verdict: Any = path.read_text()
    if verdict == "stop":
        raise KeyboardInterrupt
    if verdict == "text":
        raise NotScannableError("no image classifier")
    if verdict == "broken":
        raise ModelFileError(f"{path} is not an ONNX model")
    contract = InputContract("x", "NCHW", 1, 2, 2, "float32", "0..1", (1.0,), (0.0,), "y", "logits", "y", 2)
    labels = tuple(LabelResult(n, 2.0, 0.0, 0.0, 1.0, "converged", 0.1) for n in range(2))
    return ScanResult(
        verdict, (0,) if verdict == "backdoored" else (), labels, ("why → λ",), None, str(path), file_digest(path),
        "calibrated", 0, "cpu", contract, Parity(True, 0.0, 1.0, 1.0),
        ProbeReport("dead leaves", 8, 8, (8, 8), "cd" * 32), {"import": 1.0}, {"nc-scan": "0"},
    )  # fmt: skip


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """Quick scans, in an empty folder. Returns the paths that were scanned."""
    scanned: list[Path] = []

    def scan(path: Path, **options: Any) -> ScanResult:
        scanned.append(path)
        return quick_scan(path, **options)

    monkeypatch.setattr("nc_scan.pipeline.scan", scan)
    monkeypatch.setattr("nc_scan.cache.model_digest", lambda path: (file_digest(path), {}))
    monkeypatch.setenv("NC_SCAN_IN_PROCESS", "1")  # a child would know nothing of the quick scans
    monkeypatch.chdir(tmp_path)
    return scanned


def models(folder: Path, **verdicts: str) -> Path:
    """A folder with a model of each name."""
    for name, verdict in verdicts.items():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.onnx").write_text(verdict)
    return folder


def run(*arguments: object) -> Result:
    """The command in this process; `return_value` is the exit code, where there is no usage error."""
    result = CliRunner().invoke(command, list(map(str, arguments)), standalone_mode=False)
    if result.exception is not None and not isinstance(result.exception, click.exceptions.Abort | click.UsageError):
        raise result.exception
    return result


def start(*arguments: object, env: dict[str, str] | None = None, **options: Any) -> subprocess.Popen[bytes]:
    """The command as a process of its own, with quick scans."""
    command_line = [sys.executable, str(HERE / "quick_command.py"), *map(str, arguments)]
    return subprocess.Popen(command_line, env={**os.environ, **(env or {})}, **options)
