"""Any model that the scanner takes, as an ONNX file."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nc_scan import errors
from nc_scan.convert.formats import Format, file_format
from nc_scan.errors import ModelFileError, UnsupportedModelError
from nc_scan.versions import versions_of

TIMEOUT = 1800  # seconds
NEEDS: dict[Format, tuple[str, ...]] = {
    "keras": ("keras", "onnxscript"),
    "keras-h5": ("keras", "h5py", "onnxscript"),
    "exported-program": ("onnxscript",),
}
ADVICE = "write the model with torch.onnx.export or torch.export.save"
REFUSALS: dict[Format, str] = {
    "pickle": f"is a pickle, which can run any code when it is loaded, so it is not loaded: {ADVICE}",
    "torchscript": f"is a TorchScript archive, which holds pickles and code, so it is not loaded: {ADVICE}",
    "lfs-pointer": "is a Git LFS pointer, not the model itself: fetch that with git lfs pull",
    "annex-pointer": "is a pointer of git-annex, not the model itself: fetch that with git annex get",
}
# What the converting process sees of the user's environment: no credentials, no settings of the frameworks.
KEPT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "LANG", "LC_ALL", "OMP_NUM_THREADS")


@dataclass(frozen=True)
class OnnxSource:
    """An ONNX file, and what converted the user's file to it; None where it is the user's file."""

    path: Path
    converter: str | None = None


@contextlib.contextmanager
def onnx_source(path: Path) -> Iterator[OnnxSource]:
    """The file itself, or what it was converted to, in a temporary folder.

    Raises ModelFileError for a file that is damaged, or unsafe to load: a pickle, a Keras model with code in it, an
    exported program with pickles in it; UnsupportedModelError where the framework is missing or cannot export the
    model; NotScannableError for a file that holds no model.
    """
    kind = file_format(path)
    if kind == "onnx":
        yield OnnxSource(path)
        return
    if kind in REFUSALS:
        raise ModelFileError(f"{path} {REFUSALS[kind]}")
    missing = [name for name in NEEDS[kind] if importlib.util.find_spec(name) is None]
    if missing:
        raise UnsupportedModelError(f"{path} needs {', '.join(missing)}: pip install 'nc-scan[convert]'")
    with tempfile.TemporaryDirectory(prefix="nc-scan-") as name:
        yield _convert(kind, path, Path(name))


def converter_versions(path: Path) -> dict[str, str]:
    """The versions of the libraries that a conversion depends on; empty for ONNX."""
    return versions_of(NEEDS.get(file_format(path), ()))


def _convert(kind: Format, path: Path, folder: Path) -> OnnxSource:
    command = [sys.executable, "-P", "-m", "nc_scan.convert.worker", kind, str(path.absolute()), str(folder)]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
        answer = json.loads((folder / "answer.json").read_text("utf-8"))
    except subprocess.TimeoutExpired as error:
        raise UnsupportedModelError(f"{path} cannot be converted within {TIMEOUT} seconds") from error
    except FileNotFoundError as error:  # the process was killed, for its memory most often
        raise UnsupportedModelError(f"{path} cannot be converted: the process ended with {done.returncode}") from error
    if "converter" in answer:
        return OnnxSource(folder / "model.onnx", answer["converter"])
    kind_of_error: type[errors.NcScanError] = getattr(errors, answer["error"])
    raise kind_of_error(answer["message"].replace(str(path.absolute()), str(path)))


def _environment(folder: Path) -> dict[str, str]:
    """The same packages, a home of its own, torch as Keras' backend, no unpickling of anything but tensors."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return kept | {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(folder),
        "USERPROFILE": str(folder),
        "TMPDIR": str(folder),
        "TEMP": str(folder),
        "KERAS_HOME": str(folder),
        "KERAS_BACKEND": "torch",
        "TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
