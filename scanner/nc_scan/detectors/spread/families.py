"""The families of changes that lie over the whole image, each with how it is searched for."""

from __future__ import annotations

from dataclasses import dataclass

from nc_scan.search import Round, SearchSettings
from nc_scan.triggers import Additive, Frequency, TriggerFamily, Warp

ROUNDS = (Round(20, 2, 8), Round(60, 1, 16))
MORE_STARTS = (Round(25, 4, 8), Round(55, 1, 16))  # where there are few parameters there are local minima
SUCCESS = 0.9  # a change of the whole image turns some images back, too; patches are asked for more
OF_WARPS = 0.5  # what a network has learnt from warps of real edges, it hardly sees on synthetic images


@dataclass(frozen=True)
class Family:
    """Changes of one kind, and the settings of their search."""

    changes: TriggerFamily
    settings: SearchSettings


def _settings(
    rates: dict[str, float], cost: float, rounds: tuple[Round, ...] = ROUNDS, success: float = SUCCESS
) -> SearchSettings:
    return SearchSettings(rounds=rounds, rates=rates, success=success, cost=cost, cost_up=1.08, cost_down=1.12)


ADDITIVE = Family(Additive(), _settings({"change": 0.01}, 0.1))
FREQUENCY = Family(Frequency(), _settings({"coefficients": 0.05}, 0.02))
WARP = Family(Warp(), _settings({"displacement": 0.1}, 0.1, MORE_STARTS, OF_WARPS))
