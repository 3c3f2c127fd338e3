"""What the user says of the contract."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nc_scan.contract.value_range import ValueRange, named, standardized
from nc_scan.errors import OverrideError
from nc_scan.results import Layout, OutputKind

Numbers = tuple[float, ...]
SIZE = re.compile(r"(\d{1,6})(?:[xX](\d{1,6}))?")


@dataclass(frozen=True)
class Overrides:
    """None leaves a part to the evidence.

    `size` is height and width in pixels, `value_range` a name of `RANGES`; `mean` and `std`, one number or one a
    channel for pixels in [0, 1], take its place.
    """

    layout: Layout | None = None
    size: tuple[int, int] | None = None
    channels: int | None = None
    value_range: str | None = None
    mean: Numbers | None = None
    std: Numbers | None = None
    output: str | None = None
    output_kind: OutputKind | None = None

    def given_range(self) -> ValueRange | None:
        """What pixels are scaled to, where the user says it.

        Raises OverrideError for an unknown name, for a mean without a deviation, for both, and for other numbers than a
        mean and a deviation above 0, one or as many as each other.
        """
        if self.mean is None and self.std is None:
            return None if self.value_range is None else named(self.value_range)
        if self.value_range is not None:
            raise OverrideError("give either --range or --mean and --std")
        if self.mean is None or self.std is None:
            raise OverrideError("--mean and --std belong together: pixels are scaled to (pixel - mean) / std")
        return standardized(self.mean, self.std)


def parse_size(text: str) -> tuple[int, int]:
    """Height and width in pixels. Raises OverrideError.

    >>> parse_size("48x192"), parse_size("224")
    ((48, 192), (224, 224))
    """
    match = SIZE.fullmatch(text.strip())
    size = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if min(size) < 1:
        raise OverrideError(f"{text!r} is no size: HEIGHTxWIDTH in pixels, such as 48x192, or 224 for a square")
    return size


def parse_numbers(text: str) -> Numbers:
    """Numbers separated by commas. Raises OverrideError.

    >>> parse_numbers("0.485, 0.456, 0.406")
    (0.485, 0.456, 0.406)
    """
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError:
        raise OverrideError(f"{text!r} holds something that is no number: one, or one a channel with commas") from None


def range_name(text: str) -> str:
    """The name of a value range. Raises OverrideError for one that is not known."""
    return named(text).name
