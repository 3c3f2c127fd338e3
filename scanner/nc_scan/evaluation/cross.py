"""How a calibration judges what it has never seen: each family of models left out in turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nc_scan.detectors.patch import PatchSearch
from nc_scan.errors import CalibrationError
from nc_scan.evaluation.fit import fit_calibration
from nc_scan.evaluation.rates import Rate, auc
from nc_scan.evaluation.rules import calibrated
from nc_scan.evaluation.summary import GROUPS, judged
from nc_scan.evaluation.table import Row

FALSE_ALARMS = 0.01
NONE = Rate(0, 0)
FAMILIES = ("data", "architecture", "attack", "labels")


@dataclass(frozen=True)
class LeftOut:
    """What a calibration fitted on all other models says of one family; `reason` where it could not be fitted.

    A family without clean models of its own (an attack) has its AUC against all clean ones.
    """

    family: str
    value: str
    auc: float = float("nan")
    alarms: Rate = NONE
    found: Rate = NONE
    reason: str = ""

    def __str__(self) -> str:
        name = f"{self.family} {self.value}".rstrip()
        if self.reason:
            return f"{name}: {self.reason}"
        return f"{name}: AUC {self.auc:.3f}, false alarms {self.alarms}, found {self.found}"


def leave_out(rows: Sequence[Row], families: Sequence[str] = FAMILIES) -> Iterator[LeftOut]:
    """Every family that is not all of the rows, left out in turn.

    Of the backdoors those count that a patch stands in for, but where attacks are left out: there all are.
    """
    compared = [row for row in rows if len(row.norms) >= 2]
    covered = [row for row in compared if not row.backdoored or row.attack in PatchSearch.covers]
    for family in families:
        key, usable = GROUPS[family], compared if family == "attack" else covered
        for value in sorted({key(row) for row in usable}):
            inside = [row for row in usable if key(row) == value]
            outside = [row for row in usable if key(row) != value]
            if outside and not (family == "attack" and not any(row.backdoored for row in inside)):
                yield _left_out(family, value, inside, outside)


def _left_out(family: str, value: str, inside: Sequence[Row], outside: Sequence[Row]) -> LeftOut:
    try:
        rule = calibrated(fit_calibration(outside), FALSE_ALARMS)
    except CalibrationError as error:
        return LeftOut(family, value, reason=str(error))
    opinions = judged(inside, rule)
    others = opinions if family != "attack" else judged(outside, rule)
    clean = [opinion for row, opinion in others if not row.backdoored]
    backdoored = [opinion for row, opinion in opinions if row.backdoored]
    return LeftOut(
        family,
        value,
        auc([opinion.score for opinion in clean], [opinion.score for opinion in backdoored]),
        Rate(sum(opinion.backdoored for opinion in clean), len(clean)),
        Rate(sum(opinion.backdoored for opinion in backdoored), len(backdoored)),
    )
