"""Models that a team accepts although their verdict is not clean: by digest, with a reason, by whom, until when."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from nc_scan.digest import external_digests
from nc_scan.errors import NcScanError
from nc_scan.results import Acceptance, Outcome, ScanResult

DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class AcceptedModel:
    """An entry of the user's list.

    `sha256` is the digest of the model's file, `external_data` those of its files with weights, by location: weights
    that nobody has looked at are not accepted with the graph that reads them.
    """

    sha256: str
    reason: str
    by: str
    until: date
    external_data: Mapping[str, str] = field(default_factory=dict)

    def covers(self, outcome: Outcome, file: Path, today: date) -> bool:
        """Whether the entry is about these bytes, and has not expired."""
        if today > self.until or outcome.sha256 != self.sha256:
            return False
        if isinstance(outcome, ScanResult):
            return outcome.external_data == dict(self.external_data)
        try:  # a failed scan does not tell; somebody has vouched for the file itself, so that it may be parsed here
            return external_digests(file) == dict(self.external_data)
        except NcScanError:
            return False


def accepted_models(entries: Any) -> tuple[AcceptedModel, ...]:
    """The entries of a settings file: tables with `sha256`, `reason`, `by`, `until` and, if need be, `external_data`.

    Raises ValueError, which names the entry and what is wrong with it.
    """
    if not isinstance(entries, list):
        raise ValueError("`accepted` is no list of tables")
    return tuple(_accepted(number, entry) for number, entry in enumerate(entries, 1))


def with_acceptance(
    outcome: Outcome, file: Path, models: Iterable[AcceptedModel], today: date | None = None
) -> Outcome:
    """The outcome of a file, marked as accepted where it is not clean and an entry covers it; its verdict stays."""
    if outcome.verdict == "clean":
        return outcome
    day = today or datetime.now(UTC).date()
    for model in models:
        if model.covers(outcome, file, day):
            acceptance = Acceptance(model.reason, model.by, model.until.isoformat())
            return dataclasses.replace(outcome, accepted=acceptance)
    return outcome


def _accepted(number: int, entry: Any) -> AcceptedModel:
    where = f"accepted model {number}"
    if not isinstance(entry, dict):
        raise ValueError(f"{where} is no table")
    if unknown := set(entry) - {item.name for item in dataclasses.fields(AcceptedModel)}:
        raise ValueError(f"{where}: unknown key {', '.join(sorted(unknown))}")
    texts = {key: str(entry.get(key, "")).strip() for key in ("sha256", "reason", "by")}
    if not DIGEST.fullmatch(texts["sha256"].lower()):
        raise ValueError(f"{where}: `sha256` is no digest of 64 hexadecimal digits")
    if missing := [key for key, text in texts.items() if not text]:
        raise ValueError(f"{where} ({texts['sha256'][:12]}) has no `{missing[0]}`")
    external = entry.get("external_data", {})
    if not isinstance(external, dict):
        raise ValueError(f"{where}: `external_data` is no table of digests")
    until = _date(entry.get("until"))
    if until is None:
        raise ValueError(f"{where}: `until` is no date such as 2026-12-31")
    return AcceptedModel(texts["sha256"].lower(), texts["reason"], texts["by"], until, external)


def _date(value: Any) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        return None
