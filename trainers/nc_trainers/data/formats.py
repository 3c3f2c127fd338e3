"""Readers of the layouts in which image classification sets lie on a disk, told apart by what is there."""

import gzip
import io
import json
import pickle
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from nc_trainers.data.base import Dataset, Split

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR10_TRAIN, CIFAR10_TEST = tuple(f"data_batch_{i}" for i in range(1, 6)), ("test_batch",)
CIFAR100_TRAIN, CIFAR100_TEST = ("train",), ("test",)
PICTURES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".webp", ".gif"})
IDX_IMAGES, IDX_LABELS = 0x803, 0x801
UNREADABLE = (  # what the readers of damaged archives, pickles, parquet files and pictures raise
    *(OSError, EOFError, ValueError, LookupError, TypeError, AttributeError),
    *(pickle.UnpicklingError, tarfile.TarError, zlib.error),
)


def read(path: Path, name: str) -> Dataset:
    """The data set at `path`, whatever its layout. Raises one of UNREADABLE where it is none, or damaged.

    A set without a test split gives every tenth image to it.
    """
    if path.suffix == ".npz":
        return _from_npz(path, name)
    if path.is_file():
        return _from_archive(path, name)
    if files := sorted(path.rglob("*.parquet")):
        return _from_parquet(files, name)
    if sorted(path.rglob("*-images-idx3-ubyte*")):
        return _from_idx(path, name)
    for train, test in ((CIFAR10_TRAIN, CIFAR10_TEST), (CIFAR100_TRAIN, CIFAR100_TEST)):
        folder = next((found.parent for found in path.rglob(train[0]) if found.is_file()), None)
        if folder is not None:
            return _from_batches(_opened(folder, train), _opened(folder, test), name)
    return _from_pictures(path, name)


def _from_archive(path: Path, name: str) -> Dataset:
    with tarfile.open(path) as archive:
        members = {PurePosixPath(member.name).name: member for member in archive if member.isfile()}
        train, test = (CIFAR10_TRAIN, CIFAR10_TEST) if CIFAR10_TRAIN[0] in members else (CIFAR100_TRAIN, CIFAR100_TEST)
        opened = [[archive.extractfile(members[batch]) for batch in names] for names in (train, test)]
        return _from_batches(opened[0], opened[1], name)


def _opened(folder: Path, names: Iterable[str]) -> Iterator[IO[bytes]]:
    for name in names:
        with (folder / name).open("rb") as file:
            yield file


def _from_batches(train: Iterable[IO[bytes] | None], test: Iterable[IO[bytes] | None], name: str) -> Dataset:
    """CIFAR-10's or CIFAR-100's pickled batches."""
    fine = False

    def split(files: Iterable[IO[bytes] | None]) -> Split:
        nonlocal fine
        batches = [_ArrayUnpickler(file, encoding="bytes").load() for file in files if file is not None]
        if not all(isinstance(b, dict) and b"data" in b and {b"labels", b"fine_labels"} & b.keys() for b in batches):
            raise ValueError("a batch is not a table of data and labels")
        fine = b"fine_labels" in batches[0]
        images = np.concatenate([np.asarray(batch[b"data"], dtype=np.uint8) for batch in batches])
        labels = np.concatenate([batch[b"fine_labels" if fine else b"labels"] for batch in batches])
        return checked(images.reshape(-1, 3, 32, 32), labels, 100 if fine else 10)

    both = split(train), split(test)
    classes = tuple(str(label) for label in range(100)) if fine else CIFAR10_CLASSES
    return Dataset(name, classes, *both)


class _ArrayUnpickler(pickle.Unpickler):
    """Reads pickled arrays and nothing that could run code: the archive's format is pickle."""

    def find_class(self, module: str, name: str) -> Any:
        if (module.partition(".")[0] == "numpy" and name in {"_reconstruct", "ndarray", "dtype"}) or (
            (module, name) == ("_codecs", "encode")
        ):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it names {module}.{name}, which no CIFAR batch holds")


def _from_parquet(files: list[Path], name: str) -> Dataset:
    """The hub's layout: a column `img` or `image` with encoded `bytes`, and `label`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def split(prefix: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[Any], tuple[str, ...]]:
        parts = [pq.read_table(file) for file in files if file.name.startswith(prefix)]
        if not parts:
            raise ValueError(f"no file is named {prefix}*.parquet")
        table = pa.concat_tables(parts)
        column = "img" if "img" in table.column_names else "image"
        encoded = (cell["bytes"] for cell in table.column(column).to_pylist())
        images = _stacked(_decoded(io.BytesIO(image)) for image in encoded)
        return images, table.column("label").to_numpy(), _hub_classes(table.schema.metadata)

    (images, labels, classes), test = split("train-"), split("test-")
    count = len(classes) or int(max(labels.max(), test[1].max())) + 1
    if not classes:
        known = name == "cifar10" and count == len(CIFAR10_CLASSES)
        classes = CIFAR10_CLASSES if known else tuple(str(label) for label in range(count))
    return Dataset(name, classes, checked(images, labels, count), checked(test[0], test[1], count))


def _hub_classes(metadata: dict[bytes, bytes] | None) -> tuple[str, ...]:
    """The names of the labels that the hub writes into a file, none where it does not."""
    features = json.loads((metadata or {}).get(b"huggingface", b"{}")).get("info", {}).get("features", {})
    return tuple(features.get("label", {}).get("names", ()))


def _from_idx(folder: Path, name: str) -> Dataset:
    """MNIST's files, gzipped or not; t10k alone is a set, too, a tenth of it held out."""
    splits = {}
    for prefix in ("train", "t10k"):
        images, labels = (
            next(iter(sorted(folder.rglob(f"{prefix}-{kind}*"))), None) for kind in ("images-idx3", "labels-idx1")
        )
        if images is not None and labels is not None:
            splits[prefix] = checked(_idx(images, IDX_IMAGES)[:, None], _idx(labels, IDX_LABELS), 10)
    if not splits:
        raise ValueError("images without the idx file of their labels")
    train, test = (splits["train"], splits["t10k"]) if len(splits) == 2 else next(iter(splits.values())).held_out()
    return Dataset(name, tuple(str(label) for label in range(10)), train, test)


