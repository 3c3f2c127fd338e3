"""The only place where evidence becomes a verdict.

Every detector's evidence is judged by a rule of its own, or by its p-value; the worst of these opinions is the verdict.
"""

from nc_scan.verdict.decide import decide
from nc_scan.verdict.decision import FALSE_ALARMS, SEVERITY, Decision, Judgement

__all__ = ["FALSE_ALARMS", "SEVERITY", "Decision", "Judgement", "decide"]
