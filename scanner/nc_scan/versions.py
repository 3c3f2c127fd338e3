"""The versions of the libraries that a scan's result depends on."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable

PACKAGES = ("nc-scan", "torch", "onnx", "onnxruntime", "onnxruntime-gpu", "numpy")


def library_versions() -> dict[str, str]:
    """By name of the distribution, of those that are installed; imports none of them."""
    return versions_of(PACKAGES)


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """The versions of those that are installed, by name of the distribution."""
    found = {}
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # one of the two onnxruntimes
    return found
