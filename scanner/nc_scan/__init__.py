"""Finds backdoors in image classifiers by reverse-engineering their triggers.

>>> import nc_scan
>>> result = nc_scan.scan("model.onnx")  # doctest: +SKIP
>>> result.verdict, result.target_labels  # doctest: +SKIP
('backdoored', (0,))
"""

import os
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from nc_scan.graph import load_model, to_torch
    from nc_scan.pipeline import scan
    from nc_scan.registry.locate import locate
    from nc_scan.results import FailedScan, ScanResult

__all__ = ["FailedScan", "ScanResult", "__version__", "load_model", "locate", "scan", "to_torch"]

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # a scanner tells nobody what it scans

_HOMES = {
    "FailedScan": "results",
    "ScanResult": "results",
    "load_model": "graph",
    "locate": "registry",
    "scan": "pipeline",
    "to_torch": "graph",
}


def __getattr__(name: str) -> Any:
    """Imports on first use, so that `import nc_scan` and `nc-scan --help` stay quick."""
    if name == "__version__":
        return version("nc-scan")
    if name not in _HOMES:
        raise AttributeError(f"module 'nc_scan' has no attribute {name!r}")
    return getattr(import_module(f"nc_scan.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """The public names, for completion."""
    return sorted({*globals(), *__all__})
