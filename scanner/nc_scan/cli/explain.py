"""`nc-scan --explain-parity`: how far the importer's values are from onnxruntime's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from nc_scan.cli.exits import CLEAN, FAILED, NOTHING_TO_SCAN, worst
from nc_scan.cli.output import say, show


def explain(models: Sequence[str], options: dict[str, Any]) -> int:
    """Explains each model: files, and the models in folders. Returns the exit code."""
    from nc_scan.registry.local import find_models

    if addresses := [model for model in models if "://" in model or model.startswith(("models:/", "runs:/"))]:
        raise click.UsageError(f"--explain-parity takes files and folders, not {addresses[0]}")
    codes = []
    for model in models:
        found = find_models(Path(model))
        if not found:
            say(f"{model}: no model (.onnx, .keras, .pt2) in it")
            codes.append(NOTHING_TO_SCAN)
        codes += [_explain(target.path, options) for target in found]
    return worst(codes)


def _explain(path: Path, options: dict[str, Any]) -> int:
    from nc_scan.errors import NcScanError, NotScannableError
    from nc_scan.explain import explain_parity
    from nc_scan.reports.parity import render_parity

    try:
        explanation = explain_parity(path, **options)
    except NcScanError as error:
        say(str(error) if str(path) in str(error) else f"{path}: {error}")
        return NOTHING_TO_SCAN if isinstance(error, NotScannableError) else FAILED
    show(lambda: render_parity(str(path), explanation))
    return CLEAN if explanation.scores.agrees else FAILED
