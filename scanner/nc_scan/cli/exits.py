"""What the command exits with."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nc_scan.results import Outcome

CLEAN, FINDINGS, FAILED, NOTHING_TO_SCAN, USAGE = range(5)
EXIT_CODES = {
    "clean": CLEAN,
    "backdoored": FINDINGS,
    "inconclusive": FAILED,
    "failed": FAILED,
    "not_applicable": NOTHING_TO_SCAN,
}
SEVERITY = (CLEAN, NOTHING_TO_SCAN, FAILED, FINDINGS)  # of many models the worst one counts
FAIL_ON = tuple(verdict for verdict in EXIT_CODES if verdict != "clean")

EPILOG = """\b
Exit codes:
  0  clean
  1  a backdoor was found
  2  the scan failed, or is inconclusive
  3  the model is no image classifier: nothing to scan
  4  wrong usage
Of many models the worst one counts: 1, then 2, 3, 0. With --fail-on, verdicts that it does not name count as 0.

Each option can stand in the environment (--fail-on as NC_SCAN_FAIL_ON) and, without its dashes, in nc-scan.toml or in
[tool.nc-scan] of pyproject.toml; the command line comes first, then the environment.

\b
Other commands:
  nc-scan cache clear DIR      empty a cache (nc-scan cache --help)
  nc-scan evaluate INDEX       how often the verdict is right on known models
  nc-scan calibrate EVIDENCE   judge by known models of your own
"""


def exit_code(outcome: Outcome, fail_on: Collection[str]) -> int:
    """The code for one model: 0 for a verdict that is not failed on, or that the user's policy accepts."""
    if outcome.accepted is not None or outcome.verdict not in fail_on:
        return CLEAN
    return EXIT_CODES[outcome.verdict]


def worst(codes: Iterable[int]) -> int:
    """The code that counts among those of many models."""
    return max(codes, key=SEVERITY.index, default=CLEAN)
