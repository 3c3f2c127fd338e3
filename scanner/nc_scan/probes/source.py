"""Where the images of a scan come from: the user's data, read once, or synthetic ones."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np

from nc_scan.contract import ImageInput, Sample
from nc_scan.contract.value_range import ValueRange
from nc_scan.errors import NotScannableError
from nc_scan.probes.arrays import read_features
from nc_scan.probes.dead_leaves import dead_leaves
from nc_scan.probes.files import read_images
from nc_scan.probes.memory import affordable
from nc_scan.probes.pictures import Images
from nc_scan.probes.probe_set import Predict, ProbeSet, synthetic_probes, user_probes

LOOKS, FEWEST_LOOKS = 512, 128  # images that most contracts are inferred with
LOOK_PIXELS = LOOKS * 64 * 64  # of all of them together
MORE = 4  # times as many are there, for what these leave open


class ImageSource:
    """Images for one scan. `data` is the user's path, None for synthetic images."""

    def __init__(self, data: str | Path | None, rng: np.random.Generator) -> None:
        self._data = None if data is None else Path(data)
        self._rng = rng
        self._read: Images | None = None

    def sample(self, image: ImageInput) -> Sample:
        """What to look through the model with before its contract is known.

        Raises DataError as `read_images`, NotScannableError for a model of feature vectors without data.
        """
        size = (image.channels, image.height, image.width)
        looks = int(np.clip(LOOK_PIXELS // (image.height * image.width), FEWEST_LOOKS, LOOKS))
        most = min(MORE * looks, affordable(size))
        if image.layout == "features":
            return self._features(image, most)
        if self._data is None:
            more = self._rng.spawn(1)[0]  # how many there are does not change the probes
            return Sample(
                np.concatenate([dead_leaves(looks, *size, self._rng), dead_leaves(most - looks, *size, more)])
            )
        self._read = read_images(self._data, *size, self._rng)
        labels = self._read.labels
        return Sample(self._read.values[:most], None if labels is None else labels[:most])

    def probes(self, channels: int, height: int, width: int, predict: Predict) -> ProbeSet:
        """The probes of that size, with the labels that the deployed model predicts; after `sample`, which reads data.

        The same images in every call, so that hypotheses are compared on equal terms; of synthetic ones those of
        labels predicted most often are thinned out. Raises DataError for too few images.
        """
        rng = copy.deepcopy(self._rng)
        if self._data is None:
            return synthetic_probes(channels, height, width, predict, rng)
        assert self._read is not None, "the sample comes first"
        return user_probes(str(self._data), self._read.values, predict, rng)

    def _features(self, image: ImageInput, looks: int) -> Sample:
        if self._data is None:
            raise NotScannableError(
                f"no image classifier: {image.name} takes vectors of {image.width} features, for which no probes can "
                "be made; give some with --data, an array (N, features) in an .npy or .npz file"
            )
        values = read_features(self._data, image.width, self._rng)
        low, high = values.min(0), values.max(0)
        span = np.where(high > low, high - low, 1.0)
        self._read = Images(((values - low) / span).astype(np.float32).reshape(-1, 1, 1, image.width))
        in_words = f"{values.min():g}..{values.max():g}"
        value_range = ValueRange(in_words, tuple(map(float, span)), tuple(map(float, low)))
        return Sample(self._read.values[:looks], None, value_range)
