"""Where the probes of a scan come from: the user's images, or synthetic ones of several kinds."""

from __future__ import annotations

import numpy as np

from nc_scan.contract import ImageInput
from nc_scan.images import Images
from nc_scan.images.synthetic import KINDS
from nc_scan.probes.candidates import Candidates, given_candidates, synthetic_candidates
from nc_scan.results import FloatArray

PREVIEW, FEWEST_PREVIEW = 256, 64  # images that a kind is judged by
PREVIEW_PIXELS = PREVIEW * 64 * 64  # of all of them together


class Supply:
    """Images for one scan, whatever contracts there are: what is asked for twice is the same.

    Each of the `kinds` has random numbers of its own, so that none depends on whether another is asked for. The user's
    images are a single kind.
    """

    def __init__(self, given: Images | None, image: ImageInput, rng: np.random.Generator) -> None:
        self.channels = image.channels
        self.are_pictures = image.layout != "features"
        self._size = (image.channels, image.height, image.width)
        self._given = given
        self.kinds: tuple[str, ...] = tuple(KINDS) if given is None else (given.source,)
        seeds = rng.spawn(1)[0].integers(2**63, size=len(self.kinds))
        self._seeds = dict(zip(self.kinds, seeds.tolist(), strict=True))
        usual, *others = self.kinds
        self._generators = {usual: rng, **dict(zip(others, rng.spawn(len(others)), strict=True))}
        self._made: dict[str, Candidates] = {}

    def preview(self, kind: str) -> FloatArray:
        """A few images of the kind (N, C, H, W) to tell by whether a model recognises it: 256, of large ones fewer."""
        _, height, width = self._size
        count = int(np.clip(PREVIEW_PIXELS // (height * width), FEWEST_PREVIEW, PREVIEW))
        if self._given is not None:
            return self._given.values[:count]
        return KINDS[kind](count, *self._size, np.random.default_rng(self._seeds[kind]))

    def candidates(self, kind: str) -> Candidates:
        """What the probes of that kind are chosen from. Raises DataError where the user gave fewer than 16 images."""
        if kind not in self._made:
            rng = self._generators[kind]
            made = given_candidates(self._given, rng) if self._given else synthetic_candidates(kind, self._size, rng)
            self._made[kind] = made
        return self._made[kind]
