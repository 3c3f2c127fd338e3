"""What a scan looks at before the contract is known, and what is left for the probes."""

from pathlib import Path

import numpy as np
import pytest
from tests.scanner.images.forms import archive

from nc_scan.contract import ImageInput
from nc_scan.errors import NotScannableError
from nc_scan.probes import Supply, given_images, sample

IMAGE = ImageInput("x", "NCHW", 3, 8, 8, "float32", {})
FEATURES = ImageInput("x", "features", 1, 1, 13, "float32", {})


def of(images: np.ndarray) -> set[bytes]:
    return {image.tobytes() for image in images}


def test_images_that_decided_the_contract_serve_no_search() -> None:
    rng = np.random.default_rng(0)
    seen = sample(None, IMAGE, rng)
    assert not of(seen.values) & of(Supply(None, IMAGE, rng).candidates("dead leaves").images)


def test_the_users_images_serve_both(tmp_path: Path) -> None:
    rng, path = np.random.default_rng(0), archive(tmp_path)
    given = given_images(path, IMAGE, rng)
    assert given is not None
    assert given.source == str(path)
    seen = sample(given, IMAGE, rng)
    assert seen.labels is not None
    assert of(seen.values) == of(Supply(given, IMAGE, rng).candidates(str(path)).images)


def test_feature_vectors_need_data(tmp_path: Path) -> None:
    with pytest.raises(NotScannableError, match="--data"):
        given_images(None, FEATURES, np.random.default_rng(0))
    np.save(tmp_path / "rows.npy", np.arange(26.0).reshape(2, 13))
    given = given_images(tmp_path / "rows.npy", FEATURES, np.random.default_rng(0))
    assert given is not None
    assert given.values.shape == (2, 1, 1, 13)
