"""The user's images, in every form that is read, and what is said of those that cannot be."""

from pathlib import Path

import numpy as np
import pytest
from tests.scanner.images.forms import PIXELS, archive, array, as_pixels, content, folder, parquet, written

from nc_scan.errors import DataError
from nc_scan.images import memory
from nc_scan.images.files import read_images

FORMS = {
    "folder": folder,
    "parquet": parquet,
    "folder of parquet": lambda path: parquet(path).parent,
    "parquet beside a thumbnail": lambda path: written(parquet(path).parent / "a.png", content(PIXELS[0] // 2)).parent,
    "npy": array,
    "npy, channels first": lambda path: array(path, PIXELS.transpose(0, 3, 1, 2)),
    "npy, floats": lambda path: array(path, PIXELS / np.float32(255)),
    "npz": archive,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_pixels(form: str, tmp_path: Path) -> None:
    images = read_images(FORMS[form](tmp_path), 3, 8, 8, np.random.default_rng(0)).values
    assert images.dtype == np.float32
    assert {image.tobytes() for image in as_pixels(images)} == {image.tobytes() for image in PIXELS}


@pytest.mark.parametrize(("channels", "side"), [(1, 8), (4, 8), (3, 5)])
def test_images_are_fitted_to_the_model(channels: int, side: int, tmp_path: Path) -> None:
    images = read_images(folder(tmp_path), channels, side, side, np.random.default_rng(0))
    assert images.values.shape == (20, channels, side, side)


@pytest.mark.parametrize(
    ("form", "labels"),
    [("folder", [0, 1]), ("parquet", [1]), ("npz", [0, 1]), ("npy", None), ("flat folder", None)],
)
def test_labels_come_with_the_images(form: str, labels: list[int] | None, tmp_path: Path) -> None:
    make = {**FORMS, "flat folder": lambda path: folder(path) / "class0"}[form]
    images = read_images(make(tmp_path), 3, 8, 8, np.random.default_rng(0))
    if labels is None:
        assert images.labels is None
        return
    assert images.labels is not None
    assert sorted(set(images.labels.tolist())) == labels
    if form != "parquet":  # the truth is the parity of the image's index
        order = {image.tobytes(): index % 2 for index, image in enumerate(PIXELS)}
        assert [order[image.tobytes()] for image in as_pixels(images.values)] == images.labels.tolist()


@pytest.mark.parametrize("form", ["folder", "parquet", "npz"])
def test_of_large_images_fewer_are_read(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nc_scan.images.pictures.FEWEST", 4)
    monkeypatch.setattr(memory, "MOST_VALUES", 7 * PIXELS[0].size)
    images = read_images(FORMS[form](tmp_path), 3, 8, 8, np.random.default_rng(0))
    assert images.labels is not None
    assert len(images.values) == len(images.labels) == 7
    assert len(read_images(FORMS[form](tmp_path), 3, 80, 80, np.random.default_rng(0)).values) == 4


def broken_in_the_middle(path: Path) -> Path:
    np.savez_compressed(path / "a.npz", images=PIXELS)
    data = bytearray((path / "a.npz").read_bytes())
    data[200:400] = bytes(200)
    return written(path / "a.npz", bytes(data))


BROKEN = {
    "missing": (lambda path: path / "nowhere", "no such file"),
    "empty folder": (lambda path: path, "no image"),
    "another type": (lambda path: written(path / "images.txt", b"hello"), "not from .txt"),
    "broken image": (lambda path: written(path / "a.png", b"no png").parent, "not an image"),
    "broken array": (lambda path: written(path / "a.npy", b"\x93NUMPY"), "cannot be read"),
    "broken header": (lambda path: written(path / "a.npy", b"\x93NUMPY\x01\x00\x08\x00{'descr'"), "cannot be read"),
    "broken archive": (lambda path: written(path / "a.npz", b"PK\x03\x04 broken"), "cannot be read"),
    "broken compression": (broken_in_the_middle, "cannot be read"),
    "broken parquet": (lambda path: written(path / "a.parquet", b"no parquet"), "no image column"),
    "wrong axes": (lambda path: array(path, PIXELS[0, 0]), "no array of 3 or 4 axes"),
    "wrong channels": (lambda path: array(path, PIXELS[..., :2]), "the model needs"),
    "wrong range": (lambda path: array(path, PIXELS.astype(np.float32)), "floats outside"),
    "wrong type": (lambda path: array(path, PIXELS.astype(np.int64)), "give uint8"),
    "pickled": (lambda path: array(path, np.array([{}], dtype=object)), "cannot be read"),
    "nothing in it": (lambda path: array(path, PIXELS[:0]), "no images"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_cannot_be_read_is_said_in_one_line(case: str, tmp_path: Path) -> None:
    make, message = BROKEN[case]
    with pytest.raises(DataError, match=message) as caught:
        read_images(make(tmp_path), 3, 8, 8, np.random.default_rng(0))
    assert "\n" not in str(caught.value)
