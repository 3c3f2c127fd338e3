"""From what the user types to the models behind it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nc_scan.registry import local
from nc_scan.registry.target import Target

MLFLOW = ("models:/", "runs:/")


def locate(address: str | Path, *, alias: str | None = None) -> Sequence[Target]:
    """The models at an address; empty for a folder without a model.

    Args:
        address: a file or folder, an address that fsspec knows (`s3://...`, `hf://user/repository`), or one of MLflow
            (`models:/name/version`, `models:/name@alias`, `runs:/id/path`).
        alias: MLflow only: points this alias to a registered version where the verdict is clean.

    Raises RegistryError where the registry cannot be reached or the address leads nowhere, ValueError for an alias
    without a registered version.
    """
    text = str(address)
    if text.startswith(MLFLOW):
        from nc_scan.registry.mlflow_registry import MlflowModel

        return [MlflowModel(text, alias)]
    if alias is not None:
        raise ValueError(f"an alias needs a registered model (models:/name/version), not {text}")
    if "://" in text:
        from nc_scan.registry import remote

        return remote.find_models(text)
    return local.find_models(Path(address))
