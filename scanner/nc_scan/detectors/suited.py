"""Which models a detector can judge that holds scores against those of clean models."""

from __future__ import annotations

from nc_scan.results import Evidence
from nc_scan.standouts import ENOUGH
from nc_scan.subject import Subject

MOST = 50  # labels, and
LARGEST = 64  # pixels a side: the clean models whose scores are known have no more


def not_looked_for(name: str, title: str, subject: Subject) -> Evidence | None:
    """That a detector has not looked at a model, and why; None where it suits."""
    why = unsuited(subject)
    return Evidence(name, (), reason=f"not looked for: {title} ({why})") if why else None


def unsuited(subject: Subject) -> str:
    """Why a model is not looked at, empty where it is."""
    contract = subject.contract
    if contract.layout == "features":
        return "the input is no image"
    if max(contract.height, contract.width) > LARGEST:
        return f"{contract.width}x{contract.height} pixels: larger than the models that it would be judged by"
    if contract.labels < ENOUGH:
        return f"{contract.labels} labels are too few to stand out from"
    return f"{contract.labels:,} labels are too many" if contract.labels > MOST else ""
