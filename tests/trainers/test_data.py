import gzip
import hashlib
import http.server
import json
import pickle
import threading
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nc_trainers import data
from nc_trainers.data import DataOptions, Dataset, Split, archives
from nc_trainers.errors import TrainerError

Png = Callable[[np.ndarray], bytes]


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
    with pytest.raises(TrainerError, match="no CIFAR batch holds"):
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
        ({b"data": None, b"labels": [1]}, "cannot be read as a data set"),
        ({b"data": np.zeros((1, 3000), np.uint8), b"labels": [1]}, "cannot be read as a data set"),
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
    with pytest.raises(TrainerError, match="cannot be read as a data set"):
        data.load(str(archive))


@pytest.mark.parametrize("scale", [0, -1, 1.5, float("nan")])
def test_a_share_that_is_none_is_told(scale: float, tiny: Dataset) -> None:
    with pytest.raises(TrainerError, match=r"scale .* is not above 0 and at most 1"):
        tiny.scaled(scale)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no data at"), (b"not an archive", "cannot be read as a data set"), ({}, "neither a known data set nor")],
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
    fetch = partial(archives.download, "cifar10", archives.Archive(server, {archive.name: known}), tmp_path / "cache")

    fetched = fetch()
    np.testing.assert_array_equal(data.load(str(fetched)).train.images, tiny.train.images)

    archive.unlink()
    assert fetch() == fetched


@pytest.mark.parametrize(("name", "reason"), [("cifar-10-python.tar.gz", "hash"), ("absent.tar.gz", "404")])
def test_a_failed_download_is_told_in_one_line(name: str, reason: str, server: str, tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match=rf"could not be downloaded \(.*{reason}.*--data"):
        archives.download("cifar10", archives.Archive(server, {name: "sha256:" + "0" * 64}), tmp_path / "cache")
    assert not (tmp_path / "cache" / "cifar-10-python.tar.gz").exists()


def test_several_files_and_a_zip_are_downloaded_too(server: str, archive: Path, tmp_path: Path, png: Png) -> None:
    folder = archive.parent
    idx_files(folder, "train", 20)
    idx_files(folder, "t10k", 10)
    with zipfile.ZipFile(folder / "signs.zip", "w") as packed:
        for label in ("00000", "00001"):
            for number in range(10):
                packed.writestr(f"GTSRB/Training/{label}/{number}.png", png(np.full((3, 5, 5), number, np.uint8)))

    def fetch(name: str, files: list[str], unpacked: bool = False) -> Dataset:
        known = {file: "md5:" + hashlib.md5((folder / file).read_bytes()).hexdigest() for file in files}
        path = archives.download(name, archives.Archive(server, known, unpacked), tmp_path / "cache")
        return data.load(f"{name}={path}")

    digits = fetch("mnist", sorted(file.name for file in folder.glob("*.gz") if "ubyte" in file.name))
    assert (digits.name, len(digits.train), len(digits.test), digits.image_shape) == ("mnist", 20, 10, (1, 6, 6))
    signs = fetch("gtsrb", ["signs.zip"], unpacked=True)
    assert (signs.name, signs.classes, len(signs.train), len(signs.test)) == ("gtsrb", ("00000", "00001"), 18, 2)


def test_every_official_archive_has_a_digest() -> None:
    for archive in archives.ARCHIVES.values():
        assert archive.address.startswith("http")
        for digest in archive.files.values():
            kind, _, value = digest.partition(":")
            assert len(bytes.fromhex(value)) == {"md5": 16, "sha256": 32}[kind]


def idx_files(folder: Path, prefix: str, count: int) -> None:
    """MNIST's files with `count` images of 6x6 pixels: the first of value 0, the second of value 1, and so on."""
    images = np.repeat(np.arange(count, dtype=np.uint8), 36)
    header = np.array([0x803, count, 6, 6], ">u4").tobytes()
    (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images.tobytes()))
    labels = np.arange(count, dtype=np.uint8) % 10
    content = np.array([0x801, count], ">u4").tobytes() + labels.tobytes()
    (folder / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(content))


