"""Feature vectors; images in arrays are with the other forms in test_files.py."""

from pathlib import Path

import numpy as np
import pytest
from tests.scanner.images.forms import array, written

from nc_scan.errors import DataError
from nc_scan.images.arrays import read_features

VECTORS = np.random.default_rng(0).normal(size=(20, 13))


def archive(path: Path) -> Path:
    np.savez(path / "a.npz", y=np.full((20, 1), -1), x=VECTORS)  # what is not asked for is not judged
    return path / "a.npz"


@pytest.mark.parametrize("make", [lambda path: array(path, VECTORS), archive], ids=["npy", "npz"])
def test_feature_vectors(make, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    read = read_features(make(tmp_path), 13, np.random.default_rng(0))
    assert read.values.dtype == np.float32
    assert read.values.shape == (20, 1, 1, 13)
    assert read.limits is not None
    low, high = read.limits
    values = read.values[:, 0, 0] * (high - low) + low
    np.testing.assert_allclose(sorted(values[:, 0]), sorted(VECTORS[:, 0]), rtol=1e-4, atol=1e-6)


BROKEN = {
    "other features": (lambda path: array(path, VECTORS[:, 1:]), r"the model needs numbers \(N, 13\)"),
    "text": (lambda path: array(path, VECTORS.astype(str)), r"the model needs numbers \(N, 13\)"),
    "other axes": (lambda path: array(path, VECTORS[0]), "no array of 2 axes"),
    "not finite": (lambda path: array(path, VECTORS / 0), "not finite"),
    "another type": (lambda path: written(path / "a.csv", b"1,2"), r"from an \.npy or \.npz file"),
    "folder": (lambda path: path, r"from an \.npy or \.npz file"),
}


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("case", BROKEN)
def test_what_cannot_be_read_is_said(case: str, tmp_path: Path) -> None:
    make, message = BROKEN[case]
    with pytest.raises(DataError, match=message):
        read_features(make(tmp_path), 13, np.random.default_rng(0))
