"""The format is told by content, whatever the file is called."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import pytest
import torch

from nc_scan.convert import file_format, onnx_source
from nc_scan.errors import ModelFileError

from .conftest import torch_model


def save(path: Path, kind: str) -> None:
    model = torch_model()
    if kind == "weights":
        torch.save(model.state_dict(), path)
    elif kind == "old":
        torch.save(model, path, _use_new_zipfile_serialization=False)
    elif kind == "script":
        torch.jit.script(model).save(path)
    else:
        path.write_bytes(pickle.dumps({"weights": [1.0]}, protocol=int(kind)))


@pytest.mark.parametrize("name", ["model.pt", "model.onnx", "model.keras", "model"])
@pytest.mark.parametrize("kind", ["weights", "old", "script", "2", "5"])
@pytest.mark.filterwarnings("ignore")
def test_a_pickle_is_refused_under_any_name(kind: str, name: str, tmp_path: Path) -> None:
    save(tmp_path / name, kind)
    assert file_format(tmp_path / name) == ("torchscript" if kind == "script" else "pickle")
    with (
        pytest.raises(ModelFileError, match=r"so it is not loaded: write the model with torch\.onnx\.export"),
        onnx_source(tmp_path / name),
    ):
        pass


@pytest.mark.parametrize("name", ["model.pth", "model.pkl", "model.joblib"])
def test_a_pickle_without_a_mark_is_told_by_its_name(name: str, tmp_path: Path) -> None:
    save(tmp_path / name, "0")
    assert file_format(tmp_path / name) == "pickle"


MEMBERS = {
    "keras": ["config.json", "metadata.json", "model.weights.h5"],
    "exported-program": ["m/archive_format", "m/models/model.json"],
    "torchscript": ["m/code/x.py", "m/data.pkl"],
    "pickle": ["m/data.pkl"],
}


@pytest.mark.parametrize("kind", MEMBERS)
def test_archives(kind: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.onnx", "w") as archive:
        for member in MEMBERS[kind]:
            archive.writestr(member, b"")
    assert file_format(tmp_path / "model.onnx") == kind


@pytest.mark.parametrize("content", [b"", b"\x08\x07", b"PK\x03\x04", b"\x80", b"\x80\x07", b"text", None])
def test_anything_else_is_for_the_onnx_reader(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "model").write_bytes(content)
    assert file_format(tmp_path / "model") == "onnx"
    with onnx_source(tmp_path / "model") as source:
        assert source.path == tmp_path / "model"
        assert source.converter is None