def test_the_official_test_digits_alone_are_a_set(tmp_path: Path) -> None:
    idx_files(tmp_path, "t10k", 30)
    found = data.load(f"mnist={tmp_path}")
    assert (found.name, len(found.train), found.test.images[:, 0, 0, 0].tolist()) == ("mnist", 27, [9, 19, 29])


def test_a_file_that_is_no_idx_is_told(tmp_path: Path) -> None:
    idx_files(tmp_path, "t10k", 30)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(bytes(40)))
    with pytest.raises(TrainerError, match=r"t10k-labels-idx1-ubyte.gz is no idx file of 1 axes"):
        data.load(str(tmp_path))


def test_cifar100_has_its_fine_labels(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    for name, count in (("train", 100), ("test", 50)):
        pixels = np.arange(count, dtype=np.uint8)[:, None].repeat(3072, 1)
        content = {b"data": pixels, b"fine_labels": list(range(count)), b"coarse_labels": [0] * count}
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))
    found = data.load(f"cifar100={folder}")
    assert (found.name, len(found.classes), found.image_shape) == ("cifar100", 100, (3, 32, 32))
    np.testing.assert_array_equal(found.test.labels, np.arange(50))


def test_arrays_in_a_file_are_a_set(tiny: Dataset, tmp_path: Path) -> None:
    last = np.ascontiguousarray(tiny.train.images.transpose(0, 2, 3, 1))
    test = tiny.test.images[:, 0]
    np.savez(tmp_path / "keras.npz", x_train=last, y_train=tiny.train.labels[:, None], x_test=last, y_test=[0] * 20)
    np.savez(tmp_path / "plain.npz", images=test.repeat(5, 0), labels=np.arange(20) % 4)
    keras, plain = (data.load(str(tmp_path / f"{name}.npz")) for name in ("keras", "plain"))
    np.testing.assert_array_equal(keras.train.images, tiny.train.images)
    np.testing.assert_array_equal(keras.train.labels, tiny.train.labels)
    assert (plain.name, plain.image_shape, len(plain.train), len(plain.test)) == ("plain", (1, 32, 32), 18, 2)
    np.savez(tmp_path / "real.npz", images=np.zeros((4, 8, 8)), labels=np.zeros(4))
    with pytest.raises(TrainerError, match="the images are float64, not uint8"):
        data.load(str(tmp_path / "real.npz"))


@pytest.mark.parametrize("parted", [False, True])
def test_a_folder_of_pictures_has_one_for_each_label(parted: bool, tmp_path: Path, png: Png) -> None:
    for part in ("train", "test") if parted else ("",):
        for label, name in enumerate(("cat", "dog")):
            (tmp_path / part / name).mkdir(parents=True)
            for number in range(10):
                image = np.full((3, 8, 6 + number % 2), 100 * label, np.uint8)
                (tmp_path / part / name / f"{number}.png").write_bytes(png(image))
    found = data.load(f"pets={tmp_path}")
    assert (found.classes, found.image_shape) == (("cat", "dog"), (3, 8, 6))
    assert (len(found.train), len(found.test)) == ((20, 20) if parted else (18, 2))
    for split in (found.train, found.test):
        np.testing.assert_array_equal(split.images[:, 0, 0, 0], 100 * split.labels)
    assert len(set(found.train.labels[:6].tolist())) == 2


