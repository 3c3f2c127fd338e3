from collections.abc import Callable

import pytest

from nc_trainers import checks
from nc_trainers.errors import TrainerError

NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (checks.check_share, (1e-9, 0.5, 1), (0, -0.1, 1.1, NAN, INFINITY)),
        (checks.check_positive, (1e-9, 7), (0, -1, NAN, INFINITY)),
        (checks.check_not_negative, (0, 7), (-1e-9, NAN, INFINITY)),
        (checks.check_seed, (0, 2**31 - 1), (-1, 2**31)),
    ],
)
def test_ranges_hold_what_they_say(
    check: Callable[[str, float], None], good: tuple[float, ...], bad: tuple[float, ...]
) -> None:
    for value in good:
        check("it", value)
    for value in bad:
        with pytest.raises(TrainerError, match=r"^it .* is not "):
            check("it", value)
