"""What a verdict is, and what evidence is held against."""

from __future__ import annotations

from dataclasses import dataclass, field

from nc_scan.calibration import Calibration, load_calibration
from nc_scan.results import LabelResult, Verdict

SEVERITY = ("clean", "inconclusive", "backdoored")
FALSE_ALARMS = 0.01  # share of clean models that may be called backdoored by p-values, all detectors together
DOUBTFUL = 5  # times the false alarms allowed: evidence that this share of clean models gives decides nothing


@dataclass(frozen=True)
class Decision:
    """A verdict with the labels it names, its sentences, its probability and the labels' evidence.

    `threshold` is the norm, in pixels, under which a label among these would be suspected; None where there is none.
    `p_value` is the share of clean models with evidence as strong, None where nobody knows; `p_values` are those of the
    single detectors, `found_by` those whose evidence alone is called a backdoor.
    """

    verdict: Verdict
    target_labels: tuple[int, ...]
    reasons: tuple[str, ...]
    confidence: float | None
    labels: tuple[LabelResult, ...] = ()
    threshold: float | None = None
    p_value: float | None = None
    p_values: tuple[float | None, ...] = ()
    found_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """What evidence is held against: known models, and the share of clean ones that may be called backdoored."""

    false_alarms: float = FALSE_ALARMS
    calibration: Calibration = field(default_factory=load_calibration)
