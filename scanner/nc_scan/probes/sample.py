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
from nc_scan.images.strokes import bright_strokes

MOST_LOOKS, FEWEST_LOOKS = 2048, 128  # images that contracts are inferred with, of which most take a few
LOOK_PIXELS = MOST_LOOKS * 64 * 64  # of all of them together


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
    """A part of the images given, or else synthetic ones.

    Those are bright strokes for a model of grey images and dead leaves for all others, nearest to what most know.
    """
    size = (image.channels, image.height, image.width)
    looks = int(np.clip(LOOK_PIXELS // (image.height * image.width), FEWEST_LOOKS, MOST_LOOKS))
    most = max(FEWEST_LOOKS, min(looks, affordable(size)))
    if given is not None:
        return given.first(most)
    own = rng.spawn(1)[0]  # how many there are does not change the probes
    if image.channels == 1:
        return Images(bright_strokes(most, *size, own))
    return Images(dead_leaves(most, *size, own), mirrors=True)