def _idx(path: Path, magic: int) -> npt.NDArray[np.uint8]:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        content = file.read()
    axes = magic & 0xFF
    header = np.frombuffer(content, ">u4", 1 + axes)
    if header[0] != magic:
        raise ValueError(f"{path.name} is no idx file of {axes} axes of bytes")
    return np.frombuffer(content, np.uint8, offset=4 * (1 + axes)).reshape(header[1:].astype(np.int64))


def _from_npz(path: Path, name: str) -> Dataset:
    """Arrays `x_train`, `y_train`, `x_test`, `y_test` as Keras has them, or `images` and `labels`.

    Images are (N, H, W), (N, H, W, C) or (N, C, H, W), uint8.
    """
    with np.load(path, allow_pickle=False) as arrays:
        if "images" in arrays:
            whole = _from_arrays(arrays["images"], arrays["labels"])
            train, test = whole.held_out()
        else:
            train, test = (_from_arrays(arrays[f"x_{part}"], arrays[f"y_{part}"]) for part in ("train", "test"))
    count = int(max(train.labels.max(), test.labels.max())) + 1
    return Dataset(name, tuple(str(label) for label in range(count)), train, test)


def _from_arrays(images: npt.NDArray[Any], labels: npt.NDArray[Any]) -> Split:
    if images.dtype != np.uint8:
        raise ValueError(f"the images are {images.dtype}, not uint8")
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4 and images.shape[3] in (1, 3) and images.shape[1] not in (1, 3):
        images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    return checked(images, labels.reshape(-1), int(labels.max()) + 1)


def _from_pictures(folder: Path, name: str) -> Dataset:
    """A folder for each label, in `train` and `test` (or `val`) folders or not; one size, that of the first picture."""
    test = next((folder / part for part in ("test", "val") if (folder / part).is_dir()), None)
    both = (folder / "train").is_dir() and test is not None
    root = folder / "train" if both else folder
    classes = tuple(sorted(entry.name for entry in root.iterdir() if entry.is_dir()))
    if len(classes) < 2:
        raise ValueError(
            "the folder holds neither a known data set nor a folder of pictures for each of several labels"
        )
    train = _pictures(root, classes, None)
    if not both or test is None:
        return Dataset(name, classes, *train.held_out())
    size = train.images.shape[3], train.images.shape[2]
    return Dataset(name, classes, train, _pictures(test, classes, size))


def _pictures(root: Path, classes: tuple[str, ...], size: tuple[int, int] | None) -> Split:
    files = [
        (file, label)
        for label, name in enumerate(classes)
        for file in sorted((root / name).rglob("*"))
        if file.suffix.lower() in PICTURES
    ]
    if not files:
        raise ValueError(f"{root.name} holds no pictures")
    if size is None:
        with Image.open(files[0][0]) as first:
            size = first.size
    split = checked(_stacked(_decoded(f, size) for f, _ in files), np.array([n for _, n in files]), len(classes))
    order = np.random.default_rng(0).permutation(len(split))  # files lie by label, and a share takes the first
    return replace(split, images=split.images[order], labels=split.labels[order])


def _decoded(file: "io.BytesIO | Path", size: tuple[int, int] | None = None) -> npt.NDArray[np.uint8]:
    """A picture (H, W, C), grey ones with one channel."""
    with Image.open(file) as picture:
        plain = picture.convert("L" if picture.mode in ("1", "L", "I;16") else "RGB")
        pixels = np.asarray(plain if size in (None, plain.size) else plain.resize(size, Image.Resampling.BILINEAR))
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _stacked(pictures: Iterable[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    """Pictures (H, W, C) as images (N, C, H, W); grey ones among coloured get three channels."""
    every = list(pictures)
    channels = max((picture.shape[2] for picture in every), default=3)
    spread = [picture if picture.shape[2] == channels else picture.repeat(channels, 2) for picture in every]
    return np.ascontiguousarray(np.stack(spread).transpose(0, 3, 1, 2))


def checked(images: npt.NDArray[np.uint8], labels: npt.NDArray[Any], classes: int) -> Split:
    """The split, where labels (N,) from 0 to `classes` - 1 fit images (N, C, H, W); ValueError where not."""
    if images.ndim != 4 or images.shape[1] not in (1, 3) or len(images) != len(labels):
        raise ValueError(f"{len(labels)} labels do not fit images of shape {images.shape}")
    if not len(labels) or not np.isin(labels, range(classes)).all():
        raise ValueError(f"the labels are not numbers from 0 to {classes - 1}")
    return Split(images, np.asarray(labels).astype(np.int64))
