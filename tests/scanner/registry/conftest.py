"""A real MLflow server with its embedded SQLite store, for the tests of this folder."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from nc_scan.results import InputContract, LabelResult, Parity, ProbeReport, ScanResult

START = 240  # seconds, on a machine that does much else


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server's address."""
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        str(folder / "artifacts"),
    ]
    log = folder / "log"
    with log.open("wb") as output:
        quiet = {**os.environ, "DO_NOT_TRACK": "1", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder, env=quiet)
        try:
            address = f"http://127.0.0.1:{port}"
            _wait(address, process, log)
            yield address
        finally:
            process.terminate()
            process.wait(30)


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if requests.get(f"{address}/health", timeout=1).ok:
                return
        except requests.RequestException:
            time.sleep(0.1)
    pytest.fail(f"MLflow did not start:\n{log.read_text()}")


@pytest.fixture
def tracking(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of the server, which the code under test reaches through the environment as well."""
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    mlflow.set_tracking_uri(server)
    yield mlflow.MlflowClient()
    mlflow.set_tracking_uri(None)


def judge(path: Path) -> ScanResult:
    """A scan that takes no time: the file's text is the verdict."""
    verdict: Any = path.read_text()
    contract = InputContract("x", "NCHW", 1, 2, 2, "float32", "0..1", (1.0,), (0.0,), "y", "logits", "y", 2)
    labels = tuple(LabelResult(n, 2.0, 0.0, 0.0, 1.0, "converged", 0.1) for n in range(2))
    return ScanResult(
        verdict, (1,) if verdict == "backdoored" else (), labels, ("why",), None, str(path), "ab" * 32, "calibrated", 0,
        "cpu", contract, Parity(True, 0.0, 1.0, 1.0), ProbeReport("dead leaves", 8, 8, (8, 8), "cd" * 32),
        {"import": 1.0}, {"nc-scan": "0.1.0"}, finished="2026-11-23T20:00:00+00:00",
    )  # fmt: skip
