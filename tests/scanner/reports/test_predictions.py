"""What the model says to the probes, in words."""

import pytest

from nc_scan.reports.predictions import predicted, recognised
from nc_scan.results import ProbeReport, Recognition

CASES: dict[tuple[int, ...], str] = {
    (1, 3): "1 75%, 0 25%",
    (0, 62, 0, 30, 8): "1 62%, 3 30%, 4 8%; 2 of 5 never",
    (1, 1): "0 50%, 1 50%",
    (10, 20, 30, 5, 15, 12, 8): "2 30%, 1 20%, 4 15%, 5 12%, 3 more",
    (50, 30, 10, 10, *[0] * 96): "0 50%, 1 30%, 2 10%, 1 more; 96 of 100 never",
    (1,) * 200: "0 <1%, 1 <1%, 2 <1%, 197 more",
    (0, 0): "none; 2 of 2 never",
}


@pytest.mark.parametrize("histogram", CASES)
def test_the_largest_and_how_many_are_never_predicted(histogram: tuple[int, ...]) -> None:
    assert predicted(ProbeReport("dead leaves", 1, 1, histogram)) == CASES[histogram]


LEAVES = Recognition("dead leaves", 256, 0.124, 0.5, 0.2, 10)
SIGNS = Recognition("signs", 256, 0.051, 0.5, 0.2, 10)


@pytest.mark.parametrize(
    ("found", "enough", "words"),
    [
        ((LEAVES, SIGNS), True, "0.12 nats (signs 0.05)"),
        ((LEAVES,), True, "0.12 nats"),
        ((LEAVES,), False, "0.12 nats, too little"),
        ((), True, "not measured"),
    ],
)
def test_how_much_the_answers_tell(found: tuple[Recognition, ...], enough: bool, words: str) -> None:
    assert recognised(ProbeReport("dead leaves", 1, 1, (1, 1), "", found, enough)) == words
