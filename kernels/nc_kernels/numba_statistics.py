"""Median and MAD of many rows on the CPU.

Rows are ordered by integers that compare as the floats do, for which compilers have vector instructions without
conditions on NaN. Short rows are sorted many at a time, one in each lane of a vector. Long rows are not sorted: the
interval that holds the wanted value is halved and the values below are counted, about ten passes over a row in the
first-level cache, without a branch that the processor could mispredict.
"""

from typing import Any

import numpy as np

from nc_kernels.jit import jit, split
from nc_kernels.memory import Array, contiguous

SHORT = 32
LANES = 128


def mad(values: Array, median: Array, deviation: Array) -> None:
    """See `reference.mad`."""
    rows, columns = values.shape
    data = contiguous(values)
    integer = np.dtype(f"int{8 * data.dtype.itemsize}")
    largest = np.array([np.iinfo(integer).max], integer)  # an array, since that has a dtype for Numba
    kernel, step = (_mad_short, LANES) if columns <= SHORT else (_mad_long, 1)
    split(lambda first, last: kernel(data, largest, median, deviation, first, last), rows, 2*data.size)


@jit
def _mad_short(values: Any, largest: Any, median: Any, deviation: Any, first: int, last: int) -> None:
    columns = values.shape[1]
    floats = np.zeros(columns * LANES, values.dtype)
    middle = np.empty(LANES, values.dtype)
    for start in range(first, last, LANES):
        rows = min(LANES, last - start)
        for lane in range(rows):
            for column in range(columns):
                floats[column * LANES + lane] = values[start + lane, column]
        _middle(floats, largest, middle)
        median[start : start + rows] = middle[:rows]
        for column in range(columns):
            for lane in range(LANES):
                floats[column * LANES + lane] = abs(floats[column * LANES + lane] - middle[lane])
        _middle(floats, largest, middle)
        deviation[start : start + rows] = middle[:rows]


@jit
def _middle(floats: Any, largest: Any, middle: Any) -> None:
    """Sort each lane of floats (n * LANES,) by odd-even transposition, and give its median, NaN where it holds one."""
    n = floats.size // LANES
    keys = floats.view(largest.dtype)
    _flip(keys, largest)
    for turn in range(n):
        for i in range(turn % 2, n - 1, 2):
            _exchange(keys[i * LANES : (i + 1) * LANES], keys[(i + 1) * LANES : (i + 2) * LANES])
    _flip(keys, largest)
    for lane in range(LANES):
        lowest, highest = floats[lane], floats[(n - 1) * LANES + lane]  # a NaN sorts to one of the ends
        mean = _mean(floats[(n - 1) // 2 * LANES + lane], floats[n // 2 * LANES + lane])
        middle[lane] = lowest if lowest != lowest else highest if highest != highest else mean


@jit
def _exchange(lower: Any, upper: Any) -> None:
    for lane in range(lower.size):
        a, b = lower[lane], upper[lane]
        lower[lane] = min(a, b)
        upper[lane] = max(a, b)


@jit
def _flip(keys: Any, largest: Any) -> None:
    """Bits of floats to integers in the same order, and back: negative floats are stored as sign and magnitude."""
    most = largest[0]
    for i in range(keys.size):
        keys[i] ^= most if keys[i] < 0 else most & 0


@jit
def _mean(a: float, b: float) -> float:
    """Of the two middle values; halves cannot overflow, and two equal infinities are their own mean."""
    return a if a == b else a / 2 + b / 2


@jit
def _mad_long(values: Any, largest: Any, median: Any, deviation: Any, first: int, last: int) -> None:
    floats = np.empty(values.shape[1], values.dtype)
    keys = np.empty(values.shape[1], largest.dtype)
    for index in range(first, last):
        for column in range(floats.size):
            floats[column] = values[index, column]
        median[index] = _median(floats, keys, largest)
        for column in range(floats.size):
            floats[column] = abs(floats[column] - median[index])
        deviation[index] = _median(floats, keys, largest)


@jit
def _median(floats: Any, keys: Any, largest: Any) -> Any:
    bits = floats.view(largest.dtype)
    for i in range(keys.size):
        keys[i] = bits[i]
    _flip(keys, largest)
    low, high = _range(keys)
    rank = (keys.size - 1) // 2
    lower = _select(keys, rank, low, high, largest)
    not_above, _, upper = _around(keys, lower, largest)
    if keys.size % 2 == 1 or not_above > rank + 1:
        upper = lower
    found = np.array([low, high, lower, upper])
    _flip(found, largest)
    lowest, highest, first, second = found.view(floats.dtype)
    return lowest if lowest != lowest else highest if highest != highest else _mean(first, second)


@jit
def _select(keys: Any, rank: int, low: Any, high: Any, largest: Any) -> Any:
    """The value of keys (n,), all within low ... high, that would be keys[rank] if they were sorted.

    Two guesses of three interpolate, by turns a little above and below the rank so that both ends close in; every third
    halves the interval, which bounds the work for any data.
    """
    below, up_to = 0, keys.size  # how many of keys are < low and <= high
    turn = 0
    while low < high:
        middle = (low & high) + ((low ^ high) >> 1)  # the mean rounded down, without overflow
        if turn % 3 < 2:
            within = up_to - below
            aim = rank - below + 0.5 + (turn % 3 - 0.5) * np.sqrt(within)
            share = min(max(aim / within, 0.0), 1.0)
            middle = min(max(low, low + np.int64(share * (np.float64(high) - np.float64(low)))), high - 1)
        turn += 1
        count, at_most, above = _around(keys, middle, largest)
        if rank < count:
            high, up_to = at_most, count
        else:
            low, below = above, count
    return low


@jit
def _around(keys: Any, bound: Any, largest: Any) -> Any:
    """How many of keys are <= bound, the largest of these and the smallest of the others."""
    most = largest[0]
    count, at_most, above = bound & 0, ~most, most
    for i in range(keys.size):
        is_above = keys[i] > bound
        count += is_above
        at_most = max(at_most, ~most if is_above else keys[i])
        above = min(above, keys[i] if is_above else most)
    return keys.size - count, at_most, above


@jit
def _range(keys: Any) -> Any:
    low = high = keys[0]
    for i in range(keys.size):
        low, high = min(low, keys[i]), max(high, keys[i])
    return low, high
