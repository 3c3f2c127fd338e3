"""Image classification sets as uint8 arrays, from the official archives or whatever lies on the disk.

CIFAR-10 and CIFAR-100: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009. GTSRB: J. Stallkamp
et al., Man vs. computer, Neural Networks 32, 2012. MNIST: Y. LeCun et al., Gradient-Based Learning Applied to Document
Recognition, 1998. Fashion-MNIST: H. Xiao et al., arXiv:1708.07747, 2017.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from nc_trainers.data.archives import ARCHIVES, download
from nc_trainers.data.base import Dataset, Split
from nc_trainers.data.formats import CIFAR10_CLASSES, UNREADABLE, read
from nc_trainers.data.options import DataOptions
from nc_trainers.errors import TrainerError

__all__ = ["ARCHIVES", "CIFAR10_CLASSES", "DataOptions", "Dataset", "Split", "digits", "load"]


def load(source: str = "cifar10") -> Dataset:
    """Load a data set.

    `source` is the name of one of ARCHIVES, which is downloaded once into the user's cache and checked; the word
    "digits", scikit-learn's; or a path, or NAME=PATH, of CIFAR's archive or the folder it extracts to, parquet files
    `train-*.parquet` and `test-*.parquet`, MNIST's idx files, an .npz file, or a folder with one of pictures a label.
    Without NAME the data set is called as its file or folder.

    Raises TrainerError where there is no such data or it cannot be read.
    """
    if source == "digits":
        return digits()
    if source in ARCHIVES and not Path(source).exists():
        return _read(download(source), source)
    name, separator, given = source.partition("=")
    path = Path(given if separator else source)
    if not path.exists():
        raise TrainerError(f"no data at {path}; data sets by name are {', '.join(ARCHIVES)} and digits")
    return _read(path, name if separator else path.name.partition(".")[0])


def _read(path: Path, name: str) -> Dataset:
    try:
        return read(path, name)
    except UNREADABLE as error:
        raise TrainerError(f"{path} cannot be read as a data set: {error}") from error


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
