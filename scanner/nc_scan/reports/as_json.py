"""The JSON report, described by `schema/scan-v1.schema.json`, and the way back to the result."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from nc_scan.reports.plain import from_plain, to_plain
from nc_scan.reports.shown import shown
from nc_scan.results import FailedScan, Outcome, ScanResult

SCHEMA_ID = "nc-scan/scan/v1"


@shown
def to_json(outcome: Outcome) -> str:
    """Indented JSON under the names of `ScanResult`, without pixels: those are in the arrays of `reports.arrays`."""
    values = {"schema": SCHEMA_ID, **to_plain(outcome)}
    for label in values.get("labels", ()):
        del label["trigger"]
    for example in values.get("examples", ()):
        del example["image"]
    for evidence in values.get("evidence", ()):
        del evidence["labels"], evidence["findings"], evidence["trigger"]  # pixels, or what stands above
    return json.dumps(values, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def from_json(text: str) -> Outcome:
    """The outcome that `to_json` wrote, without its pixels. Raises ValueError for anything else."""
    try:
        values = json.loads(text)
        if values["schema"] != SCHEMA_ID:
            raise ValueError(f"another schema: {values['schema']}")
        failed = values["verdict"] in ("failed", "not_applicable")
        outcome: Outcome = from_plain(FailedScan if failed else ScanResult, values)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no report of nc-scan: {error}") from error
    return outcome


def schema() -> dict[str, Any]:
    """The published JSON Schema of the report (draft 2020-12)."""
    text = resources.files("nc_scan.reports").joinpath("schema", "scan-v1.schema.json").read_text("utf-8")
    values: dict[str, Any] = json.loads(text)
    return values
