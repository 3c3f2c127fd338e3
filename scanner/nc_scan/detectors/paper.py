"""Neural Cleanse to the letter: λ = 0.01 throughout, the last trigger, the MAD anomaly index."""

from __future__ import annotations

from nc_scan.detectors.patch import PatchSearch, PatchSettings
from nc_scan.search import Round

PAPER = PatchSettings(
    rounds=(Round(60, 8, 16), Round(60, 2, 16), Round(480, 1, 16)),
    rates={"mask": 0.1, "pattern": 0.2},
    cost=0.01,
    record="last",
)
"""The paper, section 3.2: λ = 0.01 throughout, Adam. It names no start, step count or learning rate; with one start and
betas of (0.9, 0.999) the search ended at four times the trigger's norm on the shipped example."""


class PaperSearch(PatchSearch):
    """The patch search with the paper's settings; the verdict has the paper's rule for it."""

    name = "paper"
    title = "the smallest patch of every label, as in the paper"
    settings = PAPER
