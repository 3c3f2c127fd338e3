"""Models behind any address that fsspec knows: s3://, gs://, az://, hf://user/repository, https://, ..."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from nc_scan.convert import SUFFIXES
from nc_scan.digest import external_locations
from nc_scan.errors import ModelFileError, RegistryError
from nc_scan.isolation import scan_isolated
from nc_scan.registry.target import Scan
from nc_scan.results import Outcome
from nc_scan.text import message_of


@dataclass(frozen=True)
class RemoteModel:
    """A model in a file system of fsspec, with the external data beside it."""

    system: Any
    path: str

    @property
    def address(self) -> str:
        """The address with its protocol."""
        return str(self.system.unstrip_protocol(self.path))

    def scan(self, scan: Scan = scan_isolated) -> Outcome:
        """Fetches the model into a temporary folder and scans it there. Raises RegistryError."""
        with tempfile.TemporaryDirectory(prefix="nc-scan-") as folder:
            with _errors(self.address):
                file = self._fetch(Path(folder))
            return dataclasses.replace(scan(file), path=self.address)

    def _fetch(self, folder: Path) -> Path:
        source = PurePosixPath(self.path)
        file = folder / source.name
        self.system.get_file(self.path, str(file))
        with contextlib.suppress(ModelFileError):  # the scan says what is wrong with the file
            for location in external_locations(file):
                target = (folder / location).resolve()
                if target.is_relative_to(folder.resolve()):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    self.system.get_file(str(source.parent / location), str(target))
        return file


def find_models(url: str) -> list[RemoteModel]:
    """The model, or those in a folder and below it, told by their suffix, in order of name. Raises RegistryError."""
    with _errors(url):
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise RegistryError(f"{url} needs fsspec: pip install 'nc-scan[remote]'") from error
        system, path = url_to_fs(url)
        path = _pinned(system, path)
        if system.isdir(path):
            files = sorted(file for file in system.find(path) if file.lower().endswith(SUFFIXES))
        elif system.exists(path):
            files = [path]
        else:
            raise RegistryError(f"{url}: no such file or folder")
    return [RemoteModel(system, file) for file in files]


def _pinned(system: Any, path: str) -> str:
    """A path in a repository of the Hugging Face Hub at the commit that it has now; any other path as it is.

    What is scanned is thus one commit, and its address names it in every report.
    """
    if "hf" not in ((system.protocol,) if isinstance(system.protocol, str) else system.protocol):
        return path
    import huggingface_hub

    at = system.resolve_path(path)
    if not hasattr(at, "repo_id"):  # a bucket has no commits
        return path
    api = huggingface_hub.HfApi(endpoint=system.endpoint, token=system.token)
    commit = api.repo_info(at.repo_id, repo_type=at.repo_type, revision=at.revision).sha
    prefix = huggingface_hub.constants.REPO_TYPES_URL_PREFIXES.get(at.repo_type, "")
    return f"{prefix}{at.repo_id}@{commit}/{at.path_in_repo}".rstrip("/")


@contextlib.contextmanager
def _errors(address: str) -> Iterator[None]:
    """Whatever a storage library raises, as one line."""
    try:
        yield
    except RegistryError:
        raise
    except Exception as error:  # each storage has errors of its own, with no base but this
        raise RegistryError(f"{address} cannot be read: {message_of(error)}") from error
