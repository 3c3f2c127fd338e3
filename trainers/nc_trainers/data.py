"""Image classification sets as uint8 arrays: CIFAR-10 in its two common layouts, and scikit-learn's digits.

CIFAR-10: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
"""

import io
import pickle
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from nc_trainers.checks import check_share
from nc_trainers.errors import TrainerError

CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
CIFAR10_HASH = "sha256:6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

TRAIN_BATCHES = tuple(f"data_batch_{i}" for i in range(1, 6))
TEST_BATCHES = ("test_batch",)
UNREADABLE = (  # what the readers of damaged archives, pickles, parquet files and pictures raise
    *(OSError, EOFError, ValueError, LookupError, TypeError, AttributeError),
    *(pickle.UnpicklingError, tarfile.TarError, zlib.error),
)


@dataclass(frozen=True)
class Split:
    """Images (N, C, H, W) uint8 and their labels (N,) int64."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, count: int) -> "Split":
        """The first `count` samples."""
        return Split(self.images[:count], self.labels[:count])


@dataclass(frozen=True)
class Dataset:
    """A training and a test split over the same classes."""

    name: str
    classes: tuple[str, ...]
    train: Split
    test: Split

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        channels, height, width = self.train.images.shape[1:]
        return channels, height, width

    def scaled(self, scale: float) -> "Dataset":
        """The first `scale` (0 < scale <= 1) of both splits; 1 is the data set itself. Else raises TrainerError."""
        check_share("scale", scale)
        if scale == 1:
            return self
        train, test = (split.take(max(1, round(scale * len(split)))) for split in (self.train, self.test))
        return Dataset(self.name, self.classes, train, test)


def load(source: str | None = None) -> Dataset:
    """Load a data set.

    `source` is None (the official CIFAR-10 archive, downloaded once into the user's cache and checked), the word
    "digits" (scikit-learn's), or the path of a CIFAR-10: the official .tar.gz, the folder it extracts to, or a folder
    of parquet files `train-*.parquet` and `test-*.parquet` (columns `img` or `image`, a struct with encoded `bytes`,
    and `label`).

    Raises TrainerError where there is no such data or it cannot be read.
    """
    if source == "digits":
        return digits()
    path = Path(source) if source is not None else download_cifar10()
    if not path.exists():
        raise TrainerError(f"no data at {path}")
    try:
        return _load_cifar10(path)
    except UNREADABLE as error:
        raise TrainerError(f"{path} cannot be read as CIFAR-10: {error}") from error


def download_cifar10(url: str = CIFAR10_URL, known_hash: str = CIFAR10_HASH, cache: Path | None = None) -> Path:
    """Fetch the official archive (170 MB) unless the cache has it; check its hash and return its path."""
    import pooch
    import requests

    try:
        return Path(
            pooch.retrieve(
                url,
                known_hash,
                fname="cifar-10-python.tar.gz",
                path=cache or pooch.os_cache("nc-scan"),
                progressbar=True,
            )
        )
    except (requests.RequestException, OSError, ValueError) as error:
        raise TrainerError(f"CIFAR-10 could not be downloaded ({error}); give a local copy with --data") from error


def digits() -> Dataset:
    """scikit-learn's 1,797 handwritten digits, enlarged to 32x32 RGB so that every architecture takes them."""
    from sklearn.datasets import load_digits

    raw = load_digits()
    grey = np.round(raw.images * (255 / 16)).astype(np.uint8)
    large = np.stack([np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.BILINEAR)) for image in grey])
    images = np.repeat(large[:, None], 3, axis=1)
    labels = raw.target.astype(np.int64)
    train, test = Split(images[:1437], labels[:1437]), Split(images[1437:], labels[1437:])
    return Dataset("digits", tuple(str(digit) for digit in range(10)), train, test)


def _load_cifar10(path: Path) -> Dataset:
    if path.is_file():
        with tarfile.open(path) as archive:
            members = {PurePosixPath(member.name).name: member for member in archive if member.isfile()}
            train, test = (
                _from_batches(archive.extractfile(members[name]) for name in names)
                for names in (TRAIN_BATCHES, TEST_BATCHES)
            )
    elif files := sorted(path.rglob("*.parquet")):
        train, test = (_from_parquet(files, prefix) for prefix in ("train-", "test-"))
    else:
        folder = next((found.parent for found in path.rglob(TEST_BATCHES[0])), None)
        if folder is None:
            raise ValueError("the folder holds neither parquet files nor data_batch_1 to 5 and test_batch")
        train, test = (_from_batches(_opened(folder, names)) for names in (TRAIN_BATCHES, TEST_BATCHES))
    return Dataset("cifar10", CIFAR10_CLASSES, train, test)


def _from_parquet(files: list[Path], prefix: str) -> Split:
    import pyarrow as pa
    import pyarrow.parquet as pq

    parts = [pq.read_table(file) for file in files if file.name.startswith(prefix)]
    if not parts:
        raise ValueError(f"no file is named {prefix}*.parquet")
    table = pa.concat_tables(parts)
    column = "img" if "img" in table.column_names else "image"
    encoded = (cell["bytes"] for cell in table.column(column).to_pylist())
    images = np.stack([np.asarray(Image.open(io.BytesIO(image)).convert("RGB")) for image in encoded])
    return _checked(_channels_first(images), table.column("label").to_numpy())


def _channels_first(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def _opened(folder: Path, names: Iterable[str]) -> Iterator[IO[bytes]]:
    for name in names:
        with (folder / name).open("rb") as file:
            yield file


def _from_batches(files: Iterable[IO[bytes] | None]) -> Split:
    batches = [_ArrayUnpickler(file, encoding="bytes").load() for file in files if file is not None]
    if not all(isinstance(batch, dict) and {b"data", b"labels"} <= batch.keys() for batch in batches):
        raise ValueError("a batch is not a table of data and labels")
    images = np.concatenate([np.asarray(batch[b"data"], dtype=np.uint8) for batch in batches])
    return _checked(images.reshape(-1, 3, 32, 32), np.concatenate([batch[b"labels"] for batch in batches]))


def _checked(images: npt.NDArray[np.uint8], labels: npt.NDArray[Any]) -> Split:
    """The split, where it can be one of CIFAR-10; ValueError where not."""
    if images.shape != (len(labels), 3, 32, 32):
        raise ValueError(f"{len(labels)} labels do not fit images of shape {images.shape}")
    if not len(labels) or not np.isin(labels, range(len(CIFAR10_CLASSES))).all():
        raise ValueError("the labels are not numbers from 0 to 9")
    return Split(images, labels.astype(np.int64))


class _ArrayUnpickler(pickle.Unpickler):
    """Reads pickled arrays and nothing that could run code: the archive's format is pickle."""

    def find_class(self, module: str, name: str) -> Any:
        if (module.partition(".")[0] == "numpy" and name in {"_reconstruct", "ndarray", "dtype"}) or (
            (module, name) == ("_codecs", "encode")
        ):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it names {module}.{name}, which no CIFAR-10 batch holds")
