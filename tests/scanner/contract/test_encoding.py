"""From images to a model's input."""

import numpy as np
import pytest
import torch

from nc_scan.contract.encoding import encode, to_layout
from nc_scan.contract.value_range import RANGES

RED = np.array([1, 0, 0], np.float32).reshape(1, 3, 1, 1)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("0..255", (255, 0, 0)),
        ("-1..1", (1, -1, -1)),
        ("caffe", (-103.939, -116.779, 255 - 123.68)),  # blue first
    ],
)
def test_red_in_each_range(name: str, expected: tuple[float, ...]) -> None:
    chosen = RANGES[name].for_channels(3)
    affine = {"scale": chosen.scale, "offset": chosen.offset}
    encoded = encode(RED, **affine, layout="NHWC", dtype="float32", order=chosen.order)
    assert encoded.shape == (1, 1, 1, 3)
    np.testing.assert_allclose(encoded.ravel(), expected, rtol=1e-6)


def test_features_have_scales_of_their_own() -> None:
    vectors = np.array([[0.0, 0.5, 1.0]], np.float32).reshape(1, 1, 1, 3)
    encoded = encode(vectors, scale=(1, 1e6, 1e-3), offset=(0, -1, 5), layout="features", dtype="float32")
    np.testing.assert_allclose(encoded, [[0, 5e5 - 1, 5.001]])


@pytest.mark.parametrize("layout", ["NCHW", "NHWC", "CHW", "HWC"])
@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_arrays_and_tensors_are_laid_out_alike(layout, order) -> None:
    images = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    laid_out = to_layout(images, layout, order)
    np.testing.assert_array_equal(to_layout(torch.from_numpy(images), layout, order).numpy(), laid_out)
    channels = laid_out.reshape(2, 3, 20) if layout[-1] == "W" else laid_out.reshape(2, 20, 3).swapaxes(1, 2)
    np.testing.assert_array_equal(channels[:, 0], images[:, 2 if order == "BGR" else 0].reshape(2, 20))
