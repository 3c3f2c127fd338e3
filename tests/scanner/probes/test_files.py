"""The user's images, in every form that is read, and what is said of those that cannot be."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from nc_scan.errors import DataError
from nc_scan.probes.files import read_features, read_images

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def folder(path: Path) -> Path:
    for index, pixels in enumerate(PIXELS):
        file = path / f"class{index % 2}" / f"{index}.png"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(png(pixels))
    return path


def parquet(path: Path) -> Path:
    rows = [{"img": {"bytes": png(pixels), "path": None}, "label": 1} for pixels in PIXELS]
    pq.write_table(pa.Table.from_pylist(rows), path / "test.parquet")
    return path / "test.parquet"


def array(path: Path, value: np.ndarray = PIXELS) -> Path:
    np.save(path / "images.npy", value)
    return path / "images.npy"


def archive(path: Path) -> Path:
    np.savez(path / "images.npz", images=PIXELS, labels=np.arange(20) % 2)
    return path / "images.npz"


FORMS = {
    "folder": folder,
    "parquet": parquet,
    "folder of parquet": lambda path: parquet(path).parent,
    "npy": array,
    "npy, channels first": lambda path: array(path, PIXELS.transpose(0, 3, 1, 2)),
    "npy, floats": lambda path: array(path, PIXELS / np.float32(255)),
    "npz": archive,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_pixels(form: str, tmp_path: Path) -> None:
    images = read_images(FORMS[form](tmp_path), 3, 8, 8, np.random.default_rng(0)).values
    assert images.dtype == np.float32
    expected = {image.tobytes() for image in PIXELS}
    assert {image.tobytes() for image in (images.transpose(0, 2, 3, 1) * 255).round().astype(np.uint8)} == expected


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
        pixels = (images.values.transpose(0, 2, 3, 1) * 255).round().astype(np.uint8)
        assert [order[image.tobytes()] for image in pixels] == images.labels.tolist()


def test_feature_vectors(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(20, 13))
    np.save(tmp_path / "a.npy", vectors)
    read = read_features(tmp_path / "a.npy", 13, np.random.default_rng(0))
    assert sorted(read[:, 0].tolist()) == sorted(vectors[:, 0].astype(np.float32).tolist())
    with pytest.raises(DataError, match=r"the model needs numbers \(N, 12\)"):
        read_features(tmp_path / "a.npy", 12, np.random.default_rng(0))
    with pytest.raises(DataError, match=r"from an \.npy or \.npz file"):
        read_features(tmp_path, 13, np.random.default_rng(0))


BROKEN = {
    "missing": (lambda path: path / "nowhere", "no such file"),
    "empty folder": (lambda path: path, "no image"),
    "another type": (lambda path: _written(path / "images.txt", b"hello"), "not from .txt"),
    "broken image": (lambda path: _written(path / "a.png", b"no png").parent, "not an image"),
    "broken array": (lambda path: _written(path / "a.npy", b"\x93NUMPY"), "cannot be read"),
    "broken archive": (lambda path: _written(path / "a.npz", b"PK\x03\x04 broken"), "cannot be read"),
    "broken parquet": (lambda path: _written(path / "a.parquet", b"no parquet"), "no image column"),
    "wrong channels": (lambda path: array(path, PIXELS[..., :2]), "the model needs"),
    "wrong range": (lambda path: array(path, PIXELS.astype(np.float32)), "floats outside"),
    "wrong type": (lambda path: array(path, PIXELS.astype(np.int64)), "give uint8"),
    "pickled": (lambda path: array(path, np.array([{}], dtype=object)), "cannot be read"),
}


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("case", BROKEN)
def test_what_cannot_be_read_is_said_in_one_line(case: str, tmp_path: Path) -> None:
    make, message = BROKEN[case]
    with pytest.raises(DataError, match=message) as caught:
        read_images(make(tmp_path), 3, 8, 8, np.random.default_rng(0))
    assert "\n" not in str(caught.value)
