"""The value ranges that image models are trained on, as an affine map from pixels in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nc_scan.errors import OverrideError
from nc_scan.results import ChannelOrder, FloatArray

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CIFAR10_MEAN, CIFAR10_STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
GTSRB_MEAN, GTSRB_STD = (0.3403, 0.3121, 0.3214), (0.2724, 0.2608, 0.2669)
MNIST_MEAN, MNIST_STD = (0.1307,), (0.3081,)
CAFFE_MEAN = (123.68, 116.779, 103.939)  # of ImageNet's pixels in 0..255
SMALL_SIDE = 64  # pixels; of that size and below are CIFAR-10 and its like, above ImageNet


@dataclass(frozen=True)
class ValueRange:
    """The model reads `pixel * scale + offset`, per channel, for pixels in [0, 1], the channels in an order.

    Scale and offset are those of red, green and blue; of feature vectors there may be one a feature.
    """

    name: str
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    order: ChannelOrder = "RGB"

    def for_channels(self, channels: int) -> ValueRange:
        """The same range for a number of channels: a single value holds for all, three become their mean for one.

        An alpha channel is scaled as the mean of red, green and blue, and so are all channels where they are not those.
        Raises OverrideError where neither fits.
        """
        if len(self.scale) == channels:
            return self
        mean_scale, mean_offset = float(np.mean(self.scale)), float(np.mean(self.offset))
        if len(self.scale) == 1 or channels == 1:
            return ValueRange(self.name, (mean_scale,) * channels, (mean_offset,) * channels)
        if (len(self.scale), channels) == (3, 4):
            return ValueRange(self.name, (*self.scale, mean_scale), (*self.offset, mean_offset))
        if len(self.scale) == 3:
            return ValueRange(self.name, (mean_scale,) * channels, (mean_offset,) * channels)
        raise OverrideError(f"the value range {self.name} has {len(self.scale)} channels, the model {channels}")


def standardized(mean: tuple[float, ...], std: tuple[float, ...], name: str | None = None) -> ValueRange:
    """(pixel - mean) / std; without a name of its own it is called by its numbers.

    Raises OverrideError for what is no mean and deviation above 0, as many of one as of the other.
    """
    mean_text, std_text = (",".join(f"{value:g}" for value in values) for values in (mean, std))
    numbers = f"mean={mean_text};std={std_text}"
    if len(mean) != len(std) or not np.isfinite((*mean, *std)).all() or min(std) <= 0:
        raise OverrideError(f"the value range {numbers} needs finite means, and as many deviations above 0")
    return ValueRange(name or numbers, tuple(1 / s for s in std), tuple(-m / s for m, s in zip(mean, std, strict=True)))


def of_features(low: FloatArray, high: FloatArray) -> ValueRange:
    """The range of feature vectors that lie between these values (features,), for which 0 and 1 stand."""
    span = np.where(high > low, high - low, 1.0)
    return ValueRange(f"{low.min():g}..{high.max():g}", tuple(map(float, span)), tuple(map(float, low)))


RANGES = {
    value_range.name: value_range
    for value_range in (
        ValueRange("0..1", (1.0,), (0.0,)),
        ValueRange("0..255", (255.0,), (0.0,)),
        ValueRange("-1..1", (2.0,), (-1.0,)),
        standardized(IMAGENET_MEAN, IMAGENET_STD, "imagenet"),
        standardized(CIFAR10_MEAN, CIFAR10_STD, "cifar10"),
        standardized(GTSRB_MEAN, GTSRB_STD, "gtsrb"),
        standardized(MNIST_MEAN, MNIST_STD, "mnist"),
        ValueRange("caffe", (255.0,) * 3, tuple(-m for m in CAFFE_MEAN), "BGR"),
    )
}


def named(name: str) -> ValueRange:
    """A range by its name. Raises OverrideError for one that is not known."""
    if name not in RANGES:
        raise OverrideError(f"unknown value range {name!r}: one of {', '.join(RANGES)}; others by --mean and --std")
    return RANGES[name]


def hypotheses(channels: int, side: int) -> tuple[ValueRange, ...]:
    """The ranges that a model without further evidence may be trained on, the most usual ones first.

    The constants of ImageNet, CIFAR-10 and GTSRB differ by less than a scan can tell; the image's size says which. Of
    small grey images the usual constants are MNIST's.
    """
    constants = "imagenet" if side > SMALL_SIDE else "mnist" if channels == 1 else "cifar10"
    names = ("0..1", constants, "-1..1", "0..255", *(("caffe",) if channels == 3 and side > SMALL_SIDE else ()))
    return tuple(RANGES[name].for_channels(channels) for name in names)
