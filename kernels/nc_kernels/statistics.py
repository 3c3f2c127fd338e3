"""Robust statistics over rows: the median, the median absolute deviation and the anomaly index."""

from typing import Any, Literal

import numpy as np

from nc_kernels.backends import choose_backend, is_tensor, load
from nc_kernels.errors import KernelError

Side = Literal["low", "high", "both"]

NORMAL_CONSISTENCY = 1.4826
"""1 / the 75 % quantile of the normal distribution: makes the MAD of normal data estimate its standard deviation."""


def mad(values: Any, *, backend: str | None = None) -> tuple[Any, Any]:
    """Median and median absolute deviation, median(|v - median(v)|), of each row.

    The median of an even count is the mean of the two middle values. Equal to `numpy.median` and
    `scipy.stats.median_abs_deviation`: a row that holds a NaN gives NaN for both; infinities are ordered like numbers,
    and a row whose median is infinite has a NaN MAD.

    Args:
        values: (rows, N) or (N,) with N >= 1, float32 or float64, a NumPy array or torch tensor.
        backend: see `nc_kernels.choose_backend`.

    Returns:
        median and MAD, each (rows,) or a scalar array (), of the dtype of values.

    Raises:
        KernelError: another number of dimensions, no columns, another dtype, neither an array nor a tensor.

    >>> median, deviation = mad(np.array([1.0, 2.0, 4.0, 8.0]))
    >>> float(median), float(deviation)
    (3.0, 1.5)
    """
    chosen = choose_backend(values, backend)
    if chosen == "cupy":  # torch sorts a thousand values a row three times as fast as one thread finds their median
        chosen = "torch"
    if values.ndim not in (1, 2) or values.shape[-1] == 0:
        raise KernelError(f"mad needs values of shape (rows, N) or (N,) with N >= 1, got {tuple(values.shape)}")
    if str(values.dtype).removeprefix("torch.") not in ("float32", "float64"):
        raise KernelError(f"mad works on float32 or float64, got {values.dtype}")
    if is_tensor(values):
        from nc_kernels.autograd import native

        rows = values.detach().reshape(-1, values.shape[-1])
        results = rows.new_empty(len(rows)), rows.new_empty(len(rows))
        load(chosen).mad(*(native(array, chosen) for array in (rows, *results)))
    else:
        rows = values.reshape(-1, values.shape[-1])
        results = np.empty(len(rows), values.dtype), np.empty(len(rows), values.dtype)
        load(chosen).mad(rows, *results)
    shape = tuple(values.shape[:-1])
    return results[0].reshape(shape), results[1].reshape(shape)


def anomaly_index(
    values: Any,
    *,
    side: Side = "low",
    constant: float = NORMAL_CONSISTENCY,
    among: Any = None,
    backend: str | None = None,
) -> Any:
    """Each value's distance from its row's median in robust standard deviations: |v - median| / (constant MAD).

    Where the MAD is 0 a value at the median has index 0 and any other infinity. A NaN in a row, or an infinite median,
    makes the row's indices NaN.

    Args:
        values: (rows, N) or (N,); see `mad`.
        side: `low` counts only values below the median (the others get 0), `high` those above, `both` all.
        constant: 1.4826 as in Neural Cleanse (Wang et al. 2019, section 3).
        among: the values (rows, M) or (M,) whose median and MAD they are held against; by default their own.
        backend: see `nc_kernels.choose_backend`.

    Returns:
        The indices, >= 0, in the shape and dtype of values.
    """
    median, deviation = mad(values if among is None else among, backend=backend)
    values = values.detach() if is_tensor(values) else values
    with np.errstate(invalid="ignore"):  # inf - inf is NaN
        distance = values - median[..., None]
    if side == "low":
        distance = (-distance).clip(min=0)
    elif side == "high":
        distance = distance.clip(min=0)
    elif side == "both":
        distance = abs(distance)
    else:
        raise KernelError(f"side must be 'low', 'high' or 'both', got {side!r}")
    scale = constant * deviation[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        index = distance / scale
    index[(distance == 0) & (scale == 0)] = 0.0
    return index
