"""From triggers to a verdict: replay, statistics, calibration."""

from nc_scan.detection.evidence import weigh
from nc_scan.detection.replay import replay, stamp
from nc_scan.detection.verdict import Decision, decide, decide_as_paper

__all__ = ["Decision", "decide", "decide_as_paper", "replay", "stamp", "weigh"]