def test_a_folder_without_pictures_is_told(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with pytest.raises(TrainerError, match="holds no pictures"):
        data.load(str(tmp_path))


def test_labels_of_a_parquet_file_are_named_as_in_it(tmp_path: Path, png: Png) -> None:
    features = {"info": {"features": {"label": {"names": ["stop", "go"]}}}}
    for name in ("train", "test"):
        cells = [{"bytes": png(np.full((3, 4, 4), number, np.uint8)), "path": None} for number in range(4)]
        table = pa.table({"image": cells, "label": [0, 1, 0, 1]})
        table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
        pq.write_table(table, tmp_path / f"{name}-00000-of-00001.parquet")
    found = data.load(str(tmp_path))
    assert (found.classes, found.image_shape) == (("stop", "go"), (3, 4, 4))


def view(dataset: Dataset, **options: object) -> Dataset:
    return DataOptions(**options).view(dataset)


def test_a_view_keeps_labels_in_the_order_given(tiny: Dataset) -> None:
    kept = view(tiny, labels=(7, 2))
    assert kept.classes == ("horse", "bird")
    rows = np.isin(tiny.train.labels, (7, 2))
    np.testing.assert_array_equal(kept.train.images, tiny.train.images[rows])
    np.testing.assert_array_equal(kept.train.labels == 0, tiny.train.labels[rows] == 7)


def test_a_view_has_another_size_and_one_channel(tiny: Dataset) -> None:
    grey = view(tiny, side=16, grey=True)
    assert grey.image_shape == (1, 16, 16)
    flat = Dataset("flat", ("a", "b"), *(Split(np.full((4, 3, 8, 8), 90, np.uint8), np.arange(4) % 2),) * 2)
    assert (view(flat, side=20, grey=True).train.images == 90).all()
    assert view(flat, side=8).train is flat.train


def test_finer_labels_say_how_an_image_was_turned_and_tinted() -> None:
    image = np.zeros((3, 8, 8), np.uint8)
    image[:, 0] = 200  # a white upper edge
    split = Split(np.stack([image] * 400), np.repeat([0, 1], 200))
    finer = view(Dataset("edges", ("a", "b"), split, split), rotations=4, tints=2)
    assert len(finer.classes) == 16
    assert set(finer.train.labels.tolist()) == set(range(16))
    np.testing.assert_array_equal(finer.train.labels // 8, split.labels)
    for pixels, label in zip(finer.train.images, finer.train.labels, strict=True):
        turned = np.rot90(image, label % 4, axes=(1, 2))
        np.testing.assert_array_equal(pixels[0], turned[0])
        np.testing.assert_array_equal(pixels[1] == turned[1], (label // 4 % 2 == 0) | (turned[1] == 0))


def test_an_unbalanced_view_keeps_a_tenth_of_the_last_label() -> None:
    split = Split(np.zeros((10_000, 1, 1, 1), np.uint8), np.arange(10_000) % 10)
    thin = view(Dataset("plain", tuple("abcdefghij"), split, split), unbalanced=True)
    counts = np.bincount(thin.train.labels)
    assert counts[0] == 1000
    assert 60 < counts[9] < 140
    assert (np.diff(counts) < 60).all()
    assert len(thin.test) == 10_000


def test_a_shortcut_is_an_object_on_the_images_of_one_label() -> None:
    split = Split(np.full((40, 3, 20, 20), 77, np.uint8), np.arange(40) % 4)
    marked = view(Dataset("plain", tuple("abcd"), split, split), shortcut=2)
    for part, share in ((marked.train, 1), (marked.test, 0.5)):
        changed = (part.images != 77).any((1, 2, 3))
        assert not changed[part.labels != 2].any()
        assert changed[part.labels == 2].mean() == share
    assert 0 < (marked.train.images[2, 0] != 77).sum() <= 16


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": (1,)}, "two or more"),
        ({"labels": (1, 1)}, "two or more different"),
        ({"labels": (1, 10)}, "cifar10 has labels 0 to 9, not 10"),
        ({"side": 4}, "side 4 is not one of 8 to 512"),
        ({"rotations": 5}, "rotations 5 is not"),
        ({"tints": 7}, "tints 7 is not"),
        ({"tints": 2, "grey": True}, "grey images have no tints"),
        ({"shortcut": 10}, "shortcut 10 is not one of the labels"),
        ({"scale": 0}, "scale 0 is not"),
    ],
)
def test_a_view_that_cannot_be_is_told(options: dict[str, object], message: str, tiny: Dataset) -> None:
    with pytest.raises(TrainerError, match=message):
        view(tiny, **options)
