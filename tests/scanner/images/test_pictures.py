"""Pictures of every depth keep their grey values, or are refused."""

import contextlib
import io

import numpy as np
import pytest
from PIL import Image
from tests.scanner.images.forms import content

from nc_scan.errors import DataError
from nc_scan.images.pictures import read_picture

GREY = np.linspace(0, 1, 64).reshape(8, 8)


def big_endian(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.frombytes("I;16B", values.shape, values.astype(">u2").tobytes()).save(buffer, "TIFF")
    return buffer.getvalue()


DEPTHS = {
    "8 bits": content((GREY * 255).astype(np.uint8)),
    "16 bits, PNG": content((GREY * 65535).astype(np.uint16)),
    "16 bits, TIFF": content((GREY * 65535).astype(np.uint16), "TIFF"),
    "16 bits, big endian": big_endian(GREY * 65535),
    "16 bits, in 32": content((GREY * 65535).astype(np.int32), "TIFF"),
    "8 bits, in 32": content((GREY * 255).astype(np.int32), "TIFF"),
    "floats": content(GREY.astype(np.float32), "TIFF"),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("depth", DEPTHS)
def test_grey_values_are_kept(depth: str, channels: int) -> None:
    read = read_picture(DEPTHS[depth], "a", (channels, 8, 8))
    assert read.dtype == np.float32
    assert np.abs(read - GREY).max() <= 1 / 255


def test_a_dark_picture_of_16_bits_stays_dark() -> None:
    assert read_picture(content((GREY * 200).astype(np.uint16)), "a", (1, 8, 8)).max() < 2 / 255


REFUSED = {
    "floats up to 255": content((GREY * 255).astype(np.float32), "TIFF"),
    "negative floats": content((GREY - 0.5).astype(np.float32), "TIFF"),
    "not a number": content(np.where(GREY > 0.5, np.nan, GREY).astype(np.float32), "TIFF"),
    "32 bits": content((GREY * 2**30).astype(np.int32), "TIFF"),
    "negative": content((GREY * 255 - 1).astype(np.int32), "TIFF"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_range_that_is_not_evident_is_refused(case: str) -> None:
    with pytest.raises(DataError, match=r"^a .* give 8 or 16 bits, or floats in \[0, 1\]"):
        read_picture(REFUSED[case], "a", (3, 8, 8))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "GIF", "BMP", "WEBP", "PPM"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_file_is_refused_or_read(kind: str, share: float) -> None:
    """Some formats end where they may; no other error than ours comes out."""
    whole = content(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8), kind)
    with contextlib.suppress(DataError):
        read_picture(whole[: int(share * len(whole))], "a", (3, 8, 8))
