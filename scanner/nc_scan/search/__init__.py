"""The search for the smallest trigger: one optimiser for a stack of searches of any trigger family."""

from nc_scan.search.budget import Budget, OutOfTime
from nc_scan.search.found import Found
from nc_scan.search.objective import Scores, away, towards, towards_from_others
from nc_scan.search.passes import passes_on
from nc_scan.search.race import Rung, race, race_passes
from nc_scan.search.search import Search, Start, StartOf, start_from
from nc_scan.search.settings import Round, SearchSettings

__all__ = [
    "Budget",
    "Found",
    "OutOfTime",
    "Round",
    "Rung",
    "Scores",
    "Search",
    "SearchSettings",
    "Start",
    "StartOf",
    "away",
    "passes_on",
    "race",
    "race_passes",
    "start_from",
    "towards",
    "towards_from_others",
]
