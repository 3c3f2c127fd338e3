"""From what the user types to the models behind it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nc_scan.convert import ADVICE, SUFFIXES
from nc_scan.registry import local
from nc_scan.registry.target import Target
from nc_scan.results import FailedScan
from nc_scan.safely import failed

NAMED = 3  # pickles that are told by name
REFUSED = f"A pickle can run any code when it is loaded, so none is loaded: {ADVICE}"
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


def nothing_in(address: str | Path) -> FailedScan:
    """What to say of an address where `locate` finds no model: a mistyped path must not pass for a clean one."""
    pickles = [] if "://" in str(address) else local.find_pickles(Path(address))
    if pickles:
        names = ", ".join(file.name for file in pickles[:NAMED]) + (", ..." if len(pickles) > NAMED else "")
        return failed(address, "failed", f"{address}: it holds pickles only ({names}). {REFUSED}")
    return failed(address, "not_applicable", f"{address}: no model ({', '.join(SUFFIXES)}) in it")
