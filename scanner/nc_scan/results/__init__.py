"""What a scan returns: frozen values, readable without torch, the input of every report."""

from nc_scan.results.evidence import Evidence, Finding, LabelResult, TriedContract, Trigger
from nc_scan.results.model import ComparedValue, InputContract, Parity, ParityExplanation, Trace
from nc_scan.results.outcome import Acceptance, FailedScan, Outcome, Reportable, ScanResult
from nc_scan.results.probes import ProbeReport, Recognition, StampedProbe
from nc_scan.results.vocabulary import (
    WORKS,
    ChannelOrder,
    Failure,
    FloatArray,
    Layout,
    OutputKind,
    Severity,
    Status,
    Verdict,
)

__all__ = [
    "WORKS",
    "Acceptance",
    "ChannelOrder",
    "ComparedValue",
    "Evidence",
    "FailedScan",
    "Failure",
    "Finding",
    "FloatArray",
    "InputContract",
    "LabelResult",
    "Layout",
    "Outcome",
    "OutputKind",
    "Parity",
    "ParityExplanation",
    "ProbeReport",
    "Recognition",
    "Reportable",
    "ScanResult",
    "Severity",
    "StampedProbe",
    "Status",
    "Trace",
    "TriedContract",
    "Trigger",
    "Verdict",
]
