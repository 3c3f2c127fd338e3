"""What is spent, and the whole that is told."""

from nc_scan.search import Budget


def test_the_whole_is_what_was_foreseen_or_more_where_more_is_spent() -> None:
    told: list[tuple[int, int]] = []
    budget = Budget(10, lambda *both: told.append(both))
    budget.spend(4)
    budget.foresee(5)
    budget.spend(10)
    budget.spend(3)
    assert told == [(4, 10), (14, 15), (17, 17)]
    assert budget.spent == 17
