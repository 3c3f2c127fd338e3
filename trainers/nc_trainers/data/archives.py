"""The official archives, downloaded once into the user's cache and checked.

Addresses and digests are those of the data sets' own pages, where they give any, and torchvision's otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nc_trainers.errors import TrainerError


@dataclass(frozen=True)
class Archive:
    """Files of a data set by name, each with its digest, below one address; `unpacked` ones are zip files."""

    address: str
    files: Mapping[str, str]
    unpacked: bool = False


IDX = tuple(f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))
ARCHIVES = {
    "cifar10": Archive(
        "https://www.cs.toronto.edu/~kriz/",
        {"cifar-10-python.tar.gz": "sha256:6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"},
    ),
    "cifar100": Archive(
        "https://www.cs.toronto.edu/~kriz/",
        {"cifar-100-python.tar.gz": "md5:eb9058c3a382ffc7106e4002c42a8d85"},
    ),
    "mnist": Archive(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        dict(
            zip(
                IDX,
                (
                    "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
                    "md5:d53e105ee54ea40749a09fcbcd1e9432",
                    "md5:9fb629c4189551a2d022fa330f9573f3",
                    "md5:ec29112dd5afa0611ce80d1b7f02629c",
                ),
                strict=True,
            )
        ),
    ),
    "fashion-mnist": Archive(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        dict(
            zip(
                IDX,
                (
                    "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                    "md5:25c81989df183df01b3e8a0aad5dffbe",
                    "md5:bef4ecab320f06d8554ea6380940ec79",
                    "md5:bb300cfdad3c16e7a12a480ee83cd310",
                ),
                strict=True,
            )
        ),
    ),
    "gtsrb": Archive(
        "https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/",
        {"GTSRB-Training_fixed.zip": "md5:513f3c79a4c5141765e10e952eaa2478"},
        unpacked=True,
    ),
}


def download(name: str, archive: Archive | None = None, cache: Path | None = None) -> Path:
    """Fetch what the cache has not, check it, and return the path that `formats.read` takes.

    Raises TrainerError where the archive cannot be had, or is another one.
    """
    import pooch
    import requests

    archive = archive or ARCHIVES[name]
    folder = (cache or pooch.os_cache("nc-scan")) / (name if archive.unpacked or len(archive.files) > 1 else "")
    try:
        for file, digest in archive.files.items():
            pooch.retrieve(
                archive.address + file,
                digest,
                fname=file,
                path=folder,
                progressbar=True,
                processor=pooch.Unzip(extract_dir="pictures") if archive.unpacked else None,
            )
    except (requests.RequestException, OSError, ValueError) as error:
        raise TrainerError(f"{name} could not be downloaded ({error}); give a local copy with --data") from error
    if archive.unpacked:
        return _folder_of_labels(folder / "pictures")
    return folder if len(archive.files) > 1 else folder / next(iter(archive.files))


def _folder_of_labels(folder: Path) -> Path:
    """The topmost folder that holds several."""
    inner = [entry for entry in sorted(folder.iterdir()) if entry.is_dir()]
    return _folder_of_labels(inner[0]) if len(inner) == 1 else folder
