import hashlib
import http.server
import pickle
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from nc_trainers import data
from nc_trainers.data import Dataset
from nc_trainers.errors import TrainerError


@pytest.mark.parametrize("layout", ["batches_folder", "archive", "parquet_folder"])
def test_every_layout_holds_the_same_images(layout: str, tiny: Dataset, request: pytest.FixtureRequest) -> None:
    loaded = data.load(str(request.getfixturevalue(layout)))

    assert loaded.image_shape == (3, 32, 32)
    for found, expected in ((loaded.train, tiny.train), (loaded.test, tiny.test)):
        np.testing.assert_array_equal(found.images, expected.images)
        np.testing.assert_array_equal(found.labels, expected.labels)


def test_digits_are_rgb_images_of_ten_classes(digits: Dataset) -> None:
    assert digits.image_shape == (3, 32, 32)
    assert len(digits.train) + len(digits.test) == 1797
    assert sorted(set(digits.train.labels)) == list(range(10))
    assert digits.train.images.max() == 255


def test_scaled_takes_a_share_of_both_splits(tiny: Dataset) -> None:
    half = tiny.scaled(0.5)
    assert (len(half.train), len(half.test)) == (10, 2)
    np.testing.assert_array_equal(half.train.images, tiny.train.images[:10])


class Payload:
    """Pickles as a call of `Path.touch`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def test_a_batch_that_would_run_code_is_refused(batches_folder: Path, tmp_path: Path) -> None:
    (batches_folder / "test_batch").write_bytes(pickle.dumps(Payload(tmp_path / "run")))
    with pytest.raises(TrainerError, match="no CIFAR-10 batch holds"):
        data.load(str(batches_folder))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ([1, 2], "a batch is not a table of data and labels"),
        ({b"data": np.zeros((1, 3072), np.uint8)}, "a batch is not a table of data and labels"),
        ({b"data": np.zeros((2, 3072), np.uint8), b"labels": [1]}, r"1 labels do not fit images of shape \(2, 3, 32"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [10]}, "the labels are not numbers from 0 to 9"),
        ({b"data": np.zeros((0, 3072), np.uint8), b"labels": []}, "the labels are not numbers"),
        ({b"data": None, b"labels": [1]}, "cannot be read as CIFAR-10"),
        ({b"data": np.zeros((1, 3000), np.uint8), b"labels": [1]}, "cannot be read as CIFAR-10"),
    ],
    ids=["a list", "no labels", "too few labels", "an eleventh class", "nothing", "no images", "small images"],
)
def test_a_batch_that_is_none_is_told(batch: object, message: str, batches_folder: Path) -> None:
    (batches_folder / "test_batch").write_bytes(pickle.dumps(batch, protocol=4))
    with pytest.raises(TrainerError, match=message):
        data.load(str(batches_folder))


def test_a_damaged_archive_is_told(archive: Path) -> None:
    content = bytearray(archive.read_bytes())
    content[len(content) // 2 :] = b"\xff" * (len(content) - len(content) // 2)
    archive.write_bytes(content)
    with pytest.raises(TrainerError, match="cannot be read as CIFAR-10"):
        data.load(str(archive))


@pytest.mark.parametrize("scale", [0, -1, 1.5, float("nan")])
def test_a_share_that_is_none_is_told(scale: float, tiny: Dataset) -> None:
    with pytest.raises(TrainerError, match=r"scale .* is not above 0 and at most 1"):
        tiny.scaled(scale)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no data at"), (b"not an archive", "cannot be read as CIFAR-10"), ({}, "neither parquet files nor")],
)
def test_missing_and_damaged_data_is_told_in_one_line(content: object, message: str, tmp_path: Path) -> None:
    path = tmp_path / "data"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.mkdir()
    with pytest.raises(TrainerError, match=message) as caught:
        data.load(str(path))
    assert "\n" not in str(caught.value)


@pytest.fixture
def server(archive: Path) -> str:
    """A web server for the folder of the archive."""
    handler = partial(QuietHandler, directory=str(archive.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/"
        running.shutdown()
        thread.join()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_download_is_checked_and_kept(server: str, archive: Path, tmp_path: Path, tiny: Dataset) -> None:
    known = "sha256:" + hashlib.sha256(archive.read_bytes()).hexdigest()
    fetch = partial(data.download_cifar10, server + archive.name, known, tmp_path / "cache")

    fetched = fetch()
    np.testing.assert_array_equal(data.load(str(fetched)).train.images, tiny.train.images)

    archive.unlink()
    assert fetch() == fetched


@pytest.mark.parametrize(("name", "reason"), [("cifar-10-python.tar.gz", "hash"), ("absent.tar.gz", "404")])
def test_a_failed_download_is_told_in_one_line(name: str, reason: str, server: str, tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match=rf"could not be downloaded \(.*{reason}.*--data"):
        data.download_cifar10(server + name, "sha256:" + "0" * 64, tmp_path / "cache")
    assert not (tmp_path / "cache" / "cifar-10-python.tar.gz").exists()
