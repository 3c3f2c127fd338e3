"""The images that probes are chosen from: made or given, the same under every contract."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nc_scan.errors import DataError
from nc_scan.images import Images
from nc_scan.images.memory import Size, affordable
from nc_scan.images.synthetic import KINDS
from nc_scan.results import FloatArray

SEARCH, HELD_OUT = 1024, 256
FEWEST_SEARCH, FEWEST_HELD_OUT = 64, 32  # synthetic ones, however large
SURPLUS = 2  # synthetic images made for each one kept, so that the predicted labels can be balanced
FEWEST = 16


@dataclass(frozen=True)
class Candidates:
    """Images (N, channels, height, width) in [0, 1], of which `search` are to serve the search, `held_out` the replay.

    `order` (N,) is that in which they are considered, `mixed` (search + held_out,) that in which those chosen are used.
    """

    source: str
    images: FloatArray
    search: int
    held_out: int
    order: NDArray[np.int64]
    mixed: NDArray[np.int64]


def synthetic_candidates(kind: str, size: Size, rng: np.random.Generator) -> Candidates:
    """Images of a kind in `nc_scan.images.synthetic`, twice as many as are kept.

    1,024 serve the search and 256 are held out, up to 112 x 112 x 3 values an image; of larger images fewer, so that
    all that are made take 385 MB, but 64 and 32 at least: 256 and 64 of 224 x 224 pixels.
    """
    search, held_out = _counts(size)
    kept = search + held_out
    images = KINDS[kind](SURPLUS * kept, *size, rng)
    return Candidates(kind, images, search, held_out, rng.permutation(len(images)), rng.permutation(kept))


def mixed_candidates(size: Size, rng: np.random.Generator) -> Candidates:
    """Images of all kinds, as many of each, otherwise as those of one kind."""
    search, held_out = _counts(size)
    kept = search + held_out
    each = -(-SURPLUS * kept // len(KINDS))
    images = np.concatenate([paint(each, *size, rng) for paint in KINDS.values()])
    return Candidates("all kinds", images, search, held_out, rng.permutation(len(images)), rng.permutation(kept))


def given_candidates(given: Images, rng: np.random.Generator) -> Candidates:
    """A random part of the user's images, all of which are kept. Raises DataError for fewer than 16."""
    if len(given.values) < FEWEST:
        raise DataError(f"{given.source} holds {len(given.values)} images, a scan needs at least {FEWEST}")
    kept = rng.permutation(len(given.values))[: SEARCH + HELD_OUT]
    search, as_they_lie = min(SEARCH, len(kept) // 2), np.arange(len(kept))
    return Candidates(given.source, given.values[kept], search, len(kept) - search, as_they_lie, as_they_lie)


def _counts(size: Size) -> tuple[int, int]:
    """How many synthetic probes of that size serve the search, and how many are held out."""
    share = min(1.0, affordable(size) / (SURPLUS * (SEARCH + HELD_OUT)))
    return max(FEWEST_SEARCH, int(share * SEARCH)), max(FEWEST_HELD_OUT, int(share * HELD_OUT))
