"""The process that loads a model of Keras or torch and writes it as ONNX: `python -m nc_scan.convert.worker`.

It runs apart from the scan, without the user's environment. Before anything of the file is interpreted, the modules of
this package look for what would run code; while it is interpreted, an audit hook refuses what no conversion needs: the
network, other programs, pickled classes and writing outside of its own folder. The hook is a second line: it holds
Python code back, not machine code.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nc_scan.convert.exported_program import check_archive
from nc_scan.convert.keras_config import check_config, check_sizes
from nc_scan.errors import ModelFileError, NcScanError, NotScannableError, UnsupportedModelError

if TYPE_CHECKING:
    import torch

Sample = tuple[int, ...]
Dynamic = dict[int, Any] | None

OPEN_SIDE = 64  # pixels of the sample image where the model takes any size
TOLERANCE = 1e-3  # between the framework and onnxruntime, relative to the largest output
REFUSED_EVENTS = (
    "socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname", "subprocess.Popen",
    "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "pty.spawn", "pickle.find_class",
    "os.chmod", "os.chown", "os.link", "os.symlink", "os.kill", "winreg.OpenKey",
)  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def main() -> None:
    """Arguments: the format, the model, and a folder for `model.onnx` and `answer.json`.

    The answer holds `converter` where the conversion went well, and otherwise `error`, the name of a class in
    `nc_scan.errors`, and `message`.
    """
    kind, source, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    try:
        answer = {"converter": convert(kind, source, folder)}
    except NcScanError as error:
        answer = {"error": type(error).__name__, "message": str(error)}
    except Exception as error:  # whatever a framework raises for a model that it cannot read or export
        answer = {"error": "UnsupportedModelError", "message": f"{source} cannot be converted: {root_cause(error)}"}
    (folder / "answer.json").write_text(json.dumps(answer), "utf-8")


def root_cause(error: BaseException) -> str:
    """The first line of what went wrong first: exporters wrap it in advice for those who wrote the model."""
    while error.__cause__ is not None:
        error = error.__cause__
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def convert(kind: str, source: Path, folder: Path) -> str:
    """Writes `folder/model.onnx` and says what made it. Raises NcScanError, or whatever the framework raises."""
    if kind == "exported-program":
        check_archive(source)
        import onnxruntime  # noqa: F401  (loads its libraries before the hook)
        import torch

        import_exporter()
        guard(folder)
        program = torch.export.load(source)
        if program.example_inputs is None:
            raise UnsupportedModelError(f"{source} cannot be converted: it holds no example of its inputs")
        example = program.example_inputs[0]
        write_onnx(program, tuple(example), None, folder)
        return f"torch.export of torch {torch.__version__}, {difference(program.module(), tuple(example), folder)}"
    check_config(keras_config(kind, source), str(source))
    import keras
    import torch

    import_exporter()
    guard(folder)
    model = keras.models.load_model(source, compile=False, safe_mode=True)
    sample, dynamic = keras_sample(model, source)
    images = torch.rand(sample, generator=torch.Generator().manual_seed(0))
    write_onnx(with_one_input(model).eval(), (images,), dynamic, folder)
    return f"Keras {keras.__version__} on torch {torch.__version__}, {difference(model, (images,), folder)}"


def keras_config(kind: str, source: Path) -> Any:
    """The configuration in the file, decoded. Raises ModelFileError, NotScannableError for weights alone."""
    if kind == "keras":
        try:
            with zipfile.ZipFile(source) as archive:
                check_sizes(archive, str(source))
                return json.loads(archive.read("config.json"))
        except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
            raise ModelFileError(f"{source} is no Keras model, or damaged: {error}") from error
    import h5py

    try:
        with h5py.File(source, "r") as file:
            text = file.attrs.get("model_config")
        if text is not None:
            return json.loads(text)
    except (OSError, ValueError, TypeError) as error:
        raise ModelFileError(f"{source} is no Keras model, or damaged: {error}") from error
    raise NotScannableError(f"{source} holds no Keras model: weights alone, or other data")


def keras_sample(model: Any, source: Path) -> tuple[Sample, Dynamic]:
    """A shape that the model takes, and which of its axes are open. Raises NotScannableError for several inputs."""
    import torch

    if len(model.inputs) != 1:
        raise NotScannableError(f"{source} is no image classifier: it has {len(model.inputs)} inputs")
    shape = model.inputs[0].shape
    sample = tuple(size or (OPEN_SIDE if axis else 2) for axis, size in enumerate(shape))
    return sample, {axis: torch.export.Dim.AUTO for axis, size in enumerate(shape) if size is None}


def with_one_input(model: Any) -> torch.nn.Module:
    """A Keras model with a signature that the exporter can read."""
    import torch

    class OneInput(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, images: torch.Tensor) -> Any:
            return self.model(images)

    return OneInput()


def write_onnx(model: Any, example: tuple[torch.Tensor, ...], dynamic: Dynamic, folder: Path) -> None:
    """Exports to `folder/model.onnx`, without the paths of the machine that made the model."""
    import torch

    shapes = None if dynamic is None else (dynamic,)
    program = torch.onnx.export(model, example, dynamo=True, dynamic_shapes=shapes, verbose=False)
    if program is None:
        raise UnsupportedModelError("torch exported nothing")
    program.save(folder / "model.onnx", external_data=False)


def difference(model: Any, example: tuple[torch.Tensor, ...], folder: Path) -> str:
    """How far onnxruntime is from the framework on the example. Raises UnsupportedModelError where too far."""
    import onnxruntime
    import torch

    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    feed = {value.name: tensor.numpy() for value, tensor in zip(session.get_inputs(), example, strict=True)}
    found = session.run(None, feed)[0]
    with torch.no_grad():
        output = model(*example)
    expected = (output[0] if isinstance(output, tuple | list) else output).detach().numpy()
    largest = float(np.abs(found - expected).max())
    if not largest <= TOLERANCE * max(1.0, float(np.abs(expected).max())):
        raise UnsupportedModelError(f"the converted model differs from the original by {largest:.1e}")
    return f"outputs differ by at most {largest:.0e}"


def import_exporter() -> None:
    """What the exporter imports late: after this, no library needs to start a program or load a class by name."""
    import onnxscript  # noqa: F401
    import torch.onnx._internal.exporter._core
    import torch.onnx.ops  # noqa: F401


def guard(folder: Path) -> None:
    """From here on this process can use no network, start no program, load no pickled class, write elsewhere."""
    allowed = (str(folder.resolve()) + os.sep, os.devnull)

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str | bytes):
            path, mode, flags = arguments
            writing = flags & WRITING if isinstance(flags, int) else any(letter in str(mode) for letter in "wax+")
            if writing and not os.path.realpath(os.fsdecode(path)).startswith(allowed):
                raise PermissionError(f"it tries to write {os.fsdecode(path)}")
        if event in REFUSED_EVENTS:
            raise PermissionError(f"it tries something that no model needs ({event})")

    sys.addaudithook(refuse)


if __name__ == "__main__":
    main()
