"""Finds backdoors in image classifiers by reverse-engineering their triggers.

>>> import nc_scan
>>> result = nc_scan.scan("model.onnx")  # doctest: +SKIP
>>> result.verdict, result.target_labels  # doctest: +SKIP
('backdoored', (0,))
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nc_scan.graph import load_model, to_torch
    from nc_scan.pipeline import scan
    from nc_scan.results import ScanResult

__all__ = ["ScanResult", "load_model", "scan", "to_torch"]

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # a scanner tells nobody what it scans

_HOMES = {"scan": "pipeline", "to_torch": "graph", "load_model": "graph", "ScanResult": "results"}


def __getattr__(name: str) -> Any:
    """Imports on first use, so that `import nc_scan` and `nc-scan --help` stay quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'nc_scan' has no attribute {name!r}")
    return getattr(import_module(f"nc_scan.{_HOMES[name]}"), name)
