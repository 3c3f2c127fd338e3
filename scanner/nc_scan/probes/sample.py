"""The first images of a scan: what to look through a model with before its contract is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from nc_scan.contract import ImageInput
from nc_scan.errors import NotScannableError
from nc_scan.images import Images
from nc_scan.images.arrays import read_features
from nc_scan.images.dead_leaves import dead_leaves
from nc_scan.images.files import read_images
from nc_scan.images.memory import affordable

LOOKS, FEWEST_LOOKS = 512, 128  # images that most contracts are inferred with
LOOK_PIXELS = LOOKS * 64 * 64  # of all of them together
MORE = 4  # times as many are there, for what these leave open


def given_images(data: str | Path | None, image: ImageInput, rng: np.random.Generator) -> Images | None:
    """The user's images in the size of the model's input; None where there are none, and synthetic ones are to do.

    Raises DataError as `read_images` and `read_features`, NotScannableError for a model of feature vectors without
    data.
    """
    if image.layout == "features" and data is None:
        raise NotScannableError(
            f"no image classifier: {image.name} takes vectors of {image.width} features, for which no probes can be "
            "made; give some with --data, an array (N, features) in an .npy or .npz file"
        )
    if data is None:
        return None
    if image.layout == "features":
        read = read_features(Path(data), image.width, rng)
    else:
        read = read_images(Path(data), image.channels, image.height, image.width, rng)
    return replace(read, source=str(data))


def sample(given: Images | None, image: ImageInput, rng: np.random.Generator) -> Images:
    """A part of the images given, or else synthetic ones."""
    size = (image.channels, image.height, image.width)
    looks = int(np.clip(LOOK_PIXELS // (image.height * image.width), FEWEST_LOOKS, LOOKS))
    most = max(looks, min(MORE * looks, affordable(size)))
    if given is not None:
        return given.first(most)
    more = rng.spawn(1)[0]  # how many there are does not change the probes
    return Images(np.concatenate([dead_leaves(looks, *size, rng), dead_leaves(most - looks, *size, more)]))
