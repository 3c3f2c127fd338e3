"""Median and MAD of many rows on the CPU.

Rows are ordered by integers that compare as the floats do, for which compilers have vector instructions without
conditions on NaN. Short rows are sorted many at a time, one in each lane of a vector. Long rows are not sorted: the
interval that holds the middle is narrowed by counting what is below its ends, a few passes over a row in the
first-level cache, and the middle is then searched for among the few values within; without a branch that the processor
could mispredict.

Numba widens a sum of 32-bit integers to 64 bits, which would halve the lanes of a vector; hence the conversions back.
"""

from typing import Any

import numpy as np

from nc_kernels.intrinsics import take
from nc_kernels.jit import jit, split
from nc_kernels.memory import Array, contiguous

SHORT = 48
LANES = 128
"""Short rows that are sorted at once."""
FEW, PASSES = 128, 5
"""Values beyond which narrowing pays, and the passes that it may take."""


def mad(values: Array, median: Array, deviation: Array) -> None:
    """See `reference.mad`."""
    rows, columns = values.shape
    data = contiguous(values)
    bits = data.view(f"int{8 * data.dtype.itemsize}")
    kernel, units = (_mad_short, -(-rows // LANES)) if columns <= SHORT else (_mad_long, rows)
    passes = 10  # over the values, each about as much work as to blend them
    split(lambda counter: kernel(data, bits, median, deviation, counter), units, passes * data.size)


@jit
def _mad_short(values: Any, bits: Any, median: Any, deviation: Any, counter: Any) -> None:
    rows, columns = values.shape
    keys = np.zeros((columns, LANES), bits.dtype)
    floats = keys.view(values.dtype)
    middle = np.empty(LANES, values.dtype)
    start = take(counter) * LANES
    while start < rows:
        stop = min(start + LANES, rows)
        for lane in range(stop - start):
            for column in range(columns):
                keys[column, lane] = bits[start + lane, column]
        _middle(keys, floats, middle)
        _store(middle, median[start:stop])
        for column in range(columns):
            for lane in range(LANES):
                floats[column, lane] = abs(floats[column, lane] - middle[lane])
        _middle(keys, floats, middle)
        _store(middle, deviation[start:stop])
        start = take(counter) * LANES


@jit
def _store(lanes: Any, out: Any) -> None:
    """A loop: for an assignment to a slice Numba compiles seconds of code that words the error for unequal lengths."""
    for lane in range(out.size):
        out[lane] = lanes[lane]


@jit
def _middle(keys: Any, floats: Any, middle: Any) -> None:
    """Sort each lane of keys (n, LANES), the bits of floats, by odd-even transposition, and give its median; NaN where
    it holds one."""
    n = len(keys)
    for i in range(n):
        _flip(keys[i], keys[i])
    for turn in range(n):
        for i in range(turn % 2, n - 1, 2):
            _exchange(keys[i], keys[i + 1])
    for i in range(n):
        _flip(keys[i], keys[i])
    for lane in range(LANES):
        ends = floats[0, lane], floats[n - 1, lane]
        middle[lane] = _mean_unless_nan(*ends, floats[(n - 1) // 2, lane], floats[n // 2, lane])


@jit
def _exchange(lower: Any, upper: Any) -> None:
    for lane in range(lower.size):
        a, b = lower[lane], upper[lane]
        lower[lane] = min(a, b)
        upper[lane] = max(a, b)


@jit
def _flip(bits: Any, keys: Any) -> None:
    """Bits of floats to integers in the same order, and back: negative floats are stored as sign and magnitude."""
    largest = np.iinfo(keys.dtype).max
    for i in range(keys.size):
        keys[i] = bits[i] ^ (largest if bits[i] < 0 else 0)


@jit
def _mean_unless_nan(lowest: Any, highest: Any, a: Any, b: Any) -> Any:
    """Of the two middle values a and b. A NaN sorts to one of the ends, lowest or highest."""
    if lowest != lowest:
        return lowest
    if highest != highest:
        return highest
    return _mean(a, b)


@jit
def _mean(a: Any, b: Any) -> Any:
    """Halves cannot overflow, and two equal infinities are their own mean."""
    return a if a == b else a / 2 + b / 2


@jit
def _mad_long(values: Any, bits: Any, median: Any, deviation: Any, counter: Any) -> None:
    rows, columns = values.shape
    distance = np.empty(columns, values.dtype)
    keys = np.empty(columns, bits.dtype)
    row = take(counter)
    while row < rows:
        median[row] = _median(values[row], keys)
        for i in range(columns):
            distance[i] = abs(values[row, i] - median[row])
        deviation[row] = _median(distance, keys)
        row = take(counter)


@jit
def _median(values: Any, keys: Any) -> Any:
    """keys (n,) is for use here: integers as wide as the values."""
    low, high = _range(values, keys)
    if low != low or high != high:
        return low + high
    rank = (values.size - 1) // 2
    below, count = 0, values.size
    if values.size > FEW:
        low, high, below = _narrow(values, rank, low, high)
        count = _keep(values, low, high, below == 0, keys.view(values.dtype))
        _flip(keys[:count], keys[:count])
    first, second = _values_of(*_two_from(keys[:count], rank - below), keys, values)
    if values.size % 2 == 1:
        return first
    if rank - below == count - 1:  # the next value is not among those that were kept
        second = _smallest_above(values, first)
    return _mean(first, second)


@jit
def _values_of(a: Any, b: Any, keys: Any, values: Any) -> Any:
    """What two of keys are as values."""
    kept = keys[0]
    keys[0] = a
    _flip(keys[:1], keys[:1])
    first = keys.view(values.dtype)[0]
    keys[0] = b
    _flip(keys[:1], keys[:1])
    second = keys.view(values.dtype)[0]
    keys[0] = kept
    return first, second


@jit
def _narrow(values: Any, rank: int, low: Any, high: Any) -> Any:
    """An interval with the value that would be values[rank] if they were sorted, and how many are below it.

    low and high are the ends of values; the interval is open below, unless none are below it. Values are guessed to
    be spread evenly within; the guess aims past the rank, at the end that did not move last. Few passes are tried,
    since for skewed values they do not help.
    """
    below, up_to = 0, values.size
    aim_above = False
    for _ in range(PASSES):
        within = up_to - below
        if within <= values.size // 8:
            break
        margin = np.sqrt(within) / 2
        share = (rank - below + 0.5 + (margin if aim_above else -margin)) / within
        bound = values.dtype.type(low + min(max(share, 0.0), 1.0) * (high - low))
        if not low < bound < high:  # among infinities, or where the floats between are used up
            break
        count = _count_up_to(values, bound)
        aim_above = rank >= count
        if aim_above:
            low, below = bound, count
        else:
            high, up_to = bound, count
    return low, high, below


@jit
def _count_up_to(values: Any, bound: Any) -> Any:
    count = np.int32(0)
    for i in range(values.size):
        count = np.int32(count + (values[i] <= bound))
    return np.int64(count)


@jit
def _keep(values: Any, low: Any, high: Any, closed: bool, kept: Any) -> Any:
    """Store in kept the values in low ... high, and return how many there are."""
    count = np.uint64(0)  # not negative, which an index would be checked for
    for i in range(values.size):
        kept[count] = values[i]
        count += np.uint64(((values[i] > low) | closed) & (values[i] <= high))
    return np.int64(count)


@jit
def _smallest_above(values: Any, bound: Any) -> Any:
    smallest = values.dtype.type(np.inf)
    for i in range(values.size):
        smallest = values[i] if bound < values[i] < smallest else smallest
    return smallest


@jit
def _two_from(keys: Any, rank: int) -> Any:
    """The values of keys (n,) that would be keys[rank] and keys[rank + 1] if they were sorted.

    Two guesses of three interpolate, by turns a little above and below the rank so that both ends close in; every third
    halves the interval, which bounds the work for any data.
    """
    low, high = keys[0], keys[0]
    for i in range(keys.size):
        low, high = min(low, keys[i]), max(high, keys[i])
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
        count, at_most, above = _around(keys, keys.dtype.type(middle))
        if rank < count:
            high, up_to = at_most, count
        else:
            low, below = above, count
    not_above, _, above = _around(keys, low)
    return low, low if not_above > rank + 1 else above


@jit
def _around(keys: Any, bound: Any) -> Any:
    """How many of keys are <= bound, the largest of these and the smallest of the others."""
    integer = keys.dtype.type
    least, most = integer(np.iinfo(keys.dtype).min), integer(np.iinfo(keys.dtype).max)
    above_bound, at_most, above = integer(0), least, most
    for i in range(keys.size):
        is_above = keys[i] > bound
        above_bound = integer(above_bound + is_above)
        at_most = max(at_most, least if is_above else keys[i])
        above = min(above, keys[i] if is_above else most)
    return keys.size - above_bound, at_most, above


@jit
def _range(values: Any, keys: Any) -> Any:
    """The smallest and the largest of values; a NaN is one of them. keys (n,) become the values' keys."""
    _flip(values.view(keys.dtype), keys)
    low = high = keys[0]
    for i in range(keys.size):
        low, high = min(low, keys[i]), max(high, keys[i])
    return _values_of(low, high, keys, values)
