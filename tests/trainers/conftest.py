"""A tiny CIFAR-10 in every layout, made here: five training batches and a test batch of random images."""

import io
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from nc_trainers import data
from nc_trainers.data import Dataset, Split

PER_BATCH = 4


@pytest.fixture(scope="session")
def tiny() -> Dataset:
    """20 training and 4 test images."""
    rng = np.random.default_rng(0)

    def split(count: int) -> Split:
        images = rng.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)
        return Split(images, rng.integers(0, 10, count))

    return Dataset("cifar10", data.CIFAR10_CLASSES, split(5 * PER_BATCH), split(PER_BATCH))


@pytest.fixture(scope="session")
def digits() -> Dataset:
    """scikit-learn's digits."""
    return data.load("digits")


@pytest.fixture
def batches_folder(tiny: Dataset, tmp_path: Path) -> Path:
    """The folder that the official archive extracts to."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    images, labels = tiny.train.images, tiny.train.labels
    parts = {
        f"data_batch_{i + 1}": (images[PER_BATCH * i :][:PER_BATCH], labels[PER_BATCH * i :][:PER_BATCH])
        for i in range(5)
    }
    for name, (pixels, classes) in (parts | {"test_batch": (tiny.test.images, tiny.test.labels)}).items():
        content = {b"data": pixels.reshape(len(pixels), -1), b"labels": classes.tolist()}
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))
    return folder


@pytest.fixture
def archive(batches_folder: Path, tmp_path: Path) -> Path:
    """The official archive."""
    path = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(batches_folder, batches_folder.name)
    return path


@pytest.fixture
def parquet_folder(tiny: Dataset, tmp_path: Path) -> Path:
    """The layout of the Hugging Face hub."""
    folder = tmp_path / "plain_text"
    folder.mkdir()
    for name, split in (("train", tiny.train), ("test", tiny.test)):
        cells = [{"bytes": png(image), "path": f"{i}.png"} for i, image in enumerate(split.images)]
        table = pa.table({"img": cells, "label": split.labels})
        pq.write_table(table, folder / f"{name}-00000-of-00001.parquet")
    return folder.parent


@pytest.fixture(name="png")
def png_encoder() -> Callable[[np.ndarray], bytes]:
    """What makes PNG files of images."""
    return png


def png(image: np.ndarray) -> bytes:
    """An image (C, H, W) uint8 as a PNG file."""
    out = io.BytesIO()
    Image.fromarray(image.transpose(1, 2, 0)).save(out, "PNG")
    return out.getvalue()
