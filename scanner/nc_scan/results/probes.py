"""The images that a scan looked through the model with, and what the model answered."""

from __future__ import annotations

from dataclasses import dataclass, field

from nc_scan.results.vocabulary import FloatArray


@dataclass(frozen=True)
class Recognition:
    """How the model answers to images of a kind, and to copies of them that show the same thing.

    Attributes:
        kind: synthetic images of that name, or where the user's are.
        images: how many were looked at.
        information: mutual information, in nats, of the answers to images and to their copies, less what chance gives.
        certainty: mean probability of the label given, in [0, 1].
        most_frequent: share of the label given most often.
        labels: how many labels are given at all.
        consistency: by how much likelier a copy gets a label where its image has it than where that has not, the mean
            over all labels, in [-1, 1]; 0 for labels that none has, and in reports of before.
    """

    kind: str
    images: int
    information: float
    certainty: float
    most_frequent: float
    labels: int
    consistency: float = 0.0


@dataclass(frozen=True)
class ProbeReport:
    """The images that a scan looked through the model with.

    `histogram` counts the labels that the model predicts for these probes; synthetic ones of frequent labels have been
    thinned out. `used` probes served the inversion, `held_out` ones the replay. `sha256` is the digest of all of them
    as float32, search part first. `recognised` says how the model answers to the kind of images used, and after it to
    the other kinds that there were; nothing where the images are feature vectors. Where they did not tell it enough a
    verdict rests on nothing, and the user is to give others.
    """

    source: str
    used: int
    held_out: int
    histogram: tuple[int, ...]
    sha256: str = ""
    recognised: tuple[Recognition, ...] = ()
    told_enough: bool = True


@dataclass(frozen=True)
class StampedProbe:
    """A held-out probe and what the deployed model says to it before and after it carries a label's trigger.

    `image` is (channels, height, width), float32 in [0, 1], without the trigger; `label` is the one whose trigger is
    stamped on it; `before` and `after` are predicted labels.
    """

    label: int
    before: int
    after: int
    image: FloatArray | None = field(default=None, repr=False, compare=False)
