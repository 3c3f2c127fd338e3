"""mad and anomaly_index on every CPU backend."""

from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import median_abs_deviation

from nc_kernels import KernelError, anomaly_index, jit, mad

BACKENDS = ("numpy", "numba", "torch")
sizes = st.tuples(st.integers(0, 12), st.integers(1, 200))
values = st.sampled_from([np.float32, np.float64]).flatmap(
    lambda dtype: arrays.arrays(
        dtype,
        sizes,
        elements=st.floats(width=8 * np.dtype(dtype).itemsize) | st.integers(-3, 3).map(float),
        fill=st.just(1.0) | st.just(float("nan")),
    )
)


@pytest.fixture(autouse=True, scope="module")
def _little_work_is_shared_too() -> Iterator[None]:
    with mock.patch.object(jit, "VALUES_PER_THREAD", 1):
        yield


@given(values, st.sampled_from(BACKENDS))
@settings(max_examples=300, deadline=None)
def test_equals_scipy(rows: Any, backend: str) -> None:
    half = rows / 2  # the mean of the two middle values of NumPy overflows at the largest float
    found = mad(torch.from_numpy(half) if backend == "torch" else half, backend=backend)
    with np.errstate(all="ignore"):
        wanted = np.median(half, axis=1), median_abs_deviation(half, axis=1)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=4 * np.finfo(rows.dtype).eps, atol=1e-37)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("shape", [(1000, 10), (300, 43), (300, 49), (100, 128), (100, 129), (40, 1000), (3, 100_001)])
@pytest.mark.parametrize("kind", ["normal", "lognormal", "ties", "outliers", "sorted", "infinities"])
def test_equals_scipy_on_usual_rows(backend: str, shape: tuple[int, int], kind: str) -> None:
    random = np.random.default_rng(1)
    rows = random.normal(size=shape)
    rows = {
        "normal": rows,
        "lognormal": np.exp(3 * rows),
        "ties": np.round(rows),
        "outliers": rows * 10.0 ** random.integers(-300, 300, size=shape),
        "sorted": np.sort(rows),
        "infinities": np.where(rows > 1, np.inf, np.where(rows < -0.5, -np.inf, rows)),
    }[kind]
    median, deviation = mad(rows, backend=backend)
    with np.errstate(invalid="ignore"):  # the distances of infinities
        np.testing.assert_allclose(median, np.median(rows, axis=1), rtol=1e-15)
        np.testing.assert_allclose(deviation, median_abs_deviation(rows, axis=1), rtol=1e-15)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("row", "side", "expected"),
    [
        ([1.0, 2.0, 3.0, 4.0, 100.0], "low", [2.0, 1.0, 0.0, 0.0, 0.0]),
        ([1.0, 2.0, 3.0, 4.0, 100.0], "high", [0.0, 0.0, 0.0, 1.0, 97.0]),
        ([1.0, 2.0, 3.0, 4.0, 100.0], "both", [2.0, 1.0, 0.0, 1.0, 97.0]),
        ([5.0, 5.0, 5.0, 1.0], "low", [0.0, 0.0, 0.0, np.inf]),
        ([5.0, 5.0, 5.0, 9.0], "low", [0.0, 0.0, 0.0, 0.0]),
        ([1.0, 2.0, np.inf], "high", [0.0, 0.0, np.inf]),
        ([1.0, np.nan, 2.0], "both", [np.nan] * 3),
        ([np.inf, np.inf, 1.0], "both", [np.nan] * 3),
        ([7.0], "both", [0.0]),
    ],
)
def test_anomaly_index(row: list[float], side: Any, expected: list[float], backend: str) -> None:
    data = torch.tensor(row) if backend == "torch" else np.array(row)
    np.testing.assert_allclose(anomaly_index(data, side=side, constant=1.0, backend=backend), expected)
    two_rows = data.reshape(1, -1).repeat(2, 1) if backend == "torch" else np.stack([data, data])
    np.testing.assert_allclose(anomaly_index(two_rows, side=side, constant=1.0, backend=backend), [expected] * 2)


def test_even_counts_use_the_mean_of_the_two_middle_values() -> None:
    median, deviation = mad(torch.tensor([1.0, 2.0, 4.0, 8.0]))
    assert (median.item(), deviation.item()) == (3.0, 1.5)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros((2, 0)), "N >= 1"),
        (np.zeros((2, 2, 2)), "shape"),
        (np.zeros(3, np.int64), "float32 or float64"),
        (torch.zeros(3, dtype=torch.bfloat16), "float32 or float64"),
        ([1.0, 2.0], "expected a NumPy array or a torch tensor, got list"),
    ],
)
def test_errors_say_what_is_wrong(data: Any, message: str) -> None:
    with pytest.raises(KernelError, match=message):
        mad(data)


def test_an_unknown_side_is_refused() -> None:
    with pytest.raises(KernelError, match="side must be"):
        anomaly_index(np.ones(3), side="left")  # type: ignore[arg-type]
