"""The versions of the libraries that a scan's result depends on."""

from __future__ import annotations

import importlib.metadata

PACKAGES = ("nc-scan", "torch", "onnx", "onnxruntime", "onnxruntime-gpu", "numpy")


def library_versions() -> dict[str, str]:
    """By name of the distribution, of those that are installed; imports none of them."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # one of the two onnxruntimes
    return found
