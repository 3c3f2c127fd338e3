"""The same search on images of another kind: does what stood out stand out again?"""

from __future__ import annotations

from nc_scan.detectors.patch.detector import PatchSearch


class Agreement(PatchSearch):
    """A second opinion on what the patch search found.

    A planted trigger works on any image. A label that stands out because the images of one kind happen to lie near it
    does not stand out on those of another. Of many labels those are searched for that were before. Asked only where the
    patch search found something, so that clean models cost nothing; the verdict holds both against each other. Its
    silence speaks about nothing of its own.
    """

    name = "agreement"
    title = "the same on images of another kind"
    covers = frozenset()
