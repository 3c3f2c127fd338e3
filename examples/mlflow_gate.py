"""A gate in front of MLflow's registry, from nothing: only a clean version gets the alias `production`.

    pip install 'nc-scan[mlflow]' mlflow
    python examples/mlflow_gate.py

Starts a server on this machine, registers a clean and a backdoored model as two versions, scans both where they are
registered, and shows what the registry says then. Takes about a minute.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import mlflow

from nc_scan.registry import locate

MODELS = Path(__file__).parent / "models"
NAME, ALIAS = "simple-cnn", "production"


def main() -> None:
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as address:
        mlflow.set_tracking_uri(address)
        client = mlflow.MlflowClient()
        client.create_registered_model(NAME)
        for file in ("simple-cnn-keras-clean.onnx", "simple-cnn-keras-backdoored.onnx"):
            version = register(client, MODELS / file)
            (target,) = locate(f"models:/{NAME}/{version}", alias=ALIAS)
            outcome = target.scan()
            print(f"{target.address} ({file}): {outcome.verdict}. {outcome.reasons[0]}")
        show(client)


def register(client: mlflow.MlflowClient, file: Path) -> str:
    """Logs the file as the artifact of a run and registers it as the next version."""
    run = client.create_run(experiment_id="0")
    client.log_artifact(run.info.run_id, str(file), "model")
    source = f"runs:/{run.info.run_id}/model"
    return str(client.create_model_version(NAME, source, run.info.run_id, await_creation_for=0).version)


def show(client: mlflow.MlflowClient) -> None:
    """Prints tags and aliases as the registry holds them."""
    for version in sorted(client.search_model_versions(f"name='{NAME}'"), key=lambda version: int(version.version)):
        print(f"\nversion {version.version}")
        for key, value in sorted(version.tags.items()):
            print(f"  {key} = {value}")
    print(f"\naliases: {dict(client.get_registered_model(NAME).aliases)}")


@contextlib.contextmanager
def server(folder: Path) -> Iterator[str]:
    """An MLflow server with its embedded SQLite store; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        f"{folder}/artifacts",
    ]
    address = f"http://127.0.0.1:{port}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        try:
            while process.poll() is None:
                with contextlib.suppress(OSError), urlopen(f"{address}/health", timeout=1):
                    break
                time.sleep(0.2)
            else:
                raise SystemExit((folder / "log").read_text())
            yield address
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
