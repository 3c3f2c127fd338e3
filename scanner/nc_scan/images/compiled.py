"""Numba's compiler as the painters of synthetic images use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiled for all cores, and kept on disk where there is a place that can be written to."""
    options: dict[str, Any] = {"parallel": True, "fastmath": True}
    try:
        made: Callable[..., Any] = njit(cache=True, **options)(function)
    except RuntimeError:  # "cannot cache function ...: no locator available"
        made = njit(**options)(function)
    return made
