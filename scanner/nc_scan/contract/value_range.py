"""The value ranges that image models are trained on, as an affine map from pixels in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CIFAR10_MEAN, CIFAR10_STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


@dataclass(frozen=True)
class ValueRange:
    """The model reads `pixel * scale + offset`, per channel, for pixels in [0, 1]."""

    name: str
    scale: tuple[float, ...]
    offset: tuple[float, ...]

    def for_channels(self, channels: int) -> ValueRange:
        """The same range for a number of channels; a single value holds for all of them."""
        if len(self.scale) not in (1, channels):
            raise ValueError(f"the value range {self.name} has {len(self.scale)} channels, the model {channels}")
        repeat = channels if len(self.scale) == 1 else 1
        return ValueRange(self.name, self.scale * repeat, self.offset * repeat)


def standardized(name: str, mean: tuple[float, ...], std: tuple[float, ...]) -> ValueRange:
    """(pixel - mean) / std."""
    return ValueRange(name, tuple(1 / s for s in std), tuple(-m / s for m, s in zip(mean, std, strict=True)))


RANGES = {
    value_range.name: value_range
    for value_range in (
        ValueRange("0..1", (1.0,), (0.0,)),
        ValueRange("0..255", (255.0,), (0.0,)),
        ValueRange("-1..1", (2.0,), (-1.0,)),
        standardized("imagenet", IMAGENET_MEAN, IMAGENET_STD),
        standardized("cifar10", CIFAR10_MEAN, CIFAR10_STD),
    )
}
