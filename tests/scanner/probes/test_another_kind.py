"""A second kind of images, for a second opinion."""

import dataclasses

import numpy as np

from nc_scan.contract.image_input import ImageInput
from nc_scan.images import Images
from nc_scan.probes import Supply, probes_for, probes_of_another_kind
from nc_scan.results import FloatArray

IMAGE = ImageInput("x", "NCHW", 3, 16, 16, "float32", {})


def by_brightness(images: FloatArray) -> FloatArray:
    """Logits of a model that tells how bright an image is."""
    levels = np.digitize(images.mean((1, 2, 3)), np.linspace(0.1, 0.9, 9))
    return 8 * np.eye(10, dtype=np.float32)[levels]


def test_it_is_the_one_that_tells_most_of_the_others() -> None:
    supply = Supply(None, IMAGE, np.random.default_rng(0))
    first = probes_for(supply, by_brightness)
    other = probes_of_another_kind(supply, by_brightness, first)
    assert other is not None
    assert other.source != first.source
    assert other.recognised[0].information == max(one.information for one in first.recognised[1:])
    assert not set(map(bytes, first.search)) & set(map(bytes, other.search))


def test_none_where_no_other_kind_tells_enough() -> None:
    supply = Supply(None, IMAGE, np.random.default_rng(0))
    first = probes_for(supply, by_brightness)
    usual, *others = first.recognised
    silent = tuple(dataclasses.replace(one, information=0.0) for one in others)
    first = dataclasses.replace(first, recognised=(usual, *silent))
    assert probes_of_another_kind(supply, by_brightness, first) is None


def test_none_beside_the_users_own_images() -> None:
    images = np.random.default_rng(0).random((64, 3, 16, 16)).astype(np.float32)
    supply = Supply(Images(images, source="here"), IMAGE, np.random.default_rng(0))
    assert probes_of_another_kind(supply, by_brightness, probes_for(supply, by_brightness)) is None
