"""The JSON report: the names of `ScanResult`, without the triggers' pixels."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

from nc_scan.results import ScanResult


def to_json(result: ScanResult) -> str:
    """Indented JSON; numbers that JSON has no word for (NaN, infinity) become null."""
    values = asdict(result)
    for label in values["labels"]:
        del label["trigger"]
    return json.dumps(_plain(values), indent=2, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
