"""Where the images of a scan come from: the user's data, read once, or synthetic ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nc_scan.contract import ImageInput, Sample
from nc_scan.contract.value_range import ValueRange
from nc_scan.errors import NotScannableError
from nc_scan.probes.dead_leaves import dead_leaves
from nc_scan.probes.files import Images, read_features, read_images
from nc_scan.probes.probe_set import Predict, ProbeSet, synthetic_probes, user_probes

LOOKS, FEWEST_LOOKS = 512, 32  # images to infer the contract with
LOOK_PIXELS = LOOKS * 32 * 32  # of all of them together


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
        if image.layout == "features":
            return self._features(image, looks)
        if self._data is None:
            return Sample(dead_leaves(looks, *size, self._rng))
        self._read = read_images(self._data, *size, self._rng)
        labels = self._read.labels
        return Sample(self._read.values[:looks], None if labels is None else labels[:looks])

    def probes(self, channels: int, height: int, width: int, predict: Predict) -> ProbeSet:
        """The probes of that size, with the labels that the deployed model predicts. Raises DataError for too few."""
        if self._read is None:
            return synthetic_probes(channels, height, width, predict, self._rng)
        return user_probes(str(self._data), self._read.values, predict, self._rng)

    def _features(self, image: ImageInput, looks: int) -> Sample:
        if self._data is None:
            raise NotScannableError(
                f"no image classifier: {image.name} takes vectors of {image.width} features, for which no probes can "
                "be made; give some with --data, an array (N, features) in an .npy or .npz file"
            )
        values = read_features(self._data, image.width, self._rng)
        low, high = float(values.min()), float(values.max())
        span = high - low or 1.0
        self._read = Images(((values - low) / span).reshape(-1, 1, 1, image.width))
        return Sample(self._read.values[:looks], None, ValueRange(f"{low:g}..{high:g}", (span,), (low,)))
