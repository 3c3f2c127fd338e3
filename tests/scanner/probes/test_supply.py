"""A scan's images do not depend on what was asked for before, nor on each other."""

import numpy as np
import pytest

from nc_scan.contract import ImageInput
from nc_scan.images import Images
from nc_scan.images.synthetic import KINDS
from nc_scan.probes import Supply

IMAGE = ImageInput("x", "NCHW", 1, 8, 8, "float32", {})


def supply(given: Images | None = None, image: ImageInput = IMAGE) -> Supply:
    return Supply(given, image, np.random.default_rng(0))


def of(images: np.ndarray) -> set[bytes]:
    return {image.tobytes() for image in images}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_the_same_whatever_was_asked_for_before(kind: str) -> None:
    one, other = supply(), supply()
    for asked in reversed(list(KINDS)):
        other.preview(asked)
        other.candidates(asked)
    assert np.array_equal(one.preview(kind), other.preview(kind))
    assert np.array_equal(one.candidates(kind).images, other.candidates(kind).images)
    assert one.candidates(kind) is one.candidates(kind)


def test_images_that_decided_the_kind_serve_no_search() -> None:
    images = supply()
    assert not of(images.preview("signs")) & of(images.candidates("signs").images)


@pytest.mark.parametrize(("side", "count"), [(8, 256), (64, 256), (96, 113), (224, 64)])
def test_of_large_images_fewer_are_looked_at(side: int, count: int) -> None:
    assert len(supply(image=ImageInput("x", "NCHW", 1, side, side, "float32", {})).preview("soft blobs")) == count


def test_the_users_images_are_the_only_kind() -> None:
    given = Images(np.random.default_rng(0).random((300, 1, 8, 8), np.float32), source="here")
    images = supply(given)
    assert images.kinds == ("here",)
    assert of(images.preview("here")) <= of(given.values)
    assert of(images.candidates("here").images) == of(given.values)
