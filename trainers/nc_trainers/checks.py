"""Ranges that numbers of a user's must lie in."""

import math

from nc_trainers.errors import TrainerError

SEEDS = range(2**31)


def check_share(name: str, value: float) -> None:
    """Raise TrainerError unless 0 < value <= 1."""
    if not 0 < value <= 1:
        raise TrainerError(f"{name} {value:g} is not above 0 and at most 1")


def check_positive(name: str, value: float) -> None:
    """Raise TrainerError unless value is finite and above 0."""
    if not 0 < value < math.inf:
        raise TrainerError(f"{name} {value:g} is not a number above 0")


def check_not_negative(name: str, value: float) -> None:
    """Raise TrainerError unless value is finite and at least 0."""
    if not 0 <= value < math.inf:
        raise TrainerError(f"{name} {value:g} is not a number from 0 on")


def check_seed(name: str, value: int) -> None:
    """Raise TrainerError for a seed that not every generator of random numbers takes."""
    if value not in SEEDS:
        raise TrainerError(f"{name} {value} is not one of 0 to {SEEDS.stop - 1}")
