"""What is spent, and the whole that is told."""

import pytest

from nc_scan.search import Budget, OutOfTime
from nc_scan.search import budget as module


def test_the_whole_is_what_was_foreseen_or_more_where_more_is_spent() -> None:
    told: list[tuple[int, int]] = []
    budget = Budget(10, lambda *both: told.append(both))
    budget.spend(4)
    budget.foresee(5)
    budget.spend(10)
    budget.spend(3)
    assert told == [(4, 10), (14, 15), (17, 17)]
    assert budget.spent == 17


def test_whoever_spends_beyond_the_time_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    budget = Budget(2000, seconds=5.0)
    now[0] = 105.0
    budget.spend(1000)
    now[0] = 105.1
    with pytest.raises(OutOfTime, match="after 1,500 of about 2,000 image passes"):
        budget.spend(500)
