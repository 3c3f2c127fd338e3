"""Whole conversions, in the process that does them; and what it refuses while it runs."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import onnxruntime
import pytest
import torch

from nc_scan.convert import convert as module
from nc_scan.convert import converter_versions, onnx_source
from nc_scan.digest import external_digests, file_digest
from nc_scan.errors import ModelFileError, NotScannableError, UnsupportedModelError
from nc_scan.results import FailedScan
from nc_scan.safely import scan_safely

from .conftest import keras_model, torch_model


def test_an_exported_program_computes_the_same(folder: Path) -> None:
    images = torch.rand(3, 3, 16, 16)
    with onnx_source(folder / "program.pt2") as source:
        assert source.converter is not None
        assert source.converter.startswith(f"torch.export of torch {torch.__version__}, outputs differ by at most ")
        session = onnxruntime.InferenceSession(str(source.path))
        found = session.run(None, {session.get_inputs()[0].name: images.numpy()})[0]
    with torch.no_grad():
        np.testing.assert_allclose(found, torch_model()(images).numpy(), atol=1e-5)
    assert not source.path.exists()
    assert external_digests(folder / "program.pt2") == {}
    assert set(converter_versions(folder / "program.pt2")) == {"onnxscript"}


@pytest.mark.parametrize(
    "name", ["plain.keras", *(pytest.param(name, marks=pytest.mark.slow) for name in ("legacy.h5", "open.keras"))]
)
def test_a_keras_model_is_converted(name: str, tmp_path: Path) -> None:
    path = keras_model(tmp_path / name)
    before = file_digest(path)
    with onnx_source(path) as source:
        assert source.converter is not None
        assert source.converter.startswith("Keras 3")
        value = onnxruntime.InferenceSession(str(source.path)).get_inputs()[0]
    assert value.shape[3] == 3
    assert [isinstance(size, int) for size in value.shape[1:3]] == ([False] * 2 if "open" in name else [True] * 2)
    assert file_digest(path) == before


LAMBDA = json.dumps({"class_name": "Sequential", "config": {"layers": [{"class_name": "Lambda", "config": {}}]}})
CODE = "is not loaded: its layer Lambda holds Python code"


@pytest.mark.parametrize(
    ("config", "error", "reason"),
    [
        (LAMBDA, ModelFileError, CODE),
        ("{", ModelFileError, "is no Keras model, or damaged"),
        (None, NotScannableError, "holds no Keras model: weights alone"),
    ],
)
def test_what_legacy_keras_files_are_refused(
    config: str | None, error: type[Exception], reason: str, tmp_path: Path
) -> None:
    with h5py.File(tmp_path / "model.h5", "w") as file:
        file["weights"] = [1.0]
        if config is not None:
            file.attrs["model_config"] = config
    with pytest.raises(error, match=f"^{tmp_path / 'model.h5'} {reason}"), onnx_source(tmp_path / "model.h5"):
        pass


@pytest.mark.parametrize(("config", "reason"), [(LAMBDA, CODE), ("{", "is no Keras model, or damaged")])
def test_what_keras_files_are_refused(config: str, reason: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        for name in ("config.json", "metadata.json"):
            archive.writestr(name, config)
    with (
        pytest.raises(ModelFileError, match=f"^{tmp_path / 'model.keras'} {reason}"),
        onnx_source(tmp_path / "model.keras"),
    ):
        pass


def test_a_damaged_file_is_one_line(folder: Path, tmp_path: Path) -> None:
    whole = (folder / "program.pt2").read_bytes()
    (tmp_path / "half.pt2").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "half.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    for name in ("half.pt2", "half.h5"):
        outcome = scan_safely(tmp_path / name)
        assert isinstance(outcome, FailedScan)
        assert outcome.verdict == "failed"
        assert outcome.sha256 == file_digest(tmp_path / name)
        assert "\n" not in outcome.reasons[0]


def test_what_is_missing_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with (
        pytest.raises(UnsupportedModelError, match=r"needs onnxscript: pip install 'nc-scan\[convert\]'"),
        onnx_source(folder / "program.pt2"),
    ):
        pass


def test_a_conversion_that_takes_too_long_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 0.01)
    with pytest.raises(UnsupportedModelError, match=r"within 0\.01 seconds"), onnx_source(folder / "program.pt2"):
        pass


GUARDED = [
    ("import socket; socket.create_connection(('127.0.0.1', 9))", "socket"),
    ("import subprocess; subprocess.run(['true'])", "subprocess.Popen"),
    ("import os; os.system('true')", "os.system"),
    ("import os; os.fork()", "os.fork"),
    ("import pickle; pickle.loads(b'cos\\nsystem\\n.')", "pickle.find_class"),
    ("open('{elsewhere}', 'w')", "tries to write"),
    ("import os; os.open('{elsewhere}', os.O_CREAT | os.O_WRONLY)", "tries to write"),
    ("open('{inside}', 'w')", None),
]


@pytest.mark.parametrize(("code", "reason"), GUARDED, ids=[code for code, _ in GUARDED])
def test_the_guard_of_the_converting_process(code: str, reason: str | None, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    code = code.format(elsewhere=tmp_path / "elsewhere", inside=tmp_path / "own" / "inside")
    own = str(tmp_path / "own")
    start = f"from pathlib import Path; from nc_scan.convert.worker import guard; guard(Path({own!r})); "
    done = subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (reason is None), done.stderr
    assert reason is None or reason in done.stderr
    assert not (tmp_path / "elsewhere").exists()
